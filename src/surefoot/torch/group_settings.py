"""The settings of a param group in the rule's words, and whether they still hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import is_
from typing import Any, NamedTuple

from torch import Tensor

from surefoot.engines import kernel_choice
from surefoot.rule import Rule

Group = dict[str, Any]


class Settings(NamedTuple):
    """The settings of one param group: hyperparameters, and the start of each slot in use.

    `form` is that of a kernel for these hyperparameters, None if the eager engine steps the group. `rule` is what steps
    its parameters, and `blocks` how many matrices each of them is, or how high each of these is. `transposed` tells
    that their outputs are their columns.
    """

    hyper: dict[str, Any]
    starts: dict[str, Any]
    differentiable: bool
    capturable: bool
    form: kernel_choice.Form | None
    rule: Rule
    blocks: Any = 1
    transposed: bool = False


FACTS = ("role", "reasons", "param_names", "blocks", "transposed")
"""Keys of a group that describe its parameters. `surefoot.torch.groups` sets them; foreign checkpoints may lack them.
"""

SettingsOf = Callable[[Group], Settings]

_FIXED = (float, int, str, tuple, type(None))


@dataclass
class GroupSeen:
    """A param group as the tables know it."""

    group: Group
    settings: Settings
    keys: tuple[str, ...]
    params: list[Tensor] = field(init=False)
    values: list[Any] = field(init=False)
    fixed: bool = field(init=False)
    """Whether all values are immutable, so that a change means another object."""

    def __post_init__(self) -> None:
        self.params = list(self.group["params"])
        self._take(self._values())

    def _values(self) -> list[Any]:
        return [tuple(value) if isinstance(value, list) else value for value in map(self.group.get, self.keys)]

    def _take(self, values: list[Any]) -> None:
        self.values = values
        self.fixed = all(isinstance(self.group.get(key), _FIXED) for key in self.keys)

    def still(self, group: Group, settings: SettingsOf) -> bool:
        """Return whether the same kernel steps the same parameters. Takes over new numbers."""
        params = group["params"]
        if group is not self.group or len(params) != len(self.params) or not all(map(is_, params, self.params)):
            return False
        if self.fixed and [*map(group.get, self.keys)] == self.values:
            return True
        values = self._values()
        if any(isinstance(value, Tensor) for value in values) or values != self.values:
            before, self.settings = self.settings, settings(group)
            self._take(values)
            return before[1:] == self.settings[1:]
        return True
