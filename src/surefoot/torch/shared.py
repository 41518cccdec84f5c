"""The numbers that a rule keeps for the whole optimizer: they lie in the param groups, the same in all of them.

There a user sees them beside the learning rate that they stand for, and a checkpoint has them (prodigyopt keeps its `d`
so). What is seen is what counts: every step reads them there, and writes them back as a part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from surefoot.errors import UsageError
from surefoot.rule import Rule
from surefoot.torch.groups import Group, Settings
from surefoot.torch.state import number


def begin(groups: Sequence[Group], rule: Rule, name_of: Callable[[str], str], starts: Mapping[str, Any]) -> None:
    """Give the last group, which is new, the numbers that the others have; the first group, where the rule begins."""
    first, new = groups[0], groups[-1]
    for slot in rule.shared:
        name = name_of(slot)
        new.setdefault(name, number(starts[slot]) if first is new else first.get(name))


def read(groups: Sequence[Group], rule: Rule, name_of: Callable[[str], str]) -> dict[str, float]:
    """Return the rule's numbers, by slot.

    Raises:
        UsageError: a number is gone, or the groups do not agree.
    """
    found = {}
    for slot in rule.shared:
        name = name_of(slot)
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
        UsageError: the group asks for what a rule with such numbers cannot do.
    """
    names = rule.shared
    for asked, name in ((made.capturable, "capturable"), (made.differentiable, "differentiable")):
        if asked and names:
            raise UsageError(
                f"{rule.name} cannot be {name}: a number for the whole optimizer ({', '.join(sorted(names))}) is "
                f"read in each step. Leave {name}=True out, or take another rule."
            )
    return made._replace(starts={slot: start for slot, start in made.starts.items() if slot not in names})
