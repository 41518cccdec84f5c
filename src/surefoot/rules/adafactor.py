"""Adafactor: RMSprop whose mean squares are products of a number a row and a number a column.

The mean square forgets as the count asks, t^-0.8, so it needs no correction. The step is cut to a root mean square of
1, and its rate is a share of the weights' own: `lr` is the largest such share, and falls with the root of the count.

Where eps stands differs. The paper, Keras and optax add it to each squared gradient. torch takes its square for the
least mean square; its default, None, is the epsilon of the first parameter's type, and stays so for all others. Here
that is float32's, whatever the type.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from surefoot.about import About, Centre, Claim, Convention
from surefoot.mathops import Array, maximum, mean, minimum, sqrt
from surefoot.rule import Cols, Rows, Slot, Step, rule
from surefoot.rules.rmsprop import rmsprop
from surefoot.rules.spelling import KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Shazeer & Stern, ICML 2018, arXiv:1804.04235"
_DEFAULTS = {"beta2_decay": -0.8, "eps": 1e-30, "eps_scale": 1e-3, "clip_rms": 1.0, "weight_decay": 0.0}

_ABOUT = About(
    title="Adafactor",
    adds="keeps a mean square for each row and each column, in the place of one for each weight",
    use=(Claim("Little memory: next to no state for a matrix.", "the formula"),),
    avoid=(
        Claim("A rate of your own and relative_step: the rate is then only its upper bound.", "the formula"),
        Claim("Settings from elsewhere: what an argument means differs.", "surefoot explain adafactor"),
    ),
    lr=Centre(-2.0, "Shazeer & Stern 2018: at most 1e-2 of the weights' root mean square"),
    meanings={
        "eps": "keeps the mean square away from zero: added to squared gradients, or its root",
        "eps_floor": "eps is the root of the least mean square, and is not added to squared gradients",
    },
    conventions={
        "torch": Convention(
            "torch.optim.Adafactor",
            {**TORCH, "beta2_decay": "beta2_decay", "eps": "eps[0]", "eps_scale": "eps[1]", "clip_rms": "d"},
            {**_DEFAULTS, "lr": 1e-2, "eps": 2.0**-23},
            {"eps_floor": True},
            "its eps[0], None, is the epsilon of the first parameter's type; here float32's",
        ),
        "keras": Convention(
            "keras.optimizers.Adafactor",
            {
                **KERAS,
                "beta2_decay": "beta_2_decay",
                "eps": "epsilon_1",
                "eps_scale": "epsilon_2",
                "clip_rms": "clip_threshold",
            },
            {**_DEFAULTS, "lr": 1e-3},
            {"scale_decayed": True},
            "relative_step=False changes nothing there (3.15)",
        ),
        "optax": Convention(
            "optax.adafactor",
            {**OPTAX, "eps": "eps", "clip_rms": "clipping_threshold", "weight_decay": "weight_decay_rate"},
            {name: value for name, value in _DEFAULTS.items() if name != "eps_scale"},
            {"relative_step": False, "decay_by_lr": False},
            "decay_rate is minus beta2_decay; sides below min_dim_size_to_factor (128) are not factored there",
        ),
        "paper": Convention(
            "",
            {**PAPER, "eps": "ε₁", "eps_scale": "ε₂", "clip_rms": "d"},
            {**_DEFAULTS, "lr": 1e-2},
            note="Algorithms 4 and 5",
        ),
    },
)


@rule(
    slots=(Slot("v", positive=True, meaning="running mean of the squared gradients"),),
    source=_SOURCE,
    parent=rmsprop,
    pin={"decoupled": True},
    about=_ABOUT,
)
def adafactor_vector(
    g: Array,
    w: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 1e-2,
    beta2_decay: float = -0.8,
    eps: float = 1e-30,
    eps_scale: float = 1e-3,
    clip_rms: float = 1.0,
    weight_decay: float = 0.0,
    eps_floor: bool = False,
    relative_step: bool = True,
    parameter_scale: bool = True,
    scale_decayed: bool = False,
) -> Step:
    """Divide by the root of the mean square, cut, and step a share of the weights' own size."""
    v, kept = _mean_square(g * g if eps_floor else g * g + eps, state, t**beta2_decay, eps if eps_floor else 0.0)
    direction = g / sqrt(maximum(v, eps * eps) if eps_floor else v)
    far = minimum(lr, 1 / sqrt(t)) if relative_step else lr
    seen = (1 - lr * weight_decay) * w if scale_decayed else w
    far = far * maximum(_rms(seen), eps_scale) if parameter_scale else far
    return Step(rate=far / maximum(_rms(direction) / clip_rms, 1.0), direction=direction, **kept)


def _mean_square(square: Array, state: Any, share: Array, floor: Array) -> tuple[Array, dict[str, Array]]:
    """Return each weight's mean square, and its stored form: itself, or row and column numbers."""
    if hasattr(state, "v"):
        v = state.v + share * (square - state.v)
        return v, {"v": v}
    R = state.R + share * (mean(square, axis=1) - state.R)  # noqa: N806  the paper's letters
    C = state.C + share * (mean(square, axis=0) - state.C)  # noqa: N806
    whole = mean(R, axis=0)
    return R / (maximum(whole, floor) if floor else whole) * C, {"R": R, "C": C}


def _rms(x: Array) -> Array:
    return sqrt(mean(x * x))


adafactor = replace(
    adafactor_vector,
    name="adafactor",
    family="adafactor",
    slots=(
        Rows("R", positive=True, meaning="mean square of each row"),
        Cols("C", positive=True, meaning="mean square of each column"),
    ),
    doc="Adam in little memory: mean squares of rows and columns, steps proportional to weights.",
    shape="matrix",
    vector=adafactor_vector,
)
