"""Small rules of each new kind: a number for each tensor, numbers for the whole optimizer, weights to evaluate with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surefoot.mathops import Array, absolute, maximum, mean, sqrt, total_all, where
from surefoot.rule import WEIGHT, Number, Shared, Slot, Step, rule

PSI = 0.004
D0 = 1e-6


@rule(slots=("m", Slot("v", positive=True), Number("mu", start=1.0)), source="torch.optim.NAdam")
def looking_ahead(
    g: Array, state: Any, t: Array, *, lr: float = 2e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
) -> Step:
    """NAdam: the product of its momenta is a number for each tensor."""
    now, then = (beta1 * (1 - 0.5 * 0.96 ** (k * PSI)) for k in (t, t + 1))
    mu = state.mu * now
    m = beta1 * state.m + (1 - beta1) * g
    v = beta2 * state.v + (1 - beta2) * g * g
    direction = then / (1 - mu * then) * m + (1 - now) / (1 - mu) * g
    return Step(rate=lr / (sqrt(v / (1 - beta2**t)) + eps), direction=direction, m=m, v=v, mu=mu)


@rule(slots=("m", Number("size", start=0.5), Number("before")), source="this test")
def measuring(g: Array, state: Any, t: Array, *, lr: float = 0.1, beta1: float = 0.9) -> Step:
    """Slow down where the gradients of the whole tensor are large; two numbers, of which one becomes the other."""
    m = beta1 * state.m + (1 - beta1) * g
    size = beta1 * state.size + (1 - beta1) * mean(absolute(g))
    return Step(rate=lr / (size + state.before + 1) / t, direction=m, m=m, size=size, before=state.size)


@rule(
    slots=("m", Slot("v", positive=True), "s", Slot("w0", start=WEIGHT), Shared("d", start=D0), Shared("r")),
    source="prodigyopt",
)
def estimating(
    g: Array,
    w: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 1.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    bias_correction: bool = False,
) -> Step:
    """Prodigy: Adam with an estimate of the distance to go, from sums over all tensors."""
    d, beta3 = state.d, beta2**0.5
    step = d * lr
    step = step * (1 - beta2**t) ** 0.5 / (1 - beta1**t) if bias_correction else step
    m = beta1 * state.m + (1 - beta1) * d * g
    v = beta2 * state.v + (1 - beta2) * d * d * g * g
    s = beta3 * state.s + d / D0 * step * g
    r = beta3 * state.r + total_all(d / D0 * step * g * (state.w0 - w))
    far = total_all(absolute(s))
    grown = where(far > 0, maximum(d, r / where(far > 0, far, 1.0)), d)
    return Step(rate=step / (sqrt(v) + grown * eps), direction=m, m=m, v=v, s=s, d=grown, r=r)


def _average(w: Array, state: Any, hyper: Mapping[str, Any]) -> Array:
    return (w - (1 - hyper["beta1"]) * state.z) / hyper["beta1"]


@rule(
    slots=(Slot("v", positive=True), Slot("z", start=WEIGHT), Number("weight")),
    source="schedulefree",
    evaluate=_average,
)
def averaging(
    g: Array,
    w: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 2.5e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> Step:
    """Schedule-Free AdamW: gradients between the newest weights and their average, which is evaluated."""
    weight = state.weight + lr * lr
    c = lr * lr / weight
    v = beta2 * state.v + (1 - beta2) * g * g
    u = g / (sqrt(v / (1 - beta2**t)) + eps)
    move = c * (w - state.z) + lr * (1 - beta1 * (1 - c)) * u
    return Step(rate=lr, direction=u, move=move, v=v, z=state.z - lr * u, weight=weight)
