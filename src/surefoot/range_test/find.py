"""The learning-rate range test as one call: sweep every optimizer and read the curves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

from surefoot.arms.arm import Arm
from surefoot.compare_call import asked
from surefoot.comparison.request import Request
from surefoot.range_test.page import LEGEND, plot, write_range_page
from surefoot.range_test.sweep import Losses, learning_rates, sweeps
from surefoot.range_test.window import SMOOTHING, RangeFinding, finding
from surefoot.range_test.words import DRAWN, IS_NOT, TO_USE, result, what_it_is
from surefoot.search.space import WIDTH
from surefoot.tasks import Task
from surefoot.words import plain

COLUMNS = 80


@dataclass(frozen=True)
class RangeTest:
    """The result of a range test of some optimizers.

    Attributes:
        study: what was trained.
        findings: a curve for each optimizer, and a window or the reason why there is none.
        about: what was done, in words.
    """

    study: str
    findings: tuple[RangeFinding, ...]
    about: str

    def text(self) -> str:
        """Return everything for a terminal of 80 columns: pictures, windows, and how to read them."""
        parts = []
        for one in self.findings:
            parts += [f"{one.label}: training loss by learning rate\n{plot(one)}\n"]
            parts += [fill(f"{one.label}: {result(one)}", COLUMNS) + "\n"]
        words = (fill(text, COLUMNS) for text in (DRAWN, self.about, IS_NOT, TO_USE))
        return "\n".join([*parts, f"{LEGEND}\n", *words])

    def page(self, path: str | Path) -> Path:
        """Write it as one HTML file, and return the file's path; errors as of `write_range_page`."""
        return write_range_page(self.findings, path, self.study, self.about)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        optimizers: list[Any] = [{**plain(one), "text": result(one)} for one in self.findings]
        return {"study": self.study, "smoothing_decades": SMOOTHING, "optimizers": optimizers, "note": IS_NOT}


def lr_find(
    task: str | Task | None = None,
    *,
    seeds: int = 5,
    steps: int = 200,
    heard: Callable[[Arm, int, Losses], None] = lambda *_: None,
    **options: Any,
) -> RangeTest:
    """Show at which learning rates your model's loss falls, and where it diverges.

    Use it to centre a search. It does not find the best rate, and compares no optimizers.

    Args:
        task: as in `surefoot.compare`, and so are `model`, `data`, `optimizers` and the other options; Adam by default.
        seeds: runs of each optimizer, 3 or more, on the seeds that tune.
        steps: training steps of a run, 100 or more.
        heard: called at the end of each run with its optimizer, its seed and its losses.
        options: as in `surefoot.compare`.

    Raises:
        UsageError: too few seeds or steps; an optimizer without a learning rate.
        TrialError: an optimizer of another library refuses its options.

    Example:
        >>> print(surefoot.lr_find("mlp-mnist", optimizers=["adam"]).text())
    """
    request, _ = asked(task, **{"optimizers": ["adam"], **options})
    return range_test(request, seeds=seeds, steps=steps, heard=heard)


def range_test(
    request: Request,
    *,
    seeds: int = 5,
    steps: int = 200,
    heard: Callable[[Arm, int, Losses], None] = lambda *_: None,
) -> RangeTest:
    """Run the test of `lr_find` in this process. A learning rate of the request is ignored."""
    rates = learning_rates(steps)
    losses = sweeps(request, seeds, rates, heard)
    found = (finding(arm.label, rates, losses[arm.label], WIDTH, _searched(arm)) for arm in request.arms)
    return RangeTest(request.name, tuple(found), what_it_is(seeds, steps, (rates[0], rates[-1]), WIDTH))


def _searched(arm: Arm) -> tuple[float, float] | None:
    """Return the window of a search without the test, if it would search a learning rate."""
    lr = arm.space(1).ranges.get("lr")
    return (lr.low, lr.high) if lr and lr.kind == "log" else None
