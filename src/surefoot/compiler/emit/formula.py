"""A rule as formulas in any notation: the expressions with lines of their own, and their order.

A line for each state slot, for the rate if it differs from weight to weight, and for the weight. The formula is the one
of the options at hand, written as a person would (`tidy.py`). An expression that is long and stands in several
places gets a line of its own. How symbols look is a `Notation`: LaTeX, Unicode or MathML.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from itertools import chain, count

from surefoot.compiler.emit.tidy import tidy
from surefoot.compiler.emit.walk import APART, LEAVES, Language, write
from surefoot.compiler.graph import COLS, ROWS, SIZE, Graph, Node, needed

LONG = 3
"""The most parts of an expression that is repeated in place. A longer one gets its own line."""

LONG_ON_HOST, ENDLESS = 8, 16
"""The same for values equal for all weights. Beyond the second number, always a line of its own."""

SIZES = {SIZE: "n", ROWS: "rows", COLS: "cols"}
"""Names of a tensor's number of weights and of a matrix's sides."""

GRADIENT = "gradient"
"""The name of the gradient after clipping and decay, among intermediate results."""


@dataclass(frozen=True)
class Notation:
    """The notation of formulas.

    Attributes:
        language: how expressions are written.
        after: what an array is called after the step, by its name: `w`, `state.m`.
        rate: what the effective step size is called.
        between: what a result in between is called, by its letter, or by `GRADIENT`.
    """

    language: Language
    after: Callable[[str], str]
    rate: str
    between: Callable[[str], str]


def formulas(graph: Graph, zeros: Collection[str], notation: Notation) -> list[tuple[str, str]]:
    """Return the left and right side of each line, in the order of computation.

    Args:
        graph: the update.
        zeros: the hyperparameters that are zero: they are left out.
        notation: how it is written.
    """
    made = tidy(graph, zeros)
    order = _order(made)
    letters = {node: notation.between(letter) for node, letter in _between(made, order).items()}
    names = {**letters, **_results(made, notation)}
    lines = [(node, names[node], write(node, names, notation.language, top=True)) for node in order if node in names]
    lines += [
        (node, notation.after(name), write(node, names, notation.language))
        for name, node in {**made.outputs, **made.numbers}.items()
        if names.get(node) != notation.after(name)
    ]
    return [(left, right) for _, left, right in sorted(lines, key=lambda line: _turn(line[0], made.outputs["w"]))]


def _turn(node: Node, weight: Node) -> int:
    """Return the turn of a line: before the weight's, the weight's, or after it."""
    return 1 if node is weight else 2 if weight in needed([node]) else 0


def between(graph: Graph, zeros: Collection[str]) -> Graph:
    """Return the tidy graph of the results in between, by their letter."""
    made = tidy(graph, zeros)
    found = {letter: node for node, letter in _between(made, _order(made)).items()}
    return replace(made, outputs=found, numbers={})


def zeros_of(hyper: Mapping[str, object]) -> set[str]:
    """Return the hyperparameters that are zero."""
    return {name for name, value in hyper.items() if isinstance(value, int | float) and value == 0}


def _order(graph: Graph) -> list[Node]:
    used = needed(graph.results)
    return [node for node in graph.nodes if node in used]


def _results(graph: Graph, notation: Notation) -> dict[Node, str]:
    """Return the names of outputs, and of the rate if it differs from weight to weight."""
    results = {**graph.outputs, **graph.numbers}
    names = {node: notation.after(name) for name, node in results.items() if node.op not in LEAVES}
    rate = graph.rate
    if rate is not None and rate.per_weight and rate.op not in LEAVES:
        names.setdefault(rate, notation.rate)
    return names


def _between(graph: Graph, order: list[Node]) -> dict[Node, str]:
    """Return the letter of a long repeated expression, or of a matrix that is made orthogonal."""
    uses = Counter(arg for node in order for arg in node.args)
    named = {node for node in graph.results if node.op not in LEAVES}
    if graph.rate is not None and graph.rate.per_weight and graph.rate.op not in LEAVES:
        named.add(graph.rate)
    taken = {name.removeprefix("state.")[0] for name in (*graph.outputs, *graph.numbers)}
    free = chain((letter for letter in "dqhpyz" if letter not in taken), (f"x{k}" for k in count(1)))
    factors = {arg for node in order if node.op == "matmul" for arg in node.args}
    matrices = chain("O", (f"O{k}" for k in count(2)))
    letters: dict[Node, str] = {}
    for node in order:
        if node in named:
            continue
        if node.op == "orthogonalize":
            letters[node] = next(matrices)
            continue
        if node.op == "matmul" and node not in factors and _size(node, named | letters.keys()) > LONG_ON_HOST:
            letters[node] = next(free)
            continue
        if not node.per_weight:
            if _long_on_host(node, uses[node], letters):
                letters[node] = next(free)
        elif uses[node] < 2:
            continue
        elif node.op in ("neg", "add", "minimum") and _arrays(node) in ({"g"}, {"g", "w"}) and not _squares(node):
            letters[node] = GRADIENT
        elif _size(node, named | letters.keys()) > LONG:
            letters[node] = next(free)
    return letters


def _long_on_host(node: Node, uses: int, named: Collection[Node]) -> bool:
    if node.op in LEAVES:
        return False
    size = _size(node, named)
    return size > ENDLESS or (uses > 1 and (size > LONG_ON_HOST or node.op in APART))


def _size(node: Node, named: Collection[Node]) -> int:
    return 1 + sum(1 if arg in named else _size(arg, named) for arg in node.args)


def _squares(node: Node) -> bool:
    return any(part.op == "pow" and part.per_weight for part in needed([node]))


def _arrays(node: Node) -> set[str]:
    return {part.value for part in needed([node]) if part.op == "array"}
