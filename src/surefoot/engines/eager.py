"""The eager engine: the rule's own function, called on the framework's arrays, its results written in place.

It runs wherever torch runs and lets autograd see through the step. It passes over memory once per operation, so
it is the engine to trust, not the one to be fast. Arrays are computed in the precision that the plan of a kernel would
choose, and rounded when they are written. State in 8 bits is decoded before and encoded after a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from surefoot.compiler.plan import COMPUTE
from surefoot.engines.blocks import Blocks
from surefoot.engines.layout import is_apart, memory_numbers
from surefoot.engines.rounding import stochastic
from surefoot.mathops import Array
from surefoot.rule import Rule
from surefoot.update import update

Random = tuple[int, Tensor]
"""A key of random rounding, and the number of each weight."""

Kept = Tensor | Blocks
"""A slot: numbers of their own, or in 8 bits."""

_COMPUTE = {getattr(torch, kind): getattr(torch, compute) for kind, compute in COMPUTE.items()}


def prepare(
    rule: Rule,
    weight: Tensor,
    gradient: Tensor,
    state: MutableMapping[str, Kept],
    t: Array,
    hyper: Mapping[str, Any],
    *,
    differentiable: bool = False,
    key: int | None = None,
    offset: int = 0,
) -> list[Callable[[], object]]:
    """Compute one step of `rule`; return what writes it into `weight` and `state`, which may be done more than once.

    Args:
        rule: which rule.
        weight: real, dense, of any shape, dtype and device.
        gradient: of the weight's shape; sparse only for a rule that leaves weight and state alone where it is zero.
        state: for each slot of the rule a tensor of the weight's shape, of any dtype; or `Blocks`, unless autograd is
            to see through the step, or the gradient is sparse.
        t: the number of this weight's step, from 1; a tensor to keep it on the device.
        hyper: a value for every hyperparameter.
        differentiable: replace the old state instead of writing into it, which autograd needs.
        key: round what is bfloat16 or 8 bits at random, with this key (`rounding.py`); to nearest if None.
        offset: how many weights lie in the shards before this one, which counts for random rounding.

    Raises:
        RuntimeError: torch's own, if weights share memory.
    """
    for x in (weight, *(x for x in state.values() if isinstance(x, Tensor))):
        if not is_apart(x):
            x.mul_(1)  # torch has the words for it
    random = None
    if key is not None and any(isinstance(x, Blocks) or x.dtype == torch.bfloat16 for x in (weight, *state.values())):
        random = key, memory_numbers(weight) + offset
    numbers = {slot: x.read() if isinstance(x, Blocks) else x for slot, x in state.items()}
    if gradient.is_sparse:
        gradient = gradient.coalesce()
        touched = tuple(gradient.indices())
        rows = {slot: value[touched] for slot, value in numbers.items()}
        random = random and (random[0], random[1][touched])
        new, made = _update(rule, weight[touched], gradient.values(), rows, t, hyper, random)
        pairs = [(weight, new), *((numbers[slot], value) for slot, value in made.items())]
        return [partial(x.__setitem__, touched, value) for x, value in pairs]
    old = weight.clone() if differentiable else weight
    new, made = _update(rule, old, gradient, numbers, t, hyper, random)
    writes: list[Callable[[], object]] = [partial(weight.copy_, new)]
    for k, (slot, value) in enumerate(made.items(), start=1):
        kept = state[slot]
        if isinstance(kept, Blocks):
            writes.append(partial(kept.write, value, random and random[0], k, random and random[1]))
        elif differentiable:
            writes.append(partial(state.__setitem__, slot, value))
        else:
            writes.append(partial(kept.copy_, value))
    return writes


def _update(
    rule: Rule,
    weight: Tensor,
    gradient: Tensor,
    state: Mapping[str, Tensor],
    t: Array,
    hyper: Mapping[str, Any],
    random: Random | None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the new weight and state: computed in one precision, each rounded to that of the old one."""
    dtype, numbers = _COMPUTE.get(weight.dtype, weight.dtype), rule.numbers(hyper)
    given = {slot: value if slot in numbers else value.to(dtype) for slot, value in state.items()}
    made = update(rule, weight.to(dtype), gradient.to(dtype), given, t, hyper)

    def rounded(value: Tensor, old: Tensor, k: int) -> Tensor:
        if random is not None and old.dtype == torch.bfloat16:
            return stochastic(value.to(torch.float32), random[0], k, random[1])
        value = value.to(old.dtype)
        return value.clone() if any(value is x for x in (gradient, *state.values())) else value

    changed = [(slot, value) for slot, value in made.state.items() if value is not given[slot]]
    new = {
        slot: torch.as_tensor(value, dtype=torch.float64) if slot in numbers else rounded(value, state[slot], k)
        for k, (slot, value) in enumerate(changed, start=1)
    }
    return rounded(made.weight, weight, 0), new
