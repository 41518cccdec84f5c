"""Conventions: the spelling, defaults and formula of a rule's name in each framework and paper, as data.

"Adam(eps=1e-7)" is three different optimizers in torch, Keras and optax. A `Convention` says how one of them spells
our hyperparameters (`names`), what they are if the user says nothing (`defaults`), and which form of the formula it
computes (`switches`). `resolve` turns a name, a convention and the user's options into a complete set of values.
A rule that a framework lacks is given the form that its family has there, and `call` is empty. A rule says it with the
rest that is said of it (`About.conventions`); the classic rules have a table, `rules/classic_conventions.py`. A rule
with neither has its own names and defaults in every convention, and only the learning rate is called as the framework
calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from surefoot.about import Convention
from surefoot.errors import UsageError, unknown
from surefoot.hyperparameters import HYPERPARAMETERS
from surefoot.rule import SET_BY_FRONT_END, Rule
from surefoot.rules import RULES, is_built_in, rule_of
from surefoot.rules.classic_conventions import CLASSIC_CONVENTIONS
from surefoot.values import is_number

CONVENTIONS: dict[str, dict[str, Convention]] = {
    **CLASSIC_CONVENTIONS,
    **{name: dict(rule.about.conventions) for name, rule in RULES.items() if rule.about.conventions},
}
"""`CONVENTIONS[rule][framework]`, for built-in rules and torch, keras, optax, paper and others of the rule's."""

FRAMEWORKS = ("torch", "keras", "optax", "paper")
"""The conventions that every rule has."""


def forms(rule: Rule | str) -> tuple[str, ...]:
    """Return the names of a rule's conventions: those of every rule, and further ones of its own."""
    own = rule_of(rule)
    further = _table(own) or (forms(own.parent) if own.combinator is not None and own.parent is not None else ())
    return tuple(dict.fromkeys((*FRAMEWORKS, *further)))


def _table(rule: Rule) -> Mapping[str, Convention]:
    return rule.about.conventions or (CONVENTIONS.get(rule.name, {}) if is_built_in(rule) else {})


def convention(rule: Rule | str, framework: str) -> Convention:
    """Return what `framework` means by a rule, which is given as itself or by the name of a built-in one.

    Raises:
        UsageError: no such rule, or it has no such convention.
    """
    own = rule_of(rule)
    if framework not in forms(own):
        raise unknown("convention", framework, forms(own))
    table = _table(own)
    if own.combinator is not None and own.parent is not None and not table:
        return _around(own, convention(own.parent, framework))
    return table.get(framework) or _as_it_is(own, framework)


def _around(rule: Rule, inner: Convention) -> Convention:
    """Return a framework's convention for a combinator's rule, from the rule inside and the combinator's names."""
    made = rule.combinator
    names = {name: theirs for name, theirs in inner.names.items() if name in rule.defaults}
    numbers = {name: float(value) for name, value in made.own.items() if is_number(value)}
    others = {name: float(value) for name, value in made.defaults.items() if is_number(value)}
    defaults = {name: x for name, x in {**inner.defaults, **others, **numbers}.items() if name in rule.defaults}
    note = f"The form of {inner.call}, with {made.title} around it" if inner.call else inner.note
    return replace(inner, call="", names={**names, **{name: name for name in numbers}}, defaults=defaults, note=note)


def _as_it_is(rule: Rule, framework: str) -> Convention:
    """Return what any framework means by a rule of which it knows nothing."""
    lr = {name: "learning_rate" if framework in ("keras", "optax") else name for name in rule.own & {"lr"}}
    numbers = {name: float(value) for name, value in rule.defaults.items() if name in rule.own and is_number(value)}
    return Convention("", lr, numbers)


def resolve(rule: Rule | str, framework: str, given: Mapping[str, Any], *, idle: bool = False) -> dict[str, Any]:
    """Return a value for every hyperparameter of `rule`: the user's, else the convention's, else the rule's own.

    Args:
        rule: a rule, or the name of a built-in one.
        framework: one of `forms(rule)`: `torch`, `keras`, `optax`, `paper`, or what else the rule names.
        given: the user's options, in our spelling or the framework's.
        idle: take a switch that has nothing to act on, as is `nesterov` without momentum.

    Raises:
        UsageError: an unknown name (close matches are named), a value out of range, one hyperparameter given under
            two names, or none given for one that the framework requires.
    """
    meaning, ours = convention(rule, framework), rule_of(rule)
    options = _translate(ours, meaning, given)
    known = {**meaning.switches, **meaning.defaults, **options}
    missing = [name for name in required(rule, framework) if name not in known]
    if missing:
        names = " or ".join(missing).replace("lr", "learning rate")
        raise UsageError(
            f"{ours.name}: the {framework} convention has no default {names}; "
            f"give one: {ours.name}({', '.join(f'{name}=...' for name in missing)})."
        )
    hyper = {name: value for name, value in known.items() if name in ours.defaults}
    ours.check(hyper)
    values = ours.complete(hyper)
    meaning.check(ours.name, values)
    if values.get("nesterov") and not values["momentum"] and not idle:
        raise UsageError(f"{ours.name}: nesterov=True needs momentum above 0; given momentum={values['momentum']!r}.")
    return values


def shown(rule: Rule | str, framework: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Resolve a convention for display. A missing required value becomes the rule's own default.

    Raises:
        UsageError: as there, but for what is missing.
    """
    meaning, ours = convention(rule, framework), rule_of(rule)
    own = {name: ours.defaults[name] for name in required(ours, framework)}
    return resolve(ours, framework, {**own, **_translate(ours, meaning, given)})


def required(rule: Rule | str, framework: str) -> list[str]:
    """Return what the framework has a name for and no default.

    `eps` is not asked for: where a paper leaves it open it only guards a division, and the rule's own does.
    """
    meaning, ours = convention(rule, framework), rule_of(rule)
    names = dict.fromkeys(["lr", *meaning.names])
    return [name for name in names if name in ours.defaults and name not in meaning.defaults and name != "eps"]


def _translate(rule: Rule, meaning: Convention, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the user's options under our names."""
    ours = {theirs: name for name, theirs in meaning.names.items()}
    options: dict[str, Any] = {}
    for name, value in given.items():
        own = ours.get(name, name)
        if own not in rule.defaults or own in SET_BY_FRONT_END:
            raise unknown(f"option of {rule.name}", name, _writable(rule, ours))
        if own in options:
            raise UsageError(f"{rule.name}: {own} is given twice, under two names; give it once.")
        options[own] = float(value) if type(value) is int and not HYPERPARAMETERS[own].switch else value
    return options


def _writable(rule: Rule, ours: Mapping[str, str]) -> list[str]:
    """Return every option that a user can write, for messages: `betas[0]` cannot be."""
    return [name for name in {**rule.defaults, **ours} if "[" not in name and name not in SET_BY_FRONT_END]
