"""Numbers of a rule for the whole optimizer. They lie in the param groups, equal in all.

There a user sees them beside the learning rate that they stand for, and a checkpoint has them (prodigyopt keeps its `d`
so). What is seen is what counts: every step reads them there, and writes them back as a part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from torch import Tensor

from surefoot.engines import engine_choice
from surefoot.errors import UsageError
from surefoot.rule import Rule
from surefoot.torch.group_settings import Group, Settings
from surefoot.torch.state import number, real

Taking = TypeVar("Taking", bound=tuple[Any, ...])


def begin(groups: Sequence[Group], names: Mapping[str, str], starts: Mapping[str, Any]) -> None:
    """Give a new group the numbers of the others, or the first group the rule's start."""
    first, new = groups[0], groups[-1]
    for slot, name in names.items():
        new.setdefault(name, number(starts[slot]) if first is new else first.get(name))


def read(groups: Sequence[Group], rule: Rule, names: Mapping[str, str]) -> dict[str, float]:
    """Return the rule's numbers, by slot; `names` are theirs in the groups.

    Raises:
        UsageError: a number is gone, or the groups do not agree.
    """
    found = {}
    for slot, name in names.items():
        values = [number(group[name]) for group in groups if name in group]
        if not values:
            raise UsageError(
                f"no param group has {name!r}, which {rule.name} keeps there for the whole optimizer; put it back, or "
                "make the optimizer anew to start anew."
            )
        if len(np.unique(values)) > 1:
            raise UsageError(
                f"the param groups have {name} = {', '.join(map(repr, values))}, and {rule.name} keeps one for the "
                "whole optimizer; set the same in all of them."
            )
        found[slot] = values[0]
    return found


def settings(rule: Rule, made: Settings) -> Settings:
    """Return a group's settings without what lies in the group itself.

    Raises:
        UsageError: the group asks for what a rule that looks at all parameters cannot do.
    """
    for asked, name in ((made.capturable, "capturable"), (made.differentiable, "differentiable")):
        if asked:
            raise UsageError(
                f"{rule.name} cannot be {name}: the host reads in each step what it adds up over all parameters. Leave "
                f"{name}=True out, or take another rule."
            )
    names = rule.shared
    return made._replace(starts={slot: start for slot, start in made.starts.items() if slot not in names})


def check_apart(rule: Rule, params: Iterable[Tensor]) -> None:
    """Raise `UsageError` if two parameters share memory. A joint step would compute both from the old weights."""
    if _mixed(params):
        raise UsageError(
            f"two parameters share memory, and {rule.name} steps all at once; give the optimizer one of them."
        )


def lots_apart(takings: Sequence[Taking]) -> list[Sequence[Taking]]:
    """Return the parameters in lots that may step jointly: one lot, unless their memory mixes."""
    if not takings or engine_choice.observed():
        return [takings] if takings else []
    return [[one] for one in takings] if _mixed(taking[0] for taking in takings) else [takings]


def _mixed(params: Iterable[Tensor]) -> bool:
    """Return whether one parameter's memory begins before another one's ends."""
    places = sorted(_place(real(p)) for p in params if p.numel())
    return any(begin < end for (_, end), (begin, _) in pairwise(places))


def _place(x: Tensor) -> tuple[int, int]:
    """Return the addresses of the first byte of a tensor, and behind its last."""
    last = sum((n - 1) * stride for n, stride in zip(x.shape, x.stride(), strict=True))
    return x.data_ptr(), x.data_ptr() + (last + 1) * x.element_size()
