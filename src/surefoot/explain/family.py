"""The built-in rules as a family: which builds on which."""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.rule import Rule
from surefoot.rules import RULES


def tree(parent: Rule | None = None, trunk: str = "") -> Iterator[tuple[Rule, str, str]]:
    """Yield each rule below `parent`, depth first: the rule, the branch before it, and what goes on below it."""
    children = [rule for rule in RULES.values() if rule.parent is parent]
    for rule in children:
        last = rule is children[-1]
        branch, below = ("", "") if parent is None else ("└─ " if last else "├─ ", "   " if last else "│  ")
        yield rule, trunk + branch, trunk + below
        yield from tree(rule, trunk + below)
