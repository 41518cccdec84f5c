"""Several rules as one torch optimizer, for schedulers, scalers and checkpoints.

The param groups are the children's own dicts, so what a scheduler sets is what the child reads. State is asked of the
child that has the parameter. Gradients are unscaled and clipped over all parameters at once, and each child gets the
factor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from surefoot.errors import UsageError
from surefoot.frontends.roles import ROLES, part_of
from surefoot.torch import gradient_scaling
from surefoot.torch.averages import watch
from surefoot.torch.base import RuleOptimizer
from surefoot.torch.description import Description, describe
from surefoot.torch.group_settings import FACTS, Group
from surefoot.torch.joint_state import JointState
from surefoot.torch.options import RunOptions
from surefoot.torch.stepping import take_step


class SplitOptimizer(torch.optim.Optimizer):
    """One rule for matrices and one for the rest, as one optimizer. `surefoot.torch.split` makes it.

    Attributes:
        children: an optimizer for `matrices` and one for the `rest`, where there are such parameters.
        max_grad_norm: scale all gradients down together where their joint norm is larger; None does not.

    Args:
        children: `RuleOptimizer`s without a parameter in common, and without a `max_grad_norm` of their own.
        max_grad_norm: see above.
    """

    _step_supports_amp_scaling = True

    def __init__(self, children: Mapping[str, RuleOptimizer], *, max_grad_norm: float | None = None) -> None:
        self.max_grad_norm = RunOptions(max_grad_norm=max_grad_norm).max_grad_norm
        self.children = dict(children)
        super().__init__([group for child in self.children.values() for group in child.param_groups], {})

    @property
    def state(self) -> Any:  # a mapping, as torch has it
        """The children's state, by parameter."""
        return JointState(list(self.children.values()))

    @state.setter
    def state(self, _: Any) -> None:
        """Leave the state where it is: torch begins with an empty one."""

    @property
    def engine(self) -> str:
        """The engine of the steps; see `RuleOptimizer.engine`."""
        return "+".join(sorted({part for child in self.children.values() for part in child.engine.split("+")}))

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step of every rule; see `RuleOptimizer.step`."""
        return take_step(self, closure)

    def _advance(self) -> None:
        device = self._counting_device()
        scaling = gradient_scaling.scaling(self, device)
        if scaling is None:
            return
        if self.max_grad_norm is not None:
            params = [p for group in self.param_groups for p in group["params"]]
            scaling = gradient_scaling.clip(scaling, self.max_grad_norm, gradient_scaling.joint_norm(params, device))
        for child in self.children.values():
            _advance_scaled(child, scaling)

    def _counting_device(self) -> torch.device | None:
        """Return the device that counts all children's steps; None if the host counts some."""
        found = {child._counting_device() for child in self.children.values()}
        return found.pop() if len(found) == 1 else None

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters to the rule that steps their role: `{"params": ..., "role": "hidden"}`.

        Raises:
            UsageError: no role that is known, or no rule for it.
        """
        if any(param_group is own for child in self.children.values() for own in child.param_groups):
            super().add_param_group(param_group)  # at the beginning: a child's own
            return
        child = self._child_for(param_group.get("role"))
        child.add_param_group(param_group)
        try:
            super().add_param_group(child.param_groups[-1])
        except BaseException:
            child.param_groups.pop()
            raise

    def _child_for(self, role: Any) -> RuleOptimizer:
        if role not in ROLES:
            raise UsageError(
                f"a param group has the role {role!r}; say by a role which rule steps it, such as role='hidden' for "
                f"matrices and role='other' for the rest. Known: {', '.join(ROLES)}."
            )
        part = part_of(role)
        if part not in self.children:
            raise UsageError(f"a param group has the role {role!r}, and no rule was made for the {part}; split anew.")
        return self.children[part]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a checkpoint of the same split. Whatever interrupts it, all of it is loaded, or nothing.

        Raises:
            UsageError: its groups have other roles, or the state is another rule's.
        """
        given = dict(state_dict)
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            given = hook(self, given) or given
        places, parts = self._places(), self._parts(given)
        before = [(child, {name: child.__dict__[name] for name in _LOADED}) for child in self.children.values()]
        try:
            for child, part in zip(self.children.values(), parts, strict=True):
                child.load_state_dict(part)
        except BaseException:
            for child, fields in before:
                child.__dict__.update(fields, _tables=None)
            raise
        finally:
            self._gather(places)
        for done in self._optimizer_load_state_dict_post_hooks.values():
            done(self)

    def _parts(self, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the part of a checkpoint that each child loads."""
        if len(given["param_groups"]) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        parts: dict[str, dict[str, Any]] = {name: {"state": {}, "param_groups": []} for name in self.children}
        for (name, _), own, saved in zip(self._places(), self.param_groups, given["param_groups"], strict=True):
            _check_alike(own, saved)
            facts = {key: own[key] for key in FACTS if key in own}
            parts[name]["param_groups"].append({**saved, **facts})
            parts[name]["state"] |= {key: given["state"][key] for key in saved["params"] if key in given["state"]}
        return list(parts.values())

    def _places(self) -> list[tuple[str, int]]:
        """Return of each param group which child has it, and where."""
        places = {
            id(group): (name, index)
            for name, child in self.children.items()
            for index, group in enumerate(child.param_groups)
        }
        return [places[id(group)] for group in self.param_groups]

    def _gather(self, places: list[tuple[str, int]]) -> None:
        """Take the children's groups as they are now."""
        self.param_groups = [self.children[name].param_groups[index] for name, index in places]

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the children; the groups are theirs."""
        own = {name: self.__dict__[name] for name in ("defaults", "children", "max_grad_norm")}
        return {**own, "places": self._places()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a pickled optimizer."""
        places = state["places"]
        super().__setstate__({name: value for name, value in state.items() if name != "places"})
        self._gather(places)

    def effective_lr(self) -> dict[Tensor, Tensor]:
        """Return the step size of each weight in the coming step; see `RuleOptimizer.effective_lr`."""
        return {p: rate for child in self.children.values() for p, rate in child.effective_lr().items()}

    def describe(self, steps_per_epoch: int | None = None) -> Description:
        """Return what went where and why, as a table; see `RuleOptimizer.describe`."""
        return describe([(self.children[name], index) for name, index in self._places()], steps_per_epoch)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the evaluation weights in place while the context lasts. See `RuleOptimizer.averaged`."""
        others = [child for child in self.children.values() if child.has_evaluation_weights]
        if not others:
            names = " and ".join(child.rule.name for child in self.children.values())
            raise UsageError(
                f"{names} are evaluated with the weights that they train with; give one of them ema=0.999, say, for a "
                "moving average."
            )
        with ExitStack() as stack:
            for child in others:
                stack.enter_context(child.averaged())
            yield

    def eval(self) -> None:
        """Put the evaluation weights in place until `train()`; see `RuleOptimizer.eval`."""
        for child in self.children.values():
            child.eval()

    def train(self) -> None:
        """Put the training weights back; see `RuleOptimizer.train`."""
        for child in self.children.values():
            child.train()

    def watch(self, model: torch.nn.Module) -> RemovableHandle:
        """Warn once when a model in eval mode has its training weights. See `RuleOptimizer.watch`."""
        return watch(self, model)

    @property
    def _averaging(self) -> bool:
        return any(child._averaging for child in self.children.values())

    def _evaluating(self) -> bool:
        return any(child._evaluating() for child in self.children.values())

    @property
    def has_evaluation_weights(self) -> bool:
        """Whether any weights are evaluated with others than the trained ones."""
        return any(child.has_evaluation_weights for child in self.children.values())

    def _others(self) -> list[Any]:
        return [other for child in self.children.values() for other in child._others()]


SurefootOptimizer = RuleOptimizer | SplitOptimizer
"""An optimizer of ours, of one rule or of two."""


_LOADED = ("state", "param_groups")
"""The attributes of an optimizer that a checkpoint replaces."""


def _check_alike(own: Group, saved: Group) -> None:
    """Raise `UsageError` if a checkpoint's group has other parameters, as far as it says."""
    said = [[group.get("role"), *group.get("param_names", ())] for group in (saved, own)]
    for theirs, mine in zip(*said, strict=False):
        if theirs not in (mine, None):
            raise UsageError(
                f"the checkpoint has {theirs} where this split has {mine}; split the model as it was, with the same "
                "head=, overrides= and blocks=."
            )


def _advance_scaled(child: Any, scaling: gradient_scaling.Scaling) -> None:
    """Take a child's step with its gradients times a factor, passed as a GradScaler passes it."""
    if scaling.factor is not None:
        child.grad_scale = torch.as_tensor(1 / scaling.factor, dtype=torch.float64)
    if scaling.skip is not None:
        child.found_inf = scaling.skip
    try:
        child._advance()
    finally:
        for name in ("grad_scale", "found_inf"):
            child.__dict__.pop(name, None)
