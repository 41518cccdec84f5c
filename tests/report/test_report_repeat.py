"""What a report says of how to repeat its study runs, and gives the same arms; what cannot run is not said."""

import enum
import inspect
import json
import math
import shlex
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import surefoot
from report_pages import said
from samples import DESIGN, trial
from surefoot.arms.arm_list import arms_of, parse_arms
from surefoot.report.repeat import repeat
from surefoot.store.design import Budget, Design
from surefoot.store.protocol import LOSS, Recipe


class MyOpt(torch.optim.SGD):
    """A class that has a name in this file only."""


MyOpt.__module__ = "__main__"


class Around(torch.optim.SGD):
    """A class whose options may be anything."""

    def __init__(self, params, lr=0.1, base=None, sizes=()):  # noqa: ARG002
        super().__init__(params, lr=lr)


class Kind(enum.Enum):
    """A constant of a module."""

    CALM = 1


OPTIMIZERS = [
    "adam",
    surefoot.Opt("sgd", lr=surefoot.log(1e-3, 0.1), momentum=0.9, name="mine"),
    surefoot.Opt("adam", beta1=surefoot.one_minus(0.005, 0.5), convention="keras", name="Keras's"),
    surefoot.Opt(MyOpt, lr=surefoot.uniform(0.1, 0.2)),
    surefoot.Opt(MyOpt, lr=0.01),
    surefoot.Opt(torch.optim.NAdam, name="theirs", momentum_decay=0.01),
]
OWN = {"fingerprint": "0123", "metric": LOSS}


def planned(optimizers, *, own=False):
    """The arms of a study, its trials and its design, as far as the report reads them."""
    arms = arms_of(optimizers)
    base = replace(trial(), study="my_net", protocol=replace(trial().protocol, **(OWN if own else {})))
    records = [
        replace(base, key=arm.label, label=arm.label, rule=arm.rule, convention=arm.convention, hyper=arm.hyper)
        for arm in arms
    ]
    asked = {"study": "my_net", "convention": "torch", "budget": Budget(), "protocol": base.protocol}
    return arms, records, replace(DESIGN, optimizers=tuple(arm.asked for arm in arms), **asked)


def kind_of(value):
    return type(value).__name__


def called(text):
    """The arguments of the call, evaluated with what a script has at hand."""
    found = SimpleNamespace()

    def compare(*task, **options):
        found.task, found.options = task, options

    names = {**{name: getattr(surefoot, name) for name in ("Opt", "log", "uniform", "one_minus")}, "compare": compare}
    exec(text, {"surefoot": SimpleNamespace(**names), "MyOpt": MyOpt})
    return found


def test_the_call_of_a_python_study_has_the_same_arms_and_ranges():
    arms, _, design = planned(OPTIMIZERS, own=True)
    told = repeat(design)
    assert not told.is_command
    found = called(told.text)
    again = arms_of(found.options["optimizers"])
    assert [(a.label, a.rule, a.hyper, a.ranges) for a in again] == [(a.label, a.rule, a.hyper, a.ranges) for a in arms]
    assert [set(arm.space(8).ranges) for arm in again] == [set(arm.space(8).ranges) for arm in arms]
    assert (found.task, found.options["trials"], found.options["batch_size"]) == ((...,), 8, 250)
    assert "my_net" in told.words
    assert "MyOpt" in told.words


def test_a_page_of_a_python_study_names_no_command_that_cannot_run():
    _, records, design = planned(OPTIMIZERS, own=True)
    page = said(records, design)
    assert "surefoot compare" not in page
    assert "run again the script that made it" in page


def test_a_range_of_the_users_needs_python_and_no_code():
    *_, design = planned([surefoot.Opt("sgd", lr=surefoot.log(1e-3, 0.1))])
    told = repeat(design)
    assert called(told.text).task == ("my_net",)
    assert "script" not in told.words


def test_a_study_with_nothing_of_its_own_is_a_command_and_what_is_searched_is_not_fixed():
    """`lr` written down would be fixed, and the class not tuned."""
    *_, design = planned(["adam", surefoot.Opt(torch.optim.NAdam, name="theirs", momentum_decay=0.01)])
    told = repeat(design)
    assert told.is_command
    assert "theirs=torch.optim.nadam.NAdam(" in told.text
    assert "momentum_decay=0.01" in told.text
    assert "lr=" not in told.text


def test_the_call_of_a_built_in_study_takes_its_data_as_it_was():
    """A range needs Python, and the images that were used decide the numbers too."""
    *_, design = planned([surefoot.Opt("sgd", lr=surefoot.log(1e-3, 0.1))])
    found = called(repeat(design).text).options
    assert (found["dataset"], found["train_size"]) == ("mnist", 60_000)
    assert found.keys() <= inspect.signature(surefoot.compare).parameters.keys()


GUESTS = """
from surefoot.rule import Step, rule


@rule(source="a test")
def calm(g, state, t, *, lr=0.02, beta1=0.5):
    \"\"\"Descend.\"\"\"
    return Step(rate=lr * beta1, direction=g)


def made():
    @rule(source="a test")
    def adam(g, state, t, *, lr=0.3):
        \"\"\"Descend: Adam in name only.\"\"\"
        return Step(rate=lr, direction=g)

    return adam


other = made()
"""


