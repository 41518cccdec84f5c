"""A rule as formulas in plain text with Unicode's letters, for terminals. `formula.py` chooses the lines.

Each line keeps to the width that it is given: one that is too long is broken after the commas and at the signs that
hold its parts most loosely together, and goes on below the place where those parts begin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surefoot.compiler.emit import formula, walk
from surefoot.compiler.emit.walk import ATOM, CHOICE, COMPARISON, POWER, PRODUCT, SIGN, SUM, Language, Spelling
from surefoot.compiler.graph import Graph
from surefoot.hyperparameters import HYPERPARAMETERS

_ABOVE = str.maketrans("0123456789tmax", "⁰¹²³⁴⁵⁶⁷⁸⁹ᵗᵐᵃˣ")
_BELOW = str.maketrans("0123456789t-+", "₀₁₂₃₄₅₆₇₈₉ₜ₋₊")


def symbol(name: str) -> str:
    """Return a hyperparameter's symbol; `t` stands for itself."""
    return HYPERPARAMETERS[name].symbol if name in HYPERPARAMETERS else name


def _number(value: float) -> str:
    mantissa, _, exponent = f"{value:g}".replace("inf", "∞").partition("e")
    power = str(int(exponent or 0)).replace("-", "⁻").translate(_ABOVE)
    return mantissa.replace("-", "−") + (f"·10{power}" if exponent else "")


class _Power(str):
    """The spelling of a power: its exponent stands above the line."""

    def format(self, *args: object, **_: object) -> str:
        base, exponent = map(str, args)
        small = exponent.translate(_ABOVE)
        plain = exponent.isdigit() or exponent == "t"
        return f"{base}{small}" if plain else f"{base}^({exponent})"


class _Steps(str):
    """The spelling of steps of Newton and Schulz: how many stands below."""

    def format(self, *args: object, **given: Any) -> str:
        return f"NS{str(given['value'].steps).translate(_BELOW)}({args[0]})"


def _scalar(name: str) -> str:
    """Return a number: a hyperparameter, the step count, a tensor's size, or a number of the last step."""
    if name in formula.SIZES:
        return formula.SIZES[name]
    return _letter(name, "t-1") if name.startswith("state.") else symbol(name)


LANGUAGE = Language(
    "Unicode",
    {
        "add": Spelling("{} + {}", SUM, (SUM, PRODUCT)),
        "total": Spelling("∑ {}", PRODUCT, (PRODUCT,)),
        "total_all": Spelling("∑ₐₗₗ {}", PRODUCT, (PRODUCT,)),
        "sub": Spelling("{} − {}", SUM, (SUM, PRODUCT)),
        "mul": Spelling("{} {}", SIGN, (SIGN, SIGN)),
        "truediv": Spelling("{} / {}", PRODUCT, (PRODUCT, POWER)),
        "neg": Spelling("−{}", SUM, (PRODUCT,)),
        "pow": Spelling(_Power(), POWER, (ATOM, CHOICE)),
        "sqrt": Spelling("√{}", POWER, (ATOM,)),
        **walk.called(maximum="max", minimum="min", sign="sign", atan2="atan2"),
        "abs": Spelling("|{}|"),
        "matmul": Spelling("{} {}", SIGN, (SIGN, SIGN)),
        "transpose": Spelling("{}ᵀ", POWER, (ATOM,)),
        "mean": Spelling("mean_{value}({})"),
        "eigenbasis": Spelling("eigenbasis({}, {})"),
        "orthogonalize": Spelling(_Steps()),
        "mod": Spelling("{} mod {}", PRODUCT, (PRODUCT, SIGN)),
        "where": Spelling("{1} if {0} else {2}", CHOICE, (COMPARISON, CHOICE, CHOICE)),
        **walk.compared("=", "≠", "<", ">", "≤", "≥"),
    },
    number=_number,
    scalar=_scalar,
    array=lambda name: "gₜ" if name == "g" else _letter(name, "t-1"),
)


def _letter(name: str, when: str) -> str:
    """Return a slot or weight at a step: its symbol, or its first letter with the rest as superscript."""
    name = name.removeprefix("state.")
    letter = "w̄" if name == "ema" else name[0] + name[1:].translate(_ABOVE)
    return letter + when.translate(_BELOW)


def _between(letter: str) -> str:
    return "g̃ₜ" if letter == formula.GRADIENT else f"{letter[0]}{letter[1:].translate(_BELOW)}ₜ"


NOTATION = formula.Notation(LANGUAGE, after=lambda name: _letter(name, "t"), rate="rₜ", between=_between)


def emit(graph: Graph, hyper: Mapping[str, Any], width: int = 80) -> str:
    """Return the formulas, each on a line of its own or, where that is too long, on several.

    Args:
        graph: the update.
        hyper: a value for every hyperparameter: those that are zero are left out.
        width: columns that no line may exceed, as far as its parts allow.
    """
    lines = formula.formulas(graph, formula.zeros_of(hyper), NOTATION)
    left = max(columns(name) for name, _ in lines)
    text = [" " * (left - columns(name)) + f"{name} = {fit(right, width - left - 3)}" for name, right in lines]
    return "\n".join(line.replace("\n", "\n" + " " * (left + 3)) for line in text) + "\n"


def fit(text: str, width: int) -> str:
    """Return an expression on several lines if need be, with a function's arguments below each other."""
    if len(text) <= width:
        return text
    choice, _, otherwise = text.partition(" else ")
    if otherwise and choice.count("(") == choice.count(")"):
        return f"{fit(choice, width)}\nelse {fit(otherwise, width - 5)}"
    opening = next((k for k, letter in enumerate(text) if letter == "(" and "," in text[k : _closing(text, k)]), -1)
    closing = _closing(text, opening)
    arguments = _arguments(text[opening + 1 : closing])
    if len(arguments) < 2:
        return text
    head, rest = text[: opening + 1], text[closing:]
    made = ",\n".join(fit(argument, width - len(head) - len(rest)) for argument in arguments)
    return head + made.replace("\n", "\n" + " " * len(head)) + rest


def columns(text: str) -> int:
    """Return the width of a text. Marks above or below a letter take no room."""
    return sum(letter not in "\u0303\u0304" for letter in text)


def _closing(text: str, opening: int) -> int:
    """Return where the parenthesis that opens here is closed; -1 if none opens."""
    depth = 0
    for place in range(opening, len(text)) if opening >= 0 else ():
        depth += (text[place] == "(") - (text[place] == ")")
        if depth == 0:
            return place
    return -1


def _arguments(text: str) -> list[str]:
    """Return what stands between the commas that no parenthesis encloses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
