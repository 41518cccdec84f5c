"""A rule under torch's names: arguments, hyperparameters and state, as in torch.optim.

What a caller leaves out comes from his `convention=`, of which `torch` has the declared defaults. torch's own checks
follow, in torch's words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from surefoot.conventions import convention as find_convention
from surefoot.errors import UsageError
from surefoot.frontends.declared import Call
from surefoot.frontends.lookup import combined
from surefoot.rules import RULES
from surefoot.torch.base import RuleOptimizer
from surefoot.torch.group_settings import Group
from surefoot.torch.options import split

MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq", "vmax": "max_exp_avg_sq"}
"""torch's names for the state of Adam and its relatives."""


class TorchOptimizer(RuleOptimizer):
    """A rule in torch's spelling; use a subclass, whose constructor is `declared`.

    Attributes:
        name: the rule.
        state_names: torch's names for slots; those that it leaves out have the rule's.
        switch_names: for each switch of the rule that torch spells otherwise, torch's group key.
        fixed: group keys that the class has beside its arguments, because they make it what it is.
    """

    name: ClassVar[str]
    sparse_error = "{} does not support sparse gradients"
    state_names: ClassVar[Mapping[str, str]] = {}
    switch_names: ClassVar[Mapping[str, str]] = {}

    def _start(self, call: Call) -> None:
        self.options, around, others = split(call.extras)
        self.rule, others = combined(RULES[self.name], others)
        around |= self._of_combinators(others)
        made = {**self.fixed, **call.defaults, **_conventional(self.name, call.given), **call.given}
        params = made.pop("params")
        _check(made)
        if "betas" in made:
            made["betas"] = tuple(made["betas"])
        torch.optim.Optimizer.__init__(self, params, {**made, **around, **self._for_matrices()})

    def _of_combinators(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the numbers of the combinators around the rule that have no arguments of their own."""
        known, named, inner = dict[str, Any](), find_convention(self.name, "torch").names, self.rule
        while inner.combinator is not None and inner.parent is not None and inner is not RULES[self.name]:
            known |= {name: value for name, value in inner.combinator.own.items() if name not in named}
            inner = inner.parent
        for name, value in given.items():
            if name not in known:
                raise TypeError(f"{type(self).__name__}.__init__() got an unexpected keyword argument {name!r}")
            self.rule.hyperparameter(name).check(self.rule.name, name, value)
        return {**known, **given}

    def _hyper(self, group: Group) -> dict[str, Any]:
        names = {**find_convention(self.name, "torch").names, **self.switch_names}
        declared = {ours: theirs for ours, theirs in names.items() if theirs.partition("[")[0] in self.defaults}
        given = {**super()._hyper(group), **{ours: _read(group, theirs) for ours, theirs in declared.items()}}
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


def _conventional(rule: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of another convention in torch's spelling. The betas are the same everywhere."""
    framework = given.get("convention", "torch")
    if framework == "torch":
        return {}
    names, defaults = find_convention(rule, "torch").names, find_convention(rule, framework).defaults
    if "lr" not in defaults and "lr" not in given:
        raise UsageError(f"{rule}: the {framework} convention has no default learning rate; give one: lr=...")
    return {theirs: defaults[ours] for ours, theirs in names.items() if ours in defaults and "[" not in theirs}


_RANGES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "lr": ("Invalid learning rate: {}", lambda x: x >= 0.0),
    "eps": (
        "Invalid epsilon value: {}",
        lambda x: all(e is None or e >= 0.0 for e in (x if type(x) is tuple else (x,))),
    ),
    **{
        name: (f"Invalid {name} value: {{}}", lambda x: x >= 0.0)
        for name in ("momentum", "weight_decay", "lr_decay", "initial_accumulator_value", "alpha", "momentum_decay")
    },
    "rho": ("Invalid rho value: {}", lambda x: 0.0 <= x <= 1.0),
    "final_lr": ("Invalid final learning rate: {}", lambda x: x >= 0.0),
    "gamma": ("Invalid gamma parameter: {}; it must be above 0 and below 1", lambda x: 0.0 < x < 1.0),
}


def _check(made: Mapping[str, Any]) -> None:
    """Raise torch's error for the first argument that torch.optim would refuse."""
    if isinstance(made["lr"], Tensor):
        if "betas" in made and made["foreach"] and not made["capturable"]:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        if made["lr"].numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
    for name, (message, allows) in _RANGES.items():
        if name in made and not allows(made[name]):
            raise ValueError(message.format(made[name]))
    if "betas" in made:
        _check_betas(made)
    if made.get("nesterov") and "dampening" in made and (made["momentum"] <= 0 or made["dampening"] != 0):
        raise ValueError("Nesterov momentum requires a momentum and zero dampening")
    if made.get("fused") and made["differentiable"]:
        raise RuntimeError("`fused` does not support `differentiable`")
    if made.get("fused") and made["foreach"]:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def _check_betas(made: Mapping[str, Any]) -> None:
    betas = made["betas"]
    for index in range(max(2, len(betas))):
        if not 0.0 <= betas[index] < 1.0:
            raise ValueError(f"Invalid beta parameter at index {index}: {betas[index]}")
    if not any(all(isinstance(beta, kind) for beta in betas[:2]) for kind in (float, Tensor)):
        raise ValueError("betas must be either both floats or both Tensors")
    if isinstance(betas[0], Tensor) and made["foreach"] and not made["capturable"]:
        raise ValueError("betas[0] as a Tensor is not supported for capturable=False and foreach=True")
