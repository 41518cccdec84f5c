"""Where the frameworks differ about a rule, as a table: defaults, forms of the formula, spellings, remarks."""

from __future__ import annotations

from dataclasses import dataclass

from surefoot.about import Convention
from surefoot.conventions import FRAMEWORKS, convention, required
from surefoot.hyperparameters import HYPERPARAMETERS
from surefoot.rule import Rule
from surefoot.rules import rule_of


@dataclass(frozen=True)
class Difference:
    """One line of the table: what it is about, what each framework has, and whether they differ."""

    about: str
    values: dict[str, str]

    @property
    def differs(self) -> bool:
        """Whether not all that have it agree."""
        return len({value for value in self.values.values() if value}) > 1


def defaults(rule: Rule | str) -> list[Difference]:
    """Return a line for each number: its default in each convention, empty where the user has to give it."""
    meanings = _table(rule).values()
    names = dict.fromkeys(name for meaning in meanings for name in (*meaning.names, *meaning.defaults))
    return [Difference(name, {f: _value(rule, f, name) for f in FRAMEWORKS}) for name in names]


def forms(rule: Rule | str) -> list[Difference]:
    """Return a line for each switch that changes the formula in some convention."""
    table, usual = _table(rule), rule_of(rule).defaults
    names = dict.fromkeys(name for meaning in table.values() for name in meaning.switches)
    on = {name: {f: table[f].switches.get(name, usual[name]) for f in FRAMEWORKS} for name in names}
    return [
        Difference(HYPERPARAMETERS[name].meaning, {f: "yes" if value else "no" for f, value in values.items()})
        for name, values in on.items()
    ]


def spellings(rule: Rule | str) -> dict[str, dict[str, str]]:
    """Return for each framework how it spells the numbers whose names are not ours."""
    return {
        framework: {name: theirs for name, theirs in meaning.names.items() if theirs != name}
        for framework, meaning in _table(rule).items()
    }


def _table(rule: Rule | str) -> dict[str, Convention]:
    return {framework: convention(rule, framework) for framework in FRAMEWORKS}


def _value(rule: Rule | str, framework: str, name: str) -> str:
    value = convention(rule, framework).defaults.get(name)
    if value is not None:
        return f"{value:g}"
    return "required" if name in required(rule, framework) else ""
