"""An explanation: all known facts about one rule in one convention, from their only sources.

Also the family of the built-in rules, which builds on which, and a rule in a notebook: with its own defaults, and
self-contained, so without a script, a style sheet or anything that is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from html import escape
from shlex import quote
from typing import Any, NamedTuple

from surefoot.compiler.emit import formula, latex, mathml, unicode
from surefoot.compiler.emit.targets import moved
from surefoot.compiler.graph import SIDES, WHOLE, Graph, Node, needed
from surefoot.compiler.kernel_plan import SIZES
from surefoot.compiler.matrix_cost import decomposes, operations
from surefoot.compiler.trace import trace
from surefoot.conventions import FRAMEWORKS, convention
from surefoot.explain.differences import ConventionLine, defaults, forms
from surefoot.explain.path import Path, best_rate, walk
from surefoot.explain.surfaces import SURFACES, Landscape
from surefoot.rule import Rule
from surefoot.rules import RULES

FONTS = "'STIX Two Math', 'Latin Modern Math', 'Cambria Math', 'DejaVu Math TeX Gyre', math"
"""Fonts for formulas. Where a browser finds none by itself, parentheses do not grow and roots cross what is below."""


@dataclass(frozen=True)
class Letter:
    """A hyperparameter of the formula: symbol, name, meaning, legal and sensible values, and its value here."""

    symbol: str
    name: str
    meaning: str
    legal: str
    sensible: tuple[float, float] | None
    value: float


@dataclass(frozen=True)
class Cost:
    """The cost of a rule per float32 weight: bytes of state, and bytes that a step moves.

    Attributes:
        slots: what is kept for each weight.
        state_bytes: the bytes of these.
        moved_bytes: what the passes over memory move; the products of matrices not counted.
        beside: what else is kept of a matrix, and how large each is, such as `rows x 1`.
        products: multiplications and additions of the products of a square matrix, for each weight and row.
        decomposes: whether eigenvectors are found at some steps.
    """

    slots: tuple[str, ...]
    state_bytes: int
    moved_bytes: float
    beside: Mapping[str, str]
    products: float
    decomposes: bool


CALLED = {"torch": "torch", "keras": "Keras", "optax": "optax", "paper": "the paper"}
"""The printed name of each convention."""

STEPS = 100
"""Steps of the walk that is drawn."""

SOON = 0.03
"""AdaBound's gamma in that walk, unless it was chosen. With the default no bound acts in so few steps."""


@dataclass(frozen=True)
class Explanation:
    """A rule as one convention means it, with some of its numbers given.

    Attributes:
        rule: which rule.
        framework: whose convention.
        hyper: a value for every hyperparameter.
        called: how a command line names the rule, if not by its name.
    """

    rule: Rule
    framework: str
    hyper: Mapping[str, Any]
    called: str = ""

    @property
    def meant(self) -> str:
        """A sentence about the rule's origin: the framework, or the author where the framework lacks it."""
        meaning = convention(self.rule, self.framework)
        if not meaning.call and self.framework != "paper":
            return f"{meaning.note}."
        return f"As {CALLED[self.framework]} means it{f': {meaning.call}' if meaning.call else ''}."

    @property
    def command(self) -> str:
        """The command that explains it."""
        return f"surefoot explain {quote(self.called or self.rule.name)}"

    @cached_property
    def graph(self) -> Graph:
        """Its graph."""
        return trace(self.rule, self.hyper)

    def unicode(self, width: int) -> str:
        """Return the formula for terminals."""
        return unicode.emit(self.graph, self.hyper, width)

    @property
    def latex(self) -> str:
        """The formula in LaTeX."""
        return latex.emit(self.graph, self.hyper)

    @property
    def letters(self) -> list[Letter]:
        """The hyperparameters that its text reads, in the order in which the rule takes them."""
        used = {node.value for node in self.graph.nodes if node.op == "scalar"}
        used |= {str(slot.start) for slot in self.rule.active(self.hyper)}
        free = self.rule.own - self.rule.pinned.keys()  # what is pinned at zero is no part of the formula
        read = {node.value for node in needed(self.graph.results)} | {str(slot.start) for slot in self.rule.slots}
        idle = {name for name in free if self.hyper[name] and name not in read}  # of another form of the formula
        shown = [name for name in self.hyper if name in used - idle and (name in free or self.hyper[name])]
        known = [self.rule.hyperparameter(name) for name in shown]
        return [
            Letter(one.symbol, name, one.meaning, one.range, one.sensible, self.hyper[name])
            for name, one in zip(shown, known, strict=True)
        ]

    @property
    def signs(self) -> list[tuple[str, str]]:
        """The other letters of the formula for terminals, and what each stands for."""
        return list(signs(self.rule, self.hyper, self.graph, unicode.NOTATION))

    @property
    def cost(self) -> Cost:
        """The cost per float32 weight."""
        active = self.rule.active(self.hyper)
        slots = tuple(slot.name for slot in active if slot.per == "weight")
        beside = {slot.name: " x ".join(SIDES[slot.per]) for slot in active if SIDES.get(slot.per, WHOLE) != WHOLE}
        square = operations(self.graph, LARGE, LARGE) / LARGE
        state, passes = SIZES["float32"] * len(slots), moved(self.graph, "float32")
        return Cost(slots, state, passes, beside, square, decomposes(self.graph))

    @property
    def differences(self) -> list[ConventionLine]:
        """Defaults and forms that frameworks do not agree on."""
        return [line for line in (*defaults(self.rule), *forms(self.rule)) if line.differs]

    @property
    def hastened(self) -> dict[str, float]:
        """The numbers that the walk changes so that the rule's own behaviour shows."""
        bounded = "gamma" in self.rule.own and self.hyper["gamma"] == self.rule.defaults["gamma"]
        return {"gamma": SOON} if bounded else {}

    def walk(self, surface: Landscape) -> tuple[float, Path]:
        """The best of the learning rates of the grid on a surface, and the walk at that rate."""
        hyper = {**self.hyper, **self.hastened}
        lr = best_rate(self.rule, hyper, surface, STEPS)
        return lr, walk(self.rule, {**hyper, "lr": lr}, surface, STEPS)

    @property
    def remark(self) -> str:
        """A remark on the walk's numbers; empty if they are those of the explanation."""
        if self.rule.shape == "matrix":
            return "both weights as a matrix of one column"
        changes = (f"{name} {value:g} in place of {self.hyper[name]:g}" for name, value in self.hastened.items())
        return "".join(f"{change}, so that its bounds act within the picture" for change in changes)

    def to_json(self, surface: str) -> dict[str, Any]:
        """Return all of it as JSON knows it, the walk on this surface included."""
        lr, path = self.walk(SURFACES[surface])
        meanings = {framework: convention(self.rule, framework) for framework in FRAMEWORKS}
        return {
            "rule": self.rule.name,
            "title": self.rule.title,
            "does": plain(self.rule.doc),
            "parent": self.rule.parent and self.rule.parent.name,
            "adds": self.rule.about.adds,
            "source": self.rule.source,
            "convention": self.framework,
            "call": meanings[self.framework].call,
            "formula": {"unicode": self.unicode(10_000), "latex": self.latex},
            "symbols": [asdict(letter) for letter in self.letters],
            "letters": dict(self.signs),
            "defaults": {name: dict(meaning.defaults) for name, meaning in meanings.items()},
            "notes": {name: meaning.note for name, meaning in meanings.items()},
            "differences": [asdict(line) for line in self.differences],
            "use": [asdict(claim) for claim in self.rule.about.use],
            "avoid": [asdict(claim) for claim in self.rule.about.avoid],
            "cost": asdict(self.cost),
            "walk": {"surface": surface, "lr": lr, **self.hastened, "points": path.points, "losses": path.losses},
        }


