"""Warnings of tuning that fell short: who contains whom, who lost, and who never got anywhere."""

from dataclasses import replace
from math import inf, nan
from types import SimpleNamespace

import pytest

from samples import trial
from surefoot.analysis import group
from surefoot.analysis.doubts import beaten, doubts, family, knob, no_progress
from surefoot.analysis.scale import Scale
from surefoot.rules import RULES
from surefoot.store import protocol
from surefoot.store.protocol import Metric
from surefoot.words import Written
from surefoot.words.notes import warning as in_words

LOSS = Scale(protocol.LOSS)


def arm(label, rule, losses, **hyper):
    records = [replace(trial(seed=seed), label=label, rule=rule, hyper=hyper) for seed in range(len(losses))]
    (made,) = group(
        [
            replace(one, outcome=replace(one.outcome, train_loss=loss, test_metric=0.5 + 0.01 * seed))
            for seed, (one, loss) in enumerate(zip(records, losses, strict=True))
        ]
    )
    return made


def lost(*arms):
    return [in_words(one, Written(Metric())) for one in beaten(arms)]


def stuck(values, chance, scale=LOSS, size=None, label="a"):
    return [in_words(one, Written(scale.metric)) for one in no_progress(label, values, chance, scale, size)]


MOMENTUM = arm("momentum", "sgd", [0.10, 0.11, 0.09, 0.10, 0.11], momentum=0.9)


def test_adam_that_lost_to_momentum_is_warned_of():
    adam = arm("Adam (tuned)", "adam", [0.20, 0.22, 0.19, 0.21, 0.20], lr=0.001)
    (warning,) = lost(adam, MOMENTUM)
    assert warning.startswith("Adam (tuned) has a higher training loss than momentum (0.204 against 0.102)")
    assert "the tuning of Adam (tuned) looks insufficient" in warning
    assert "eps" in warning


@pytest.mark.parametrize(
    "losses",
    [
        [0.05, 0.04, 0.06, 0.05, 0.05],  # it won
        [0.11, 0.10, 0.10, 0.11, 0.10],  # they tie
        [0.9, 0.01, 0.3, 0.02, 0.4],  # behind, but by luck for all that can be seen
        [0.20],  # one seed settles nothing
        [nan, inf, 0.2],
    ],
)
def test_no_warning_without_a_significant_loss(losses):
    assert beaten([arm("adam", "adam", losses), MOMENTUM]) == ()


def test_only_a_special_case_is_compared():
    better = [0.05, 0.05, 0.06, 0.05, 0.05]
    adagrad = arm("adagrad", "adagrad", [0.4, 0.41, 0.39, 0.4, 0.4])
    sgd = arm("sgd", "sgd", better)
    assert beaten([adagrad, sgd]) == ()  # Adagrad does not contain it
    worse = arm("sgd", "sgd", [0.4, 0.41, 0.39, 0.4, 0.4])
    assert beaten([worse, MOMENTUM]) == ()  # the special one may lose
    (warning,) = lost(sgd, MOMENTUM)
    assert warning.startswith("momentum has a higher training loss than sgd")
    assert warning.endswith("a wider search space with momentum in it.")


def test_only_seeds_of_both_count():
    adam = arm("adam", "adam", [0.2, 0.2, 0.21, 0.2, 0.2, 99.0, 99.0])
    assert "(0.202 against 0.102)" in lost(adam, MOMENTUM)[0]
    late = group([replace(one, seed=one.seed + 50) for one in adam.trials])
    assert beaten([*late, MOMENTUM]) == ()


@pytest.mark.parametrize(
    ("rule", "hyper", "name"),
    [
        ("sgd", {"lr": 0.1}, "sgd"),
        ("sgd", {"momentum": 0.0}, "sgd"),
        ("sgd", {"momentum": 0.9}, "momentum"),
        ("sgd", {"momentum": 0.9, "nesterov": True}, "nesterov"),
        ("momentum", {"momentum": 0.9}, "momentum"),
        ("nesterov", {"momentum": 0.9}, "nesterov"),
        ("rmsprop", {"momentum": 0.9}, "rmsprop"),
        ("adam", {}, "adam"),
    ],
)
def test_a_rule_may_be_another_one_by_its_options(rule, hyper, name):
    assert family(rule, hyper) == name


