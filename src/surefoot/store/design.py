"""Designs: a run's decisions, and the part of each of its trials, as the store keeps them.

A design is what was asked for and what was decided from it, before the first trial. A part says what a trial is in a
run; one trial may have a part in many. Both are typed on either side of the store; their form as JSON is that of their
fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from surefoot.store.looks import LookPlan
from surefoot.store.margin import Margin
from surefoot.store.protocol import Protocol
from surefoot.store.ranges import GIVEN_BY_USER, Range, ranges_from

Role = Literal["untuned", "tuning", "final", "measured"]
"""The reason for a trial: an optimizer as given, a configuration tried, a finalist on another seed, or the winner
measured.
"""


@dataclass(frozen=True)
class Search:
    """The search of one optimizer: ranges by name, their sources, and the first configurations."""

    ranges: Mapping[str, Range]
    sources: Mapping[str, str]
    configurations: tuple[Mapping[str, float], ...] = ()

    @property
    def lr_is_users(self) -> bool:
        """Whether the user gave the range of the learning rate. The search then stays within it."""
        return self.sources.get("lr") == GIVEN_BY_USER

    @property
    def may_grow(self) -> bool:
        """Whether the search may leave its learning rates. It may if their window is ours."""
        return "lr" in self.ranges and self.ranges["lr"].kind == "log" and not self.lr_is_users

    @property
    def text(self) -> str:
        """The ranges as people read them: `lr log 0.0001..0.1, momentum 1 - log 0.005..0.5`."""
        return ", ".join(f"{name} {found.text}" for name, found in self.ranges.items()) or "nothing is searched"

    def at(self, point: Sequence[float]) -> dict[str, float]:
        """Return the configuration at a point, one position in [0, 1] for each range."""
        return {name: found.at(u) for (name, found), u in zip(self.ranges.items(), point, strict=True)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Search:
        """Return the search of a stored design."""
        return cls(ranges_from(found["ranges"]), found["sources"], tuple(found["configurations"]))


@dataclass(frozen=True)
class TrialPart:
    """The part of a trial in a run.

    Attributes:
        role: why the run has it.
        tuned_from: the label of the optimizer that is tuned; empty for a role of `untuned`.
        configuration: the values that were searched.
        round: 0 for what is known from the start; each round of tuning follows from the results before it.
        search: where this optimizer is searched.
    """

    role: Role = "untuned"
    tuned_from: str = ""
    configuration: Mapping[str, float] = field(default_factory=dict)
    round: int = 0
    search: Search | None = None


@dataclass(frozen=True)
class Planned:
    """A trial of a run's plan: its key, its label in this run, its seed and its part."""

    key: str
    label: str
    seed: int
    part: TrialPart


@dataclass(frozen=True)
class Optimizer:
    """An optimizer of a request: every hyperparameter, and the options and ranges from the user.

    `rule` names a rule or a class; of what is not built in, also its code, as in `torch.optim.nadam.NAdam@2.9.1`. A
    class has no `convention`. `is_named` tells a label of the user's from one that follows from the options;
    `reference` is the text that names a rule of their own, `my.py:calm` or `module:calm`; `range_test` counts the
    training steps of the range test that found its learning rate. `code` has the options whose values are classes or
    other objects, with the place of each, `torch.optim.sgd:SGD`; it is empty where no module has the object.
    """

    label: str
    rule: str
    convention: str
    hyper: Mapping[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)
    is_named: bool = False
    reference: str = ""
    range_test: int = 0
    code: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the rule, or the full name of a class, without the hash of its code."""
        return self.rule.partition("@")[0]

    @property
    def short_name(self) -> str:
        """The name of a class without its module."""
        return self.name.rpartition(".")[2]

    @property
    def functions(self) -> dict[str, str]:
        """The names of functions of the user's among its options: a schedule, groups."""
        found = {option: str(self.given.get(option, "")).partition("@") for option in ("schedule", "groups")}
        return {option: name for option, (name, is_code, _) in found.items() if is_code}

    @property
    def has_own_code(self) -> bool:
        """Whether its class, its rule or an option is the script's own, so that a text cannot name it."""
        return self.is_local or bool(self.functions) or "" in self.code.values()

    @property
    def is_imported(self) -> bool:
        """Whether it is a class from a library, under its full name."""
        return "." in self.name

    @property
    def is_local(self) -> bool:
        """Whether it is a class or a rule of the script that ran, without an importable name."""
        unnamed = bool(self.convention) and self.is_imported and not self.reference
        local = self.rule.startswith("__main__.") or "<locals>" in self.rule
        return unnamed or (local and ".py:" not in self.reference)


