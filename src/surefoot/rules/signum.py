"""Signum: the sign of a running mean of the gradients.

Lion with one beta: what is kept is what the step is made of. Where the mean is 0 nothing moves.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Claim, Convention
from surefoot.mathops import Array, sign
from surefoot.rule import Slot, Step, rule
from surefoot.rules.lion import lion
from surefoot.rules.sgd import momentum
from surefoot.rules.spelling import KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Bernstein et al., ICML 2018, arXiv:1802.04434"
_DEFAULTS = {"lr": 1e-4, "beta1": 0.9, "weight_decay": 0.0}


@rule(
    slots=(Slot("m", meaning="running mean of the gradients"),),
    source=_SOURCE,
    parent=momentum,
    pin={"decoupled": True},
    about=About(
        title="Signum",
        adds="keeps only the sign of each number, so that every weight moves equally far",
        use=(
            Claim(
                "Gradients sent between machines: a sign is one bit, and a majority of signs is a sign again.", _SOURCE
            ),
            Claim("Half of Adam's state: one number a weight.", "the formula"),
        ),
        avoid=(Claim("The last steps: they stay as long as the first unless the rate falls.", "the formula"),),
        lr=lion.about.lr and lion.about.lr.borrowed("Lion"),
        conventions={
            "torch": Convention(
                "",
                {**TORCH, "beta1": "momentum"},
                _DEFAULTS,
                note="torch has none: the authors' form",
            ),
            "keras": Convention(
                "",
                {**KERAS, "beta1": "beta_1"},
                _DEFAULTS,
                note="Keras has none: the authors' form in Keras's spelling",
            ),
            "optax": Convention("optax.signum", {**OPTAX, "beta1": "beta"}, {"beta1": 0.9}),
            "paper": Convention("", {**PAPER, "beta1": "β"}, {"lr": 1e-4, "beta1": 0.9}, note="Algorithm 2, SIGNUM"),
        },
    ),
)
def signum(g: Array, state: Any, t: Array, *, lr: float = 1e-4, beta1: float = 0.9) -> Step:  # noqa: ARG001
    """Go one fixed step against the sign of the mean gradient."""
    m = beta1 * state.m + (1 - beta1) * g
    return Step(rate=lr, direction=sign(m), m=m)
