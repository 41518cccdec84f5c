"""The kernel of a parameter, by rule, form of the formula, kinds of numbers and memory layout."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from surefoot.compiler.emit import numba, triton
from surefoot.compiler.kernel_plan import Plan, stages
from surefoot.compiler.trace import trace
from surefoot.errors import SurefootWarning, UsageError
from surefoot.rule import Rule

Form = tuple[tuple[str, Any], ...]
"""The facts about hyperparameters that can change a kernel."""

UNREAD = math.inf
"""Stands for a number that only the device reads, where step counts stay there."""

EMIT: dict[str, Callable[..., str]] = {"cpu": numba.emit, "gpu": triton.emit}


@dataclass(frozen=True, eq=False)
class Kernel:
    """A plan with its text for an engine. `stochastic` and `strided` are needs of the text.

    `before` are the kernels of the stages of sums that this one needs: see `compiler/kernel_plan.py`.
    """

    plan: Plan
    text: str
    stochastic: bool
    strided: bool
    before: tuple[Kernel, ...] = ()

    @property
    def by_host(self) -> bool:
        """Whether the host must know sums or keep numbers, so that no device can count the steps."""
        return bool(self.before or self.plan.numbers) or self.plan.by_tensor

    @property
    def sums_all(self) -> bool:
        """Whether it needs a sum over all tensors of the optimizer."""
        return any(stage.plan.everywhere for stage in self.before)


def form(hyper: Mapping[str, Any]) -> Form:
    """Return the switches, and which numbers are zero."""
    return tuple((name, _form(value)) for name, value in hyper.items())


def _form(value: Any) -> Any:
    if isinstance(value, Tensor):
        return UNREAD
    return value if value is None or isinstance(value, bool | str | tuple) else float(bool(value))


def compiles(rule: Rule, of: Form, *, quiet: bool = False) -> bool:
    """Return whether there is a kernel for a rule. If not, warn once with the reason, unless `quiet`."""
    made = _stages(rule, of)
    if isinstance(made, str) and not quiet:
        _say_once(rule, made)
    return not isinstance(made, str)


@functools.lru_cache(maxsize=1024)
def kernel(engine: str, rule: Rule, of: Form, kinds: Form, *, stochastic: bool, strided: bool) -> Kernel:
    """Return a kernel.

    Args:
        engine: `cpu` or `gpu`.
        rule: one that `compiles`.
        of: the form of its hyperparameters.
        kinds: name and kind of number of each array.
        stochastic: round bfloat16 at random.
        strided: neighbours may lie apart.

    Raises:
        UsageError: the rule cannot be compiled.
    """
    made = _stages(rule, of)
    if isinstance(made, str):
        raise UsageError(f"there is no kernel for the rule {rule.name}; ask `compiles` first.")
    *before, last = made

    def emit(part: Plan, *, stochastic: bool) -> str:
        return EMIT[engine](part, rule.name, dict(kinds), stochastic=stochastic, strided=strided)

    earlier = tuple(Kernel(part, emit(part, stochastic=False), False, strided) for part in before)
    return Kernel(last, emit(last, stochastic=stochastic), stochastic, strided, earlier)


@functools.lru_cache(maxsize=1024)
def _stages(rule: Rule, of: Form) -> tuple[Plan, ...] | str:
    """Return the plans of a rule's kernels, or why there are none."""
    try:
        graph = trace(rule, dict(of))
        for name, value in of:
            if value == UNREAD and name in graph.assumed:
                raise UsageError(f"it asks whether {name} is zero, and that is a tensor; give a number.")
        return stages(graph)
    except UsageError as error:
        return str(error)


@functools.lru_cache(maxsize=1024)
def _say_once(rule: Rule, reason: str) -> None:
    eager_instead(f"the rule {rule.name} runs", reason)


def eager_instead(who: str, reason: str) -> None:
    """Warn that the eager engine is used, and why. `who` has its verb: "a parameter runs"."""
    warnings.warn(f"{who} on the eager engine, which is slower: {reason}", SurefootWarning, stacklevel=3)
