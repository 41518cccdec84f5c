"""What the letters of a formula stand for that are no hyperparameters: state, results in between, gradient, weight.

They come in the notation of the formula itself, so that what is explained is what is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from surefoot.compiler.emit import formula
from surefoot.compiler.graph import Graph
from surefoot.rule import Rule

_STATE = "state, kept from step to step"
_GRADIENT = "gradient, with weight decay or what else is done to it first"
_PART = "short for a part that stands in several places"


def signs(rule: Rule, hyper: Mapping[str, Any], graph: Graph, notation: formula.Notation) -> Iterator[tuple[str, str]]:
    """Yield each letter and what it stands for.

    Args:
        rule: which rule.
        hyper: a value for every hyperparameter.
        graph: its graph.
        notation: how its formula is written.
    """
    zeros = formula.zeros_of(hyper)
    for slot in rule.active(hyper):
        yield notation.after(f"state.{slot.name}"), slot.meaning or _STATE
    for letter in formula.between(graph, zeros):
        yield notation.between(letter), _GRADIENT if letter == formula.GRADIENT else _PART
    yield notation.language.array("g"), "gradient"
    yield notation.after("w"), "weight"
    if notation.rate in dict(formula.formulas(graph, zeros, notation)):
        yield notation.rate, "effective step size"
    yield notation.language.scalar("t"), "number of the step, from 1"
