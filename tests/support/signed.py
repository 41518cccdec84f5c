"""A rule that looks at values: it chooses between two numbers, and takes a sign."""

from __future__ import annotations

from surefoot.mathops import sign, where
from surefoot.rule import Rule, Step, rule


@rule(slots=("m",), source="these tests")
def signed(g, state, t, *, lr=0.1, beta1=0.9):
    """Follow the sign of the mean gradient, further where it is negative."""
    m = beta1 * state.m + (1 - beta1) * g
    return Step(rate=lr * where(m > 0, 0.7, 0.9), direction=sign(m) * where(t == 1, 0.3, 1.1), m=m)


def with_sign(faulty) -> Rule:
    """The same with another `sign`."""

    @rule(slots=("m",), source="these tests")
    def signed(g, state, t, *, lr=0.1, beta1=0.9):
        m = beta1 * state.m + (1 - beta1) * g
        return Step(rate=lr * where(m > 0, 0.7, 0.9), direction=faulty(m) * where(t == 1, 0.3, 1.1), m=m)

    return signed
