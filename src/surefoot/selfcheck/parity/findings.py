"""What goes wrong elsewhere, measured where it shows best, with ours beside it.

Adam's first step, where 1 - beta^t has lost half of its digits in float32. Adam in bfloat16, where a step next to
a weight of 1 rounds to nothing, and where Keras takes beta2 for 1. Centred RMSprop on a gradient that stays the same,
where rounding makes a variance negative. Adagrad on TensorFlow where a batch asks for one row of an embedding twice.
Adam in float16, where eps is 0. Adan in optax, which writes 1 - b2 where b2 belongs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from surefoot.frontends.contract import FrontEnd, Setup, exact
from surefoot.selfcheck.parity.grid import gradients, start, theirs
from surefoot.selfcheck.parity.result import BOUND, Flaw

FLOAT32 = 2.0**-23
"""One ulp of 1: the relative error that a bound of one ulp allows."""

FLOAT16 = 2.0**-10
"""The same in float16."""

WEIGHTS = 4096
"""In bfloat16: so many that the luck of random rounding is under 2 % of the way."""


def findings(front_end: FrontEnd) -> Iterator[Flaw]:
    """Measure a front-end."""
    yield _first_step(front_end)
    yield from (_half(front_end, lr) for lr in (1e-2, 1e-3))
    yield from (_float16(front_end, gradient) for gradient in (0.0, 1e-5))
    if front_end.name == "keras-tensorflow":
        yield _row_twice()
    if front_end.name == "torch":
        yield _constant()
    if front_end.name == "optax":
        yield _adan(front_end)


def _first_step(front_end: FrontEnd) -> Flaw:
    adam, start, rows = Setup("adam", front_end.framework), np.zeros(1, "float32"), np.ones((1, 1), "float32")
    right = exact(adam, start, rows)
    ours, its = (float(np.abs(path / right - 1).max()) for path in _both(front_end, adam, start, rows))
    return Flaw(front_end.name, "Adam, first step: relative error", 0.0, ours, its, BOUND * FLOAT32)


def _half(front_end: FrontEnd, lr: float) -> Flaw:
    adam = Setup("adam", front_end.framework, lr, dtype="bfloat16")
    start, rows = np.ones(WEIGHTS, "float32"), np.ones((50, WEIGHTS), "float32")
    way = exact(adam, start, rows)[-1] - start
    ours, its = (float(((path[-1] - start) / way).mean()) for path in _both(front_end, adam, start, rows))
    return Flaw(front_end.name, f"Adam, bfloat16, lr {lr:g}: way gone", 1.0, ours, its, 0.1)


def _float16(front_end: FrontEnd, gradient: float) -> Flaw:
    adam = Setup("adam", front_end.framework, dtype="float16")
    start, rows = np.zeros(1, "float32"), np.full((1, 1), gradient, "float32")
    right = float(exact(adam, start, rows)[-1, 0]) / adam.rate(0)
    ours, its = (float(path[-1, 0]) / adam.rate(0) for path in _both(front_end, adam, start, rows))
    what = f"Adam, float16, gradient {gradient:g}: first step / lr"
    return Flaw(front_end.name, what, right, ours, its, 2 * FLOAT16)


def _adan(front_end: FrontEnd) -> Flaw:
    """Measure Adan with optax's `eps_root` at 0, so that all that differs is its b2."""
    adan = Setup("adan", "optax")
    begin, rows = start(adan), gradients()
    right = exact(adan, begin, rows)
    paths = front_end.drive([adan, replace(adan, call="adan", options={"eps_root": 0.0})], [begin, begin], rows)
    ours, its = (float(np.abs(path - right).max() / np.abs(right - begin).max()) for path in paths)
    return Flaw("optax", "Adan: error, as a share of the way", 0.0, ours, its, BOUND * FLOAT32)


def _both(front_end: FrontEnd, ours: Setup, start: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
    """Return the paths of ours and of the framework's own."""
    setups = [ours, *filter(None, [theirs(ours, front_end.framework)])]
    return front_end.drive(setups, [start] * len(setups), rows)


def _constant() -> Flaw:
    """Count the weights that are lost where the gradient stays the same."""
    from surefoot.selfcheck.parity.drive_torch import lost

    ours, its = (lost(own=own, weights=1000) for own in (False, True))
    return Flaw("torch", "RMSprop, centred: NaN of 1000 weights", 0.0, ours, its, 0.0)


def _row_twice() -> Flaw:
    """Ask for row 0 twice in one batch: its gradient is the sum of both."""
    from surefoot.selfcheck.parity.drive_keras import row_twice

    adagrad, start = Setup("adagrad", "keras"), np.zeros((2, 1), "float32")
    right = exact(adagrad, start, np.array([[[2.0], [0.0]]], "float32"))[-1][0, 0]
    made = [row_twice(setup, start) for setup in (adagrad, replace(adagrad, call="Adagrad"))]
    ours, its = (float(abs(weights[0, 0] / right - 1)) for weights in made)
    return Flaw("keras-tensorflow", "Adagrad, a row twice: relative error", 0.0, ours, its, BOUND * FLOAT32)
