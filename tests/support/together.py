"""Rules of tests that keep numbers and sum over all tensors, and a tree of weights run through any rule on NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from surefoot.bundle import Bundle, members
from surefoot.mathops import absolute, maximum, sqrt, total, total_all
from surefoot.rule import WEIGHT, Number, Rule, Shared, Slot, Step, rule
from surefoot.update import evaluated, update


@rule(slots=("m", Number("product", start=1.0), Number("norm")), source="a test")
def counting(g: Any, state: Any, t: Any, *, lr: float = 0.01, beta1: float = 0.9, eps: float = 1e-8) -> Step:
    """Correct a mean by a product of the shares that it kept, and divide by the mean size of the tensor's gradient."""
    share = beta1 * (1 - 0.5 * 0.96 ** (t * 0.004))
    product = state.product * share
    m = share * state.m + (1 - share) * g
    norm = beta1 * state.norm + (1 - beta1) * total(g * g)
    return Step(rate=lr / (1 - product) / (sqrt(norm) + eps), direction=m, m=m, product=product, norm=norm)


@rule(slots=(Slot("anchor", start=WEIGHT), "s", Shared("d", start=0.05), Shared("r")), source="a test")
def distant(g: Any, w: Any, state: Any, t: Any, *, lr: float = 1.0, beta2: float = 0.99, eps: float = 1e-8) -> Step:  # noqa: ARG001
    """Estimate from all tensors how far the end is, and make the steps so long."""
    r = beta2 * state.r + state.d * lr * total_all(g * (state.anchor - w))
    s = beta2 * state.s + state.d * lr * g
    d = maximum(state.d, r / maximum(total_all(absolute(s)), 1e-30))
    return Step(rate=d * lr / (sqrt(total_all(g * g)) + eps), direction=g, s=s, d=d, r=r)


def _scaled(w: Any, state: Any, hyper: Any) -> Any:  # noqa: ARG001
    return w * state.longest


@rule(slots=(Number("seen"), Shared("longest", start=1e-6)), source="a test", evaluate=_scaled)
def evaluating(g: Any, state: Any, t: Any, *, lr: float = 0.1) -> Step:  # noqa: ARG001
    """Move by the largest size of all gradients so far; the weights to evaluate with are scaled by it."""
    longest = maximum(state.longest, total_all(g * g))
    return Step(rate=lr / sqrt(longest), direction=g, seen=state.seen + total(g), longest=longest)


class Reference:
    """Tensors in NumPy, stepped by a rule as `surefoot.update` does it."""

    def __init__(self, rule: Rule, starts: Sequence[np.ndarray], hyper: Mapping[str, Any]) -> None:
        self.rule, self.hyper = rule, rule.complete(hyper)
        self.weights, self.t = list(starts), 0
        starts_of = rule.starts(self.hyper)
        self.shared = {slot: float(starts_of[slot]) for slot in rule.shared}
        numbers = rule.numbers(self.hyper)
        self.states = [
            {slot: _begin(x, w, slot in numbers) for slot, x in starts_of.items() if slot not in self.shared}
            for w in starts
        ]

    def step(self, gradients: Sequence[np.ndarray]) -> None:
        """Make a step; every rule is run on all tensors at once, which is the same for one that sums over none."""
        self.t += 1
        made = update(
            self.rule, Bundle(self.weights), Bundle(gradients), {**self._state, **self.shared}, self.t, self.hyper
        )
        n = len(self.weights)
        self.weights = list(members(made.weight, n))
        split = {slot: members(made.state[slot], n) for slot in self._state}
        self.states = [{slot: values[i] for slot, values in split.items()} for i in range(n)]
        self.shared = {slot: made.state[slot] for slot in self.shared}

    def evaluated(self) -> list[np.ndarray]:
        """Return the weights to evaluate with."""
        made = evaluated(self.rule, Bundle(self.weights), {**self._state, **self.shared}, self.hyper)
        return list(members(made, len(self.weights)))

    @property
    def _state(self) -> dict[str, Bundle]:
        return {slot: Bundle(state[slot] for state in self.states) for slot in self.states[0]}


def _begin(start: Any, weight: np.ndarray, is_number: bool) -> Any:
    return float(start) if is_number else np.full_like(weight, weight if start is WEIGHT else start)
