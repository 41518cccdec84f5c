"""DoG and DoWG: gradient descent whose rate is the distance gone so far over what the gradients add up to.

The distance is that of all tensors of an optimizer together, from where each began. The learning rate is a factor of
it, and stays 1. DoG's authors evaluate an average of the weights; `ema=` keeps one.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Centre, Claim, Convention
from surefoot.mathops import Array, maximum, sqrt, total_all, where
from surefoot.rule import WEIGHT, Shared, Slot, Step, rule
from surefoot.rules.sgd import sgd
from surefoot.rules.spelling import KERAS, OPTAX, PAPER, TORCH

_DOG = "Ivgi, Hinder & Carmon, ICML 2023, arXiv:2302.12022"
_DOWG = "Khaled, Mishchenko & Jin, NeurIPS 2023, arXiv:2305.16284"
_DOG_DEFAULTS = {"lr": 1.0, "first_distance": 1e-6, "eps": 1e-8, "weight_decay": 0.0}
_DOWG_DEFAULTS = {"lr": 1.0, "first_distance": 1e-4, "eps": 1e-4, "weight_decay": 0.0}
_W0 = Slot("w0", start=WEIGHT, meaning="weights before the first step")
_LR = "factor of the rate: 1"


@rule(
    slots=(
        _W0,
        Shared("r", meaning="largest distance from the first weights so far"),
        Shared("G", meaning="sum of the squared gradients"),
    ),
    source=_DOG,
    parent=sgd,
    about=About(
        scheduled=False,
        title="DoG",
        adds="finds its own rate: how far all weights together have come, over what they were pushed",
        use=(Claim("SGD without a learning rate to tune: it comes near to a tuned one.", _DOG),),
        avoid=(
            Claim("The newest weights: its authors evaluate an average of them. Give ema=0.999, say.", _DOG),
            Claim("Batch normalization with its first distance: 1e-4 is theirs there.", "dog-optimizer 1.0.3"),
        ),
        lr=Centre(0.0, "Ivgi et al. 2023: it stays 1"),
        meanings={
            "lr": _LR,
            "first_distance": "distance of the first step, as a share of 1 + the length of all weights",
            "eps": "added to the sum of the squared gradients",
        },
        conventions={
            "torch": Convention(
                "",
                {**TORCH, "first_distance": "reps_rel", "eps": "eps"},
                _DOG_DEFAULTS,
                note="torch has none: the authors' code. Its distance is that of a param group, ours of all",
            ),
            "keras": Convention(
                "",
                {**KERAS, "first_distance": "reps_rel", "eps": "epsilon"},
                _DOG_DEFAULTS,
                note="Keras has none: the authors' formula in Keras's spelling, decay in the gradient",
            ),
            "optax": Convention(
                "",
                {**OPTAX, "first_distance": "reps_rel", "eps": "eps", "weight_decay": "weight_decay"},
                _DOG_DEFAULTS,
                note="as optax.contrib.dog, where reps_rel is init_step=('heuristic', 1e-6)",
            ),
            "paper": Convention(
                "", {**PAPER, "first_distance": "reps_rel", "eps": "ε"}, _DOG_DEFAULTS, note="Algorithm 1, section 3"
            ),
        },
    ),
)
def dog(
    g: Array,
    w: Array,
    state: Any,
    t: Array,  # noqa: ARG001
    *,
    lr: float = 1.0,
    first_distance: float = 1e-6,
    eps: float = 1e-8,
) -> Step:
    """Gradient descent at the distance gone, over the length of all gradients."""
    gone, start = sqrt(total_all((w - state.w0) * (w - state.w0))), first_distance * (1 + sqrt(total_all(w * w)))
    r = maximum(state.r, where(state.r > 0, gone, start))
    G = state.G + total_all(g * g)  # noqa: N806  the slot's name
    return Step(rate=lr * r / sqrt(G + eps), direction=g, r=r, G=G)


@rule(
    slots=(
        _W0,
        Shared("r", start="first_distance", meaning="largest squared distance from the first weights so far"),
        Shared("v", meaning="sum of the squared gradients, each times that squared distance"),
    ),
    source=_DOWG,
    parent=dog,
    about=About(
        scheduled=False,
        title="DoWG",
        adds="weighs each gradient by the distance gone until then, so that old ones count less",
        use=(Claim("Where DoG is slow to speed up: it adapts to smooth and to sharp problems alike.", _DOWG),),
        avoid=(Claim("A model that bears no jump: its rate grows faster than DoG's.", "the formula"),),
        lr=Centre(0.0, "Khaled et al. 2023: it stays 1"),
        meanings={
            "lr": _LR,
            "first_distance": "square of the distance that the first step is taken for",
            "eps": "added to the root of the weighed sum",
        },
        conventions={
            "torch": Convention(
                "",
                {**TORCH, "first_distance": "first_distance", "eps": "eps"},
                _DOWG_DEFAULTS,
                note="torch has none: optax's form",
            ),
            "keras": Convention(
                "",
                {**KERAS, "first_distance": "first_distance", "eps": "epsilon"},
                _DOWG_DEFAULTS,
                note="Keras has none: optax's form in Keras's spelling, decay in the gradient",
            ),
            "optax": Convention(
                "optax.contrib.dowg",
                {
                    **OPTAX,
                    "first_distance": "init_estim_sq_dist",
                    "eps": "eps",
                    "weight_decay": "weight_decay",
                },
                _DOWG_DEFAULTS,
                note="init_estim_sq_dist is eps unless given, ours 1e-4",
            ),
            "paper": Convention(
                "",
                {**PAPER, "first_distance": "r²", "eps": "ε"},
                _DOWG_DEFAULTS,
                note="Algorithm 1; it has no eps, and projects",
            ),
        },
    ),
)
def dowg(
    g: Array,
    w: Array,
    state: Any,
    t: Array,  # noqa: ARG001
    *,
    lr: float = 1.0,
    first_distance: float = 1e-4,  # noqa: ARG001  the start of r
    eps: float = 1e-4,
) -> Step:
    """Gradient descent at the squared distance gone, over the weighed gradients' length."""
    r = maximum(state.r, total_all((w - state.w0) * (w - state.w0)))
    v = state.v + total_all(r * g * g)
    return Step(rate=lr * r / (sqrt(v) + eps), direction=g, r=r, v=v)
