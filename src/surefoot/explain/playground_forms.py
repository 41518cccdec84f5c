"""The forms of a rule in the playground, as JavaScript to run and MathML to read.

A form is a rule in a convention with some of its numbers zero: whether weight decay or momentum is zero changes the
text. Equal texts are kept once. What clips a rate, if anything does, is read off the rule's own graph: the two ends
are drawn as AdaBound's bounds, and no second formula of them exists.

A slider's track is the sensible range of the hyperparameter, widened where a convention's default lies outside. A share
that is kept each step (0.9, 0.99, 0.999) grows in decades of what is not kept; a range over several decades grows in
decades; zero, which has no decade, is the first notch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import product
from math import isfinite, isinf
from typing import Any

from surefoot.compiler.emit import formula, javascript, mathml, unicode
from surefoot.compiler.emit.walk import write
from surefoot.compiler.graph import Graph, Node, needed
from surefoot.compiler.trace import trace
from surefoot.conventions import FRAMEWORKS, convention, shown
from surefoot.errors import UsageError
from surefoot.explain.explanation import plain, signs
from surefoot.rule import SET_BY_FRONT_END, WEIGHT, WRAPPER_OPTIONS, Rule

DECADES = 4
"""Decades of a logarithmic track below its upper end, if its lower end is zero."""

SHARES = ("momentum", "alpha", "rho", "beta1", "beta2")
"""Shares kept each step: they grow in decades of what is not kept."""


@dataclass(frozen=True)
class Slider:
    """One number that a user can move.

    Attributes:
        name, symbol, meaning, legal: what it is, and its legal values in words.
        low, high: the ends of the track, zero left out.
        scale: `log`, `one_minus` (the logarithm of one minus the number) or `linear`.
        zero: whether zero is the first notch.
    """

    name: str
    symbol: str
    meaning: str
    legal: str
    low: float
    high: float
    scale: str
    zero: bool


@dataclass
class Texts:
    """Texts by number, each kept once."""

    kept: dict[str, int] = field(default_factory=dict)

    def add(self, text: str) -> int:
        """Return the number of a text."""
        return self.kept.setdefault(text, len(self.kept))

    def __iter__(self) -> Iterator[str]:
        return iter(self.kept)


@dataclass
class Library:
    """The texts of all forms: JavaScript, MathML formulas, and letters in words."""

    functions: Texts = field(default_factory=Texts)
    formulas: Texts = field(default_factory=Texts)
    letters: Texts = field(default_factory=Texts)

    def rule(self, rule: Rule) -> dict[str, Any]:
        """Return a rule with all its forms for the page. Their texts are in the library."""
        meanings = {framework: shown(rule, framework, {}) for framework in FRAMEWORKS}
        names = settable(rule)
        sliders = [slider(rule, name, {values[name] for values in meanings.values()}) for name in names]
        return {
            "name": rule.name,
            "doc": plain(rule.doc),
            "source": rule.source,
            "sliders": [asdict(one) for one in sliders],
            "conventions": {
                framework: {
                    "call": convention(rule, framework).call,
                    "note": convention(rule, framework).note,
                    "defaults": {name: x for name, x in values.items() if isinstance(x, float) and isfinite(x)},
                    "endless": [name for name, x in values.items() if isinstance(x, float) and isinf(x)],
                    **self._forms(rule, values, [one.name for one in sliders if one.zero]),
                }
                for framework, values in meanings.items()
            },
        }

    def _forms(self, rule: Rule, defaults: Mapping[str, Any], gates: list[str]) -> dict[str, Any]:
        """Return the forms of a convention, by the names of their nonzero gates."""
        forms = {}
        for on in product((False, True), repeat=len(gates)):
            above = [gate for gate, open_ in zip(gates, on, strict=True) if open_]
            hyper = {**defaults, **dict.fromkeys(gates, 0.0), **dict.fromkeys(above, 0.5)}
            forms[",".join(above)] = self._form(rule, hyper)
        return {"gates": gates, "forms": forms}

    def _form(self, rule: Rule, hyper: Mapping[str, Any]) -> dict[str, Any]:
        graph, zeros = trace(rule, hyper), formula.zeros_of(hyper)
        used = needed(graph.results)
        text = javascript.emit(graph, rule.name)
        step = text[text.index("function step") :].rstrip()  # without the comments before it
        starts = {slot.name: slot.start for slot in rule.active(hyper)}
        return {
            "step": self.functions.add(step.replace("function step", "function", 1)),
            "together": (together := javascript.adds_up(used)),
            "between": self.functions.add(_between(graph, zeros, together=together)),
            "bounds": None if (ends := _bounds(graph)) is None else self.functions.add(ends),
            "formula": [self.formulas.add(line) for line in mathml.emit(graph, zeros)],
            "letters": self.letters.add("; ".join(map(": ".join, signs(rule, hyper, graph, unicode.NOTATION)))),
            "starts": starts,
            "used": sorted(
                _asked(used) | {start for start in starts.values() if isinstance(start, str) and start != WEIGHT}
            ),
        }


def settable(rule: Rule) -> list[str]:
    """Return a rule's numbers for sliders: its own and weight decay, if they have an end."""
    own = [name for name in rule.defaults if name in rule.own and name not in WRAPPER_OPTIONS]
    names = [name for name in (*own, "weight_decay") if name not in SET_BY_FRONT_END]
    numbers = [name for name in names if type(rule.defaults[name]) in (int, float) and isfinite(rule.defaults[name])]
    return [name for name in numbers if _allows(rule, name)]


