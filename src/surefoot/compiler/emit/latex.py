r"""A rule as formulas in the paper's letters: a line for each state slot, for the rate and for the weight.

`m_t` is a slot after step t and `m_{t-1}` before it; `g_t` the gradient at `w_{t-1}`; hyperparameters go by their
symbols in `hyperparameters.py`. The formula is the one of the options at hand: those that are zero are left out, and
the rest is written as a person would (`tidy.py`). An expression that is long and stands in several places gets a line
of its own, `\tilde{g}_t` if it is the gradient with what surrounds it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain, count
from typing import Any

from surefoot.compiler.emit.tidy import tidy
from surefoot.compiler.emit.walk import (
    ATOM,
    CHOICE,
    COMPARISON,
    LEAVES,
    POWER,
    PRODUCT,
    SIGN,
    SUM,
    Language,
    Spelling,
    write,
)
from surefoot.compiler.graph import Graph, Node, needed
from surefoot.hyperparameters import HYPERPARAMETERS

LONG = 3
"""An expression of more parts than this gets its own line if it stands in several places."""

_LETTERS = {
    "α": r"\alpha",
    "β": r"\beta",
    "γ": r"\gamma",
    "δ": r"\delta",
    "ε": r"\varepsilon",
    "η": r"\eta",
    "κ": r"\kappa",
    "λ": r"\lambda",
    "μ": r"\mu",
    "ρ": r"\rho",
    "τ": r"\tau",
    "₀": "_0",
    "₁": "_1",
    "₂": "_2",
    "*": "^*",
}


def symbol(name: str) -> str:
    """Return a hyperparameter's symbol in LaTeX; `t` stands for itself."""
    if name not in HYPERPARAMETERS:
        return name
    text = "".join(_LETTERS.get(letter, letter) for letter in HYPERPARAMETERS[name].symbol)
    return f"{{{text}}}" if "^" in text else text  # braces, so that a power can stand at it


def _number(value: float) -> str:
    mantissa, _, exponent = f"{value:g}".replace("inf", r"\infty").partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def _parentheses(text: str) -> str:
    tall = r"\frac" in text or r"\begin" in text
    return rf"\left( {text} \right)" if tall else f"({text})"


_SLOTS = {"ema": r"\bar{w}"}
"""Slots that have a symbol of their own."""

_CASES = r"\begin{{cases}} {1} & \text{{if }} {0} \\ {2} & \text{{otherwise}} \end{{cases}}"

LANGUAGE = Language(
    "LaTeX",
    {
        "add": Spelling("{} + {}", SUM, (SUM, PRODUCT)),
        "total": Spelling(r"\sum {}", PRODUCT, (PRODUCT,)),
        "sub": Spelling("{} - {}", SUM, (SUM, PRODUCT)),
        "mul": Spelling(r"{} \, {}", PRODUCT, (PRODUCT, PRODUCT)),
        "truediv": Spelling(r"\frac{{{}}}{{{}}}", SIGN, (CHOICE, CHOICE)),
        "neg": Spelling("-{}", SUM, (PRODUCT,)),
        "pow": Spelling("{}^{{{}}}", POWER, (ATOM, CHOICE)),
        "sqrt": Spelling(r"\sqrt{{{}}}"),
        "maximum": Spelling(r"\max\left( {}, {} \right)"),
        "minimum": Spelling(r"\min\left( {}, {} \right)"),
        "where": Spelling(_CASES, PRODUCT, (COMPARISON, CHOICE, CHOICE)),
        "eq": Spelling("{} = {}", COMPARISON, (SUM, SUM)),
        "ne": Spelling(r"{} \ne {}", COMPARISON, (SUM, SUM)),
        "lt": Spelling("{} < {}", COMPARISON, (SUM, SUM)),
        "gt": Spelling("{} > {}", COMPARISON, (SUM, SUM)),
        "le": Spelling(r"{} \le {}", COMPARISON, (SUM, SUM)),
        "ge": Spelling(r"{} \ge {}", COMPARISON, (SUM, SUM)),
    },
    number=_number,
    scalar=symbol,
    array=lambda name: "g_t" if name == "g" else _letter(name, "t-1"),
    parentheses=_parentheses,
)


def _letter(name: str, when: str) -> str:
    """Return a slot or weight at a step: by its symbol, or by its first letter with the rest above it."""
    name = name.removeprefix("state.")
    at = when if len(when) == 1 else f"{{{when}}}"
    if name in _SLOTS:
        return f"{_SLOTS[name]}_{at}"
    return f"{name}_{at}" if len(name) == 1 else rf"{{{name[0]}^{{\mathrm{{{name[1:]}}}}}_{at}}}"


def emit(graph: Graph, hyper: Mapping[str, Any]) -> str:
    """Return the formulas as one `aligned` block, to stand between `$$` and `$$`."""
    rows = " \\\\\n".join(f"{left} &= {right}" for left, right in formulas(graph, hyper))
    return f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}\n"


def formulas(graph: Graph, hyper: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the left and right side of each line, in the order in which they are computed.

    Args:
        graph: the update.
        hyper: a value for every hyperparameter: those that are zero are left out.
    """
    zeros = {name for name, value in hyper.items() if isinstance(value, int | float) and value == 0}
    made = tidy(graph, zeros)
    used = needed(made.outputs.values())
    order = [node for node in made.nodes if node in used]
    names = _names(made, order)
    lines = [(names[node], write(node, names, LANGUAGE, top=True)) for node in order if node in names]
    lines += [
        (_letter(name, "t"), write(node, names, LANGUAGE))
        for name, node in made.outputs.items()
        if names.get(node) != _letter(name, "t")
    ]
    weight = _letter("w", "t")
    return sorted(lines, key=lambda line: 1 if line[0] == weight else 2 if weight in line[1] else 0)


def _names(graph: Graph, order: list[Node]) -> dict[Node, str]:
    """Return what gets a line: outputs, the rate if it differs from weight to weight, and what is long and shared."""
    uses = Counter(arg for node in order for arg in node.args)
    results = {node: _letter(name, "t") for name, node in graph.outputs.items() if node.op not in LEAVES}
    free = _free({name.removeprefix("state.")[0] for name in graph.outputs})
    names: dict[Node, str] = {}
    for node in order:
        if node in results:
            names[node] = results[node]
        elif node is graph.rate and node.per_weight and node.op not in LEAVES:
            names[node] = "r_t"
        elif uses[node] > 1 and node.op in ("neg", "add", "minimum") and _arrays(node) in ({"g"}, {"g", "w"}):
            names[node] = r"\tilde{g}_t"
        elif uses[node] > 1 and node.per_weight and _size(node, names) > LONG:
            names[node] = next(free)
    return names


def _free(taken: set[str]) -> Iterator[str]:
    """Yield letters for intermediate results."""
    return chain((f"{letter}_t" for letter in "dqhpyz" if letter not in taken), (f"x_{{{k},t}}" for k in count(1)))


def _size(node: Node, names: Mapping[Node, str]) -> int:
    """Return how many parts the written expression has."""
    return 1 + sum(1 if arg in names else _size(arg, names) for arg in node.args)


def _arrays(node: Node) -> set[str]:
    return {part.value for part in needed([node]) if part.op == "array"}
