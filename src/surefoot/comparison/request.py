"""A comparison's request: every decision between a study's name and its first trial.

Its hash is of what was asked for, not of what that came to. So the same request again finds its run and goes on, also
where a budget in minutes would buy another size today.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import surefoot
from surefoot.arms.arm import Arm
from surefoot.comparison.driver import Run
from surefoot.comparison.looks import AT_THE_END, AskedLooks
from surefoot.comparison.try_out import time_arms
from surefoot.design.budget import size
from surefoot.design.rounds import TunedArms
from surefoot.design.trial import Trial, hash_of
from surefoot.errors import SurefootWarning
from surefoot.rule import Rule
from surefoot.search.proposals import FINALISTS, TUNING_SEEDS, seeds
from surefoot.store import Design, Store
from surefoot.store.design import Budget, Sizing, Timing, TrialPart
from surefoot.store.margin import Margin
from surefoot.store.protocol import Protocol
from surefoot.tasks import Trainable
from surefoot.workers.runner import Runner


@dataclass(frozen=True)
class Request:
    """A checked request.

    `wanted` holds epochs, trials and seeds unless a time budget decides. `tuned` has the labels of the optimizers to
    tune; None means all. `over` names the study that the price of not tuning is asked of, if it is.
    """

    name: str
    task: Trainable
    arms: tuple[Arm, ...]
    protocol: Protocol
    workers: int
    runner: Runner
    wanted: Sizing
    budget: Budget
    convention: str = "torch"
    margin: Margin | None = None
    tuned: tuple[str, ...] | None = None
    looks: AskedLooks = AT_THE_END
    tune_seeds: int = TUNING_SEEDS
    over: str = ""

    def prepare(self, store: Store) -> Run:
        """Store the run. Returns its plan as it was first stored.

        With a budget in minutes the optimizers are timed first, for a second or two each.

        Raises:
            UsageError: the budget is too small.
            TrialError: no optimizer can be run.
        """
        if self.budget.seconds is None:
            return self.plan(self.wanted).freeze(store)
        kept = store.design(self.hash)
        if kept is not None:
            return self.plan(kept.sizing, kept.timings).freeze(store)
        begun = time.monotonic()
        timings = self.pilot(self.budget.seconds)
        spent = time.monotonic() - begun
        sizing = self.bought(timings, spent)
        return self.plan(sizing, timings, spent).freeze(store)

    def pilot(self, seconds: float) -> dict[str, Timing]:
        """Time every optimizer within this many seconds. The first times may refuse the budget."""
        return time_arms(self.task, self.arms, self.protocol, self.workers, self.runner, seconds, self.bought)

    def bought(self, timings: Mapping[str, Timing], spent: float) -> Sizing:
        """Return what the rest of the time budget buys; `UsageError` if that is too little."""
        left = (self.budget.seconds or 0.0) - spent
        return size(left, self.workers, timings, self.protocol, self.wanted, self.budget, self.tune_seeds)

    def plan(self, sizing: Sizing, timings: Mapping[str, Timing] | None = None, spent: float = 0.0) -> Run:
        """Return the plan of so much; `spent` are seconds that timing took."""
        protocol = replace(self.protocol, epochs=sizing.epochs)
        make = partial(_trial, self.name, protocol)
        measure, tune = seeds(sizing.seeds, self.tune_seeds)
        better, step = self.task.metric.better, protocol.validation_step
        arms = tuple(arm for arm in self.arms if self.tuned is None or arm.label in self.tuned)
        looks = self.looks.plan(sizing.seeds, len(self.arms), at_most=self.budget.seeds is None)
        first = measure[: looks.at[0]] if looks.at else measure
        tuning = TunedArms(arms, sizing.trials, first, tune, make, better, step) if sizing.trials else None
        if tuning:
            _warn_of_untuned(arms)
        design = Design(
            hash=self.hash,
            study=self.name,
            protocol=protocol,
            optimizers=tuple(arm.asked for arm in self.arms),
            sizing=sizing,
            budget=self.budget,
            measure=measure,
            tune=tune if tuning else (),
            searches=tuning.searches if tuning else {},
            timings=timings or {},
            convention=self.convention,
            margin=self.margin,
            over=self.over,
            surefoot=surefoot.__version__,
            frozen=datetime.now(UTC).isoformat(timespec="seconds"),
            looks=looks,
            seconds=spent,
        )
        trials = tuple(make(arm, seed, TrialPart()) for seed in measure for arm in self.arms)
        return Run(design, trials, self.task, self.workers, tuning, self.runner)

    @property
    def without_schedule(self) -> list[str]:
        """Labels of optimizers that run at a constant rate by intention."""
        followed = self.protocol.schedule != "constant" or any(arm.schedule for arm in self.arms)
        return [arm.label for arm in self.arms if followed and arm.is_meant_constant]

    @property
    def hash(self) -> str:
        """The hash that identifies this request. The number of workers is not part of it."""
        asked: dict[str, Any] = {
            "protocol": self.protocol.decides,
            "optimizers": [arm.decides for arm in self.arms],
            "amount": asdict(self.wanted if self.budget.seconds is None else self.budget),
        }
        if self.wanted.trials > 0 if self.budget.seconds is None else self.budget.trials != 0:  # something is tuned
            asked["again"] = {"finalists": FINALISTS, "seeds": self.tune_seeds}
            asked |= {} if self.tuned is None else {"tuned": self.tuned}
        if self.margin:
            asked["margin"] = asdict(self.margin)
        seeds = self.wanted.seeds if self.budget.seconds is None else None
        return hash_of({"study": self.name, **asked, **self.looks.decides(seeds, len(self.arms))})


def _warn_of_untuned(arms: Sequence[Arm]) -> None:
    """Warn of a class without a learning rate, unless the user gave options or ranges."""
    for arm in arms:
        if arm.make is None or isinstance(arm.make, Rule) or "lr" in arm.hyper or arm.own or arm.ranges:
            continue
        name, options = arm.make.__qualname__, [key for key, value in arm.hyper.items() if type(value) is float]
        warnings.warn(
            f"{arm.label} has no option lr, so its learning rate is not tuned, while those of others are. Say what is "
            f"searched, as in surefoot.Opt({name}, {(*options, 'lr')[0]}=surefoot.log(1e-4, 1)).",
            SurefootWarning,
            stacklevel=3,
        )


def _trial(study: str, protocol: Protocol, arm: Arm, seed: int, part: TrialPart) -> Trial:
    return Trial(study, arm, seed, protocol, "tune" if part.role in ("tuning", "final") else "measure", part)
