"""A rule as a torch optimizer: torch's own machinery around it, and no formula.

`RuleOptimizer` runs any rule, built in or the user's own. Everything that a user may change later lives where torch
keeps it: hyperparameters in the param groups (with `base_lr`, the learning rate at construction, so that it travels
with a checkpoint), state and step count per parameter. `spelling.py` derives torch's own names for both, on which
the drop-in replacements for torch.optim's classes stand.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from surefoot.engines import eager, engine_choice, kernel_choice
from surefoot.engines.all_tensors import joins
from surefoot.errors import UsageError
from surefoot.frontends.lookup import combined, find, values
from surefoot.rule import Rule
from surefoot.torch import matrices, shared_numbers
from surefoot.torch.description import Description, describe
from surefoot.torch.effective_lr import rate_of, spread
from surefoot.torch.group_settings import Group, Settings
from surefoot.torch.options import split
from surefoot.torch.state import TRAINING, decoded, number, real, scalar, steps_so_far
from surefoot.torch.stepping import SteppingOptimizer, take_step


class RuleOptimizer(SteppingOptimizer):
    """Run any rule as a torch optimizer: one of Surefoot's by name, or your own.

    For Adam, SGD and the others that torch users know, prefer `surefoot.torch.Adam` and so on, which take torch's
    arguments and exchange checkpoints with torch.optim.

    Args:
        params: parameters, or param groups, whose keys are the rule's hyperparameters.
        rule: a `Rule`, or the name of a built-in one.
        convention: whose defaults and form of a built-in rule to use: `torch`, `keras`, `optax` or `paper`.
        hyper: hyperparameters in the rule's spelling or the convention's, and what every optimizer takes (`Extras`).

    Raises:
        UsageError: unknown rule, convention or option, or a value out of range.

    Example:
        >>> optimizer = RuleOptimizer(model.parameters(), "adam", convention="keras", learning_rate=0.01)
    """

    _step_supports_amp_scaling = True  # torch's GradScaler then leaves unscaling to the step

    def __init__(self, params: Any, rule: Rule | str, *, convention: str = "torch", **hyper: Any) -> None:
        self.options, around, own = split(hyper)
        self.rule, own = combined(find(rule), own)
        defaults = {**values(self.rule, convention, own, at_home="torch"), **around}
        super().__init__(params, {**defaults, "differentiable": False, "capturable": False, **self._for_matrices()})

    @property
    def engine(self) -> str:
        """What runs the steps: `cpu` or `gpu`, the rule's compiled kernel there; `eager`, the rule itself; or several.

        After a step it is what ran; before the first, what is expected to run.
        """
        expected = {self._engine(group, p) for group in self.param_groups for p in group["params"]}
        return self._ran or "+".join(sorted(expected))

    def _engine(self, group: Group, p: Tensor) -> str:
        settings = self._settings(group)
        found = settings.form and engine_choice.engine(self.options.engine, p.device, counted=settings.capturable)
        return "eager" if not found or (found == "gpu" and settings.rule.shape == "matrix") else found

    @staticmethod
    def profile_hook_step(func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a step with torch's hooks, shown in torch's profile: its entry costs 10 us."""
        watched = torch.optim.Optimizer.profile_hook_step(func)

        @functools.wraps(func)
        def step(*args: Any, **kwargs: Any) -> Any:
            seen = (
                torch.compiler.is_compiling()
                or args[0]._optimizer_step_pre_hooks
                or args[0]._optimizer_step_post_hooks
                or _global_optimizer_pre_hooks
                or _global_optimizer_post_hooks
                or torch._C._autograd._profiler_enabled()
            )
            return (watched if seen else func)(*args, **kwargs)

        return step

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step. Parameters without a gradient stay as they are; gradients are only read.

        Under torch's GradScaler the step unscales by itself, and is left out where a gradient is not finite.

        Args:
            closure: clears the gradients, computes the loss, calls `backward()` and returns the loss.

        Returns:
            what the closure returned, else None.
        """
        return take_step(self, closure)

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
        steps = {}
        for group in self.param_groups:
            settings = self._settings(group)
            for p in group["params"]:
                if p.grad is not None or steps_so_far(self.state.get(p, {})):
                    mine = self._settings_of(p, settings)
                    steps[p] = mine, self._coming(p, mine)
        return {p: spread(rate, p) for p, rate in self._rates(steps).items()}

    def describe(self, steps_per_epoch: int | None = None) -> Description:
        """Return each param group as a row of a table: weights, learning rate, decay; and the reasons of its roles.

        Print it. Of groups that `surefoot.torch.groups` made it tells what went where, and why.

        Args:
            steps_per_epoch: to tell in epochs how fast decay works.
        """
        return describe([(self, index) for index in range(len(self.param_groups))], steps_per_epoch)

    def _coming(self, p: Tensor, settings: Settings) -> eager.TensorPart:
        """Return the start of a parameter's coming step. A missing gradient counts as zero."""
        grad = torch.zeros_like(p) if p.grad is None else self._usable(p, p.grad, settings).to_dense()
        own = self.state.get(p, {})
        t = float(steps_so_far(own)) + 1
        state: dict[str, Any] = {slot: decoded(x) for slot, x in self._slots(p, own, settings).items()}
        return eager.TensorPart(real(own.get(TRAINING, p)), real(grad), state, t, settings.hyper)

    def _rates(self, steps: Mapping[Tensor, tuple[Settings, eager.TensorPart]]) -> dict[Tensor, Any]:
        """Return the rates. In a joint step, a parameter without gradient changes nothing for others."""
        if joins(self.rule):
            parts = {p: part for p, (_, part) in steps.items()}
            with_gradient = {p: part for p, part in parts.items() if p.grad is not None}
            every = [zip(some, self._together(some).rates(), strict=True) for some in (parts, with_gradient) if some]
            return {p: rate for some in every for p, rate in some}
        return {p: rate_of(p, part, settings) for p, (settings, part) in steps.items()}

    def add_param_group(self, param_group: Group) -> None:
        """Add a group of parameters. Its learning rate now is what a schedule's later rates are compared with.

        A group that continues a schedule brings that schedule's `initial_lr`, as torch's schedulers ask for.
        """
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        if self.rule.shape == "matrix":
            self._check_matrices(group)
        if group.get("base_lr") is None and "lr" in group:
            group["base_lr"] = number(group.get("initial_lr", group["lr"]))
        if joins(self.rule):
            starts = self.rule.starts(self._settings(group).hyper)
            shared_numbers.begin(self.param_groups, self._shared_names(), starts)

    def _check_matrices(self, group: Group) -> None:
        """Raise if the rule cannot step the last group, and remove that group."""
        try:
            matrices.check(self.rule, group, len(self.param_groups) - 1)
        except UsageError:
            self.param_groups.pop()
            raise

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a pickled state or load a checkpoint, and drop the old tables."""
        self._tables = None
        super().__setstate__(state)

    def _hyper(self, group: Group) -> dict[str, Any]:
        return {name: group[name] for name in self.rule.defaults if name in group}

    def _settings(self, group: Group) -> Settings:
        hyper = {name: scalar(value) for name, value in self.rule.complete(self._hyper(group)).items()}
        if self.options.max_grad_norm is not None or getattr(self, "grad_scale", None) is not None:
            hyper["gradient_factor"] = 1.0  # there is one; the step says which
        starts = self.rule.starts(hyper)
        differentiable, capturable = group.get("differentiable", False), group.get("capturable", False)
        plain = not differentiable and (capturable or not any(isinstance(value, Tensor) for value in hyper.values()))
        plain &= self.options.engine != "eager" and group.get("fused") is not False and not engine_choice.observed()
        matrix = self.rule.shape == "matrix"  # which may have no kernel: only a request for one gets the reason
        quiet = matrix and self.options.engine == "auto"
        plain &= not (quiet and capturable)
        form = kernel_choice.form(hyper) if plain else None
        if form is not None and not kernel_choice.compiles(self.rule, form, quiet=quiet):
            form = None
        layout = group.get(matrices.BLOCKS, 1), matrix and group.get(matrices.TRANSPOSED, False)
        made = Settings(hyper, starts, differentiable, capturable, form, self.rule, *layout)
        return shared_numbers.settings(self.rule, made) if joins(self.rule) else made

    def _for_matrices(self) -> dict[str, Any]:
        """Return what the param groups of a rule for matrices have besides."""
        return {matrices.BLOCKS: 1, matrices.TRANSPOSED: False} if self.rule.shape == "matrix" else {}
