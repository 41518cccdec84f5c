"""The timed cases: a step of each rule, and clipping + AdamW + averaging as large models use it.

Each case tells how many arrays one update has to read and to write, from the compiler's own plan. Clipping by the
global norm needs the gradients once before anything can move: a pass of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from surefoot.arms.user_code import referred
from surefoot.compiler.kernel_plan import stages
from surefoot.compiler.trace import trace
from surefoot.conventions import convention, resolve
from surefoot.errors import UsageError, unknown
from surefoot.frontends.lookup import find
from surefoot.rule import Rule
from surefoot.rules import RULES

LR = 1e-4
"""Every contender's learning rate. The gradients stay the same from step to step, so a weight moves steadily; after
10,000 steps it has moved by about 1 and is still an ordinary number."""

MAX_NORM, EMA = 1.0, 0.999
"""The largest norm of the gradients, and the share of the averaged weights kept each step, of the last case."""

Pass = tuple[int, int]
"""Arrays read and arrays written in one pass over memory."""

ADAM: tuple[Pass, ...] = ((4, 3),)
"""Adam's traffic: weight, gradient and two moments read, all but the gradient written."""

CLIPPED = "clip+adamw+ema"


@dataclass(frozen=True)
class BenchCase:
    """Something to time: its name, the rule in it, and its passes over memory."""

    name: str
    rule: str
    passes: tuple[Pass, ...]

    @property
    def arrays(self) -> int:
        """The number of arrays: weights, gradients and state."""
        return max(reads for reads, _ in self.passes)


def bytes_per_weight(passes: Sequence[Pass], size: int) -> int:
    """Return how many bytes are moved for each weight by numbers of `size` bytes."""
    return size * sum(reads + writes for reads, writes in passes)


def case_names() -> tuple[str, ...]:
    """Return the name of every case: rules in order without those for matrices, the composite last."""
    return (*(name for name, rule in RULES.items() if rule.shape == "any"), CLIPPED)


def find_case(name: str) -> BenchCase:
    """Return a case: a rule, the composite, or the user's own rule by `my.py:calm` or `module:calm`.

    Raises:
        UsageError: there is none of that name; close matches are named.
    """
    if name == CLIPPED:
        return BenchCase(name, "adamw", ((1, 0), *_passes(RULES["adamw"], gradient_factor=1.0, ema=EMA)))
    rule = rule_of_case(name)
    return BenchCase(name, rule.name, _passes(rule))


def rule_of_case(name: str) -> Rule:
    """Return the rule in a case that is not the composite; `UsageError` if there is none."""
    if ":" not in name and name not in RULES:
        raise unknown("rule", name, case_names())
    rule = find(referred(name)) if ":" in name else RULES[name]
    if rule.shape == "matrix":
        raise UsageError(
            f"{rule.name} multiplies matrices, and takes no vectors: the bytes that it moves do not show what a step "
            "costs. For Muon run benchmarks/muon.py, for SOAP benchmarks/soap.py."
        )
    return rule


def lr_of(rule: Rule) -> dict[str, Any]:
    """Return the learning rate as options of a rule, if it has one. A rate that scales a distance is 1."""
    distance = convention(rule, "torch").names.get("first_distance", "first_distance")
    return dict.fromkeys(rule.own & {"lr"}, LR) | dict.fromkeys([distance] if "first_distance" in rule.own else [], 1.0)


def _passes(rule: Rule, **around: float) -> tuple[Pass, ...]:
    """Return a pass for each sum over a tensor that a rule needs, and one for the update."""
    *sums, update = stages(trace(rule, {**resolve(rule, "torch", lr_of(rule)), **around}))
    return (*((len(one.reads), 0) for one in sums), (len(update.reads), len(update.outputs)))
