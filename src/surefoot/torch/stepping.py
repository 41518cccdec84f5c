"""The course of a step, all of which happens or nothing.

A step like the one before runs on that one's tables. Any other is laid out anew. Parameters that a kernel fits go into
new tables; the eager engine computes the rest, and its writes wait for the commit. State that a step has made goes
again if the step cannot begin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch._compile import _disable_dynamo

from surefoot.engines import eager, engine_choice
from surefoot.engines.all_tensors import AllTensors
from surefoot.engines.matrices import is_matrix
from surefoot.engines.rounding import key
from surefoot.errors import UsageError
from surefoot.torch import gradient_scaling, matrices, shared_numbers
from surefoot.torch.averages import AveragingOptimizer
from surefoot.torch.group_settings import Group, Settings
from surefoot.torch.matrices import Matrix, step_matrices
from surefoot.torch.prepared_step import Write
from surefoot.torch.sharded_sums import whole
from surefoot.torch.state import decoded, is_sharded, like, real, weights_before
from surefoot.torch.step_tables import StepTables

Taking = tuple[Tensor, Tensor, int]
"""A matrix that a step takes, its gradient, and its number."""


class SteppingOptimizer(AveragingOptimizer):
    """An optimizer that steps; `RuleOptimizer` says what its groups mean."""

    sparse_error: ClassVar[str] = "a gradient is sparse; only surefoot.torch.SGD and Adagrad take sparse gradients"
    _ran: str = ""

    def _advance(self) -> None:
        """Take a step with the gradients as they are, unless one is known not to be finite.

        While tables change they are out of reach: after a step that was interrupted the next one makes its own.
        """
        scaling = gradient_scaling.scaling(self, self._counting_device())
        if scaling is None:
            return
        tables, self._tables = None if engine_choice.observed() else self._tables, None
        with torch.no_grad():
            repeated = tables is not None and tables.repeat(self, scaling, self._settings)
        self._tables = tables if repeated else self._step_anew(scaling)

    def _counting_device(self) -> torch.device | None:
        """Return the device that counts all steps; None if the host counts some."""
        if not all(group.get("capturable") for group in self.param_groups):
            return None
        devices = {p.device for group in self.param_groups for p in group["params"]}
        kernels = [engine_choice.engine(self.options.engine, device, counted=True) for device in devices]
        return devices.pop() if len(kernels) == 1 and kernels[0] else None

    def _step_anew(self, scaling: gradient_scaling.Scaling) -> StepTables | None:
        """Take a step as if it were the first. Returns its tables if later steps can use them."""
        self._back_to_training()
        limit, params = self.options.max_grad_norm, [p for group in self.param_groups for p in group["params"]]
        if limit is not None:
            scaling = gradient_scaling.clip(
                scaling, limit, gradient_scaling.joint_norm(params, self._counting_device())
            )
        tables, before = self._new_tables(scaling), {p: copy(own) for p, own in self.state.items()}
        try:
            for group in self.param_groups:
                self._step_group(group, tables)
            tables = self._alike(tables)
            tables.commit()
        except BaseException:
            if not tables.begun:
                self._put_back(before)
            raise
        self._ran = "+".join(sorted(tables.ran))
        with torch.no_grad():
            return tables.keep(self.state)

    def _new_tables(self, scaling: gradient_scaling.Scaling) -> StepTables:
        return StepTables(self.rule, self.options, scaling, self._shared_names())

    def _put_back(self, before: dict[Tensor, Group]) -> None:
        """Take state back that a step has made which did not happen."""
        for p, own in [*self.state.items()]:
            if p not in before:
                del self.state[p]
            elif isinstance(own, dict):
                own.clear()
                own.update(before[p])

    def _step_group(self, group: Group, tables: StepTables) -> None:
        settings = self._settings(group)
        tables.begin(group, settings, (*self.defaults, *self.rule.defaults))
        with torch.set_grad_enabled(settings.differentiable and torch.is_grad_enabled()):
            matrices_here: list[Taking] = []
            for p in group["params"]:
                if p.grad is None:
                    tables.skip(p)
                elif settings.rule.shape == "matrix" and is_matrix(p):
                    matrices_here.append(self._taking(p, p.grad, settings, tables))
                else:
                    self._step_parameter(p, p.grad, self._settings_of(p, settings), tables)
            lots = shared_numbers.lots_apart(matrices_here)
            for some in lots:
                left = [one for one in some if len(lots) > 1 or not self._by_kernel(one, settings, tables)]
                if left:
                    tables.eager([real(p) for p, *_ in left], partial(self._at_once, left, settings, tables))

    def _taking(self, p: Tensor, grad: Tensor, settings: Settings, tables: StepTables) -> Taking:
        """Return a matrix to step, with its gradient and number. It has state from now on."""
        usable = self._usable(p, grad, settings)
        own = self._ensure_state(p, settings)
        if settings.differentiable or settings.capturable:
            self._decode(p, own, settings)
        return p, usable, tables.number(p)

    def _by_kernel(self, one: Taking, settings: Settings, tables: StepTables) -> bool:
        """Leave a matrix to the kernels around its products. Return False if there are none."""
        (p, grad, number), names = one, {slot: self._state_name(slot) for slot in settings.starts}
        layout = None if settings.form is None else matrices.layout(settings, p)
        return layout is not None and tables.add(p, grad, self.state[p], names, number, layout)

    def _at_once(self, some: Iterable[Taking], settings: Settings, tables: StepTables) -> list[Write]:
        """Return the writes of the eager engine for matrices; none if the device knows of a bad gradient."""
        if tables.scaling.skip is not None and tables.scaling.skip:
            return []
        found = {
            p: Matrix(p, self._part(p, grad, settings, tables, number), settings, number) for p, grad, number in some
        }
        writes = step_matrices([*found.values()], settings)
        for p, matrix in found.items():
            own = self.state[p]
            if settings.differentiable:
                writes.append(partial(self._take_over, own, matrix, settings))
            writes.append(partial(own["step"].fill_, matrix.part.t))
        return [(torch.is_grad_enabled(), write) for write in writes]

    def _take_over(self, own: Group, matrix: Matrix, settings: Settings) -> None:
        own.update({self._state_name(slot): matrix.slot(slot) for slot in settings.starts})

    def _step_parameter(self, p: Tensor, grad: Tensor, settings: Settings, tables: StepTables) -> None:
        """Give a parameter to the kernel of all tables, or to the eager engine."""
        usable = self._usable(p, grad, settings)
        own, number = self._ensure_state(p, settings), tables.number(p)
        names = {slot: self._state_name(slot) for slot in settings.starts}
        if usable.is_sparse or settings.differentiable or settings.capturable:
            self._decode(p, own, settings)
        left = settings.form is None or not tables.add(p, usable, own, names, number)
        if tables.parts is not None:
            tables.parts[p] = partial(self._part, p, usable, settings, tables, number)
            tables.apart |= left
        elif left:
            tables.eager([real(p)], lambda: self._eagerly(p, usable, settings, tables, number))

    def _part(self, p: Tensor, grad: Tensor, settings: Settings, tables: StepTables, number: int) -> eager.TensorPart:
        """Return a parameter as the eager engine takes it."""
        own = self.state[p]
        step, counted = own["step"] + 1, settings.capturable or engine_choice.observed()
        # In float64, as on the CPU: 1 - beta2^t would lose half its digits in float32. A copy, which autograd may keep.
        t = step.to(torch.float64, copy=True) if counted else float(step)
        rounding = None
        if self.options.stochastic_rounding and not counted:
            rounding = key(self.options.seed, number, int(t))
        slots, hyper = self._slots(p, own, settings), tables.values(settings)
        return eager.TensorPart(real(p), real(grad), slots, t, hyper, rounding, weights_before(p))

    def _eagerly(self, p: Tensor, grad: Tensor, settings: Settings, tables: StepTables, number: int) -> list[Write]:
        """Return the writes of the eager engine for a parameter; none if the device knows of a bad gradient."""
        if tables.scaling.skip is not None and tables.scaling.skip:
            return []
        own, part = self.state[p], self._part(p, grad, settings, tables, number)
        with whole(p):
            writes = eager.prepare(settings.rule, part, differentiable=settings.differentiable)
        if settings.differentiable:
            writes += [lambda: own.update({self._state_name(k): like(p, decoded(x)) for k, x in part.state.items()})]
        writes.append(partial(own["step"].fill_, part.t))
        return [(torch.is_grad_enabled(), write) for write in writes]

    @torch.no_grad()
    def _alike(self, tables: StepTables) -> StepTables:
        """Return tables that step all parameters jointly, if the rule needs it and kernels do not step each."""
        if tables.parts:
            shared_numbers.check_apart(self.rule, tables.parts)
        if not tables.apart:
            return tables
        parts = {p: part() for p, part in (tables.parts or {}).items()}
        writes, new = self._together(parts).prepare()
        named = {self._state_name(slot): value for slot, value in new.items()}
        writes += [partial(group.update, named) for group in self.param_groups]
        writes += [partial(self.state[p]["step"].fill_, part.t) for p, part in parts.items()]
        alike = self._new_tables(tables.scaling)
        alike.write(writes)
        return alike

    def _together(self, parts: Mapping[Tensor, eager.TensorPart]) -> AllTensors:
        """Return parameters as the eager engine steps them at once."""
        if any(map(is_sharded, parts)):
            raise UsageError(
                f"{self.rule.name} adds up over all parameters, and the eager engine has the shards of this process "
                "alone; leave engine='auto', and give all parameters dense gradients."
            )
        known = shared_numbers.read(self.param_groups, self.rule, self._shared_names())
        return AllTensors(self.rule, [*parts.values()], known)

    def _usable(self, p: Tensor, grad: Tensor, settings: Settings) -> Tensor:
        """Return the gradient in a form for the engine, or raise torch's own error."""
        if not grad.is_sparse:
            return gradient_scaling.shared_like(p, grad.resolve_conj())
        if self.sparse_error:
            raise RuntimeError(self.sparse_error.format(type(self).__name__))
        if settings.hyper["weight_decay"] != 0:
            raise RuntimeError("weight_decay option is not compatible with sparse gradients")
        return grad.to_dense() if settings.hyper.get("momentum") else grad


def take_step(optimizer: Any, closure: Callable[[], Any] | None) -> Any:
    """Return a closure's loss after its step. No compiler traces this."""
    loss = None
    if closure is not None:
        with torch.enable_grad():
            loss = closure()
    if torch.compiler.is_compiling():
        _advance_uncompiled(optimizer)
    else:
        optimizer._advance()
    return loss


@_disable_dynamo  # torch.compiler.disable would load the compiler already here
def _advance_uncompiled(optimizer: Any) -> None:
    optimizer._advance()
