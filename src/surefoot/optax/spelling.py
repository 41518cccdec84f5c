"""How optax spells a rule: the signature of its factory, made from the table of conventions.

A hyperparameter that is 0 by default, as are momentum and weight decay, is None in the signature: not in use.
`inject_hyperparams` passes every number of the signature as an array, and an array would be in use.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, Signature
from typing import Any

from surefoot.conventions import convention
from surefoot.hyperparameters import HYPERPARAMETERS
from surefoot.lookup import names as spelled
from surefoot.rule import GIVEN_BY_MACHINE, Rule
from surefoot.rules import is_built_in

BUILT_IN = "optax"
"""The convention that a built-in rule follows unless another is asked for."""

_SWITCHES = {"rmsprop": {"eps_inside": "eps_in_sqrt"}}
"""Switches that optax has, under another name."""

_KEYWORD_ONLY = ("weight_decay", "momentum")
"""What comes after `eps` here, and with others before it in optax: to be given by name."""

AROUND: dict[str, str] = {
    "base_lr": "the learning rate that a schedule is measured against: AdaBound's bounds move with the rate by "
    "lr / base_lr; the rate at the first step if None",
    "mask": "which weights decay: a tree of True and False like the weights', or shorter; or a function of the weights "
    "that returns one; all if None",
    "key": "a key of jax.random, with which steps of bfloat16 weights are rounded at random, in proportion, so that "
    "small steps count; rounded to nearest if None",
    "convention": "whose defaults and form of the rule to use: 'optax', 'torch', 'keras' or 'paper'",
}
"""What every factory takes beside hyperparameters, and what it means."""


def names(rule: Rule) -> dict[str, str]:
    """Return the spelling of each hyperparameter that a user may set, in the order of the signature."""
    first = {ours: theirs for ours, theirs in spelled(rule, BUILT_IN).items() if ours in rule.defaults}
    switches = _SWITCHES.get(rule.name, {})
    rest = {ours: switches.get(ours, ours) for ours in rule.defaults if ours not in (*first, *GIVEN_BY_MACHINE)}
    late = {ours: theirs for ours, theirs in first.items() if ours in _KEYWORD_ONLY and "eps" in first}
    return {**{ours: theirs for ours, theirs in first.items() if ours not in late}, **rest, **late}


def defaults(rule: Rule, framework: str) -> dict[str, Any]:
    """Return the default of each hyperparameter in the signature; None where the rule's form decides."""
    known = dict(convention(rule.name, framework).defaults) if is_built_in(rule) else dict(rule.defaults)
    shown = {ours: None if HYPERPARAMETERS[ours].switch else known.get(ours) or None for ours in names(rule)}
    return shown if "lr" in known else {ours: value for ours, value in shown.items() if ours != "lr"}


def signature(rule: Rule, framework: str) -> Signature:
    """Return the signature of a rule's factory under a convention."""
    given, known = names(rule), defaults(rule, framework)
    positional = _positional(rule, given)
    parameters = [
        Parameter(
            theirs,
            Parameter.POSITIONAL_OR_KEYWORD if ours in positional else Parameter.KEYWORD_ONLY,
            default=known.get(ours, Parameter.empty),
        )
        for ours, theirs in given.items()
    ]
    around = {"base_lr": None, "mask": None, "key": None, "convention": framework}
    parameters += [Parameter(name, Parameter.KEYWORD_ONLY, default=value) for name, value in around.items()]
    return Signature(sorted(parameters, key=lambda p: p.kind))


def _positional(rule: Rule, given: Mapping[str, str]) -> set[str]:
    """Return what may be given by position: what optax has first, in its order."""
    if not is_built_in(rule):
        return {"lr"} & given.keys()
    meant = convention(rule.name, BUILT_IN).names
    return {ours for ours in meant if ours not in _KEYWORD_ONLY or "eps" not in meant}


def document(rule: Rule, framework: str) -> str:
    """Return the docstring of a rule's factory."""
    lines = [rule.doc, "", _counterpart(rule, framework), "", "Args:"]
    for ours, theirs in names(rule).items():
        about = HYPERPARAMETERS[ours]
        lines.append(f"    {theirs}: {about.meaning}; {about.range}.")
    lines += [f"    {name}: {meaning}." for name, meaning in AROUND.items()]
    lines += ["", _VALUES, "", f"Source: {rule.source}."]
    return "\n".join(lines)


_VALUES = """\
Each number may also be a schedule, a function of the count of steps so far, or a scalar array. None means what
the convention says. Weights are real, float32 or float64, or float16 or bfloat16, which are computed and whose state
is kept in float32."""


def _counterpart(rule: Rule, framework: str) -> str:
    if not is_built_in(rule):
        return "A rule as an optax transformation."
    meant = convention(rule.name, framework)
    call = f", {meant.call}" if meant.call else ""
    note = f" Note: {meant.note}." if meant.note else ""
    return f"The convention is {framework}'s{call}.{note}"
