"""`surefoot.rate_free`: what is lost without tuning, and how many trainings that saves, over any task.

The study has roles: most optimizers are measured as they come, one at the rate that a range test finds, and one is
tuned. The rate is found once: a run of the same task in the same store takes what an earlier one found, so that it goes
on where that one stopped, also where a range test would not give the same numbers again.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from surefoot.analysis.rate_free import Prices, prices, usual_margin
from surefoot.compare_call import asked
from surefoot.comparison.ask import ask
from surefoot.comparison.request import Request
from surefoot.design.studies import RATE_FREE
from surefoot.errors import SurefootWarning
from surefoot.options import Options
from surefoot.range_test.words import result
from surefoot.store import Store
from surefoot.study import Study, run
from surefoot.tasks import Trainable
from surefoot.words import Table
from surefoot.words.rate_free import price_table


@dataclass(frozen=True)
class RateFree:
    """What is lost without tuning.

    Attributes:
        study: the comparison, with every trial.
    """

    study: Study

    @cached_property
    def prices(self) -> Prices:
        """All numbers: the loss, cost and saving of each optimizer."""
        return prices(self.study.summary)

    def table(self) -> Table:
        """Return a row for each optimizer; print it."""
        return price_table(self.prices)


def rate_free(task: str | Trainable | None = None, **options: Any) -> RateFree:
    """Measure what optimizers lose that need no tuning, against a tuned AdamW.

    Adadelta, AdaBound, Adam, Prodigy, D-Adaptation, DoG and Schedule-Free AdamW run as they come. AdamW runs with a
    cosine schedule: with its defaults, at the centre that `lr_find` finds, and tuned.

    Args:
        task: as in `surefoot.compare`, and so are `model`, `data` and the other options. Further `optimizers` are
            measured as they are given; with `only`, which is the default, they stand instead of ours.
        options: as in `surefoot.compare`. The `margin` is by how much an optimizer may be worse: 0.3 points by default,
            or 2 % where the metric is no share.

    Raises:
        UsageError: something that cannot be compared; the message says what to change.

    Example:
        >>> print(surefoot.rate_free("logreg-digits", seeds=5).table())
    """
    request, read = asked(task, **{**options, **_changes(Options(**_known(options)))})
    return RateFree(run(laid_over(request, read), read))


def ask_rate_free(task: str | Trainable, options: Options) -> Request:
    """Read the options of the study over a task, before the range test."""
    return ask(task, replace(options, **_changes(options)))


def laid_over(request: Request, options: Options, *, find: bool = True) -> Request:
    """Return the study with its roles and one optimizer more, at the centre of a range test.

    Args:
        request: the study's optimizers over a task, the one that is tuned last.
        options: where the store is.
        find: whether the range test may run; a plan alone takes any rate.
    """
    *others, tuned = request.arms
    name, margin = f"{RATE_FREE.name}-{request.name}", request.margin or usual_margin(request.protocol.metric)
    named = replace(request, name=name, margin=margin, tuned=(tuned.label,), over=request.name)
    rate = _kept(named, options) or (_found(replace(named, arms=(tuned,))) if find else tuned.hyper["lr"])
    if rate is None:
        return named
    found = tuned.with_options({"lr": rate})
    steps = RATE_FREE.sweep_seeds * RATE_FREE.sweep_steps
    centre = replace(found, label=RATE_FREE.centre, is_named=True, range_test=steps)
    return replace(named, arms=(*others, centre, tuned))


def _changes(options: Options) -> dict[str, Any]:
    """Return the options that the study has itself: its optimizers, and how many trials tune."""
    given = tuple(options.optimizers or ())
    own = () if given and options.only else RATE_FREE.untuned
    trials = options.trials if options.trials is not None or options.budget else RATE_FREE.trials
    return {"optimizers": (*own, *given, RATE_FREE.tuned), "only": True, "trials": trials}


def _known(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("optimizers", "only", "trials", "budget") if name in options}


def _kept(request: Request, options: Options) -> float | None:
    """Return the rate that an earlier run of this study found, if the store has one."""
    path = Path(options.store)
    if not path.exists():
        return None
    with Store(path, readonly=True) as store:
        designs = [one for one in store.designs(request.name) if one.protocol.decides == request.protocol.decides]
    rates = [one.hyper["lr"] for design in designs for one in design.optimizers if one.range_test]
    return float(rates[-1]) if rates else None


def _found(request: Request) -> float | None:
    """Return the centre from a range test in three digits, or None with a warning."""
    if request.protocol.own_loop:
        reason = "a range test takes the steps itself, and a training function takes its own."
    else:
        from surefoot.range_test.find import range_test  # trains, and so loads torch

        finding, *_ = range_test(request, seeds=RATE_FREE.sweep_seeds, steps=RATE_FREE.sweep_steps).findings
        if finding.window:
            return float(f"{finding.window.centre:.3g}")
        reason = result(finding)
    warnings.warn(f"{RATE_FREE.centre} is left out: {reason}", SurefootWarning, stacklevel=4)
    return None
