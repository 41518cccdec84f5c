"""AdaBound and AMSBound: a rate per weight that starts as Adam's and ends as SGD's.

`bounded` puts any rule's rate between two bounds that close on `final_lr`; AdaBound is `bounded(adam)`. The authors'
code differs from their Algorithm 2, and the code is what everybody runs: it corrects Adam's bias before clipping
and does not divide the rate by sqrt(t). `conventions.py` has both. A schedule scales the bounds together with the
learning rate, by lr / base_lr.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from surefoot.about import About, Claim
from surefoot.hyperparameters import schedule
from surefoot.mathops import Array, clip, sqrt
from surefoot.rule import Rule, Step
from surefoot.rules.adam import LR, adam


def bounds(t: Array, *, lr: Array, final_lr: float, gamma: float, base_lr: float | None = None) -> tuple[Array, Array]:
    """Return the lowest and the highest rate that a weight may have at step `t`."""
    final = final_lr * schedule(lr, base_lr)
    return final * (1 - 1 / (gamma * t + 1)), final * (1 + 1 / (gamma * t))


def bounded(inner: Rule, name: str, doc: str, about: About | None = None, **defaults: Any) -> Rule:
    """Return `inner` with each weight's rate clipped between two bounds that close on `final_lr`.

    Args:
        inner: which rule.
        name: of the new rule.
        doc: what it does, in a sentence.
        about: what else is said of it; `inner.related`, by default.
        defaults: new defaults.
    """

    def function(
        *arrays: Any,
        lr: Array,
        final_lr: float,
        gamma: float,
        base_lr: float | None,
        sqrt_t: bool,
        **hyper: Any,
    ) -> Step:
        step, t = inner.function(*arrays, lr=lr, **hyper), arrays[-1]
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
        defaults={**inner.defaults, **added, **defaults},
        source="Luo et al., ICLR 2019, arXiv:1902.09843",
        family=name,
        parent=inner,
        about=about or inner.related,
    )


# The authors add eps to the uncorrected root: eps_hat is part of the rule, not of a framework's convention.
adabound = bounded(
    adam,
    "adabound",
    "Adam at first, SGD with momentum at last.",
    About(
        title="AdaBound",
        adds="clips each weight's rate between two bounds that close on one rate for all weights",
        use=(
            Claim(
                "Made to start as Adam and to end as SGD with momentum; its authors tried it on images and language.",
                "Luo et al., ICLR 2019, arXiv:1902.09843",
            ),
        ),
        avoid=(
            Claim(
                "Leaving final_lr unchosen: late steps are those of SGD with momentum β₁ at the rate (1 - β₁) "
                "final_lr.",
                "the formula",
            ),
            Claim(
                "Its convergence guarantee: it leaves out a factor for which convergence can take arbitrarily long.",
                "Savarese 2019, arXiv:1908.04457",
            ),
        ),
        lr=LR.borrowed("Adam"),
    ),
    eps_hat=True,
)

amsbound = adabound.variant(
    "amsbound",
    "AdaBound that never forgets its largest mean square.",
    pin={"amsgrad": True},
    source=adabound.source,
    about=About(
        title="AMSBound",
        adds="divides by the largest mean square so far, as AMSGrad does",
        use=(
            Claim("As AdaBound, where large gradients shall not be forgotten before the bounds close.", "the formula"),
        ),
        avoid=(
            Claim(
                "Long runs for the sake of AMSGrad's part: the closer the bounds, the less it changes.",
                "the formula",
            ),
        ),
        lr=LR.borrowed("Adam"),
    ),
)
