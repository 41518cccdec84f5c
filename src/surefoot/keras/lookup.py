"""Which rule an optimizer runs: one of Surefoot's or the user's own, and how a saved model names it.

A `.keras` file holds text. A built-in rule is written as its name, a user's own as `module:name`, where loading finds
it again; so it has to stand at the top level of a module.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any

from surefoot.conventions import convention as find_convention
from surefoot.conventions import resolve
from surefoot.errors import UsageError, unknown
from surefoot.rule import Rule
from surefoot.rules import RULES


def find(rule: Rule | str) -> Rule:
    """Return a rule that is given as itself, by a built-in one's name, or as `module:name`."""
    if isinstance(rule, str) and ":" in rule:
        module, _, name = rule.partition(":")
        rule = getattr(importlib.import_module(module), name)
    if isinstance(rule, str):
        if rule not in RULES:
            raise unknown("rule", rule, RULES)
        return RULES[rule]
    if not isinstance(rule, Rule):
        raise UsageError(
            f"{rule!r} is not a rule; give a rule's name, or a function decorated with @surefoot.rule.rule."
        )
    return rule


def reference(rule: Rule) -> str:
    """Return the text that `find` finds the rule by.

    Raises:
        UsageError: the rule stands inside a function, where nobody finds it.
    """
    if built_in(rule):
        return rule.name
    module = rule.function.__module__
    if getattr(sys.modules.get(module), rule.name, None) is not rule:
        raise UsageError(f"rule {rule.name} cannot be saved: define it at the top level of a module, under its name.")
    return f"{module}:{rule.name}"


def built_in(rule: Rule) -> bool:
    """Whether the rule is one of Surefoot's own."""
    return RULES.get(rule.name) is rule


def names(rule: Rule) -> dict[str, str]:
    """Return Keras's spelling of the rule's hyperparameters, by ours; a user's rule has `learning_rate` only."""
    if built_in(rule):
        return {**find_convention(rule.name, "keras").names}
    return {"lr": "learning_rate"}


def values(rule: Rule, convention: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value for every hyperparameter: the user's, else the convention's, else the rule's own.

    Raises:
        UsageError: an unknown option or convention, or a value out of range.
    """
    if built_in(rule):
        return resolve(rule.name, convention, given)
    if convention != "keras":
        raise UsageError(f"{rule.name}: convention={convention!r} says nothing about a rule of your own; leave it out.")
    rule.check(given)
    return rule.complete(given)
