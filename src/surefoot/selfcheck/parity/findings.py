"""What goes wrong elsewhere, measured where it shows best, with ours beside it.

Adam's first step, where 1 - beta^t has lost half of its digits in float32. Adam in bfloat16, where a step next to
a weight of 1 rounds to nothing, and where Keras takes beta2 for 1. Centred RMSprop on a gradient that stays the same,
where rounding makes a variance negative. Adagrad on TensorFlow where a batch asks for one row of an embedding twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.selfcheck.parity.cases import Case
from surefoot.selfcheck.parity.front import FrontEnd
from surefoot.selfcheck.parity.measure import expected
from surefoot.selfcheck.parity.result import BOUND, Finding

FLOAT32 = 2.0**-23
"""One ulp of 1: the relative error that a bound of one ulp allows."""

WEIGHTS = 4096
"""In bfloat16: so many that the luck of random rounding is under 2 % of the way."""


def findings(front_end: FrontEnd) -> Iterator[Finding]:
    """Measure a front-end."""
    yield _first_step(front_end)
    yield from (_half(front_end, lr) for lr in (1e-2, 1e-3))
    if front_end.name == "keras-tensorflow":
        yield _row_twice()
    if front_end.name == "torch":
        yield _constant()


def _first_step(front_end: FrontEnd) -> Finding:
    ours, start, rows = Case("adam", front_end.framework), np.zeros(1, "float32"), np.ones((1, 1), "float32")
    right = expected(ours, start, rows)
    errors = [float(np.abs(path / right - 1).max()) for path in _both(front_end, ours, start, rows)]
    what = "Adam, first step: relative error"
    return Finding(front_end.name, what, 0.0, errors[0], errors[1], BOUND * FLOAT32)


def _half(front_end: FrontEnd, lr: float) -> Finding:
    ours = Case("adam", front_end.framework, lr=lr)
    start, rows = np.ones(WEIGHTS, "float32"), np.ones((50, WEIGHTS), "float32")
    way = expected(ours, start, rows)[-1] - start
    gone = [float(((path[-1] - start) / way).mean()) for path in _both(front_end, ours, start, rows, "bfloat16")]
    return Finding(front_end.name, f"Adam, bfloat16, lr {lr:g}: way gone", 1.0, gone[0], gone[1], 0.1)


def _both(
    front_end: FrontEnd, ours: Case, start: np.ndarray, rows: np.ndarray, dtype: str = "float32"
) -> list[np.ndarray]:
    """Return the paths of ours and of the framework's own."""
    theirs = ours.theirs(front_end.framework)
    cases = [ours] if theirs is None else [ours, theirs]
    return front_end.drive(cases, [start] * len(cases), rows, dtype)


def _constant() -> Finding:
    """Count the weights that are lost where the gradient stays the same."""
    from surefoot.selfcheck.parity.fronts.constant import WEIGHTS, lost

    what = f"RMSprop, centred: NaN of {WEIGHTS} weights"
    return Finding("torch", what, 0.0, lost(own=False), lost(own=True), 0.0)


def _row_twice() -> Finding:
    """Ask for row 0 twice in one batch: its gradient is the sum of both."""
    from surefoot.selfcheck.parity.fronts.embedding import row_twice

    ours = Case("adagrad", "keras")
    start = np.zeros((2, 1), "float32")
    right = expected(ours, start, np.array([[[2.0], [0.0]]], "float32"))[-1][0, 0]
    made = [row_twice(case, start) for case in (ours, Case("adagrad", "keras", own=True))]
    errors = [abs(weights[0, 0] / right - 1) for weights in made]
    what = "Adagrad, a row twice: relative error"
    return Finding("keras-tensorflow", what, 0.0, float(errors[0]), float(errors[1]), BOUND * FLOAT32)
