"""Adadelta: the rate has the unit of a step over the unit of a gradient, so it needs (almost) no learning rate."""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Centre, Claim
from surefoot.mathops import Array, sqrt
from surefoot.rule import Slot, Step, rule
from surefoot.rules.rmsprop import rmsprop


@rule(
    slots=(
        Slot("v", positive=True, meaning="running mean of the squared gradients"),
        Slot("u", positive=True, meaning="running mean of the squared steps, before α"),
    ),
    source="Zeiler 2012, arXiv:1212.5701",
    parent=rmsprop,
    about=About(
        title="Adadelta",
        adds="puts the root mean square of past steps above it, so that the rate has the right unit by itself",
        use=(
            Claim(
                "No learning rate to choose: the paper has none, which is lr = 1 here.",
                "Zeiler 2012, arXiv:1212.5701",
            ),
        ),
        avoid=(
            Claim(
                "Short runs: its first step is about √(ε / (1 - ρ)), 0.003 by torch's defaults, however large the "
                "gradient.",
                "the formula",
            ),
            Claim(
                "Keras's default rate, 0.001: a thousandth of the paper's step.",
                "surefoot explain adadelta --conventions",
            ),
        ),
        lr=Centre(0.0, "the paper has no lr, which is lr 1, torch's default [assumed]"),
        meanings={"eps": "added to both mean squares under their roots; how long the first steps are"},
    ),
)
def adadelta(g: Array, state: Any, t: Array, *, lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6) -> Step:  # noqa: ARG001
    """Scale gradients by the root mean square of past steps over gradients, times `lr`."""
    v = rho * state.v + (1 - rho) * g * g
    ratio = sqrt(state.u + eps) / sqrt(v + eps)
    u = rho * state.u + (1 - rho) * (ratio * g) * (ratio * g)
    return Step(rate=lr * ratio, direction=g, v=v, u=u)
