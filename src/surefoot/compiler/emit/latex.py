r"""A rule as formulas in LaTeX, in the paper's letters. `formula.py` chooses the lines.

`m_t` is a slot after step t and `m_{t-1}` before it; `g_t` the gradient at `w_{t-1}`, `\tilde{g}_t` the same with what
surrounds it; hyperparameters go by their symbols in `hyperparameters.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surefoot.compiler.emit import formula, walk
from surefoot.compiler.emit.walk import ATOM, CHOICE, COMPARISON, POWER, PRODUCT, SIGN, SUM, Language, Spelling
from surefoot.compiler.graph import Graph
from surefoot.hyperparameters import HYPERPARAMETERS

_LETTERS = {
    "α": r"\alpha",
    "β": r"\beta",
    "γ": r"\gamma",
    "Γ": r"\Gamma",
    "δ": r"\delta",
    "ε": r"\varepsilon",
    "η": r"\eta",
    "κ": r"\kappa",
    "λ": r"\lambda",
    "μ": r"\mu",
    "ν": r"\nu",
    "ρ": r"\rho",
    "ϱ": r"\varrho",
    "τ": r"\tau",
    "υ": r"\upsilon",
    "ω": r"\omega",
    "ζ": r"\zeta",
    "ξ": r"\xi",
    "σ": r"\sigma",
    "φ": r"\varphi",
    "χ": r"\chi",
    "ψ": r"\psi",
    "Λ": r"\Lambda",
    "₀": "_0",
    "₁": "_1",
    "₂": "_2",
    "₃": "_3",
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


def _scalar(name: str) -> str:
    """Return a number: a hyperparameter, the step count, a tensor's size, or a number of the last step."""
    if name in formula.SIZES:
        letter = formula.SIZES[name]
        return letter if len(letter) == 1 else rf"\mathrm{{{letter}}}"
    return _letter(name, "t-1") if name.startswith("state.") else symbol(name)


_SLOTS = {"ema": r"\bar{w}"}
"""Slots that have a symbol of their own."""

_CASES = r"\begin{{cases}} {1} & \text{{if }} {0} \\ {2} & \text{{otherwise}} \end{{cases}}"

LANGUAGE = Language(
    "LaTeX",
    {
        "add": Spelling("{} + {}", SUM, (SUM, PRODUCT)),
        "total": Spelling(r"\sum {}", PRODUCT, (PRODUCT,)),
        "total_all": Spelling(r"\sum_{{\text{{all}}}} {}", PRODUCT, (PRODUCT,)),
        "sub": Spelling("{} - {}", SUM, (SUM, PRODUCT)),
        "mul": Spelling(r"{} \, {}", PRODUCT, (PRODUCT, PRODUCT)),
        "truediv": Spelling(r"\frac{{{}}}{{{}}}", SIGN, (CHOICE, CHOICE)),
        "neg": Spelling("-{}", SUM, (PRODUCT,)),
        "pow": Spelling("{}^{{{}}}", POWER, (ATOM, CHOICE)),
        "sqrt": Spelling(r"\sqrt{{{}}}"),
        "maximum": Spelling(r"\max\left( {}, {} \right)"),
        "minimum": Spelling(r"\min\left( {}, {} \right)"),
        "sign": Spelling(r"\operatorname{{sign}}\left( {} \right)"),
        "atan2": Spelling(r"\operatorname{{atan2}}\left( {}, {} \right)"),
        "abs": Spelling(r"\left| {} \right|"),
        "matmul": Spelling(r"{} \, {}", PRODUCT, (PRODUCT, SIGN)),
        "transpose": Spelling(r"{}^{{\top}}", POWER, (ATOM,)),
        "mean": Spelling(r"\operatorname{{mean}}_{{\text{{{value}}}}}\left( {} \right)"),
        "eigenbasis": Spelling(r"\operatorname{{eigenbasis}}\left( {}, {} \right)"),
        "orthogonalize": Spelling(r"\operatorname{{NS}}_{{{value.steps}}}\left( {} \right)"),
        "mod": Spelling(r"{} \bmod {}", PRODUCT, (PRODUCT, SIGN)),
        "where": Spelling(_CASES, PRODUCT, (COMPARISON, CHOICE, CHOICE)),
        **walk.compared("=", r"\ne", "<", ">", r"\le", r"\ge"),
    },
    number=_number,
    scalar=_scalar,
    array=lambda name: "g_t" if name == "g" else _letter(name, "t-1"),
    parentheses=_parentheses,
)


def _letter(name: str, when: str) -> str:
    """Return a slot or weight at a step: its symbol, or its first letter with the rest as superscript."""
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
    """Return the left and right side of each line, in the order of computation.

    Args:
        graph: the update.
        hyper: a value for every hyperparameter: those that are zero are left out.
    """
    return formula.formulas(graph, formula.zeros_of(hyper), NOTATION)


def _between(letter: str) -> str:
    if letter == formula.GRADIENT:
        return r"\tilde{g}_t"
    return f"{letter}_t" if len(letter) == 1 else f"{letter[0]}_{{{letter[1:]},t}}"


NOTATION = formula.Notation(LANGUAGE, after=lambda name: _letter(name, "t"), rate="r_t", between=_between)
