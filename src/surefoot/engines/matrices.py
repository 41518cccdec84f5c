"""A rule for matrices on the eager engine: matrices of one shape step jointly.

A parameter is a matrix with a row for each output; of a convolution's kernel the rest of the axes make the columns. A
step takes matrices in lots of one shape (a tall one counts as the wide one that it is when turned): the products of
many small matrices then cost one call, not one each. A lot is bounded, because its matrices are all held at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from surefoot.bundle import Bundle, members
from surefoot.engines import eager
from surefoot.engines.eager import TensorPart, Write
from surefoot.rule import Rule
from surefoot.update import take_step, update

T = TypeVar("T")

LOT = 1 << 20
"""Weights that a lot has at most, unless one matrix alone has more."""


def is_matrix(x: Tensor) -> bool:
    """Return whether a tensor is a matrix to a rule: it has outputs and inputs, even if only one."""
    return x.dim() > 1


def prepare(rule: Rule, parts: Sequence[TensorPart], *, differentiable: bool = False) -> list[Write]:
    """Compute one step of many matrices. Returns its writes, as `eager.prepare` does.

    Args:
        rule: for matrices.
        parts: of each matrix: weight and gradient of any arrangement whose first axis is the rows, slots that are
            one number a weight likewise, and the others of the shape that `rule.slot_shape` tells.
        differentiable: replace the old state instead of writing into it, which autograd needs.

    Raises:
        RuntimeError: torch's own, if weights share memory.
    """
    return [write for lot in lots(parts) for write in _prepare(rule, lot, differentiable=differentiable)]


def rates(rule: Rule, parts: Sequence[TensorPart]) -> list[Tensor]:
    """Return the rate of each weight in the coming step, in the weights' layout, part by part."""
    found: dict[int, Tensor] = {}
    for lot in lots(parts):
        made = take_step(rule, *_given(rule, lot)).rate
        found |= {id(part): _spread(rate, part) for part, rate in zip(lot, members(made, len(lot)), strict=True)}
    return [found.get(id(part), part.weight) for part in parts]


def lots(parts: Sequence[TensorPart]) -> Iterator[list[TensorPart]]:
    """Yield the parts that step jointly: equal in shape, kind, place, group and count. Empty ones are left out."""
    alike: dict[Any, list[TensorPart]] = {}
    for part in parts:
        if part.weight.numel():
            shape = sorted((part.weight.shape[0], part.weight.shape[1:].numel()))
            count = "there" if isinstance(part.t, Tensor) else part.t
            key = *shape, part.weight.dtype, part.weight.device, count, *map(_same, part.hyper.values())
            alike.setdefault(key, []).append(part)
    for (rows, columns, *_), some in alike.items():
        yield from lots_of(some, rows * columns)


def lots_of(some: Sequence[T], size: int) -> Iterator[list[T]]:
    """Yield what has so many weights each in the lots in which it steps together."""
    many = max(1, LOT // size)
    return ([*some[k : k + many]] for k in range(0, len(some), many))


def _prepare(rule: Rule, lot: Sequence[TensorPart], *, differentiable: bool) -> Iterator[Write]:
    for part in lot:
        eager.check_apart(part)
    weight, gradient, state, t, hyper = _given(rule, lot)
    weight = Bundle(x.clone() for x in weight.members) if differentiable else weight
    made = update(rule, weight, gradient, state, t, hyper)
    slots = {slot: members(x, len(lot)) for slot, x in eager.changed(made.state, state).items()}
    for k, (part, new) in enumerate(zip(lot, members(made.weight, len(lot)), strict=True)):
        olds = [x.members[k] for x in (gradient, *state.values())]
        own = {slot: _as_kept(values[k], part.state[slot], olds) for slot, values in slots.items()}
        yield from eager.writes(rule, part, new.reshape(part.weight.shape), own, differentiable=differentiable)


def _given(rule: Rule, lot: Sequence[TensorPart]) -> tuple[Bundle, Bundle, dict[str, Bundle], Any, Mapping[str, Any]]:
    """Return the inputs of a lot's step, in the order of `update`."""
    wide = rule.each_weight
    weights, gradients, states = zip(*(eager.widened(rule, part) for part in lot), strict=True)
    state = {slot: Bundle(as_matrix(one[slot]) if slot in wide else one[slot] for one in states) for slot in states[0]}
    counts = [part.t for part in lot]
    t = Bundle(counts) if isinstance(counts[0], Tensor) else counts[0]
    return Bundle(map(as_matrix, weights)), Bundle(map(as_matrix, gradients)), state, t, lot[0].hyper


def as_matrix(x: Tensor) -> Tensor:
    """Return a tensor as a matrix with a row for each index of its first axis."""
    return x.reshape(len(x), -1)


def _as_kept(value: Any, kept: eager.SlotValue, olds: Sequence[Tensor]) -> Any:
    """Return a slot's new value in the slot's layout, apart from the old value's memory."""
    if not isinstance(value, Tensor):
        return value
    return (value.clone() if any(value is old for old in olds) else value).reshape(kept.shape)


def _same(value: Any) -> Any:
    """Return a key by which equal hyperparameters compare equal. A tensor's value is not read."""
    return id(value) if isinstance(value, Tensor) else value


def _spread(rate: Any, part: TensorPart) -> Tensor:
    weight = as_matrix(part.weight)
    wide = torch.as_tensor(rate, dtype=weight.dtype, device=weight.device).expand_as(weight)
    return wide.reshape(part.weight.shape)
