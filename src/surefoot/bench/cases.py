"""What is timed: a step of each rule, and the step that large models take, clipping + AdamW + averaging.

Each case tells how many arrays one update has to read and to write, from the compiler's own plan. Clipping by the
global norm needs the gradients once before anything can move: a pass of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from surefoot.compiler.plan import plan
from surefoot.compiler.trace import trace
from surefoot.conventions import resolve
from surefoot.errors import unknown
from surefoot.rules import RULES

LR = 1e-4
"""Every contender's learning rate. The gradients stay the same from step to step, so a weight moves steadily; after
10,000 steps it has moved by about 1 and is still an ordinary number."""

MAX_NORM, EMA = 1.0, 0.999
"""The largest norm of the gradients, and the share of the averaged weights kept each step, of the last case."""

Pass = tuple[int, int]
"""How many arrays are read and how many are written while going once through memory."""

ADAM: tuple[Pass, ...] = ((4, 3),)
"""Adam's traffic: weight, gradient and two moments read, all but the gradient written."""

CLIPPED = "clip+adamw+ema"


@dataclass(frozen=True)
class Case:
    """Something to time: its name, the rule in it, and its passes over memory."""

    name: str
    rule: str
    passes: tuple[Pass, ...]

    @property
    def arrays(self) -> int:
        """How many arrays there are: weights, gradients and state."""
        return max(reads for reads, _ in self.passes)


def bytes_per_weight(passes: Sequence[Pass], size: int) -> int:
    """Return how many bytes are moved for each weight by numbers of `size` bytes."""
    return size * sum(reads + writes for reads, writes in passes)


def case_names() -> tuple[str, ...]:
    """Return the name of every case: the rules in their order, the composite last."""
    return (*RULES, CLIPPED)


def find_case(name: str) -> Case:
    """Return a case; `UsageError` with the close matches if there is none of that name."""
    if name == CLIPPED:
        return Case(name, "adamw", ((1, 0), _pass("adamw", gradient_factor=1.0, ema=EMA)))
    if name not in RULES:
        raise unknown("rule", name, case_names())
    return Case(name, name, (_pass(name),))


def _pass(rule: str, **around: float) -> Pass:
    made = plan(trace(RULES[rule], {**resolve(rule, "torch", {"lr": LR}), **around}))
    return len(made.reads), len(made.outputs)