@dataclass(frozen=True)
class Budget:
    """The budget that a user sets: seconds, trials, epochs or seeds. None leaves one open."""

    seconds: float | None = None
    trials: int | None = None
    epochs: int | None = None
    seeds: int | None = None


@dataclass(frozen=True)
class Sizing:
    """The size of a run: epochs of a trial, configurations to tune, and seeds to measure, at most."""

    epochs: int
    trials: int
    seeds: int


@dataclass(frozen=True)
class Timing:
    """Seconds of one optimizer: to begin a trial, for a step, to evaluate an example, to store an epoch.

    `cold` is what a worker takes once, to start and to begin its first trial.
    """

    setup: float
    step: float
    example: float
    keeping: float = 0.0
    cold: float = 0.0

    def trial(self, protocol: Protocol, epochs: int) -> float:
        """Seconds of a whole trial."""
        examples = epochs * protocol.validation_size + protocol.validation_size + protocol.test_size
        each = protocol.steps_per_epoch * self.step + self.keeping
        return self.setup + epochs * each + examples * self.example


@dataclass(frozen=True)
class Design:
    """A run's request and the decisions from it, before its first trial.

    Attributes:
        hash: of what was asked for; the same again finds this run.
        study: its name.
        protocol: how every trial is trained.
        optimizers: as they were asked for.
        sizing: how much is run.
        budget: what the user allowed.
        measure: the seeds that measure.
        tune: the seeds that tune; none if nothing is tuned.
        searches: where each optimizer is searched, by its label.
        timings: what the pilot of a budget in seconds measured, by label.
        convention: what an optimizer without one follows.
        surefoot: the version that decided.
        frozen: when it was stored (UTC, ISO 8601).
        looks: when the run is looked at, and what is asked of it.
        seconds: what running it has taken so far.
        margin: by how much two optimizers may differ and still count as equal, if the user said.
        over: the name of the study that the price of not tuning is asked of, if it is.
        looked: when it was looked at (UTC, ISO 8601), by the number of seeds.
    """

    hash: str
    study: str
    protocol: Protocol
    optimizers: tuple[Optimizer, ...]
    sizing: Sizing
    budget: Budget = field(default_factory=Budget)
    measure: tuple[int, ...] = ()
    tune: tuple[int, ...] = ()
    searches: Mapping[str, Search] = field(default_factory=dict)
    timings: Mapping[str, Timing] = field(default_factory=dict)
    convention: str = ""
    surefoot: str = ""
    frozen: str = ""
    looks: LookPlan = field(default_factory=LookPlan)
    seconds: float = 0.0
    margin: Margin | None = None
    over: str = ""
    looked: Mapping[int, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the design without the run's columns, as the store keeps it."""
        found = asdict(self) | {"protocol": self.protocol.content}
        unasked = {name for name in ("margin", "over") if not found[name]}
        return {name: value for name, value in found.items() if name not in {*COLUMNS, "looked", *unasked}}

    @classmethod
    def from_json(cls, found: Mapping[str, Any], **columns: Any) -> Design:
        """Return the design that `to_json` wrote, with the run's columns."""
        typed = {
            "protocol": Protocol.from_json(found["protocol"]),
            "optimizers": tuple(
                Optimizer(**{**one, "ranges": ranges_from(one["ranges"])}) for one in found["optimizers"]
            ),
            "sizing": Sizing(**found["sizing"]),
            "budget": Budget(**found["budget"]),
            "measure": tuple(found["measure"]),
            "tune": tuple(found["tune"]),
            "searches": {label: Search.from_json(one) for label, one in found["searches"].items()},
            "timings": {label: Timing(**one) for label, one in found["timings"].items()},
            "looks": LookPlan.from_json(found["looks"]) if "looks" in found else LookPlan(),
            "margin": Margin.from_json(found.get("margin")),
        }
        return cls(**{**found, **typed, **columns})


COLUMNS = ("hash", "study", "frozen", "seconds")
"""The fields of a design that are columns of a run."""