def signs(rule: Rule, hyper: Mapping[str, Any], graph: Graph, notation: formula.Notation) -> Iterator[tuple[str, str]]:
    """Yield each symbol of the formula that is no hyperparameter, with its meaning.

    Args:
        rule: which rule.
        hyper: a value for every hyperparameter.
        graph: its graph.
        notation: how its formula is written.
    """
    zeros = formula.zeros_of(hyper)
    for slot in rule.active(hyper):
        yield notation.after(f"state.{slot.name}"), slot.meaning or "state, kept from step to step"
    for letter, node in formula.between(graph, zeros).outputs.items():
        yield notation.between(letter), _in_between(letter, node)
    yield notation.language.array("g"), "gradient"
    yield notation.after("w"), "weight"
    if notation.rate in dict(formula.formulas(graph, zeros, notation)):
        yield notation.rate, "effective step size"
    yield notation.language.scalar("t"), "number of the step, from 1"


def _in_between(letter: str, node: Node) -> str:
    """Return what a result in between stands for."""
    if letter == formula.GRADIENT:
        return "gradient, with weight decay or what else is done to it first"
    if node.op != "orthogonalize":
        return "short for a part that stands in several places"
    first = ", ".join(f"{c:g}" for c in node.value.coefficients[0])
    each = f"each with the coefficients {first}" if len(set(node.value.coefficients)) == 1 else "each with its own"
    return f"singular values near 1, by NS: {node.value.steps} steps of a x + b x³ + c x⁵, {each}"


class Branch(NamedTuple):
    """A place in the tree of rules: its name, the lines before it, and the prefix of what follows."""

    rules: tuple[Rule, ...]
    drawn: str
    below: str


LARGE = 1024
"""Rows of the square matrix whose products are counted."""

FEW = 4
"""The fewest leaves that share a line in a folded tree."""


def tree(parent: Rule | None = None, trunk: str = "", *, fold: bool = False) -> Iterator[Branch]:
    """Yield the tree below `parent`, depth first: a rule at a time, or with `fold` many leaves together."""
    children = [rule for rule in RULES.values() if rule.parent is parent]
    leaves = [rule for rule in children if not any(other.parent is rule for other in RULES.values())]
    folded = leaves if fold and len(leaves) >= FEW else []
    groups = [(rule,) for rule in children if rule not in folded] + ([tuple(folded)] if folded else [])
    for group in groups:
        last = group is groups[-1]
        branch, below = ("", "") if parent is None else ("└─ " if last else "├─ ", "   " if last else "│  ")
        yield Branch(group, trunk + branch, trunk + below)
        if len(group) == 1:
            yield from tree(group[0], trunk + below, fold=fold)


def family_json() -> list[dict[str, Any]]:
    """Return every rule with its place in the family."""
    return [
        {
            "rule": rule.name,
            "title": rule.title,
            "parent": rule.parent and rule.parent.name,
            "adds": rule.about.adds,
            "source": rule.source,
        }
        for rule in RULES.values()
    ]


def plain(text: str) -> str:
    """Return a docstring as it is read where code cannot be set apart: without backticks."""
    return text.replace("`", "")


def rule_html(rule: Rule) -> str:
    """Return the rule as HTML: its formula as MathML, its symbols and their defaults.

    Args:
        rule: any rule whose formula can be drawn, one of a user's own too.
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
