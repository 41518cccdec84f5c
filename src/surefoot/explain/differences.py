"""Differences between the frameworks' versions of a rule, and the cost of copying numbers across.

The numbers are those that one convention has as defaults; the formula is once that convention's and once the other's.
Both are run on the same gradients. After so many steps the drift is how far apart the weights are, as a share of the
way that they have come by the first. Gradients are random (mean and standard deviation equal, the same for both), at
several sizes: a term like ε weighs nothing beside large gradients and everything beside small ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surefoot.about import Convention
from surefoot.compiler.trace import sums
from surefoot.conventions import FRAMEWORKS, convention, required, shown
from surefoot.rule import Rule
from surefoot.rules import rule_of
from surefoot.update import begun, update

Array = NDArray[np.float64]

SCALES = (1.0, 1e-2, 1e-4, 1e-6, 1e-8)
"""The sizes of gradients at which the drift is computed."""

STEPS, WEIGHTS, SEED, START = 1000, 64, 0, 1.0
MATRIX_ROWS = 4
"""Rows of the matrix of these weights, for a rule for matrices. It is no square, so that scales show."""


@dataclass(frozen=True)
class ConventionLine:
    """One line of the table: a topic, each framework's value, and whether they differ."""

    about: str
    values: dict[str, str]

    @property
    def differs(self) -> bool:
        """Whether the frameworks that have it disagree."""
        return len({value for value in self.values.values() if value}) > 1


@dataclass(frozen=True)
class Drift:
    """The cost of `source`'s numbers in `target`'s formula: the share that goes astray, by `SCALES`."""

    source: str
    target: str
    shares: tuple[float, ...]


def defaults(rule: Rule | str) -> list[ConventionLine]:
    """Return a line for each number with its default in each convention, empty if it is required."""
    meanings = _table(rule).values()
    names = dict.fromkeys(name for meaning in meanings for name in (*meaning.names, *meaning.defaults))
    return [ConventionLine(name, {f: _value(rule, f, name) for f in FRAMEWORKS}) for name in names]


_YES: dict[Any, str] = {True: "yes", False: "no"}


def forms(rule: Rule | str) -> list[ConventionLine]:
    """Return a line for each switch that changes the formula in some convention."""
    table, found = _table(rule), rule_of(rule)
    names = dict.fromkeys(name for meaning in table.values() for name in meaning.switches)
    values = {name: {f: table[f].switches.get(name, found.defaults[name]) for f in FRAMEWORKS} for name in names}
    return [
        ConventionLine(found.hyperparameter(name).meaning, {f: _YES.get(on, on) for f, on in switch.items()})
        for name, switch in values.items()
    ]


def spellings(rule: Rule | str) -> dict[str, dict[str, str]]:
    """Return for each framework how it spells the numbers whose names are not ours."""
    return {
        framework: {name: theirs for name, theirs in meaning.names.items() if theirs != name}
        for framework, meaning in _table(rule).items()
    }


def drifts(rule: Rule | str, frameworks: Sequence[str] = FRAMEWORKS) -> list[Drift]:
    """Return the drift of every pair of conventions whose formulas differ."""
    pairs = [(one, other) for one in frameworks for other in frameworks if _form(rule, one) != _form(rule, other)]
    return [Drift(one, other, shares(rule, one, other)) for one, other in pairs]


def shares(rule: Rule | str, source: str, target: str, scales: Sequence[float] = SCALES) -> tuple[float, ...]:
    """Return the drift of one pair at each size of gradients: 0.1 is a tenth of the way."""
    hypers = ({**numbers_of(rule, source), **_form(rule, form)} for form in (source, target))
    ours, theirs = (_ends(rule_of(rule), tuple(sorted(hyper.items())), tuple(scales)) for hyper in hypers)
    return tuple(
        float(np.linalg.norm(there - here) / np.linalg.norm(here - START))
        for here, there in zip(ours, theirs, strict=True)
    )


def gradients_of(scale: float) -> Array:
    """Return the gradients of one size that both see: a row a step."""
    made: Array = scale * (1 + np.random.default_rng(SEED).standard_normal((STEPS, WEIGHTS)))
    return made


def numbers_of(rule: Rule | str, framework: str) -> dict[str, float]:
    """Return a convention's defaults, filled up with the rule's own."""
    return {name: value for name, value in shown(rule, framework, {}).items() if isinstance(value, float)}


def _table(rule: Rule | str) -> dict[str, Convention]:
    return {framework: convention(rule, framework) for framework in FRAMEWORKS}


def _value(rule: Rule | str, framework: str, name: str) -> str:
    value = convention(rule, framework).defaults.get(name)
    if value is not None:
        return f"{value:.4g}"
    return "required" if name in required(rule, framework) else ""


def _form(rule: Rule | str, framework: str) -> dict[str, bool | str]:
    """Return the form of a convention's formula."""
    return {name: value for name, value in shown(rule, framework, {}).items() if isinstance(value, bool | str)}


@lru_cache(maxsize=64)  # of the pairs of a rule, two in three end where another did
def _ends(rule: Rule, hyper: tuple[tuple[str, Any], ...], scales: tuple[float, ...]) -> list[Array]:
    """Return the weights after the last step at each size of gradients."""
    complete = rule.complete(dict(hyper))
    if sums(rule, complete):  # its weights depend on each other
        return [end for scale in scales for end in _walked(rule, complete, (scale,))]
    return _walked(rule, complete, scales)


def _walked(rule: Rule, hyper: Mapping[str, Any], scales: tuple[float, ...]) -> list[Array]:
    gradients = np.hstack([gradients_of(scale) for scale in scales])
    if rule.shape == "matrix":
        gradients = gradients.reshape(len(gradients), MATRIX_ROWS, -1)
    weight = np.full(gradients.shape[1:], START)
    state = begun(rule, hyper, weight)
    with np.errstate(all="ignore"):  # a rule that finds its rate may find too large a one
        for t, gradient in enumerate(gradients, start=1):
            weight, state, _ = update(rule, weight, gradient, state, t, hyper)
    return np.split(weight.ravel(), len(scales))
