"""RMSprop: Adagrad with a sum that forgets, so that the rate can rise again.

Centred, it divides by the standard deviation of the gradient instead of its root mean square. The variance
is a difference of two nearly equal numbers when gradients hardly change, and rounding can make it negative: it is
clipped at zero, where torch 2.13 takes the root of a negative number and the weight becomes NaN.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Centre, Claim, Contents
from surefoot.mathops import Array, clip, sqrt
from surefoot.rule import Slot, Step, rule
from surefoot.rules.adagrad import adagrad


@rule(
    slots=(
        Slot("v", positive=True, meaning="running mean of the squared gradients"),
        Slot("a", when="centered", meaning="running mean of the gradients"),
        Slot("b", when="momentum", meaning="momentum: fading sum of the divided gradients, or of α times them"),
    ),
    source="Tieleman & Hinton, Coursera lecture 6.5, 2012; Graves 2013, arXiv:1308.0850",
    parent=adagrad,
    about=About(
        title="RMSprop",
        adds="forgets: it keeps a mean of recent squared gradients in place of the sum, so that rates can rise again",
        use=(
            Claim(
                "Gradients whose size drifts while training: the divisor follows within about 1 / (1 - ρ) steps.",
                "the formula",
            ),
            Claim(
                "Recurrent networks that write by hand were trained with its centred form, with momentum.",
                "Graves 2013, arXiv:1308.0850",
            ),
        ),
        avoid=(
            Claim(
                "A cold start at a high rate: the first step is 1 / √(1 - ρ) times lr, ten times for ρ = 0.99.",
                "the formula",
            ),
        ),
        lr=Centre(-3.02, "as Adam [assumed]", "eps", -2.70),
        contains=Contents(("momentum", "sgd"), knob="eps", when="momentum"),
    ),
)
def rmsprop(
    g: Array,
    state: Any,
    t: Array,  # noqa: ARG001
    *,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    centered: bool = False,
    eps_inside: bool = False,
    lr_in_buffer: bool = False,
) -> Step:
    """Divide each weight's rate by the root of its recent mean square."""
    v = alpha * state.v + (1 - alpha) * g * g
    a = alpha * state.a + (1 - alpha) * g if centered else None
    spread = v if a is None else clip(v - a * a, 0.0, None)
    root = sqrt(spread + eps) if eps_inside else sqrt(spread) + eps
    rate = lr / root
    if not momentum:
        return Step(rate=rate, direction=g, v=v, a=a)
    b = momentum * state.b + (rate * g if lr_in_buffer else g / root)
    return Step(rate=rate, direction=g, move=b if lr_in_buffer else lr * b, v=v, a=a, b=b)
