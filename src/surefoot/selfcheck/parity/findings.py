"""What goes wrong elsewhere, measured where it shows best, with ours beside it.

- Adam's first step: in float32, 1 - beta^t has lost half of its digits.
- Adam in bfloat16: a step next to a weight of 1 rounds to nothing, and Keras takes beta2 for 1.
- Centred RMSprop on a gradient that stays the same: rounding makes a variance negative.
- Adagrad on TensorFlow, where a batch asks for one row of an embedding twice.
- Adam in float16: eps is 0.
- Another formula: `FORMULAS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from surefoot.frontends.contract import FrontEnd, Setup, exact
from surefoot.rules import adamw, lookahead, mars, sgd
from surefoot.selfcheck.parity.grid import DECAY, gradients, start, theirs
from surefoot.selfcheck.parity.result import BOUND, Flaw

FLOAT32 = 2.0**-23
"""One ulp of 1: the relative error that a bound of one ulp allows."""

FLOAT16 = 2.0**-10
"""The same in float16."""

WEIGHTS = 4096
"""Weights in bfloat16: so many that the luck of random rounding is under 2 % of the way."""


@dataclass(frozen=True)
class Formula:
    """A rule that another implementation computes by another formula.

    Attributes:
        framework: whose implementation it is: a framework's, a front-end's alone, or a package's.
        what: the rule, and where it shows.
        ours: the rule as it should be; its gradients are the grid's.
        call: the other implementation's name, in a package `package.name`.
        options: its arguments beside the learning rate.
        quiet: whether the first gradient is all zeros.
    """

    framework: str
    what: str
    ours: Setup
    call: str
    options: Mapping[str, Any] = field(default_factory=dict)
    quiet: bool = False


_WARM = {"warmup_steps": 10}

FORMULAS = (
    Formula("optax", "Adan", Setup("adan", "optax"), "adan", {"eps_root": 0.0}),
    Formula("optax", "NAdam by its paper", Setup("nadam", "paper"), "nadam"),
    Formula("optax", "NAdamW by AlgoPerf's code", Setup("nadamw", "paper"), "nadamw"),
    Formula("optax", "Prodigy, first gradient 0", Setup("prodigy", "optax"), "prodigy", quiet=True),
    Formula("optax", "D-Adaptation, first gradient 0", Setup("dadapt_adam", "optax"), "dadapt_adamw", quiet=True),
    Formula(
        "optax",
        "Schedule-Free AdamW, warm-up",
        Setup("schedule_free_adamw", "optax", options=_WARM),
        "schedule_free_adamw",
        _WARM,
    ),
    Formula("keras", "NAdam by its paper", Setup("nadam", "paper"), "Nadam", {"epsilon": 1e-8}),
    *(
        Formula(name, "Schedule-Free AdamW", Setup("schedule_free_adamw", "keras"), "ScheduleFreeAdamW")
        for name in ("keras-torch", "keras-tensorflow")
    ),
    Formula(
        "keras",
        "Schedule-Free AdamW, warm-up",
        Setup("schedule_free_adamw", "keras", options=_WARM),
        "ScheduleFreeAdamW",
        _WARM,
    ),
    Formula("pytorch_optimizer", "LAMB", Setup("lamb", "torch", 0.1, DECAY), "pytorch_optimizer.Lamb"),
    Formula("pytorch_optimizer", "ADOPT", Setup("adopt", "torch"), "pytorch_optimizer.ADOPT"),
    Formula("timm", "Lookahead around SGD", Setup(lookahead(sgd), "torch"), "timm.optim.lookahead.Lookahead", {"k": 5}),
    Formula(
        "mars",
        "MARS around AdamW, gradients in one buffer",
        Setup(mars(adamw), "torch", one_buffer=True),
        "mars.MARS",
        {"optimize_1d": True},
    ),
)
"""Formulas of others that are not the rule's."""

PACKAGES: Mapping[str, Mapping[str, str]] = {
    "torch": {
        "pytorch_optimizer": "pip install pytorch_optimizer",
        "timm": "pip install timm",
        "mars": "PYTHONPATH=MARS/optimizers of github.com/AGI-Arena/MARS",
    }
}
"""Packages that a front-end runs beside its framework's own, if they are installed; and how to install them."""


def findings(front_end: FrontEnd) -> Iterator[Flaw]:
    """Measure a front-end."""
    yield _first_step(front_end)
    yield from (_half(front_end, lr) for lr in (1e-2, 1e-3))
    yield from (_float16(front_end, gradient) for gradient in (0.0, 1e-5))
    if front_end.name == "keras-tensorflow":
        yield _row_twice()
    if front_end.name == "torch":
        yield _constant()
    if front_end.framework == "keras":
        yield _evaluated(front_end)
    installed = {name for name in PACKAGES.get(front_end.name, ()) if find_spec(name)}
    for formula in FORMULAS:
        if formula.framework in {front_end.name, front_end.framework, *installed}:
            yield _formula(front_end, formula)


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


def _formula(front_end: FrontEnd, formula: Formula) -> Flaw:
    """Measure the largest error after any step, as a share of the way until then."""
    begin, rows = start(formula.ours), gradients()
    rows[: int(formula.quiet)] = 0
    right = exact(formula.ours, begin, rows)
    theirs = replace(formula.ours, call=formula.call, options=formula.options)
    way = np.abs(right - begin).max(1)
    paths = front_end.drive([formula.ours, theirs], [begin, begin], rows)
    ours, its = (float((np.abs(path - right).max(1)[way > 0] / way[way > 0]).max()) for path in paths)
    where = formula.framework if formula.framework in PACKAGES.get(front_end.name, ()) else front_end.name
    return Flaw(where, f"{formula.what}: error / way", 0.0, ours, its, BOUND * FLOAT32)


def _both(front_end: FrontEnd, ours: Setup, start: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
    """Return the paths of ours and of the framework's own."""
    setups = [ours, *filter(None, [theirs(ours, front_end.framework)])]
    return front_end.drive(setups, [start] * len(setups), rows)


def _constant() -> Flaw:
    """Count the weights that are lost where the gradient stays the same."""
    from surefoot.selfcheck.parity.drive_torch import lost

    ours, its = (lost(own=own, weights=1000) for own in (False, True))
    return Flaw("torch", "RMSprop, centred: NaN of 1000 weights", 0.0, ours, its, 0.0)


def _evaluated(front_end: FrontEnd) -> Flaw:
    """Predict after a training, with a model whose only weight is what it predicts."""
    from surefoot.selfcheck.parity.drive_keras import predicted

    ours, its = (predicted(own=own) for own in (False, True))
    return Flaw(front_end.name, "Schedule-Free AdamW, predict(): error / way", 0.0, ours, its, BOUND * FLOAT32)


def _row_twice() -> Flaw:
    """Ask for row 0 twice in one batch: its gradient is the sum of both."""
    from surefoot.selfcheck.parity.drive_keras import row_twice

    adagrad, start = Setup("adagrad", "keras"), np.zeros((2, 1), "float32")
    right = exact(adagrad, start, np.array([[[2.0], [0.0]]], "float32"))[-1][0, 0]
    made = [row_twice(setup, start) for setup in (adagrad, replace(adagrad, call="Adagrad"))]
    ours, its = (float(abs(weights[0, 0] / right - 1)) for weights in made)
    return Flaw("keras-tensorflow", "Adagrad, a row twice: relative error", 0.0, ours, its, BOUND * FLOAT32)
