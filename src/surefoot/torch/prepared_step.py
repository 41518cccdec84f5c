"""A step before it is taken: which engine steps each parameter.

A kernel steps a parameter whose gradient and state have its shape, and whose step count is within reach. Parameters of
one kernel on one device share a launch. The eager engine gets the rest. Nothing is written yet, with one exception:
weights that share memory move one after the other, so the earlier ones are written at once.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from surefoot.compiler.kernel_plan import RANDOM
from surefoot.engines import engine_choice, kernel_choice
from surefoot.engines.all_tensors import joins
from surefoot.engines.eager import TensorPart
from surefoot.engines.fits import Fitted, fit
from surefoot.engines.jobs import KINDS
from surefoot.engines.launch_tables import Launch
from surefoot.engines.layout import is_plain
from surefoot.engines.scratch import Layout
from surefoot.errors import UsageError
from surefoot.rule import Rule
from surefoot.torch.gradient_scaling import Scaling
from surefoot.torch.group_settings import Group, GroupSeen, Settings
from surefoot.torch.options import RunOptions
from surefoot.torch.sharded_sums import ShardedSums
from surefoot.torch.state import is_sharded, kept, real, tensors, weights_before, whole_size
from surefoot.torch.table_inputs import TableInputs

Write = tuple[bool, Callable[[], object]]
"""A repeatable write of a part of a step, and whether autograd sees it."""


class PreparedStep:
    """One step of an optimizer, as far as it is known; `StepTables` takes it.

    Args:
        rule: which rule.
        options: how it runs.
        scaling: what the gradients of this step are multiplied by, and whether it counts.
        shared: of each number that the rule keeps for all parameters, the name in the groups.
    """

    def __init__(self, rule: Rule, options: RunOptions, scaling: Scaling, shared: Mapping[str, str]) -> None:
        self.rule, self.options, self.scaling, self._shared = rule, options, scaling, shared
        self._numbers = rule.single
        self._numbered: set[Tensor] = set()
        self.ran: set[str] = set()
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
        self._idle: list[Tensor] = []
        self._shards = ShardedSums()
        self._parameters = 0
        self._counts: list[Tensor] = []
        self._counted: list[Tensor] = []
        """Step counts of the host and of the device."""
        self._steps_at: Counter[int] = Counter()
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
        if kernel.before and is_sharded(p):
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
            carry_out(self._writes)
            self._writes, self._written = [], set()
        self._written |= places
        self._writes += prepare()

    def write(self, writes: Iterable[Callable[[], object]]) -> None:
        """Leave all parameters to the eager engine, which has prepared this."""
        self._whole = False
        self.ran.add("eager")
        self._writes += [(False, write) for write in writes]

    def values(self, settings: Settings) -> Mapping[str, Any]:
        """Return the hyperparameters of a group in this step."""
        factor = self.scaling.factor
        return settings.hyper if factor is None else {**settings.hyper, "gradient_factor": factor}


def _countable(step: Tensor, p: Tensor, counted: bool) -> bool:
    """Return whether an engine can count a parameter's steps at their place."""
    return step.device == p.device if counted else step.device.type == "cpu" and step.dtype in KINDS


def _storage(x: Tensor) -> Any:
    """Return something that is the same for tensors in the same memory."""
    try:
        return x.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):  # it has none: its numbers are somebody else's business
        return id(x)


def carry_out(writes: Iterable[Write]) -> None:
    """Do what has been prepared."""
    for enabled, write in writes:
        with torch.set_grad_enabled(enabled):
            write()


@functools.lru_cache(maxsize=64)
def _say_once(reason: str) -> None:
    kernel_choice.eager_instead("a parameter runs", reason)
