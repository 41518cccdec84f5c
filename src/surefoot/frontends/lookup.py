"""The rule of an optimizer: ours or the user's, its name in a file, and its values.

A pickle and a `.keras` model hold no functions. A built-in rule is written as its name, a user's own as `module:name`,
where loading finds it again; so it has to stand at the top level of a module. No convention but a front-end's own
speaks of a user's rule.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any

from surefoot.conventions import resolve
from surefoot.errors import UsageError
from surefoot.rule import Rule
from surefoot.rules import COMBINATORS, is_built_in, rule_of


def find(rule: Rule | str) -> Rule:
    """Return a rule from itself, its built-in name, or `module:name`.

    Raises:
        UsageError: not a rule, or not the name of one.
    """
    if isinstance(rule, str) and ":" in rule:
        module, _, name = rule.partition(":")
        try:
            rule = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"rule {rule!r} is not found: {error}; give module:name of a rule at the top level of a module that "
                "Python can import here."
            ) from error
    if isinstance(rule, str):
        return rule_of(rule, "rule")
    if not isinstance(rule, Rule):
        raise UsageError(
            f"{rule!r} is not a rule; give a rule's name, or a function decorated with @surefoot.rule.rule."
        )
    return rule


def combined(rule: Rule, given: Mapping[str, Any]) -> tuple[Rule, dict[str, Any]]:
    """Return a rule in the combinators of its options, such as `cautious=True`, and the other options.

    Where several do, they stand in the order of `COMBINATORS`, the first one innermost.

    Raises:
        UsageError: such an option is neither True nor False, or the rule cannot be combined so.
    """
    for name, combinator in COMBINATORS.items():
        asked = given.get(name, False)
        if not isinstance(asked, bool):
            raise UsageError(f"{name}={asked!r} is not allowed: give True or False.")
        rule = combinator(rule) if asked else rule
    return rule, {name: value for name, value in given.items() if name not in COMBINATORS}


def reference(rule: Rule) -> str | None:
    """Return the text by which `find` finds the rule; None if a function made it."""
    if is_built_in(rule):
        return rule.name
    module = home(rule)
    return f"{module}:{rule.name}" if _standing(module, rule.name) is rule else None


def home(rule: Rule) -> str:
    """Return the module that has the rule under its name, or else its function's module.

    A variant of a built-in rule stands in the user's module, and its function in ours.
    """
    own = rule.function.__module__
    names = [own, *(name for name in sys.modules if name != "__main__"), "__main__"]
    return next((name for name in names if _standing(name, rule.name) is rule), own)


def _standing(module: str, name: str) -> Any:
    """Return what stands under a name in a module, without running code of the module's."""
    return getattr(sys.modules.get(module), "__dict__", {}).get(name)


def values(rule: Rule, convention: str, given: Mapping[str, Any], *, at_home: str) -> dict[str, Any]:
    """Return a value for every hyperparameter, as `resolve` does; `at_home` is the front-end's own convention.

    Raises:
        UsageError: as `resolve`, or a rule of the user's own in another convention.
    """
    check_convention(rule, convention, at_home=at_home)
    # Keras's own optimizers and optax's take a switch that has nothing to act on.
    return resolve(rule, convention, given, idle=convention in ("keras", "optax"))


def check_convention(rule: Rule, convention: str, *, at_home: str) -> None:
    """Raise `UsageError` if a convention is asked for with a user's own rule, which has none."""
    if not is_built_in(rule) and convention != at_home:
        raise UsageError(f"{rule.name}: convention={convention!r} says nothing about a rule of your own; leave it out.")
