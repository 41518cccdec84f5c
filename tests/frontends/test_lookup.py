"""Rules by name, and names of rules."""

# ruff: noqa: ARG001  a rule's arguments are the rule's

from __future__ import annotations

import pytest

from surefoot.conventions import convention
from surefoot.errors import UsageError, unknown
from surefoot.frontends.lookup import find, reference, values
from surefoot.rule import Rule, Step, rule
from surefoot.rules import RULES


@rule(source="a test")
def own(g, state, t, *, lr: float = 0.5) -> Step:
    """Descend."""
    return Step(rate=lr, direction=g)


def hidden() -> Rule:
    @rule(source="a test")
    def inner(g, state, t, *, lr: float = 0.5) -> Step:
        """Descend."""
        return Step(rate=lr, direction=g)

    return inner


@pytest.mark.parametrize("given", [*RULES.values(), own], ids=lambda given: given.name)
def test_a_name_finds_its_rule(given):
    assert find(given) is given
    assert find(reference(given)) is given


def test_a_rule_that_nobody_finds_has_no_name():
    assert reference(hidden()) is None


@pytest.mark.parametrize(("given", "message"), [("adm", "Did you mean"), (print, "is not a rule")])
def test_not_a_rule(given, message):
    with pytest.raises(UsageError, match=message):
        find(given)


def test_spelling_and_values():
    assert convention("adam", "keras").names["beta1"] == "beta_1"
    assert convention(own, "keras").names == convention(own, "optax").names == {"lr": "learning_rate"}
    assert convention(own, "torch").names == {"lr": "lr"}
    assert values(RULES["adam"], "keras", {"epsilon": 1e-3}, at_home="torch")["eps"] == 1e-3
    assert values(own, "torch", {}, at_home="torch")["lr"] == 0.5
    with pytest.raises(UsageError, match="convention='keras' says nothing about a rule of your own"):
        values(own, "keras", {}, at_home="torch")


def test_names_without_an_order_are_sorted_so_that_the_same_mistake_has_the_same_answer():
    """The order of a set of texts is another in each process."""
    names = [f"beta_{i}" for i in range(9)]
    assert str(unknown("option", "beta", set(names))) == str(unknown("option", "beta", names))
    assert "'beta_8' or 'beta_7'" in str(unknown("option", "beta", reversed(names)))
