"""Kernel tables for one optimizer step, reused until a tensor, a group or an option changes.

Most steps of a training differ from the one before in gradients and learning rates alone; then nothing is looked up,
checked against torch's rules or put into tables again. Whatever a user may have done between two steps (a new state, a
group more, a parameter moved or frozen) is noticed by comparing what the tables were made from.

A step is prepared first, and writes nothing; then it is committed, whole: kernels and step counts of the CPU by one
native call, and what the eager engine has computed by copies that may be done twice. An interrupt
of a commit is raised after the rest has been done.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from surefoot.compiler.kernel_plan import RANDOM
from surefoot.engines import cpu, engine_choice, gpu, kernel_choice
from surefoot.engines.all_tensors import joins, one
from surefoot.engines.eager import TensorPart, numbers_of
from surefoot.engines.fits import Fitted, fit
from surefoot.engines.jobs import KINDS, Addresses, Counts
from surefoot.engines.launch_tables import Launch
from surefoot.engines.layout import is_plain
from surefoot.engines.norm import Norm, fits
from surefoot.engines.scratch import Layout
from surefoot.errors import UsageError
from surefoot.rule import Rule
from surefoot.torch import shared_numbers
from surefoot.torch.gradient_scaling import Scaling, clip, joint_norm
from surefoot.torch.group_settings import Group, GroupSeen, Settings, SettingsOf
from surefoot.torch.options import RunOptions
from surefoot.torch.sharded_sums import ShardedSums
from surefoot.torch.state import kept, real, tensors, weights_before, whole_size
from surefoot.torch.table_inputs import TableInputs, local

Write = tuple[bool, Callable[[], object]]
"""A repeatable write of a part of a step, and whether autograd sees it."""


class StepTables:
    """One step of an optimizer.

    Args:
        rule: which rule.
        options: how it runs.
        scaling: what the gradients of this step are multiplied by, and whether it counts.
        shared: of each number that the rule keeps for all parameters, the name in the groups.
    """

    def __init__(self, rule: Rule, options: RunOptions, scaling: Scaling, shared: Mapping[str, str]) -> None:
        self.rule, self.options, self.scaling, self._shared = rule, options, scaling, shared
        self._numbers = numbers_of(rule)
        self._numbered: set[Tensor] = set()
        self.ran: set[str] = set()
        self.begun = False
        """Whether the commit has begun. It then ends in any case."""
        self.parts: dict[Tensor, Callable[[], TensorPart]] | None = {} if joins(rule) else None
        """The parts of a rule over all parameters, which the eager engine steps jointly."""
        self.apart = False
        """Whether it must, because no kernel can step one of them."""
        self._whole = True
        """Whether kernels step everything, so that the tables can serve again."""
        self._launches: dict[tuple[kernel_choice.Kernel, torch.device, bool], tuple[str, Launch]] = {}
        self._members: dict[Launch, list[int]] = {}
        """Of each launch, which of the gradients are its own."""
        self._groups: list[GroupSeen] = []
        self._inputs = TableInputs()
        self._gradients: tuple[Tensor, ...] = ()
        """Those of a repeated step, which live until it has been taken."""
        self._norm: Norm | None = None
        self._idle: list[Tensor] = []
        self._shards = ShardedSums()
        self._parameters = 0
        self._counts: list[Tensor] = []
        self._counted: list[Tensor] = []
        """Step counts of the host and of the device."""
        self._steps_at: Counter[int] = Counter()
        self._native: cpu.NativeStep | None = None
        self._summed_there: list[Launch] = []
        """Launches of the GPU engine that need sums over tensors."""
        self._moved: list[Tensor] = []
        """All tensors that kernels write, for autograd."""
        self._writes: list[Write] = []
        self._written: set[Any] = set()

    def begin(self, group: Group, settings: Settings, keys: tuple[str, ...]) -> None:
        """Go to the next param group. `keys` name the values that settings depend on."""
        self._groups.append(GroupSeen(group, settings, keys))

    def skip(self, p: Tensor) -> None:
        """Leave a parameter alone, which has no gradient."""
        self._parameters += 1
        self._idle.append(p)

    def number(self, p: Tensor) -> int:
        """Return the number of the next parameter: its place among all of the optimizer's.

        Raises:
            UsageError: it is given twice, and the rule's own numbers would count it twice or once.
        """
        if self._numbers:
            if p in self._numbered:
                raise UsageError(
                    f"a parameter is given twice, and {self.rule.name} keeps a number of it: give it once."
                )
            self._numbered.add(p)
        self._parameters += 1
        return self._parameters - 1

    def add(
        self,
        p: Tensor,
        grad: Tensor,
        own: Group,
        names: Mapping[str, str],
        number: int,
        layout: Layout | None = None,
    ) -> bool:
        """Leave a parameter to a kernel, if one can step it.

        Args:
            p: the parameter.
            grad: its gradient.
            own: its state.
            names: for each slot in use, its name in the state.
            number: the parameter's.
            layout: the matrices that it is made of, to a rule that multiplies them.
        """
        counted, step = self._groups[-1].settings.capturable, own["step"]
        engine = "" if grad.is_sparse else engine_choice.engine(self.options.engine, p.device, counted=counted)
        numbers = self._numbers
        state = {
            slot: kept(own, name, positive=slot in self.rule.positive)
            for slot, name in names.items()
            if slot not in numbers
        }
        weight, gradient = real(p), real(grad)
        if any(x.shape != weight.shape for x in (gradient, *state.values())) or not _countable(step, p, counted):
            engine = ""  # a checkpoint of another model, say: the eager engine raises torch's error
        if layout is not None and engine == "gpu":
            engine = ""
            if self.options.engine == "gpu":
                _say_once("its rule multiplies whole matrices, which no kernel on a GPU does")
        shown = fit(weight, gradient, state) if engine else ""
        if isinstance(shown, str):
            if shown:
                _say_once(shown)
            return False
        kernel = self._kernel(engine, shown)
        if kernel.by_host and counted:
            _say_once("its rule sums over whole tensors or keeps numbers, which the host adds up; not capturable")
            return False
        if layout is not None and layout.blocks > 1 and (numbers or any(stage.plan.sums for stage in kernel.before)):
            return False  # each of its matrices has sums of its own
        launch = self._launch(engine, kernel, shown, counted)
        t = step if counted else self._next(step)
        group, size = len(self._groups) - 1, whole_size(p) // (1 if layout is None else layout.blocks)
        alone = {f"state.{slot}": own[name] for slot, name in names.items() if slot in numbers} if numbers else {}
        before = weights_before(p)
        launch.add(shown.arrays, shown.runs, group, t, number, before, size=size, numbers=alone, layout=layout)
        if kernel.before and hasattr(p, "placements"):
            self._shards.add(number, p)
        self._members.setdefault(launch, []).append(len(self._inputs.params))
        (self._counted if counted else self._counts).append(step)
        # writes to inference tensors are not recorded
        self._whole &= not step.is_inference() and is_plain(weight) and grad is p.grad and not shown.copied
        if self._whole:
            self._inputs.add(p, own, [*tensors(own, names).values()])
        return True

    def _next(self, step: Tensor) -> float:
        """Return the number of a parameter's step; one that is given twice makes two."""
        self._steps_at[step.data_ptr()] += 1
        return float(step) + self._steps_at[step.data_ptr()]

    def _kernel(self, engine: str, shown: Fitted) -> kernel_choice.Kernel:
        """Return the kernel that steps the parameter."""
        form = self._groups[-1].settings.form or ()
        short = any(kind in RANDOM for name, kind in shown.kinds if name != "g")
        rounded = self.options.stochastic_rounding and short
        return kernel_choice.kernel(engine, self.rule, form, shown.kinds, stochastic=rounded, strided=shown.strided)

    def _launch(self, engine: str, kernel: kernel_choice.Kernel, shown: Fitted, counted: bool) -> Launch:
        """Return the launch that the parameter belongs to: of its kernel, on its device."""
        self.ran.add(engine)
        key = kernel, shown.arrays["w"].device, counted
        if key not in self._launches:
            self._launches[key] = engine, engine_choice.launch(engine, kernel, self.options.seed, counted=counted)
        return self._launches[key][1]

    def eager(self, weights: Iterable[Tensor], prepare: Callable[[], list[Write]]) -> None:
        """Give parameters to the eager engine. `prepare` returns its writes.

        Weights that share memory move one after the other: those before are written at once.
        """
        self._whole = False
        self.ran.add("eager")
        places = set(map(_storage, weights))
        if places & self._written:
            _carry_out(self._writes)
            self._writes, self._written = [], set()
        self._written |= places
        self._writes += prepare()

    def write(self, writes: Iterable[Callable[[], object]]) -> None:
        """Leave all parameters to the eager engine, which has prepared this."""
        self._whole = False
        self.ran.add("eager")
        self._writes += [(False, write) for write in writes]

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
        _carry_out(self._writes)
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

    def values(self, settings: Settings) -> Mapping[str, Any]:
        """Return the hyperparameters of a group in this step."""
        factor = self.scaling.factor
        return settings.hyper if factor is None else {**settings.hyper, "gradient_factor": factor}

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


def _countable(step: Tensor, p: Tensor, counted: bool) -> bool:
    """Return whether an engine can count a parameter's steps at their place."""
    return step.device == p.device if counted else step.device.type == "cpu" and step.dtype in KINDS


def _storage(x: Tensor) -> Any:
    """Return something that is the same for tensors in the same memory."""
    try:
        return x.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):  # it has none: its numbers are somebody else's business
        return id(x)


def _carry_out(writes: Iterable[Write]) -> None:
    for enabled, write in writes:
        with torch.set_grad_enabled(enabled):
            write()


@functools.lru_cache(maxsize=64)
def _say_once(reason: str) -> None:
    kernel_choice.eager_instead("a parameter runs", reason)
