"""Which rule an optimizer runs: one of Surefoot's or the user's own, and how a file names it.

A pickle and a `.keras` model hold no functions. A built-in rule is written as its name, a user's own as `module:name`,
where loading finds it again; so it has to stand at the top level of a module. What a convention says is known of
built-in rules only: a user's own has the defaults of its function, and one hyperparameter that frameworks spell their
way, the learning rate.
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
from surefoot.rules import RULES, is_built_in

_TAKES_IDLE = ("keras", "optax")
"""The frameworks whose own optimizers take a switch that has nothing to act on."""


def find(rule: Rule | str) -> Rule:
    """Return a rule that is given as itself, by a built-in one's name, or as `module:name`.

    Raises:
        UsageError: not a rule, or not the name of one.
    """
    if isinstance(rule, str) and ":" in rule:
        rule = _imported(rule)
    if isinstance(rule, str):
        if rule not in RULES:
            raise unknown("rule", rule, RULES)
        return RULES[rule]
    if not isinstance(rule, Rule):
        raise UsageError(
            f"{rule!r} is not a rule; give a rule's name, or a function decorated with @surefoot.rule.rule."
        )
    return rule


def _imported(text: str) -> Any:
    """Return what stands under `module:name`."""
    module, _, name = text.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"rule {text!r} is not found: {error}; give module:name of a rule at the top level of a module that Python "
            "can import here."
        ) from error


def reference(rule: Rule) -> str | None:
    """Return the text that `find` finds the rule by; None if it stands inside a function, where nobody finds it."""
    if is_built_in(rule):
        return rule.name
    module = home(rule)
    return f"{module}:{rule.name}" if _standing(module, rule.name) is rule else None


def home(rule: Rule) -> str:
    """Return the module at whose top a rule stands under its name; that of its function if there is none.

    A variant of a built-in rule stands in the user's module, and its function in ours.
    """
    own = rule.function.__module__
    names = [own, *(name for name in sys.modules if name != "__main__"), "__main__"]
    return next((name for name in names if _standing(name, rule.name) is rule), own)


def _standing(module: str, name: str) -> Any:
    """Return what stands under a name in a module, without running code of the module's."""
    return getattr(sys.modules.get(module), "__dict__", {}).get(name)


def names(rule: Rule, framework: str) -> dict[str, str]:
    """Return a framework's spelling of the rule's hyperparameters, by ours."""
    return {**find_convention(rule, framework).names}


def values(rule: Rule, convention: str, given: Mapping[str, Any], *, at_home: str) -> dict[str, Any]:
    """Return a value for every hyperparameter: the user's, else the convention's, else the rule's own.

    Args:
        rule: which rule.
        convention: whose defaults and form of it.
        given: the user's options, in our spelling or the convention's.
        at_home: the convention of the front-end that asks: what a rule of the user's own is taken to follow.

    Raises:
        UsageError: an unknown option or convention, or a value out of range.
    """
    check_convention(rule, convention, at_home=at_home)
    if is_built_in(rule):
        return resolve(rule.name, convention, given, idle=convention in _TAKES_IDLE)
    rule.check(given)
    return rule.complete(given)


def check_convention(rule: Rule, convention: str, *, at_home: str) -> None:
    """Raise `UsageError` if the rule is the user's own and a convention is asked for, which cannot speak of it."""
    if not is_built_in(rule) and convention != at_home:
        raise UsageError(f"{rule.name}: convention={convention!r} says nothing about a rule of your own; leave it out.")
