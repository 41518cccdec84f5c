"""A step laid out: which kernel moves which parameter. It serves the next steps too, until more than numbers change.

Most steps of a training differ from the one before in gradients and learning rates alone; then nothing is looked up,
checked against torch's rules or put into tables again. Whatever a user may have done between two steps (a new state, a
group more, a parameter moved or frozen) is noticed by comparing what the tables were made from.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from surefoot.compiler.plan import RANDOM
from surefoot.engines import choice, dispatch
from surefoot.engines.fallback import eager_instead
from surefoot.engines.fit import Fitted, fit
from surefoot.engines.launch import Launch
from surefoot.engines.layout import is_plain
from surefoot.rule import Rule
from surefoot.torch.gradients import Scaling
from surefoot.torch.kept import kept, tensors
from surefoot.torch.options import Options
from surefoot.torch.state import real, weights_before
from surefoot.torch.watch import Watch

Group = dict[str, Any]


class Settings(NamedTuple):
    """What one param group says, in the rule's words: hyperparameters, and where each slot in use starts.

    `form` is that of a kernel for these hyperparameters, None if the eager engine steps the group.
    """

    hyper: dict[str, Any]
    starts: dict[str, Any]
    differentiable: bool
    capturable: bool
    form: choice.Form | None


SettingsOf = Callable[[Group], Settings]


@dataclass
class GroupSeen:
    """A param group as the tables know it."""

    group: Group
    settings: Settings
    keys: tuple[str, ...]
    params: list[Tensor] = field(init=False)
    values: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        """Look at the group."""
        self.params, self.values = list(self.group["params"]), self._values()

    def _values(self) -> list[Any]:
        return [tuple(value) if isinstance(value, list) else value for value in map(self.group.get, self.keys)]

    def still(self, group: Group, settings: SettingsOf) -> bool:
        """Tell whether the same kernel steps the same parameters; takes over new numbers."""
        params = group["params"]
        if group is not self.group or len(params) != len(self.params):
            return False
        if any(p is not q for p, q in zip(params, self.params, strict=True)):
            return False
        values = self._values()
        if any(isinstance(value, Tensor) for value in values) or values != self.values:
            before, self.settings, self.values = self.settings, settings(group), values
            return before[1:] == self.settings[1:]
        return True


class Program:
    """One step of an optimizer on kernels.

    Args:
        rule: which rule.
        options: how it runs.
        scaling: what the gradients of this step are multiplied by, and whether it counts.
    """

    def __init__(self, rule: Rule, options: Options, scaling: Scaling) -> None:
        self.rule, self.options, self.scaling = rule, options, scaling
        self.ran: set[str] = set()
        self.whole = True
        """Whether kernels step everything, so that the program can serve again."""
        self._launches: dict[tuple[choice.Kernel, torch.device, bool], tuple[str, Launch]] = {}
        self._groups: list[GroupSeen] = []
        self._watch = Watch()
        self._runs: list[tuple[Launch, slice]] = []
        self._idle: list[Tensor] = []
        self._parameters = 0

    def begin(self, group: Group, settings: Settings, keys: tuple[str, ...]) -> None:
        """Go to the next param group; `keys` are those that settings are made from."""
        self._groups.append(GroupSeen(group, settings, keys))

    def skip(self, p: Tensor) -> None:
        """Leave a parameter alone, which has no gradient."""
        self._parameters += 1
        self._idle.append(p)

    def number(self) -> int:
        """Return the number of the next parameter: its place among all of the optimizer's."""
        self._parameters += 1
        return self._parameters - 1

    def add(self, p: Tensor, grad: Tensor, own: Group, names: Mapping[str, str], number: int) -> bool:
        """Leave a parameter to a kernel, if one can step it; nothing moves before `run`.

        Args:
            p: the parameter.
            grad: its gradient.
            own: its state, whose step count is that of this step.
            names: for each slot in use, its name in the state.
            number: the parameter's.
        """
        counted, step = self._groups[-1].settings.capturable, own["step"]
        engine = "" if grad.is_sparse else dispatch.engine(self.options.engine, p.device, counted=counted)
        state = {slot: kept(own, name, positive=slot in self.rule.positive) for slot, name in names.items()}
        weight, gradient = real(p), real(grad)
        if any(x.shape != weight.shape for x in (gradient, *state.values())) or (counted and step.device != p.device):
            engine = ""  # a checkpoint of another model: the eager engine raises torch's error
        shown = fit(weight, gradient, state) if engine else ""
        if isinstance(shown, str):
            if shown:
                _say_once(shown)
            return False
        kernel = self._kernel(engine, shown)
        if kernel.before and (counted or len(shown.runs.addresses) > 1 or self.options.state_dtype == torch.uint8):
            _say_once("its rule sums over whole tensors; give it dense ones, not capturable, and no 8-bit state")
            return False
        t = step if counted else float(step)
        launch = self._launch(engine, kernel, shown, counted)
        runs = launch.add(shown.arrays, shown.runs, len(self._groups) - 1, t, number, weights_before(p))
        # of inference tensors nobody knows whether they were written to, of a sharded one the shard is a tensor apart
        watched = not step.is_inference() and is_plain(p) and (counted or step.device.type == "cpu")
        self.whole &= watched and grad is p.grad and not shown.copied
        self._runs.append((launch, runs))
        if self.whole:
            self._watch.add(p, grad, own, tensors(own, names), counted=counted)
        return True

    def _kernel(self, engine: str, shown: Fitted) -> choice.Kernel:
        """Return the kernel that steps the parameter."""
        form = self._groups[-1].settings.form or ()
        short = any(kind in RANDOM for name, kind in shown.kinds if name != "g")
        rounded = self.options.stochastic_rounding and short
        return choice.kernel(engine, self.rule, form, shown.kinds, stochastic=rounded, strided=shown.strided)

    def _launch(self, engine: str, kernel: choice.Kernel, shown: Fitted, counted: bool) -> Launch:
        """Return the launch that the parameter belongs to: of its kernel, on its device."""
        self.ran.add(engine)
        key = kernel, shown.arrays["w"].device, counted
        if key not in self._launches:
            self._launches[key] = engine, dispatch.launch(engine, kernel, self.options.seed, counted=counted)
        return self._launches[key][1]

    def eager(self) -> None:
        """Note that the eager engine steps a parameter."""
        self.whole = False
        self.ran.add("eager")

    def run(self) -> None:
        """Step everything that was added."""
        values = [self.values(seen.settings) for seen in self._groups]
        for engine, launch in self._launches.values():
            launch.skip = self.scaling.skip
            dispatch.run(engine, launch, values)
            launch.done()

    def values(self, settings: Settings) -> Mapping[str, Any]:
        """Return the hyperparameters of a group in this step."""
        factor = self.scaling.factor
        return settings.hyper if factor is None else {**settings.hyper, "gradient_factor": factor}

    def keep(self, state: Mapping[Tensor, Any]) -> Program | None:
        """Return the program if it can serve the next step; `state` is the optimizer's."""
        if not self.whole:
            return None
        self._watch.start(state)
        return self

    def repeat(self, optimizer: torch.optim.Optimizer, scaling: Scaling, settings: SettingsOf) -> bool:
        """Take the next step, if the tables still hold; else do nothing and return False.

        Args:
            optimizer: whose step it is.
            scaling: what the gradients of this step are multiplied by, and whether it counts.
            settings: returns a group's settings.
        """
        if (scaling.factor is None) is not (self.scaling.factor is None) or not self._holds(optimizer, settings):
            return False
        self.scaling = scaling
        self._watch.count(scaling.advance)
        for _, launch in self._launches.values():
            launch.next()
        self.run()
        return True

    def _holds(self, optimizer: torch.optim.Optimizer, settings: SettingsOf) -> bool:
        """Tell whether only numbers and the gradients' places have changed, and note the places."""
        groups = optimizer.param_groups
        if len(groups) != len(self._groups) or any(p.grad is not None for p in self._idle):
            return False
        if not all(seen.still(group, settings) for seen, group in zip(self._groups, groups, strict=True)):
            return False
        found = self._watch.gradients_now(optimizer.state)
        if found is not None and found != self._watch.gradients:
            self._move(found)
        return found is not None

    def _move(self, addresses: list[int]) -> None:
        """Follow the gradients to where they lie now."""
        places = zip(self._runs, addresses, self._watch.gradients, strict=True)
        for (launch, runs), now, before in places:
            if now != before:
                launch.move(runs, now - before)
        self._watch.gradients = addresses


@functools.lru_cache(maxsize=64)
def _say_once(reason: str) -> None:
    eager_instead("a parameter runs", reason)
