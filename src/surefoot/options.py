"""The options of a comparison, each once: name, type, default and help.

The flags of the command line are made from this file, and a test holds the arguments of `surefoot.compare` to it. What
`decides` the numbers is what a report repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass, fields
from datetime import timedelta
from numbers import Integral
from os import PathLike
from typing import Any

from surefoot.errors import Argument, UsageError
from surefoot.store.protocol import Better
from surefoot.workers.runner import Runner, option

STORE = "surefoot-results/results.sqlite"


PATHS = {"store": STORE, "logdir": "runs", "data_dir": "data"}
"""The options that are paths, each with an example."""


@dataclass(frozen=True)
class Options:
    """What a user can change about a study; None keeps the study's own.

    Every field says in its metadata what it is; the `least` number that it takes, if it is a whole number; and whether
    it `decides` the numbers.
    """

    optimizers: Sequence[Any] | None = option(None, "optimizers to compare.")
    only: bool = option(True, "true: compare these optimizers alone; false: the study's own too.")
    better: Better | None = option(None, "direction of your own metric: max if larger is better, min if smaller.")
    budget: str | timedelta | None = option(None, "limit on what is run: 20min, 1.5h, '16 trials' or '5 epochs'.")
    epochs: int | None = option(None, "passes over the training data in a trial.", least=1, decides=True)
    steps: int | None = option(None, "training steps in a trial, instead of epochs.", least=1, decides=True)
    evaluate_every: int | None = option(
        None, "steps between evaluations, with steps; default: about 20 evaluations.", least=1, decides=True
    )
    trials: int | None = option(
        None, "configurations to try in tuning each optimizer; 0: no tuning.", least=0, decides=True
    )
    tune_seeds: int | None = option(
        None,
        "seeds that tune, 3 by default; from 4 on the best 3 configurations race, and one far behind is dropped.",
        least=1,
        decides=True,
    )
    seeds: int | None = option(None, "seeds that measure each optimizer.", least=1, decides=True)
    margin: float | str | None = option(
        None,
        "difference that still counts as equal: points of a share such as accuracy (0.3); of another metric a number "
        "(0.01), or a part of it (2%).",
        decides=True,
    )
    looks: str | Sequence[int] | None = option(
        None, "planned looks at the verdict: auto, or numbers of seeds, as in 8,12,16.", decides=True
    )
    spending: str = option(
        "obrien-fleming",
        "way to share out the 5 % of false verdicts over looks: obrien-fleming, pocock or linear.",
        decides=True,
    )
    question: str = option(
        "best", "question to answer: best, all-pairs, or against and a name: 'against adam'.", decides=True
    )
    batch_size: int | None = option(None, "examples in a training step.", least=1, decides=True)
    schedule: str | Callable[[int, int], float] | None = option(
        None, "learning-rate schedule for all: constant, cosine, linear, wsd or warmup-cosine.", decides=True
    )
    dataset: str | None = option(
        None, "another data set for a built-in study: mnist, kmnist or fashion-mnist.", decides=True
    )
    train_size: int | None = option(
        None, "training images of a built-in study, validation included.", least=2, decides=True
    )
    data_dir: str | PathLike[str] | None = option(None, "folder to search first for data files.")
    workers: int | None = option(None, "trials to run at a time; default: one per core.", least=1)
    device: str = option("auto", "device to train on: auto, cpu, cuda or mps.", decides=True)
    runner: Runner = option(Runner(), "place where trials run, and what each may use.")
    logdir: str | PathLike[str] | None = option(None, "folder for TensorBoard's event files.")
    store: str | PathLike[str] = option(STORE, "file for the results (SQLite).")

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if "least" in one.metadata and value is not None:
                object.__setattr__(self, one.name, _whole(one.name, value, one.metadata["least"]))
            if one.name in PATHS and not isinstance(value, str | PathLike | None):
                example = f"{one.name}={PATHS[one.name]!r}"
                raise UsageError(Argument(one.name), f" is {value!r}; give a path, such as {example}.")
        if not isinstance(self.runner, Runner):
            raise UsageError(
                Argument("runner"), f" is {self.runner!r}; give one, such as surefoot.Runner('ray', address='auto')."
            )
        if not isinstance(self.budget, str | timedelta | None):
            raise UsageError(
                f"budget is {self.budget!r}; say of what, as in budget='20min', '1.5h', '16 trials' or '5 epochs'."
            )


def _whole(name: str, value: Any, least: int) -> int:
    """Return a count as Python's own number; `UsageError` for anything but a whole number."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        many = max(least, _meant(value))
        raise UsageError(f"{name} is {value!r}; give how many, a whole number, such as {name}={many}.")
    if value < least:
        raise UsageError(Argument(name), f" is {value}; give a whole number from {least}.")
    return int(value)


def _meant(value: Any) -> int:
    """Return the count that a user may have meant by what is none: that of a list, or the number in a text."""
    if isinstance(value, str):
        return int(value) if value.strip().isdecimal() else 3
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return len(value) if isinstance(value, Sized) else 3
