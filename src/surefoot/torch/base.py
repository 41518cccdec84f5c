"""A rule as a torch optimizer: torch's own machinery around it, and no formula.

`RuleOptimizer` runs any rule, built in or the user's own. Everything that a user may change later lives where torch
keeps it: hyperparameters in the param groups (with `base_lr`, the learning rate at construction, so that it travels
with a checkpoint), state and step count per parameter. `spelling.py` derives torch's own names for both, on which
the drop-in replacements for torch.optim's classes stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from surefoot.engines import cpu, eager
from surefoot.rule import Rule
from surefoot.torch.lookup import find, reference, values
from surefoot.torch.state import count, filled, like, loaded, number, real, scalar, steps_so_far
from surefoot.update import take_step

Group = dict[str, Any]


class Settings(NamedTuple):
    """What one param group says, in the rule's words: hyperparameters, and where each slot in use starts."""

    hyper: dict[str, Any]
    starts: dict[str, float]
    differentiable: bool
    capturable: bool
    compiled: bool


class RuleOptimizer(torch.optim.Optimizer):
    """Run any rule as a torch optimizer: one of Surefoot's by name, or your own.

    For Adam, SGD and the others that torch users know, prefer `surefoot.torch.Adam` and so on, which take torch's
    arguments and exchange checkpoints with torch.optim.

    Args:
        params: parameters, or param groups, whose keys are the rule's hyperparameters.
        rule: a `Rule`, or the name of a built-in one.
        convention: whose defaults and form of a built-in rule to use: `torch`, `keras`, `optax` or `paper`.
        hyper: hyperparameters in the rule's spelling or the convention's.

    Raises:
        UsageError: unknown rule, convention or option, or a value out of range.

    Example:
        >>> optimizer = RuleOptimizer(model.parameters(), "adam", convention="keras", learning_rate=0.01)
    """

    sparse_error: ClassVar[str] = "a gradient is sparse; only surefoot.torch.SGD and Adagrad take sparse gradients"
    engine: str = "auto"
    """`auto` steps CPU tensors by the rule's compiled kernel where it can; `eager` steps all by the rule itself."""

    fixed: ClassVar[Mapping[str, Any]] = {}
    """Options that make the class what it is: a checkpoint of a sibling does not change them."""

    def __init__(self, params: Any, rule: Rule | str, *, convention: str = "torch", **hyper: Any) -> None:
        self.rule = find(rule)
        defaults = values(self.rule, convention, hyper)
        super().__init__(params, {**defaults, "differentiable": False, "capturable": False})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; parameters without a gradient stay as they are, and gradients are only read.

        Args:
            closure: clears the gradients, computes the loss, calls `backward()` and returns the loss.

        Returns:
            what the closure returned, else None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        batch = cpu.Batch()
        try:
            for group in self.param_groups:
                self._step_group(group, batch)
        finally:  # if a parameter cannot be stepped, those before it have been, as on the eager engine
            batch.run()
        return loss

    @torch.no_grad()
    def effective_lr(self) -> dict[Tensor, Tensor]:
        """Return the step size of each weight in the coming step: the rule's rate, with the gradients as they stand.

        Call it between `backward()` and `step()` to see exactly what that step will use. A parameter that has
        been stepped but has no gradient now is taken as having a zero gradient; one that was never stepped and has
        none is left out. Nothing is changed; the cost is about that of a step.

        Returns:
            for each parameter a tensor of its shape (of a complex parameter, with a last axis of two for real and
            imaginary part): weight moved per unit of the rule's direction. For SGD it is the learning rate.
        """
        rates = {}
        for group in self.param_groups:
            settings = self._settings(group)
            for p in group["params"]:
                if p.grad is not None or steps_so_far(self.state.get(p, {})):
                    rates[p] = self._rate(p, settings)
        return rates

    def add_param_group(self, param_group: Group) -> None:
        """Add a group of parameters, whose learning rate now is what a schedule's later rates are compared with.

        A group that continues a schedule brings that schedule's `initial_lr`, as torch's schedulers ask for.
        """
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        if group.get("base_lr") is None and "lr" in group:
            group["base_lr"] = number(group.get("initial_lr", group["lr"]))

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the rule with the optimizer: by its name, as functions are."""
        return {**super().__getstate__(), "rule": reference(self.rule)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a pickled state, or load a checkpoint: this optimizer's, or torch's of the same name.

        What torch's checkpoint lacks stays as this optimizer was made; where it has a scheduler's `initial_lr`,
        that is the learning rate at construction.
        """
        made = self.__dict__.get("param_groups", [])
        super().__setstate__({**state, "rule": find(state["rule"])} if "rule" in state else state)
        for group, before in zip(self.param_groups, made, strict=False):
            self._complete(group, before)
        for group in self.param_groups:
            for p in group["params"]:
                if p in self.state:
                    self.state[p] = loaded(self.state[p], p, capturable=group.get("capturable", False))

    def _complete(self, group: Group, made: Group) -> None:
        """Complete a loaded group by the options that it lacks."""
        if "initial_lr" in group:
            group.setdefault("base_lr", number(group["initial_lr"]))
        for name in (*self.defaults, "base_lr"):
            if name in made:
                group.setdefault(name, made[name])
        group.update(self.fixed)

    def _hyper(self, group: Group) -> dict[str, Any]:
        """Return the hyperparameters of a group in the rule's words."""
        return {name: group[name] for name in self.rule.defaults if name in group}

    def _state_name(self, slot: str) -> str:
        """Return the name of a slot in `state`."""
        return slot

    def _settings(self, group: Group) -> Settings:
        hyper = {name: scalar(value) for name, value in self.rule.complete(self._hyper(group)).items()}
        starts = self.rule.starts(hyper)
        differentiable, capturable = group.get("differentiable", False), group.get("capturable", False)
        plain = not (differentiable or capturable or any(isinstance(value, Tensor) for value in hyper.values()))
        wanted = plain and self.engine == "auto" and not torch.compiler.is_compiling()
        compiled = wanted and cpu.compiles(self.rule, hyper)
        return Settings(hyper, starts, differentiable, capturable, compiled)

    def _step_group(self, group: Group, batch: cpu.Batch) -> None:
        settings = self._settings(group)
        with torch.set_grad_enabled(settings.differentiable and torch.is_grad_enabled()):
            for p in group["params"]:
                if p.grad is not None:
                    self._step_parameter(p, p.grad, settings, batch)

    def _step_parameter(self, p: Tensor, grad: Tensor, settings: Settings, batch: cpu.Batch) -> None:
        """Step a parameter at once, or leave it to the kernel that steps the whole batch."""
        grad = self._usable(grad, settings)
        own = self._ensure_state(p, settings)
        own["step"] += 1
        slots = self._slots(p, own, settings)
        if settings.compiled and cpu.supports(real(p), real(grad), slots):
            batch.add(self.rule, real(p), real(grad), slots, float(own["step"]), settings.hyper)
            return
        # In float64, as on the CPU: 1 - beta2^t would lose half its digits in float32. A copy, which autograd may keep.
        t = own["step"].to(torch.float64, copy=True) if settings.capturable else float(own["step"])
        eager.step(self.rule, real(p), real(grad), slots, t, settings.hyper, differentiable=settings.differentiable)
        if settings.differentiable:
            own.update(self._stored(p, slots))

    def _ensure_state(self, p: Tensor, settings: Settings) -> Group:
        """Return the parameter's state, with the step count and every slot in use."""
        own: Group = self.state[p]
        if "step" not in own:
            own["step"] = count(steps_so_far(own), p, capturable=settings.capturable)
        if any(own.get(self._state_name(slot)) is None for slot in settings.starts):
            own.update(self._stored(p, self._slots(p, own, settings)))
        return own

    def _stored(self, p: Tensor, slots: Mapping[str, Tensor]) -> Group:
        return {self._state_name(slot): like(p, value) for slot, value in slots.items()}

    def _rate(self, p: Tensor, settings: Settings) -> Tensor:
        grad = torch.zeros_like(p) if p.grad is None else self._usable(p.grad, settings).to_dense()
        own = self.state.get(p, {})
        t = float(steps_so_far(own)) + 1
        rate = take_step(self.rule, real(p), real(grad), self._slots(p, own, settings), t, settings.hyper).rate
        # The clone is the caller's own: a rule may return a tensor that lives on, such as a tensor learning rate.
        return torch.as_tensor(rate, dtype=real(p).dtype, device=p.device).clone().expand_as(real(p))

    def _slots(self, p: Tensor, own: Group, settings: Settings) -> dict[str, Tensor]:
        """Return the tensor of each slot in use; those that the parameter's state lacks are new."""
        found = {slot: own.get(self._state_name(slot)) for slot in settings.starts}
        return {
            slot: real(filled(p, settings.starts[slot]) if value is None else value) for slot, value in found.items()
        }

    def _usable(self, grad: Tensor, settings: Settings) -> Tensor:
        """Return the gradient in a form that the engine takes; torch's own error where torch has one."""
        if not grad.is_sparse:
            return grad
        if self.sparse_error:
            raise RuntimeError(self.sparse_error)
        if settings.hyper["weight_decay"] != 0:
            raise RuntimeError("weight_decay option is not compatible with sparse gradients")
        return grad.to_dense() if settings.hyper.get("momentum") else grad
