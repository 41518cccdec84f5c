"""A step laid out: which kernel moves which parameter. It serves the next steps too, until more than numbers change.

Most steps of a training differ from the one before in gradients and learning rates alone; then nothing is looked up,
checked against torch's rules or put into tables again. Whatever a user may have done between two steps (a new state, a
group more, a parameter moved or frozen) is noticed by comparing what the tables were made from.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor

from surefoot.engines import choice, dispatch
from surefoot.engines.fit import Fitted, fit
from surefoot.engines.launch import Launch
from surefoot.engines.layout import is_plain
from surefoot.errors import SurefootWarning
from surefoot.rule import Rule
from surefoot.torch.options import Options
from surefoot.torch.state import real

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


Seen = tuple[type, torch.dtype, int, tuple[int, ...], bool]
"""What the tables know of a tensor; its memory is compared apart."""


def look(x: Tensor) -> Seen:
    """Look at a tensor that is not sparse: it is done for each in each step, so it is brief."""
    return type(x), x.dtype, x.numel(), x.stride(), x.is_neg() or x.is_conj()


@dataclass(slots=True)
class Entry:
    """A parameter in the tables, and what they were made from."""

    p: Tensor
    own: Group
    slots: tuple[tuple[str, Tensor, int], ...]
    launch: Launch
    runs: slice
    seen: tuple[Seen, Seen]
    at: tuple[int, int]
    step: Tensor
    version: int
    counter: NDArray[Any] = field(init=False)

    def __post_init__(self) -> None:
        """Make the step count's memory an array of NumPy."""
        self.counter = self.step.numpy()

    def follow(self, own: Group | None, steps: int) -> bool:
        """Follow the gradient to where it lies now; False if anything else is not as it was."""
        p, g = self.p, self.p.grad
        if g is None or g.layout is not torch.strided or own is not self.own or p.data_ptr() != self.at[0]:
            return False
        if (look(p), look(g)) != self.seen:
            return False
        if own.get("step") is not self.step or self.step._version != self.version + steps:
            return False
        for name, x, at in self.slots:
            if own.get(name) is not x or x.data_ptr() != at:
                return False
        if g.data_ptr() != self.at[1]:
            self.launch.move(self.runs, g.data_ptr() - self.at[1])
            self.at = (self.at[0], g.data_ptr())
        return True


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
        factor: what the gradients of this step are multiplied by; None for nothing.
    """

    def __init__(self, rule: Rule, options: Options, factor: float | None) -> None:
        self.rule, self.options, self.factor = rule, options, factor
        self.ran: set[str] = set()
        self.whole = True
        """Whether kernels step everything, so that the program can serve again."""
        self._launches: dict[choice.Kernel, tuple[str, Launch]] = {}
        self._groups: list[GroupSeen] = []
        self._entries: list[Entry] = []
        self._idle: list[Tensor] = []
        self._steps = self._parameters = 0

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
        engine = "" if grad.is_sparse else dispatch.engine(self.options.engine, p.device)
        slots = {slot: own[name] for slot, name in names.items()}
        weight, gradient, state = real(p), real(grad), {slot: real(x) for slot, x in slots.items()}
        if any(x.shape != weight.shape for x in (gradient, *state.values())):
            engine = ""  # a checkpoint of another model: the eager engine raises torch's error
        shown = fit(weight, gradient, state) if engine else ""
        if isinstance(shown, str):
            if shown:
                _say_once(shown)
            return False
        launch = self._launch(engine, shown)
        runs = launch.add(shown.arrays, shown.runs, len(self._groups) - 1, float(own["step"]), number)
        # of inference tensors nobody knows whether they were written to, of a sharded one the shard is a tensor apart
        counted = not own["step"].is_inference() and is_plain(p)
        self.whole &= counted and grad is p.grad and not shown.copied
        self._entries.append(
            Entry(
                p=p,
                own=own,
                slots=tuple((name, slots[slot], slots[slot].data_ptr()) for slot, name in names.items()),
                launch=launch,
                runs=runs,
                seen=(look(p), look(grad)),
                at=(p.data_ptr(), grad.data_ptr()),
                step=own["step"],
                version=own["step"]._version if counted else 0,
            )
        )
        return True

    def _launch(self, engine: str, shown: Fitted) -> Launch:
        """Return the launch that the parameter belongs to."""
        form = self._groups[-1].settings.form or ()
        halves = any(kind == "bfloat16" for name, kind in shown.kinds if name != "g")
        rounded = self.options.stochastic_rounding and halves
        kernel = choice.kernel(engine, self.rule, form, shown.kinds, stochastic=rounded, strided=shown.strided)
        self.ran.add(engine)
        return self._launches.setdefault(kernel, (engine, Launch(kernel, self.options.seed)))[1]

    def eager(self) -> None:
        """Note that the eager engine steps a parameter."""
        self.whole = False
        self.ran.add("eager")

    def run(self) -> None:
        """Step everything that was added."""
        values = [self.values(seen.settings) for seen in self._groups]
        for engine, launch in self._launches.values():
            dispatch.run(engine, launch, values)
            launch.done()

    def values(self, settings: Settings) -> Mapping[str, Any]:
        """Return the hyperparameters of a group in this step."""
        return settings.hyper if self.factor is None else {**settings.hyper, "gradient_factor": self.factor}

    def repeat(self, optimizer: torch.optim.Optimizer, factor: float | None, settings: SettingsOf) -> bool:
        """Take the next step, if the tables still hold; else do nothing and return False.

        Args:
            optimizer: whose step it is.
            factor: what the gradients of this step are multiplied by.
            settings: returns a group's settings.
        """
        if (factor is None) is not (self.factor is None) or not self._holds(optimizer, settings):
            return False
        self.factor = factor
        self._steps += 1
        self._count()
        for _, launch in self._launches.values():
            launch.next()
        self.run()
        return True

    def _count(self) -> None:
        """Add one to every step count; torch takes a microsecond for each number, NumPy a fifth of it."""
        for entry in self._entries:
            entry.counter += 1
        torch.autograd.graph.increment_version([entry.step for entry in self._entries])

    def _holds(self, optimizer: torch.optim.Optimizer, settings: SettingsOf) -> bool:
        """Tell whether only numbers and the gradients' places have changed, and note the places."""
        groups = optimizer.param_groups
        if len(groups) != len(self._groups) or any(p.grad is not None for p in self._idle):
            return False
        if not all(seen.still(group, settings) for seen, group in zip(self._groups, groups, strict=True)):
            return False
        return all(entry.follow(optimizer.state.get(entry.p), self._steps) for entry in self._entries)


@functools.lru_cache(maxsize=64)
def _say_once(reason: str) -> None:
    warnings.warn(f"a parameter runs on the eager engine, which is slower: {reason}", SurefootWarning, stacklevel=2)
