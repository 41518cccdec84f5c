"""The protocol: everything but the optimizer and the seed that decides a trial's numbers, and the metric.

What stands at its oldest value is left out of the content, so that results from before an option existed still count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from math import inf
from typing import Any, Literal, get_args

from surefoot.errors import Argument, UsageError
from surefoot.values import is_number, is_whole

VERSION = 1
"""Raised when the training loop changes in a way that changes its numbers."""

Better = Literal["max", "min"]
"""The better direction of a metric: larger or smaller."""


def read_better(given: str | None, scores: str) -> Better:
    """Return the better direction that a user gave.

    Args:
        given: `max` or `min`.
        scores: name of what is better then, for the error: "the scores".

    Raises:
        UsageError: it is neither.
    """
    directions: tuple[Better, ...] = get_args(Better)
    for direction in directions:
        if direction == given:
            return direction
    said = "missing" if given is None else repr(given)
    which = f"say which value of {scores} is better: max, such as an accuracy, or min, such as a loss."
    raise UsageError(Argument("better"), f" is {said}; {which}")


Order = Literal["shuffled", "frozen"]
"""The order of examples: new in every epoch, or that of the first."""

Schedule = Literal["constant", "cosine", "linear", "warmup-cosine", "wsd"]


@dataclass(frozen=True)
class Metric:
    """The metric of a task beside its loss: name, better direction, and form.

    A `share` is a fraction from 0 to 1 that people read in per cent, such as an accuracy. `is_loss` says that it is the
    loss itself, which then need not be shown twice; a metric of the user's may have the same name.
    """

    name: str = "accuracy"
    better: Better = "max"
    share: bool = True
    is_loss: bool = False

    @property
    def sign(self) -> int:
        """1 if larger is better, else -1: a value times its sign is better when it is larger."""
        return 1 if self.better == "max" else -1

    @property
    def title(self) -> str:
        """The name as people read it; `metric loss` for a user's metric of that name, which stands beside the loss."""
        read = self.name.replace("_", " ")
        return f"metric {read}" if read.lower() == LOSS.name and not self.is_loss else read

    @property
    def heading(self) -> str:
        """The title where it begins a line: with a capital if its first word is ours. A user's name stays as it is."""
        is_ours = self.title != self.name.replace("_", " ") or self.name in OURS
        return self.title[0].upper() + self.title[1:] if is_ours else self.title

    def to_json(self) -> dict[str, Any]:
        """Return the metric as stored. `is_loss` is left out where name and direction imply it."""
        found = asdict(self)
        return found if self.is_loss != _reads_as_loss(found) else {n: found[n] for n in ("name", "better", "share")}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Metric:
        """Return the metric that `to_json` wrote; accuracy where none was written."""
        return cls(**{"is_loss": _reads_as_loss(found), **found})


OURS = ("accuracy", "loss", "bits per character", "distance to minimum", "score")
"""The names of metrics that no user gave."""

ACCURACY = Metric()

LOSS = Metric("loss", "min", share=False, is_loss=True)
"""The metric of a task that is judged by its loss."""


def _reads_as_loss(found: Mapping[str, Any]) -> bool:
    return all(found.get(name) == getattr(LOSS, name) for name in ("name", "better", "share"))


@dataclass(frozen=True)
class TrainingUnit:
    """The unit that people count a training in: epochs, or steps if evaluations are counted in steps.

    Attributes:
        word: one of them.
        each: how many lie between two evaluations; records count evaluations.
    """

    word: Literal["epoch", "step"] = "epoch"
    each: int = 1

    def amount(self, evaluations: float) -> str:
        """Return a number of evaluations as people read it: "3 epochs", "1,500 steps"."""
        number = evaluations * self.each
        return f"{number:,.12g} {self.word}{'' if number == 1 else 's'}"

    def at(self, evaluation: int, of: int | None = None) -> str:
        """Return the place of an evaluation: "epoch 3/20", "step 1500/10000"; without `of` the place alone."""
        place = f"{self.word} {evaluation * self.each}"
        return place if of is None else f"{place}/{of * self.each}"


Precision = Literal["fp32", "bf16", "fp16"]
"""The numbers of forward passes. The weights keep the model's own."""