@pytest.mark.parametrize("text", ["guests_of_a_file.py:calm", "guests_of_a_file.py:other", "guests_of_a_module:calm"])
def test_a_guest_is_repeated_by_the_command_that_names_it(monkeypatch, tmp_path, text):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"{text.partition(':')[0].removesuffix('.py')}.py").write_text(GUESTS)
    *_, design = planned([f"mine={text}(lr=0.5)", "adam"])
    told = repeat(design)
    assert told.is_command
    words = shlex.split(told.text)
    options = [words[at + 1] for at, word in enumerate(words) if word == "-o"]
    again = parse_arms(options, "torch")
    assert tuple(arm.asked for arm in again) == design.optimizers


def test_a_guest_with_a_range_is_repeated_by_a_call_that_names_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "guests_with_ranges.py").write_text(GUESTS)
    *_, design = planned([surefoot.Opt("guests_with_ranges.py:calm", lr=surefoot.log(1e-3, 0.1))])
    found = called(repeat(design).text)
    assert tuple(arm.asked for arm in arms_of(found.options["optimizers"])) == design.optimizers


def test_a_guest_that_nothing_names_is_said_to_be_the_scripts_own():
    space = {"__name__": "__main__"}
    exec(GUESTS, space)
    *_, design = planned([surefoot.Opt(space["other"])])
    told = repeat(design)
    assert not told.is_command
    assert "run again the script that made it" in told.words


def test_what_every_step_does_is_told_with_the_task():
    _, _, design = planned(["adam", MyOpt], own=True)
    design = replace(design, protocol=replace(design.protocol, recipe=Recipe(clip=1.0, ema=0.999)))
    assert "# the task, or model= and data=, of 'my_net', with clip=1.0, ema=0.999\n" in repeat(design).text


@pytest.mark.parametrize(
    "base",
    [
        torch.optim.SGD,
        torch.nn.functional.relu,
        torch.float32,
        Kind.CALM,
        "sgd",
        "a, b:c",
        None,
        [0.1, 0.2],
        {"a": [1]},
        np.float32(0.1),
    ],
    ids=kind_of,
)
@pytest.mark.parametrize("name", ["", "mine", "a=b"])
def test_an_option_of_any_kind_is_repeated_as_it_was(base, name):
    given, _, design = planned([surefoot.Opt(Around, base=base, name=name), "adam"])
    told = repeat(Design.from_json(json.loads(json.dumps(design.to_json())), hash=design.hash, study="booth"))
    assert "script" not in told.words
    if told.is_command:
        words = shlex.split(told.text)
        again = parse_arms([words[at + 1] for at, word in enumerate(words) if word == "-o"], "torch")
    else:
        again = arms_of(called(told.text).options["optimizers"])
    assert [(arm.label, arm.hyper, arm.own) for arm in again] == [(arm.label, arm.hyper, arm.own) for arm in given]
    assert told.is_command == (isinstance(base, str | list | dict | np.float32 | None) and name != "a=b")


@pytest.mark.parametrize(
    "base",
    [lambda: 1, MyOpt, {1, 2}, torch.ones(2), np.ones(2), [torch.optim.SGD]],
    ids=kind_of,
)
def test_an_option_that_no_module_has_is_said_to_be_the_script_s_own(base):
    *_, design = planned([surefoot.Opt(Around, base=base, name="around"), "adam"])
    told = repeat(design)
    assert "around" in told.words
    assert "base=...)" in told.text


@pytest.mark.parametrize("number", [math.inf, -math.inf])
def test_an_infinite_number_is_repeated_as_it_was(number):
    given, _, design = planned([surefoot.Opt(Around, base=number, sizes=[1.0, number])])
    told = repeat(design)
    assert not told.is_command
    (again,) = arms_of(called(told.text).options["optimizers"])
    assert again.hyper == given[0].hyper


@pytest.mark.parametrize("text", ["cautious(adamw)", "cautious(adamw, lr=0.1)", "x=cautious(mars(adam), lr=0.1)"])
def test_a_rule_made_of_others_is_a_command_that_can_be_read(text):
    given, _, design = planned([text])
    told = repeat(design)
    assert told.is_command
    words = shlex.split(told.text)
    assert parse_arms([words[words.index("-o") + 1]], "torch") == given


def test_two_classes_of_one_name_stay_two():
    own = type("SGD", (MyOpt,), {"__module__": "__main__"})
    arms, _, design = planned(
        [surefoot.Opt(torch.optim.Adam), surefoot.Opt(surefoot.torch.Adam), surefoot.Opt(own, lr=1), torch.optim.SGD]
    )
    text = repeat(design).text
    assert "from torch.optim.adam import Adam as Adam2\n" in text
    assert "from torch.optim.sgd import SGD as SGD2\n" in text
    again = arms_of(called(text.replace("Opt(SGD,", "Opt(MyOpt,")).options["optimizers"])
    assert [arm.rule for arm in again if arm.make is not MyOpt] == [arm.rule for arm in arms if arm.make is not own]


def test_what_an_option_is_changes_neither_the_settings_nor_the_request():
    """Trials that are stored have the text of an object in their keys."""
    arm = surefoot.Opt(Around, base=torch.optim.SGD).arm
    assert arm.hyper["base"] == "<class 'torch.optim.sgd.SGD'>"
    assert set(arm.decides) == {"label", "rule", "convention", "hyper", "ranges"}