def test_the_table_is_choi_s_hierarchy_and_is_transitive():
    said = {name: rule.about.contains for name, rule in RULES.items()}
    contents = {name: contains.rules if contains else () for name, contains in said.items()}
    assert {"momentum", "sgd"} <= set(contents["adam"])
    for special in contents.values():
        for name in special:
            assert set(contents[name]) <= set(special)


def test_rmsprop_contains_momentum_when_it_has_some():
    assert knob("rmsprop", "momentum", {"momentum": 0.9}) == "eps"
    assert knob("rmsprop", "momentum", {"momentum": 0.0}) is None
    assert knob("my.rmsprop@12345678", "momentum", {"momentum": 0.9}) is None


def test_fob_s_sgd_at_chance_is_warned_of():
    """FOB's documented example shows SGD at 0.1135 on MNIST: the share of ones among the test images."""
    (warning,) = stuck([0.1135, 0.098, nan], 0.1135, Scale(), 10_000, "SGD")
    assert warning.startswith(
        "No configuration of SGD is better than guessing: its best trial reached 11.35 %; guessing gets 11.35 %"
    )
    assert stuck([0.1135, 0.62], 0.1135, Scale(), 10_000) == []


def test_luck_does_not_pass_for_progress():
    assert no_progress("a", [0.1], 0.1, Scale(), 10_000)[0].luck == pytest.approx(0.109)
    assert len(stuck([0.104], 0.1, Scale(), 10_000)) == 1
    assert stuck([0.104], 0.1, Scale()) == []


def test_the_warning_says_how_far_luck_reaches_and_not_that_nothing_was_tuned():
    """41.33 % is above the 36.33 % of guessing: without the margin the sentence contradicts itself."""
    assert stuck([0.4133], 0.3633, Scale(), 300, "SGD tuned") == [
        "No configuration of SGD tuned is better than guessing: its best trial reached 41.33 %; guessing gets "
        "36.33 %, and up to 44.66 % by luck. So its rank means nothing."
    ]
    assert "luck" not in stuck([nan], 0.1, Scale(), 300)[0]


def test_an_error_must_fall_below_what_guessing_leaves_by_more_than_luck():
    error = Scale(Metric("error", "min"))
    assert len(stuck([0.896], 0.9, error, 10_000)) == 1
    assert stuck([0.85], 0.9, error, 10_000) == []


def test_a_loss_must_fall_below_where_it_began():
    assert stuck([2.31, 2.302], 2.303) == []
    (warning,) = stuck([2.31, inf], 2.303)
    assert "its best trial reached 2.3100; guessing gets 2.3030. So its rank means nothing." in warning


def test_where_all_diverged_it_says_so():
    assert "all trials diverged" in stuck([nan, nan], 0.1, Scale())[0]
    assert "all trials diverged" in stuck([inf], 2.3)[0]


def test_a_tuned_optimizer_and_itself_as_given_are_judged_each_by_itself():
    """Momentum's defaults were below chance and its tuned self at 72 %: what was tuned has learned."""
    given = arm("Momentum", "momentum", [2.3, 2.3], lr=1.0)
    found = arm("Momentum tuned", "momentum", [0.8, 0.8], lr=0.1)
    tried = SimpleNamespace(status="finished", metric=0.72)
    tuning = [SimpleNamespace(label="Momentum tuned", seeds=(1000,), tried=[tried])]
    protocol = replace(given.trials[0].protocol, chance=0.6, test_size=10_000, validation_size=10_000)
    (doubt,) = doubts([given, found], tuning, protocol, Scale())
    said = in_words(doubt, Written(Metric()))
    assert said.startswith("Momentum, as given, is no better than guessing: its best trial reached 51.00 %")