@dataclass(frozen=True)
class Recipe:
    """The parts of a training step besides the optimizer, the same for all.

    Attributes:
        clip: the largest norm of all gradients together; None does not clip.
        accumulate: batches whose gradients make one step, weighed by their examples.
        precision: of forward passes: `fp32` leaves them alone, `bf16` and `fp16` use autocast, `fp16` a GradScaler too.
        ema: how much of a moving average of the weights each step keeps; evaluation uses it. None keeps no average.

    Raises:
        UsageError: a value that cannot be.
    """

    clip: float | None = None
    accumulate: int = 1
    precision: Precision = "fp32"
    ema: float | None = None

    def __post_init__(self) -> None:
        clip = _within("clip", self.clip, inf, "the largest norm of all gradients together, such as clip=1.0")
        ema = _within("ema", self.ema, 1.0, "how much of the average each step keeps, such as ema=0.999")
        if not is_whole(self.accumulate) or self.accumulate < 1:
            raise UsageError(f"accumulate is {self.accumulate!r}; give how many batches make a step, from 1.")
        if self.precision not in get_args(Precision):
            raise UsageError(f"precision is {self.precision!r}; give one of {', '.join(get_args(Precision))}.")
        for name, value in {"clip": clip, "ema": ema, "accumulate": int(self.accumulate)}.items():
            object.__setattr__(self, name, value)

    @property
    def changes(self) -> dict[str, Any]:
        """The differences from a plain step, by name."""
        plain = asdict(Recipe())
        return {name: value for name, value in asdict(self).items() if value != plain[name]}

    @property
    def text(self) -> str:
        """The differences from a plain step, as a user writes them: `clip=1.0, accumulate=4`."""
        return ", ".join(f"{name}={value!r}" for name, value in self.changes.items())


def _within(name: str, value: float | None, below: float, meaning: str) -> float | None:
    """Return a number as Python's own; `UsageError` unless it lies between 0 and another, both excluded."""
    if value is not None and not (is_number(value) and 0 < value < below):
        raise UsageError(f"{name} is {value!r}; give {meaning}, or None.")
    return value if value is None or isinstance(value, int | float) else float(value)


@dataclass(frozen=True)
class Protocol:
    """The training protocol of every trial in a study.

    `epochs` counts passes over the `train_size` training examples, taken in batches of `batch_size`; with `drop_last`
    an incomplete last batch is left out. Where `evaluate_every` is not 0, an epoch is so many steps, whatever part of
    the data they pass over. `recipe` is what steps do besides the optimizer. `schedule` is followed by
    every optimizer's learning rate alike. `chance` is the metric of guessing: no training depends on it. With an
    `own_loop` a function of the user's trains, whose epochs have no sizes that are known. The defaults are what older
    stores leave out: options that came later, and sizes that are unknown.
    """

    task: str = ""
    dataset: str = ""
    epochs: int = 0
    batch_size: int = 0
    train_size: int = 0
    validation_size: int = 0
    test_size: int = 0
    device: str = ""
    schedule: Schedule = "constant"
    drop_last: bool = False
    order: Order = "shuffled"
    metric: Metric = field(default_factory=Metric)
    fingerprint: str = ""
    chance: float | None = None
    recipe: Recipe = field(default_factory=Recipe)
    evaluate_every: int = 0
    own_loop: bool = False

    @cached_property
    def content(self) -> dict[str, Any]:
        """The protocol as the store keeps it and as it enters a trial's key."""
        oldest = asdict(Protocol())
        kept = {name: value for name, value in asdict(self).items() if value != oldest[name]}
        forms = {"metric": self.metric.to_json(), "recipe": self.recipe.changes}
        return {"version": VERSION, **kept, **{name: form for name, form in forms.items() if name in kept}}

    @cached_property
    def decides(self) -> dict[str, Any]:
        """The content that decides the numbers of a trial: all but what is noted for readers."""
        return {name: value for name, value in self.content.items() if name != "chance"}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Protocol:
        """Return the protocol of a content. Missing entries have their oldest value."""
        known = {one.name: content[one.name] for one in fields(cls) if one.name in content}
        recipe = Recipe(**content.get("recipe", {}))
        return cls(**{**known, "metric": Metric.from_json(content.get("metric", {})), "recipe": recipe})

    @property
    def is_built_in(self) -> bool:
        """Whether what is trained is Surefoot's own; a task of the user's may have the same name."""
        return bool(self.epochs) and not self.fingerprint and not self.own_loop

    @property
    def validation_step(self) -> float:
        """The smallest step of a validation metric: one example of a share; 0 where it can take any value."""
        return 1 / self.validation_size if self.metric.share and self.validation_size else 0.0

    @property
    def batches_per_pass(self) -> int:
        """Batches in a pass over the training examples; 0 where the sizes are unknown."""
        if self.batch_size < 1 or self.train_size < 1:
            return 0
        whole, rest = divmod(self.train_size, self.batch_size)
        return max(1, whole + (bool(rest) and not self.drop_last))

    @property
    def steps_per_pass(self) -> int:
        """Training steps in a pass over the examples; the last one may have fewer batches than the others."""
        return -(-self.batches_per_pass // self.recipe.accumulate)

    @property
    def steps_per_epoch(self) -> int:
        """Training steps from one evaluation to the next; 0 where that is unknown."""
        return self.evaluate_every or self.steps_per_pass

    @property
    def unit(self) -> TrainingUnit:
        """The unit that people count its training in."""
        return TrainingUnit("step", self.evaluate_every) if self.evaluate_every else TrainingUnit()

    @property
    def steps(self) -> int:
        """Training steps in a whole trial."""
        return self.epochs * self.steps_per_epoch
