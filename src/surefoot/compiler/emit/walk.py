"""Expressions as text: one walker for all targets, with a table of spellings for each.

An expression is written where it is used; what is used more than once, written back or long to write gets a line and
a name of its own. Parentheses stand only where precedence needs them, and the order of floating-point operations is
never touched: `a + (b + c)` keeps its parentheses, unless a target's table says that they may go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from surefoot.compiler.graph import Node
from surefoot.errors import UsageError

CHOICE, COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(7)
"""The binding strength of an expression, from the loosest to a name or a call."""

LEAVES = ("array", "scalar", "const")

APART = ("maximum", "minimum", "where")
"""Operations with long text. One inside another gets a line of its own."""


@dataclass(frozen=True)
class Spelling:
    """The spelling of one operation.

    Attributes:
        text: the operation with `{}` for each argument, and `{value}` for what else it goes by.
        binds: how tightly the result holds together.
        needs: how tightly each argument must hold together to stand without parentheses; anything goes where absent.
    """

    text: str
    binds: int = ATOM
    needs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Language:
    """One target: its table, and how it writes a constant and an input.

    `scalar` and `array` turn the name of a hyperparameter and of an input per weight into text.
    """

    name: str
    table: Mapping[str, Spelling]
    number: Callable[[float], str] = repr
    scalar: Callable[[str], str] = str
    array: Callable[[str], str] = str
    parentheses: Callable[[str], str] = "({})".format


def compared(*signs: str, pattern: str = "{{}} {} {{}}") -> dict[str, Spelling]:
    """Return the spellings of comparisons, from the signs of `eq`, `ne`, `lt`, `gt`, `le` and `ge` in turn."""
    names = ("eq", "ne", "lt", "gt", "le", "ge")
    return {op: Spelling(pattern.format(sign), COMPARISON, (SUM, SUM)) for op, sign in zip(names, signs, strict=False)}


def called(**names: str) -> dict[str, Spelling]:
    """Return the spellings of operations that are functions of a target, by their names there."""
    two = ("pow", "maximum", "minimum", "atan2")
    return {op: Spelling(f"{name}({{}}, {{}})" if op in two else f"{name}({{}})") for op, name in names.items()}


INFIX: dict[str, Spelling] = {
    "add": Spelling("{} + {}", SUM, (SUM, PRODUCT)),
    "sub": Spelling("{} - {}", SUM, (SUM, PRODUCT)),
    "mul": Spelling("{} * {}", PRODUCT, (PRODUCT, SIGN)),
    "truediv": Spelling("{} / {}", PRODUCT, (PRODUCT, SIGN)),
    "neg": Spelling("-{}", SIGN, (POWER,)),
    **compared("==", "!=", "<", ">", "<=", ">="),
}
"""The spellings that Python and JavaScript share."""

PYTHON = Language(
    "Python",
    {
        **INFIX,
        "pow": Spelling("{}**{}", POWER, (ATOM, SIGN)),
        **called(sqrt="sqrt", maximum="max", minimum="min", sign="sign", abs="abs", atan2="atan2"),
        "where": Spelling("{1} if {0} else {2}", CHOICE, (COMPARISON, COMPARISON, CHOICE)),
        "mod": Spelling("{} % {}", PRODUCT, (PRODUCT, SIGN)),
    },
    number="{:g}".format,
)
"""For the comments of kernels: what the host has computed."""


def write(node: Node, names: Mapping[Node, str], language: Language, least: int = CHOICE, *, top: bool = False) -> str:
    """Return the text of an expression.

    Args:
        node: what to write.
        names: what has a name already; it is written by its name.
        language: how.
        least: how tightly the text must hold together; it gets parentheses otherwise.
        top: write the node itself out, though it has a name: the right side of its own line.

    Raises:
        UsageError: the language has no such operation.
    """
    text, binds = names.get(node, ""), ATOM
    if top or not text:
        text, binds = _leaf(node, language) if node.op in LEAVES else _operation(node, names, language)
    return text if binds >= least else language.parentheses(text)


def _leaf(node: Node, language: Language) -> tuple[str, int]:
    if node.op == "const":
        return language.number(node.value), SIGN if node.value < 0 else ATOM
    return (language.array if node.op == "array" else language.scalar)(node.value), ATOM


def _operation(node: Node, names: Mapping[Node, str], language: Language) -> tuple[str, int]:
    if node.op not in language.table:
        raise UsageError(
            f"{language.name} has no {node.op!r} for a value that differs from weight to weight; write the rule "
            "without it (g * g for g**2), or run it on the eager engine."
        )
    spelling = language.table[node.op]
    needs = spelling.needs or (CHOICE,) * len(node.args)
    arguments = [write(arg, names, language, need) for arg, need in zip(node.args, needs, strict=True)]
    return spelling.text.format(*arguments, value=node.value), spelling.binds


def lines(
    nodes: Iterable[Node], roots: Mapping[str, Node], names: Mapping[Node, str], language: Language
) -> tuple[list[tuple[str, str]], dict[Node, str]]:
    """Return `(name, expression)` for each line that computes something, in order, and all names.

    Args:
        nodes: the operations, in an order in which each follows its arguments.
        roots: which of them get a line under this name.
        names: what has a name before.
        language: how to write.
    """
    order = list(nodes)
    uses = Counter(arg for node in order for arg in node.args)
    wanted = {node: name for name, node in reversed(list(roots.items()))}
    known = dict(names)
    made: list[tuple[str, str]] = []
    for node in order:
        if node in wanted or uses[node] > 1 or node.op in APART:
            known[node] = wanted.get(node) or f"x{len(made)}"
            made.append((known[node], write(node, known, language, top=True)))
    return made, known
