"""Optimizers written as text: what is understood, what is refused and in which words."""

import re

import pytest
import torch

from surefoot.arms.arm import make_arm
from surefoot.arms.arm_list import parse_arms, without_twins
from surefoot.errors import UsageError
from surefoot.rules import RULES


def arm(text, convention="keras"):
    (made,) = parse_arms([text], convention)
    return made


def test_a_name_takes_the_conventions_defaults():
    assert arm("adam").hyper["eps"] == 1e-7
    assert arm("adam", "torch").hyper["eps"] == 1e-8


def test_options_in_our_spelling_and_in_the_conventions_mean_the_same():
    assert arm("adam(lr=0.01, beta2=0.99)").hyper == arm("adam(learning_rate=0.01, beta_2=0.99)").hyper


def test_a_whole_number_is_a_number():
    assert arm("sgd(lr=1)").hyper == arm("sgd(lr=1.0)").hyper


def test_a_label_tells_the_options_unless_the_user_gives_one():
    assert arm("sgd(lr=0.1, momentum=0.9)").label == "SGD(lr=0.1, momentum=0.9)"
    assert arm("<b>mine</b> = sgd(lr=0.1)").label == "<b>mine</b>"
    assert arm("adagrad").label == "Adagrad"


def test_one_text_may_hold_several():
    assert [made.rule for made in parse_arms(["sgd, adam(lr=0.1),rmsprop", "adabound"], "keras")] == [
        "sgd",
        "adam",
        "rmsprop",
        "adabound",
    ]


def test_every_rule_has_a_title():
    letters = [re.sub(r"\W|ation", "", rule.title.lower()) for rule in RULES.values()]  # dadapt for D-Adaptation
    assert letters == [name.replace("_", "") for name in RULES]
    assert all(rule.about.title for rule in RULES.values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("adm", "Did you mean 'adam'"),
        ("adma", "Did you mean 'adam' or 'adamax'"),
        ("schedule-free", "unknown optimizer 'schedule-free'. Did you mean 'schedule_free_sgd'"),
        ("adam(learning_rat=0.1)", "Did you mean 'learning_rate'"),
        ("adam(lr=0.1", "cannot be read"),
        ("adam(0.1)", "cannot be read"),
        ("adam(lr=0.1)(lr=0.2)", "cannot be read"),
        ("", "cannot be read"),
        ("a.b(lr=1)", "cannot be imported"),
        ("a[0](lr=1)", "cannot be read"),
        ("adam(lr=__import__('os').getcwd())", "not a plain value"),
        ("adam(**{'lr': 1})", "given twice or as"),
        ("adam(lr=1, learning_rate=1)", "given twice, under two names"),
        ("adam(lr=-1)", "0 <= x"),
        ("adam(lr='fast')", "0 <= x"),
        ("adam(lr=1e999)", "0 <= x"),
        ("adam(beta1=1)", "0 <= x < 1"),
        ("adam(amsgrad=1)", "True or False"),
        ("sgd(nesterov=True)", "needs momentum above 0"),
        ("adam,adam", "is given twice"),
        ("one=sgd,two=adam", "cannot be read"),
        ("one=sgd,adam", "one name for 2"),
        ("sgd,fast=adam", "has a comma"),
        ("adam(lr={[]: 1})", "not a plain value"),
        ("adabound(gamma=0)", "0 < x < 1"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(text, words):
    with pytest.raises(UsageError) as refused:
        parse_arms([text], "keras")
    assert words in str(refused.value)


def test_two_names_for_one_setting_are_refused():
    with pytest.raises(UsageError, match="given twice, as 'a' and as 'b'"):
        parse_arms(["a=adam(lr=0.001)", "b=adam"], "keras")


def test_one_rule_in_two_conventions_or_libraries_is_told_apart_by_them():
    arms = [
        make_arm(one, convention, {}) for one, convention in (("adam", "torch"), ("adam", "keras"), ("sgd", "torch"))
    ]
    assert [arm.label for arm in without_twins(arms)] == ["Adam (torch)", "Adam (keras)", "SGD"]
    beside = without_twins([arms[1], make_arm(torch.optim.Adam, "torch", {}), arms[2]])
    assert [arm.label for arm in beside] == ["Adam (keras)", "Adam (torch.optim.adam.Adam)", "SGD"]
