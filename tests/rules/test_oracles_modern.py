"""The modern oracles against the packages that people run, in float64: our reading of each is the authors'.

A row runs on two tensors, 8x6 and 6x6, with decay and without, and in four situations: gradients of size 1, 1e-4 and
1e-8, a first gradient of zeros or none, a constant rate or a warm-up and a drop. The figure is the largest difference
of a weight after any step, as a share of the longest way.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from package_cases import ORACLES, ROWS, SITUATIONS, TREEWISE, Row, Situation
from package_runs import SIZES

STEPS, LONG = 200, 10_000
FAR = ("nadam_optax-optax", "lamb-optax", "lars_optax-optax", "lookahead_adam-optax", "dog-optax", "prodigy-torch")


@pytest.mark.parametrize(("row", "decay"), [(row, decay) for row in ROWS for decay in row.decays], ids=str)
def test_oracle_equals_package(row, decay):
    theirs = row.theirs(decay)
    for situation in SITUATIONS:
        if not row.leave(situation):
            assert error(row, decay, situation, STEPS, theirs) <= row.within, situation


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in ROWS if str(row) in FAR], ids=str)
def test_oracle_equals_package_in_the_long_run(row):
    decay = row.decays[-1]
    assert error(row, decay, SITUATIONS[-1], LONG, row.theirs(decay)) <= row.within


def error(row: Row, decay: float, situation: Situation, steps: int, theirs) -> float:
    """Return the largest relative error of the weights, and of those that evaluation asks for."""
    rates, start = make_rates(row.lr, situation, steps), make_start(row, decay)
    gradients = make_gradients(row, decay, situation, start, rates)
    settings = row.settings(decay)
    path, last = theirs(gradients, start, rates)
    errors = [relative(row.ours(gradients, start, rates, **settings), path, start)]
    if "evaluated" in ORACLES[row.name].defaults:
        x = row.ours(gradients, start, rates, **settings, evaluated=True)[-1]
        errors.append(relative(x, last, start))
    return max(errors)


def relative(ours: np.ndarray, theirs: np.ndarray, start: np.ndarray) -> float:
    """Return the largest difference, as a share of the longest way; infinite if there is none, or what is no number."""
    way = np.abs(theirs - start).max()
    gap = np.abs(ours - theirs).max()
    return float(gap / way) if 0 < way < np.inf else np.inf


def make_rates(lr: float, situation: Situation, steps: int) -> np.ndarray:
    """Return the rate of each step."""
    t = np.arange(1, steps + 1)
    return lr * (np.minimum(t / 30, 1) * np.where(t <= steps / 2, 1.0, 0.1) if situation.scheduled else t / t)


def make_start(row: Row, decay: float) -> np.ndarray:
    """Return weights near 1 and -1 where something is to decay or to measure, else 0."""
    sign = np.resize([1.0, -1.0], sum(SIZES))
    return sign * np.linspace(0.5, 1.5, sign.size) if decay or "lamb" in row.name or "lars" in row.name else 0 * sign


def make_gradients(row: Row, decay: float, situation: Situation, start: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Return gradients: those of a noisy bowl for the rules that look for its bottom, else a mean and noise."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((len(rates), start.size))
    size = np.full((len(rates), 1), situation.scale)
    size[0] *= not situation.quiet
    if row.name in TREEWISE:
        return size * _bowl(row, decay, start, rates, noise, size)
    return size * (noise + rng.uniform(0.1, 0.5, start.size) * np.resize([1.0, -1.0, -1.0], start.size))


def _bowl(row: Row, decay: float, start, rates, noise, size) -> np.ndarray:
    """Return the gradients, before their size, that the oracle meets on its way down."""
    seen, now = [], start

    def met() -> Iterator[np.ndarray]:
        for shake, scale in zip(noise, size, strict=True):
            seen.append(now - 1 + 0.3 * shake)
            yield seen[-1] * scale

    settings = {**ORACLES[row.name].defaults, **row.settings(decay)}
    for now in ORACLES[row.name].loop(settings, start, met(), rates):  # noqa: B007 (`met` reads it)
        pass
    return np.array(seen)
