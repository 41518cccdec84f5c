"""Which rule an optimizer runs: one of Surefoot's or the user's own, and how a pickle names it.

A rule holds a function, and `@rule` has put the rule in that function's place, so pickle cannot find the function. It
can find the rule: by its name if it is built in, else by its module.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from surefoot.conventions import resolve
from surefoot.errors import UsageError, unknown
from surefoot.rule import Rule
from surefoot.rules import RULES


def find(rule: Any) -> Rule:
    """Return a rule that is given as itself, by a built-in one's name, or by a module and a name there."""
    if isinstance(rule, tuple):
        rule = getattr(importlib.import_module(rule[0]), rule[1])
    if isinstance(rule, str):
        if rule not in RULES:
            raise unknown("rule", rule, RULES)
        return RULES[rule]
    if not isinstance(rule, Rule):
        raise UsageError(
            f"{rule!r} is not a rule; give a rule's name, or a function decorated with @surefoot.rule.rule."
        )
    return rule


def reference(rule: Rule) -> Any:
    """Return what `find` finds the rule by; a rule that has no name anywhere is its own reference."""
    if RULES.get(rule.name) is rule:
        return rule.name
    module = rule.function.__module__
    return (module, rule.name) if getattr(sys.modules.get(module), rule.name, None) is rule else rule


def values(rule: Rule, convention: str, hyper: dict[str, Any]) -> dict[str, Any]:
    """Return a value for every hyperparameter: the user's, else the convention's, else the rule's own."""
    if RULES.get(rule.name) is rule:
        return resolve(rule.name, convention, hyper)
    if convention != "torch":
        raise UsageError(f"{rule.name}: convention={convention!r} says nothing about a rule of your own; leave it out.")
    rule.check(hyper)
    return rule.complete(hyper)
