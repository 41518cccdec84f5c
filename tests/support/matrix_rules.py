"""A rule with every shape of slot that a matrix can have, and the steps of each block on NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from surefoot.mathops import mean, orthogonalize, sqrt, total
from surefoot.rule import Cols, Left, Number, Right, Rows, Slot, Step, rule, slot_shape
from surefoot.rules.polynomials import POLYNOMIALS
from surefoot.update import update

SOURCE = "made for tests"


@rule(slots=(Slot("m"),), source=SOURCE)
def plain(g: Any, state: Any, _: Any, *, lr: float = 0.1, momentum: float = 0.9) -> Step:
    """Descend along the momentum."""
    m = momentum * state.m + g
    return Step(rate=lr, direction=m, m=m)


@rule(
    slots=(Slot("m"), Rows("r", positive=True), Cols("c"), Left("left"), Right("right"), Number("n", start=1.0)),
    source=SOURCE,
    shape="matrix",
    vector=plain,
)
def shaped(g: Any, state: Any, t: Any, *, lr: float = 0.1, momentum: float = 0.9) -> Step:
    """Use every slot that a matrix can have."""
    m = momentum * state.m + g
    r = momentum * state.r + mean(g * g, axis=1)
    c = momentum * state.c + mean(g * g, axis=0)
    left = momentum * state.left + g @ g.T
    right = momentum * state.right + g.T @ g
    n = state.n + total(g * g)
    turned = orthogonalize(m, POLYNOMIALS["keller"], 1e-7) + left @ g @ right / n
    return Step(rate=lr / (sqrt(r) + t), direction=turned / (1 + c), m=m, r=r, c=c, left=left, right=right, n=n)


def by_numpy(own: Any, weight: Tensor, gradients: list[Tensor], heights: list[int], **hyper: Any) -> list[np.ndarray]:
    """Return each block of a parameter after steps with these gradients."""
    values, made = own.complete(hyper), []
    for k, height in enumerate(heights):
        rows = slice(sum(heights[:k]), sum(heights[:k]) + height)
        w = weight.detach().reshape(len(weight), -1)[rows].double().numpy()
        starts = own.starts(values)
        state = {slot.name: np.full(slot_shape(slot.per, w.shape), starts[slot.name]) for slot in own.active(values)}
        state = {name: float(x) if x.ndim == 0 else x for name, x in state.items()}
        for t, gradient in enumerate(gradients, start=1):
            g = gradient.reshape(len(weight), -1)[rows].double().numpy()
            w, state, _ = update(own, w, g, state, t, values)
        made.append(w)
    return made


def laid_out(x: Tensor, how: str) -> Tensor:
    """Return the same numbers in another order of memory."""
    if how == "channels_last":
        return x.contiguous(memory_format=torch.channels_last)
    if how == "turned":
        return x.transpose(0, 1).contiguous().transpose(0, 1)
    if how == "sliced":
        return x.repeat_interleave(2, dim=-1)[..., ::2]
    return x
