"""The eager engine: it calls the rule's own function and writes its results in place.

It runs wherever torch runs and lets autograd see through the step. It passes over memory once per operation, so
it is the engine to trust, not the one to be fast. Arrays are computed in the precision that the plan of a kernel would
choose, and rounded when they are written; numbers that are kept for a tensor stay in float64. State in 8 bits is
decoded before and encoded after a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from surefoot.compiler.kernel_plan import COMPUTE
from surefoot.engines.blocks import Blocks
from surefoot.engines.layout import is_apart, memory_numbers
from surefoot.engines.rounding import stochastic
from surefoot.errors import UsageError
from surefoot.mathops import Array
from surefoot.rule import Rule
from surefoot.update import evaluated, update

Random = tuple[int, Tensor]
"""A key of random rounding, and the number of each weight."""

SlotValue = Tensor | Blocks
"""A slot: numbers of their own, or in 8 bits."""

Write = Callable[[], object]
"""A repeatable write of a part of a step."""

_COMPUTE = {getattr(torch, kind): getattr(torch, compute) for kind, compute in COMPUTE.items()}


class TensorPart(NamedTuple):
    """One tensor of a step.

    Attributes:
        weight: real, dense, of any shape, dtype and device.
        gradient: of the weight's shape; sparse only for a rule that leaves weight and state alone where it is zero.
        state: for each slot of the rule a tensor of the weight's shape, of any dtype; or `Blocks`, unless autograd is
            to see through the step, or the gradient is sparse. Of a slot that is one number, float64 without dimension.
        t: the number of this weight's step, from 1; a tensor to keep it on the device.
        hyper: a value for every hyperparameter.
        key: round what is bfloat16 or 8 bits at random, with this key (`rounding.py`); to nearest if None.
        offset: how many weights of the tensor lie in the shards before this one, which counts for random rounding.
    """

    weight: Tensor
    gradient: Tensor
    state: MutableMapping[str, SlotValue]
    t: Array
    hyper: Mapping[str, Any]
    key: int | None = None
    offset: int = 0


def prepare(rule: Rule, part: TensorPart, *, differentiable: bool = False) -> list[Write]:
    """Compute one step of `rule`. Returns repeatable writes into weight and state.

    Args:
        rule: which rule.
        part: the tensor.
        differentiable: replace the old state instead of writing into it, which autograd needs.

    Raises:
        RuntimeError: torch's own, if weights share memory.
    """
    check_apart(part)
    if part.gradient.is_sparse:
        return _prepare_sparse(rule, part)
    weight, gradient, state = widened(rule, part)
    made = update(rule, weight.clone() if differentiable else weight, gradient, state, part.t, part.hyper)
    return writes(rule, part, made.weight, changed(made.state, state), differentiable=differentiable)


def evaluation_weight(
    rule: Rule, weight: Tensor, state: Mapping[str, SlotValue | float], hyper: Mapping[str, Any]
) -> Tensor:
    """Return the weights to evaluate with, of the kind of `weight`, in new memory.

    Args:
        rule: which rule.
        weight: the weights that the model trains with.
        state: a value for each slot, numbers of the whole optimizer among them.
        hyper: a value for every hyperparameter.
    """
    tensors = {slot: x for slot, x in state.items() if not isinstance(x, float)}
    part = TensorPart(weight, weight, tensors, 0, hyper)
    wide, _, slots = widened(rule, part)
    made: Tensor = evaluated(rule, wide, {**state, **slots}, hyper)
    return made.to(weight.dtype, copy=True)


def check_apart(part: TensorPart) -> None:
    """Raise torch's own error if a tensor's weights share memory."""
    for x in (part.weight, *part.state.values()):
        if isinstance(x, Tensor) and not is_apart(x):
            x.mul_(1)  # torch has the words for it


def widened(rule: Rule, part: TensorPart) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Return a part's weight, gradient and state in the precision of the computation."""
    dtype, numbers = _COMPUTE.get(part.weight.dtype, part.weight.dtype), rule.single
    read = {slot: x.read() if isinstance(x, Blocks) else x for slot, x in part.state.items()}
    state = {slot: x if slot in numbers else x.to(dtype) for slot, x in read.items()}
    return part.weight.to(dtype), part.gradient.to(dtype), state


def changed(made: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """Return the slots that are not as they were."""
    return {slot: value for slot, value in made.items() if value is not old.get(slot)}


def _prepare_sparse(rule: Rule, part: TensorPart) -> list[Write]:
    """Step the weights whose gradient there is."""
    gradient = part.gradient.coalesce()
    touched, random = tuple(gradient.indices()), _random(part)
    state: dict[str, Any] = dict(part.state)
    rows = {slot: x[touched] for slot, x in state.items()}
    here = part._replace(weight=part.weight[touched], gradient=gradient.values(), state=rows)
    weight, values, given = widened(rule, here)
    made = update(rule, weight, values, given, part.t, part.hyper)
    new, kept = _rounded(
        rule, here, made.weight, changed(made.state, given), random and (random[0], random[1][touched])
    )
    pairs = [(part.weight, new), *((state[slot], value) for slot, value in kept.items())]
    return [partial(x.__setitem__, touched, value) for x, value in pairs]


def writes(
    rule: Rule, part: TensorPart, weight: Tensor, slots: Mapping[str, Any], *, differentiable: bool = False
) -> list[Write]:
    """Return what writes a new weight, and the slots that have changed."""
    random = _random(part)
    new, made = _rounded(rule, part, weight, slots, random)
    found: list[Write] = [partial(part.weight.copy_, new)]
    for k, (slot, value) in enumerate(made.items(), start=1):
        kept = part.state[slot]
        if isinstance(kept, Blocks):
            found.append(partial(kept.write, value, random and random[0], k, random and random[1]))
        elif differentiable:
            found.append(partial(part.state.__setitem__, slot, value))
        else:
            found.append(partial(kept.copy_, value))
    return found


def _random(part: TensorPart) -> Random | None:
    """Return what rounds a part at random; None if nothing does."""
    kept = (part.weight, *part.state.values())
    if part.key is None or not any(isinstance(x, Blocks) or x.dtype == torch.bfloat16 for x in kept):
        return None
    return part.key, memory_numbers(part.weight) + part.offset


def _rounded(
    rule: Rule, part: TensorPart, weight: Tensor, slots: Mapping[str, Any], random: Random | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return a new weight and state in the kinds of the old ones, numbers of a tensor last."""
    numbers, olds = rule.single, (part.gradient, *part.state.values())

    def rounded(value: Tensor, old: SlotValue, k: int) -> Tensor:
        if isinstance(old, Blocks):
            return value
        if random is not None and old.dtype == torch.bfloat16:
            return stochastic(value.to(torch.float32), random[0], k, random[1])
        return apart(value.to(old.dtype))

    def apart(value: Tensor) -> Tensor:
        return value.clone() if any(value is x for x in olds) else value

    arrays = [(slot, value) for slot, value in slots.items() if slot not in numbers]
    new = {slot: rounded(value, part.state[slot], k) for k, (slot, value) in enumerate(arrays, start=1)}
    kept = {slot: apart(_number(rule, slot, value)) for slot, value in slots.items() if slot in numbers}
    return rounded(weight, part.weight, 0), {**new, **kept}


def _number(rule: Rule, slot: str, value: Any) -> Tensor:
    made = torch.as_tensor(value, dtype=torch.float64)
    if made.dim():
        raise UsageError(
            f"{slot!r} is one number for each tensor, and rule {rule.name} makes {[*made.shape]} of it; use total or "
            "mean of it."
        )
    return made
