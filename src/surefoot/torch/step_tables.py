"""Kernel tables for one optimizer step, reused until a tensor, a group or an option changes.

Most steps of a training differ from the one before in gradients and learning rates alone; then nothing is looked up,
checked against torch's rules or put into tables again. Whatever a user may have done between two steps (a new state, a
group more, a parameter moved or frozen) is noticed by comparing what the tables were made from.

A step is prepared first, as `prepared_step.py` has it; then it is committed, whole: kernels and step counts of the CPU
by one native call, and what the eager engine has computed by copies that may be done twice. An interrupt of a commit is
raised after the rest has been done.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from surefoot.engines import cpu, gpu
from surefoot.engines.all_tensors import one
from surefoot.engines.jobs import Addresses, Counts
from surefoot.engines.launch_tables import Launch
from surefoot.engines.norm import Norm, fits
from surefoot.errors import UsageError
from surefoot.torch import shared_numbers
from surefoot.torch.gradient_scaling import Scaling, clip, joint_norm
from surefoot.torch.group_settings import SettingsOf
from surefoot.torch.prepared_step import PreparedStep, Write, carry_out
from surefoot.torch.table_inputs import local


class StepTables(PreparedStep):
    """One step of an optimizer: prepared, committed and repeated. `PreparedStep` has the arguments."""

    begun = False
    """Whether the commit has begun. It then ends in any case."""
    _native: cpu.NativeStep | None = None
    _summed_there: Sequence[Launch] = ()
    """Launches of the GPU engine that need sums over tensors."""
    _moved: Sequence[Tensor] = ()
    """All tensors that kernels write, for autograd."""
    _gradients: tuple[Tensor, ...] = ()
    """Those of a repeated step, which live until it has been taken."""
    _norm: Norm | None = None

    def commit(self) -> None:
        """Take the whole step, even if an exception interrupts it; or nothing, if it cannot begin."""
        values = [self.values(seen.settings) for seen in self._groups]
        if self._launches:
            if self.parts is not None:
                values = self._with_shared(values)
            if self._native is None:
                self._native = self._laid_out()
                launches = [launch for _, launch in self._launches.values()]
                kept = [x for launch in launches for name in launch.kept for x in launch.numbers[name]]
                self._moved = [x for launch in launches for x in launch.written] + self._counts + kept
            if self._summed_there:
                gpu.add_up(self._summed_there, values, self._shards.across)
            self._native.begin(values)
            if self.parts is not None:
                self._writes = self._new_shared()
        try:
            self.begun = True
            self._finish(values)
        except BaseException:
            if self.begun:
                self._finish(values)
            raise
        self._gradients = ()
        for _, launch in self._launches.values():
            launch.done()

    def _laid_out(self) -> cpu.NativeStep:
        """Return the native call of this step and later ones; `UsageError` if its engines do not mix."""
        there = self._engine("gpu")
        self._summed_there = [launch for launch in there if launch.before]
        if len(self.ran) > 1 and any(launch.kernel.sums_all for _, launch in self._launches.values()):
            raise UsageError(
                f"{self.rule.name} adds up over all tensors of the optimizer, and they are stepped by several engines "
                f"({', '.join(sorted(self.ran))}): keep all parameters on one device, dense or strided."
            )
        counts, across = Counts(self._counts), self._shards.across
        return cpu.NativeStep(self._engine("cpu"), counts, elsewhere=there, across=across)

    def _finish(self, values: Sequence[Mapping[str, Any]]) -> None:
        """Do what of the step has not been done."""
        if self._native is not None and self._native.done:
            return
        carry_out(self._writes)
        if self._counted:
            self._count_there()
        for launch in self._engine("gpu"):
            launch.skip = self.scaling.skip
            gpu.run(launch, values)
        torch.autograd.graph.increment_version(self._moved)
        if self._native is not None:
            self._native.run()

    def _engine(self, name: str) -> list[Launch]:
        return [launch for engine, launch in self._launches.values() if engine == name]

    def _count_there(self) -> None:
        """Add one to the step counts that the device keeps."""
        advance = self.scaling.advance
        # of a tensor that is not in a list, torch would read the number
        torch._foreach_add_(self._counted, [advance] * len(self._counted) if torch.is_tensor(advance) else advance)

    def _with_shared(self, values: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the hyperparameters of each group, with the numbers for the whole optimizer."""
        known = shared_numbers.read([seen.group for seen in self._groups], self.rule, self._shared)
        return [{**own, **{f"state.{slot}": value for slot, value in known.items()}} for own in values]

    def _new_shared(self) -> list[Write]:
        """Return what writes the numbers that are kept for all parameters."""
        launches = [launch for _, launch in self._launches.values()]
        new = {
            name: one(self.rule, slot, [x for launch in launches for x in launch.new[f"state.{slot}"]])
            for slot, name in self._shared.items()
        }
        return [(False, functools.partial(seen.group.update, new)) for seen in self._groups]

    def keep(self, state: Mapping[Tensor, Any]) -> StepTables | None:
        """Return the tables if they can serve the next step; `state` is the optimizer's."""
        if not self._whole or self._native is None:
            return None
        if self.parts:
            self.parts = {}  # they hold gradients, and the optimizer
        gradients = [*map(attrgetter("grad"), self._inputs.params)]
        self._inputs.start(state, gradients, self._native.counts)
        self._addresses = Addresses([*map(local, gradients)])
        if self.options.max_grad_norm is not None and not self._counted and all(map(fits, gradients)):
            self._norm = Norm(gradients)
        return self

    def repeat(self, optimizer: torch.optim.Optimizer, scaling: Scaling, settings: SettingsOf) -> bool:
        """Take the next step, if the tables still hold; else do nothing and return False.

        Args:
            optimizer: whose step it is.
            scaling: what the gradients of this step are multiplied by before they are clipped, and whether it counts.
            settings: returns a group's settings.
        """
        scaled = scaling.factor is not None or self.options.max_grad_norm is not None
        if scaled is (self.scaling.factor is None) or not self._same_groups(optimizer, settings):
            return False
        gradients = self._inputs.look(optimizer.state)
        if gradients is None:
            return False
        self._gradients = gradients
        distances = self._addresses.look(gradients)
        self.scaling = self._clipped(scaling, gradients)
        if distances is not None:
            for launch, members in self._members.items():
                launch.follow(distances[members])
        for _, launch in self._launches.values():
            launch.next()
        self.commit()
        return True

    def _clipped(self, scaling: Scaling, gradients: Sequence[Tensor]) -> Scaling:
        """Return the scaling with what clipping by norm asks for."""
        limit = self.options.max_grad_norm
        if limit is None:
            return scaling
        if self._norm is not None:
            return clip(scaling, limit, self._norm.at(self._addresses.where))
        device = gradients[0].device if self._counted else None
        return clip(scaling, limit, joint_norm(self._inputs.params, device))

    def _same_groups(self, optimizer: torch.optim.Optimizer, settings: SettingsOf) -> bool:
        """Return whether the same kernels step the same parameters."""
        groups = optimizer.param_groups
        if len(groups) != len(self._groups) or any(p.grad is not None for p in self._idle):
            return False
        return all(seen.still(group, settings) for seen, group in zip(self._groups, groups, strict=True))
