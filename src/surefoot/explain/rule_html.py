"""A rule in a notebook: its formula as MathML, what each symbol is, and the default of each.

All of it with the rule's own defaults, and self-contained: no script, no style sheet, nothing that is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from surefoot.compiler.emit import formula, mathml
from surefoot.explain.explanation import Explanation, Letter, signs
from surefoot.rule import Rule

FONTS = "'STIX Two Math', 'Latin Modern Math', 'Cambria Math', 'DejaVu Math TeX Gyre', math"
"""Fonts for formulas. Where a browser finds none by itself, parentheses do not grow and roots cross what is below."""


def rule_html(rule: Rule) -> str:
    """Return the rule as a piece of HTML; a rule of a user's own too.

    Args:
        rule: any rule whose formula can be drawn.
    """
    one = Explanation(rule, "torch", rule.complete({}))
    # room above and below each line, in a font for mathematics: a notebook brings neither
    style = f'<math style="display: block math; margin: 0.6em 0; font-family: {FONTS}"'
    lines = "".join(line.replace("<math", style, 1) for line in mathml.emit(one.graph, formula.zeros_of(one.hyper)))
    rows = "".join(_row(letter) for letter in one.letters)
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Symbol", "Name", "Default", "Legal", "Meaning"))
    doc = re.sub("`([^`]*)`", r"<code>\1</code>", escape(rule.doc))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
    return f"<h4>{escape(rule.name)}</h4><p>{doc}</p>{lines}{table}{''.join(_notes(one))}"


def _inline(symbol: str) -> str:
    return f'<math style="font-family: {FONTS}">{symbol}</math>'


def _row(letter: Letter) -> str:
    symbol = _inline(mathml.symbol(letter.name))
    cells = (escape(text) for text in (f"{letter.value:g}", letter.legal, letter.meaning))
    return (
        f'<tr><th scope="row">{symbol}</th><td>{escape(letter.name)}</td>{"".join(f"<td>{c}</td>" for c in cells)}</tr>'
    )


def _notes(one: Explanation) -> Iterator[str]:
    found = signs(one.rule, one.hyper, one.graph, mathml.NOTATION)
    yield f"<p>{'; '.join(f'{_inline(letter)}: {escape(meaning)}' for letter, meaning in found)}.</p>"
    yield f"<p>Source: {escape(one.rule.source)}.</p>"