def slider(rule: Rule, name: str, defaults: set[float]) -> Slider:
    """Return the slider of a number whose defaults are these in the conventions."""
    known = rule.hyperparameter(name)
    low, high = known.sensible or ((0.5, 0.999) if name in SHARES else (0.0, known.high))
    values = {value for value in defaults if value > 0}
    scale = "one_minus" if name in SHARES else "linear" if known.closed else "log"
    zero = low == 0 or 0.0 in defaults
    if scale == "log":
        low = low or high / 10**DECADES
    ends = min([low, *values]), max([high, *values])
    must_stay = name in rule.pinned or (rule.name in ("momentum", "nesterov") and name == "momentum")
    return Slider(name, known.symbol, known.meaning, known.range, *ends, scale, zero and not must_stay)


def _allows(rule: Rule, name: str) -> bool:
    """Return whether the number may move at all. Nesterov's momentum allows no dampening."""
    try:
        rule.check({name: 0.5})
    except UsageError:
        return False
    return True


def _between(graph: Graph, zeros: Collection[str], *, together: bool) -> str:
    """Return a function for the formula's intermediate results, of each weight or of all."""
    made = formula.between(graph, zeros)
    # `x1` is a letter, and the name of a line
    found = {f"value_{letter}": node for letter, node in made.outputs.items()}
    lines = javascript.body(made, found, _record, together=together)
    return f"function (w, g, state, t, hyper) {{ {' '.join(lines)} }}"


def _record(texts: Mapping[str, str]) -> str:
    pairs = [f"{name.removeprefix('value_')}: {text}" for name, text in texts.items()]
    return f"{{ {', '.join(pairs)} }}"


def _bounds(graph: Graph) -> str | None:
    """Return a function for the two bounds of a clipped rate."""
    rate, over = graph.rate, None
    if rate is not None and rate.op == "truediv" and not rate.args[1].per_weight:
        rate, over = rate.args
    if rate is None or rate.op != "minimum" or rate.args[0].op != "maximum":
        return None
    ends = [rate.args[0].args[1], rate.args[1]]
    both = [graph.add("truediv", end, over) if over else end for end in ends]
    return _function("t, hyper", both, f"[{', '.join(write(end, {}, javascript.LANGUAGE) for end in both)}]")


def _asked(nodes: Collection[Node]) -> set[str]:
    """Return the scalars that are given from outside: not the numbers that a tensor keeps."""
    return {node.value for node in nodes if node.op == "scalar" and not node.value.startswith("state.")}


def _function(arguments: str, nodes: Collection[Node], result: str) -> str:
    hyper = sorted(_asked(needed(nodes)) - {"t"})
    given = f"const {{ {', '.join(hyper)} }} = hyper; " if hyper else ""
    return f"function ({arguments}) {{ {given}return {result}; }}"
