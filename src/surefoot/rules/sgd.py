"""Gradient descent and its two kinds of momentum: the family without a rate per weight.

Two forms of the momentum buffer are in use. torch and optax keep a sum of gradients and multiply it by the rate of
today; Keras and Sutskever et al. keep a sum of steps (`lr_in_buffer`), so that a change of the rate acts with delay.
They are equal while the rate stays the same.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Centre, Claim, Contents
from surefoot.errors import UsageError
from surefoot.mathops import Array, where
from surefoot.rule import Slot, Step, rule


@rule(
    slots=(Slot("b", when="momentum", meaning="momentum: fading sum of the gradients, or of α times them"),),
    source="Robbins & Monro 1951; Polyak 1964; Nesterov 1983; Sutskever et al., ICML 2013",
    about=About(
        title="SGD",
        adds="moves every weight by the same rate times its gradient",
        use=(Claim("Little memory: no state, and one number to choose.", "the formula"),),
        avoid=(
            Claim(
                "Attention models: it has lagged behind Adam there. Heavy-tailed noise was blamed; a later study "
                "disagrees.",
                "Zhang et al., NeurIPS 2020, arXiv:1912.03194; Kunstner et al., ICLR 2023, arXiv:2304.13960",
            ),
        ),
        lr=Centre(-2.10, "Sivaprasad et al. 2020: SGD"),
    ),
)
def sgd(
    g: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 1e-3,
    momentum: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
    lr_in_buffer: bool = False,
) -> Step:
    """Gradient descent: every weight has the same rate. With `momentum`, the direction is a sum of past gradients."""
    if not momentum:
        return Step(rate=lr, direction=g)
    if nesterov and dampening:
        raise UsageError(f"sgd: nesterov=True needs dampening 0; given dampening={dampening}.")
    if lr_in_buffer:
        b = momentum * state.b + lr * g
        return Step(rate=lr, direction=g, move=momentum * b + lr * g if nesterov else b, b=b)
    b = momentum * state.b + where(t == 1, g, (1.0 - dampening) * g)
    return Step(rate=lr, direction=g + momentum * b if nesterov else b, b=b)


_MOMENTUM = Centre(-2.34, "Sivaprasad et al. 2020: SGD with momentum 0.9; searched, U(0, 1)", "momentum", -2.38)

momentum = sgd.variant(
    "momentum",
    "Gradient descent with heavy-ball momentum.",
    pin={"nesterov": False},
    source="Polyak, USSR Comput. Math. Math. Phys. 1964",
    about=About(
        title="Momentum",
        adds="moves along a sum of past gradients, so that a direction that persists builds up speed",
        use=(
            Claim(
                "Narrow quadratic valleys: at its best settings, the steps needed grow as the root of the condition "
                "number.",
                "Polyak 1964, as stated by Sutskever et al., ICML 2013",
            ),
            Claim(
                "Residual networks for images were first trained with it: momentum 0.9, rate 0.1, divided by 10 on "
                "plateaus.",
                "He et al., CVPR 2016, arXiv:1512.03385",
            ),
        ),
        avoid=(
            Claim(
                "Keeping SGD's rate: a steady gradient moves weights 1 / (1 - μ) times as far, ten times for μ = 0.9.",
                "the formula",
            ),
        ),
        lr=_MOMENTUM,
        contains=Contents(("sgd",), knob="momentum"),
    ),
    momentum=0.9,
)

nesterov = sgd.variant(
    "nesterov",
    "Momentum that looks ahead.",
    pin={"nesterov": True},
    source="Nesterov 1983; Sutskever et al., ICML 2013",
    parent=momentum,
    about=About(
        title="Nesterov",
        adds="lets the newest gradient act once more than the older ones, as if one step ahead",
        use=(
            Claim(
                "Smooth convex problems, if gradients are exact and μ grows towards 1: the error falls as 1/t², not "
                "as 1/t.",
                "Nesterov 1983, as stated by Sutskever et al., ICML 2013",
            ),
            Claim(
                "High momentum at a high rate: it bears a larger μ before it swings. At a low rate the two are alike.",
                "Sutskever et al., ICML 2013",
            ),
        ),
        avoid=(
            Claim(
                "Counting on 1/t² with a fixed μ or with mini-batches: neither is what was proven.",
                "Sutskever et al., ICML 2013",
            ),
            Claim(
                "Inexact gradients: in the accelerated method their errors accumulate, in plain gradient descent they"
                " need not.",
                "Devolder, Glineur & Nesterov, Math. Programming 146, 2014",
            ),
        ),
        lr=_MOMENTUM.borrowed("momentum"),
        contains=Contents(("sgd",), knob="momentum"),
    ),
    momentum=0.9,
)
