"""Rules that look at values: one takes a sign and chooses between two numbers, one uses every other word."""

from __future__ import annotations

from surefoot.mathops import absolute, minimum, sign, where
from surefoot.rule import Rule, Step, rule


@rule(slots=("m",), source="these tests")
def signed(g, state, t, *, lr=0.1, beta1=0.9):
    """Follow the sign of the mean gradient, further where it is negative."""
    m = beta1 * state.m + (1 - beta1) * g
    return Step(rate=lr * where(m > 0, 0.7, 0.9), direction=sign(m) * where(t == 1, 0.3, 1.1), m=m)


@rule(slots=("m",), source="these tests", pin={"decoupled": True})
def worded(g, w, state, t, *, lr=0.1, beta1=0.9):
    """Follow the mean gradient, at most as far as the weight is large; every third step goes back, undecayed."""
    m = beta1 * state.m + (1 - beta1) * g
    rate = lr * minimum(absolute(m), absolute(w) + 0.01) * where(t % 3 == 0, -0.5, 1.0)
    return Step(rate=rate, direction=sign(m) + 0.1 * w, decay=where(t % 3 == 0, 0.0, 1.0), m=m)


def with_sign(faulty) -> Rule:
    """The same with another `sign`."""

    @rule(slots=("m",), source="these tests")
    def signed(g, state, t, *, lr=0.1, beta1=0.9):
        m = beta1 * state.m + (1 - beta1) * g
        return Step(rate=lr * where(m > 0, 0.7, 0.9), direction=faulty(m) * where(t == 1, 0.3, 1.1), m=m)

    return signed
