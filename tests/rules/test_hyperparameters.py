"""What each hyperparameter may be, and what the message says when it may not."""

from __future__ import annotations

import math
import re

import ml_dtypes
import numpy as np
import pytest

from surefoot.errors import UsageError
from surefoot.hyperparameters import HYPERPARAMETERS
from surefoot.rule import WRAPPER_OPTIONS
from surefoot.rule import rule as make
from surefoot.rules import COMBINATORS, RULES


def test_table_describes_every_hyperparameter_of_every_rule_and_no_other():
    used = set().union(*(rule.defaults.keys() | rule.pinned.keys() for rule in RULES.values()))
    used = used.union(*(combinator.own for combinator in COMBINATORS.values()))

    assert used == HYPERPARAMETERS.keys()
    assert used >= WRAPPER_OPTIONS.keys()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lr", "0 <= x"),
        ("beta2", "0 <= x < 1"),
        ("rho", "0 <= x <= 1"),
        ("gamma", "0 < x < 1"),
        ("nesterov", "True or False"),
    ],
)
def test_range_in_words(name, words):
    assert HYPERPARAMETERS[name].range == words


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", 0.0),
        ("lr", 1e9),
        ("lr", np.float32(0.1)),
        ("lr", 1),
        ("beta1", 0.0),
        ("rho", 1.0),
        ("dampening", 1.0),
        ("gamma", 1e-9),
        ("nesterov", False),
    ],
)
def test_legal_value_passes(name, value):
    HYPERPARAMETERS[name].check("sgd", name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", -1e-9),
        ("lr", math.nan),
        ("lr", math.inf),
        ("lr", "0.1"),
        ("lr", None),
        ("lr", True),
        ("lr", 1j),
        ("beta1", 1.0),
        ("gamma", 0.0),
        ("gamma", 1.0),
        ("rho", 1.1),
        ("nesterov", 1),
        ("nesterov", "True"),
    ],
)
def test_illegal_value_is_named_with_its_meaning_and_range(name, value):
    entry = HYPERPARAMETERS[name]
    said = f"sgd: {name}={value!r} is not allowed: {name} ({entry.meaning}) is {entry.range}."

    with pytest.raises(UsageError, match=f"^{re.escape(said)}$"):
        entry.check("sgd", name, value)


@pytest.mark.parametrize(
    ("value", "kind"), [(ml_dtypes.bfloat16(0.25), "bfloat16"), (np.array(0.25), "ndarray")], ids=["bfloat16", "array"]
)
def test_a_number_of_another_kind_is_refused_with_what_to_write(value, kind):
    said = rf"is 0 <= x, as a Python number; this is of type {kind}, so give float\(0\.25\)\.$"
    with pytest.raises(UsageError, match=said):
        HYPERPARAMETERS["lr"].check("sgd", "lr", value)


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_sensible_values_are_legal_and_a_switch_has_none(name):
    entry = HYPERPARAMETERS[name]

    assert entry.meaning
    if entry.sensible is not None:
        low, high = entry.sensible
        assert not entry.switch
        assert low < high
        for value in entry.sensible:
            entry.check("a rule", name, value)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_defaults_of_every_rule_are_legal(rule):
    rule.check(rule.complete({}) if not rule.pinned else dict(rule.defaults))


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_a_meaning_of_a_rules_own_is_of_a_hyperparameter_of_its_own_and_says_something_else(rule):
    assert rule.about.meanings.keys() <= rule.own
    assert all(HYPERPARAMETERS[name].meaning != meaning for name, meaning in rule.about.meanings.items())


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_a_share_of_squares_is_said_of_rules_that_keep_squares(rule):
    said = [rule.hyperparameter(name).meaning for name in rule.own if name.startswith("beta")]
    assert any("squared" in meaning or "largest" in meaning for meaning in said) <= bool(rule.positive)


def test_a_rules_own_meaning_is_in_its_errors_and_in_those_of_its_relatives():
    relative = RULES["lion"].variant("cub", "A small one.", pin={}, source="nowhere")
    for rule in (RULES["lion"], relative):
        with pytest.raises(UsageError, match=r"beta2 \(share of the mean gradient kept each step\) is 0 <= x < 1\.$"):
            rule.check({"beta2": 1.0})


def test_a_name_that_no_rule_knows_is_refused_with_those_that_are_close():
    with pytest.raises(UsageError, match=r"^unknown hyperparameter of rule mine 'beta'\. Did you mean .*'beta1'"):

        @make(source="nowhere")
        def mine(g, state, t, *, lr=0.1, beta=0.9): ...
