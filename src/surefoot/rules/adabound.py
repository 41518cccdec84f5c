"""AdaBound and AMSBound: a rate per weight that starts as Adam's and ends as SGD's.

`bounded` puts any rule's rate between two bounds that close on `final_lr`; AdaBound is `bounded(adam)`. The authors'
code differs from their Algorithm 2, and the code is what everybody runs: it corrects Adam's bias before clipping
and does not divide the rate by sqrt(t). `conventions.py` has both. A schedule scales the bounds together with the
learning rate, by lr / base_lr.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from surefoot.mathops import Array, clip, sqrt
from surefoot.rule import Rule, Step, schedule
from surefoot.rules.adam import adam


def bounds(t: Array, *, lr: Array, final_lr: float, gamma: float, base_lr: float | None = None) -> tuple[Array, Array]:
    """Return the lowest and the highest rate that a weight may have at step `t`."""
    final = final_lr * schedule(lr, base_lr)
    return final * (1 - 1 / (gamma * t + 1)), final * (1 + 1 / (gamma * t))


def bounded(inner: Rule, name: str, doc: str) -> Rule:
    """Return `inner` with each weight's rate clipped between two bounds that close on `final_lr`."""

    def function(
        g: Array,
        state: Any,
        t: Array,
        *,
        lr: Array,
        final_lr: float,
        gamma: float,
        base_lr: float | None,
        sqrt_t: bool,
        **hyper: Any,
    ) -> Step:
        step = inner(g, state, t, lr=lr, **hyper)
        low, high = bounds(t, lr=lr, final_lr=final_lr, gamma=gamma, base_lr=base_lr)
        rate = clip(step.rate, low, high)
        return step.with_rate(rate / sqrt(t) if sqrt_t else rate)

    added = {"final_lr": 0.1, "gamma": 1e-3, "base_lr": None, "sqrt_t": False}
    return replace(
        inner,
        name=name,
        doc=doc,
        function=function,
        own=inner.own | added.keys(),
        defaults={**inner.defaults, **added},
        source="Luo et al., ICLR 2019, arXiv:1902.09843",
    )


# The authors add eps to the uncorrected root: eps_hat is part of the rule, not of a framework's convention.
_adam = replace(adam, defaults={**adam.defaults, "eps_hat": True})

adabound = bounded(_adam, "adabound", "Adam at first, SGD with momentum at last.")

amsbound = bounded(
    _adam.variant("amsgrad", "", pin={"amsgrad": True}, source=""),
    "amsbound",
    "AdaBound that never forgets its largest mean square.",
)
