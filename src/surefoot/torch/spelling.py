"""A rule under torch's names: hyperparameters in the param groups and state in `state`, as torch.optim has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from surefoot.conventions import convention as find_convention
from surefoot.rules import RULES
from surefoot.torch.arguments import check
from surefoot.torch.base import RuleOptimizer
from surefoot.torch.groups import Group
from surefoot.torch.options import split

MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq", "vmax": "max_exp_avg_sq"}
"""torch's names for the state of Adam and its relatives."""


class TorchOptimizer(RuleOptimizer):
    """A rule in torch's spelling; use a subclass.

    Attributes:
        name: the rule.
        state_names: for each slot of the rule, torch's name for it.
        switch_names: for each switch of the rule that torch spells otherwise, torch's group key.
    """

    name: ClassVar[str]
    state_names: ClassVar[Mapping[str, str]]
    switch_names: ClassVar[Mapping[str, str]] = {}

    def _start(self, params: Any, defaults: Group, extras: Mapping[str, Any]) -> None:
        """Check the arguments and make the param groups."""
        self.options, around, unknown = split(extras)
        for name in unknown:
            raise TypeError(f"{type(self).__name__}.__init__() got an unexpected keyword argument {name!r}")
        check(defaults)
        if "betas" in defaults:
            defaults["betas"] = tuple(defaults["betas"])
        self.rule = RULES[self.name]
        torch.optim.Optimizer.__init__(self, params, {**defaults, **around})

    def _hyper(self, group: Group) -> dict[str, Any]:
        names = {**find_convention(self.name, "torch").names, **self.switch_names}
        given = {**super()._hyper(group), **{ours: _read(group, theirs) for ours, theirs in names.items()}}
        return {**given, **self._form(group)}

    def _form(self, group: Group) -> Mapping[str, bool]:
        """Return the switches that the group's convention sets."""
        return find_convention(self.name, group["convention"]).switches

    def _state_name(self, slot: str) -> str:
        return self.state_names.get(slot, slot)


def _read(group: Group, name: str) -> Any:
    """Return a group's value by torch's spelling: `lr`, or `betas[0]`."""
    key, _, index = name.rstrip("]").partition("[")
    return group[key][int(index)] if index else group[key]
