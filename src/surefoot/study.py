"""`Study`: a comparison that was run, with the optimizer that did best.

Its numbers and words come from the records in the store, as those of a later report do: both say the same. Beyond that
it makes the best optimizer again, for a model of the user's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from surefoot.analysis import summarize
from surefoot.arms.arm import Arm
from surefoot.comparison.driver import Run
from surefoot.comparison.request import Request
from surefoot.design.studies import STUDIES
from surefoot.errors import StoreError, UsageError, unknown
from surefoot.options import STORE, Options
from surefoot.progress import announce, progress, say_look
from surefoot.result import Result
from surefoot.store import Design, Record, Store


@dataclass(frozen=True, repr=False)
class Study(Result):
    """A finished comparison: its results, what they allow to say, and the optimizer that did best.

    Attributes:
        plan: what was planned.
        records: every trial.
        store: the file that keeps them.
    """

    plan: Run
    records: tuple[Record, ...]
    store: Path

    def best(self) -> Best:
        """Return the optimizer with the best mean on the test data. `verdict` names what is tied with it.

        Raises:
            UsageError: no trial has finished.
        """
        label = self.summary.verdict.best
        if label is None:
            raise UsageError(f"no optimizer is best: {self.verdict}")
        with Store(self.store, readonly=True) as results:
            return Best(self.plan.arm(results, label))


@dataclass(frozen=True)
class Best:
    """An optimizer as the comparison chose it."""

    arm: Arm

    @property
    def label(self) -> str:
        """Its name in the results."""
        return self.arm.label

    @property
    def hyper(self) -> dict[str, Any]:
        """Every hyperparameter."""
        return dict(self.arm.hyper)

    def build(self, model: Any) -> Any:
        """Make it for a model, or for its parameters where one rule steps them all; a `torch.optim.Optimizer`."""
        return self.arm.build(model)


def run(request: Request, options: Options) -> Study:
    """Run what is left of a study, and say on standard error what happens."""
    announce(request)
    with Store(options.store) as results:
        planned = request.prepare(results)
        known, todo = planned.standing(results)
        with progress(planned, len(known), todo, Path(options.logdir) if options.logdir else None) as observe:
            records = planned.run(results, observe, say_look)
        design = results.design(planned.design.hash) or planned.design
    plan = replace(planned, design=design)
    return Study(plan.name, summarize(records, design), plan, tuple(records), Path(options.store))


def newest_run(study: str, store: str | PathLike[str] = STORE) -> tuple[Design, list[Record]]:
    """Return the design and the records of a study's newest run; of your own task by the name of the task.

    Raises:
        StoreError: there is no store, or it has no trial of this study.
        UsageError: neither the store nor Surefoot has a study of this name.
    """
    with Store(Path(store), readonly=True) as results:
        runs = ((one, results.run(one)) for one in reversed(results.designs(study)))
        newest = next(((design, records) for design, records in runs if records), None)
        others = {one.study for one in results.designs()} - {study}
    if newest:
        return newest
    if others and study not in STUDIES:
        raise unknown("study in this store", study, others)
    raise StoreError(f"the store has no trial of study {study!r}. Run `surefoot compare` on it first.")
