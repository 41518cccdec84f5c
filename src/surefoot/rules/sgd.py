"""Gradient descent and its two kinds of momentum: the family without a rate per weight.

Two forms of the momentum buffer are in use. torch and optax keep a sum of gradients and multiply it by the rate of
today; Keras and Sutskever et al. keep a sum of steps (`lr_in_buffer`), so that a change of the rate acts with delay.
They are equal while the rate stays the same.
"""

from __future__ import annotations

from typing import Any

from surefoot.errors import UsageError
from surefoot.mathops import Array, where
from surefoot.rule import Slot, Step, rule


@rule(
    slots=(Slot("b", when="momentum", meaning="momentum: fading sum of the gradients, or of α times them"),),
    source="Robbins & Monro 1951; Polyak 1964; Nesterov 1983; Sutskever et al., ICML 2013",
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


momentum = sgd.variant(
    "momentum",
    "Gradient descent with heavy-ball momentum.",
    pin={"nesterov": False},
    source="Polyak, USSR Comput. Math. Math. Phys. 1964",
    momentum=0.9,
)

nesterov = sgd.variant(
    "nesterov",
    "Momentum that looks ahead.",
    pin={"nesterov": True},
    source="Nesterov 1983; Sutskever et al., ICML 2013",
    momentum=0.9,
)
