"""How a learning rate goes: of a study, of one optimizer, and of those that are meant to be without."""

import shlex
from math import cos, pi

import pytest
import torch

import surefoot
from line_task import line, trials
from surefoot.arms.arm import make_arm
from surefoot.arms.arm_list import arms_of, parse_arms
from surefoot.arms.schedule import SCHEDULES, scheduled
from surefoot.comparison.ask import ask
from surefoot.design.trial import Trial
from surefoot.errors import UsageError
from surefoot.options import Options
from surefoot.progress import announce
from surefoot.report.repeat import repeat
from surefoot.training.loop import Training


def factors(name, steps=100, **given):
    found = scheduled(name, **given)
    return [found.factor(step, steps) for step in range(1, steps + 1)]


def test_cosine_linear_and_wsd_begin_with_the_rate_itself_and_end_near_zero():
    assert factors("cosine") == pytest.approx([(1 + cos(pi * i / 100)) / 2 for i in range(100)])
    assert factors("linear") == pytest.approx([1 - i / 100 for i in range(100)])
    plain = factors("wsd", warmup=0)
    assert plain[:81] == pytest.approx([1.0] * 81)
    assert plain[80:] == pytest.approx([(100 - i) / 20 for i in range(80, 100)])
    assert factors("constant") == [1.0] * 100


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_warm_up_rises_in_a_line_and_what_follows_is_the_shape_over_the_rest(name):
    found = factors(name, warmup=0.1)
    assert found[:10] == pytest.approx([i / 10 for i in range(1, 11)])
    assert found[10:] == pytest.approx(factors(name, steps=90, warmup=0))


def test_shapes_with_a_warm_up_in_their_name_have_one():
    assert factors("warmup-cosine") == factors("cosine", warmup=0.05)
    assert factors("wsd")[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert scheduled("constant").is_constant
    assert not scheduled("constant", 0.1).is_constant


@pytest.mark.parametrize(
    "text", ["adamw(schedule=cosine)", 'adamw(schedule="cosine")', "adamw(lr=0.1, schedule=cosine)"]
)
def test_an_optimizer_has_a_schedule_of_its_own(text):
    (arm,) = parse_arms([text], "torch")
    assert (arm.schedule, arm.hyper["schedule"]) == (scheduled("cosine"), "cosine")
    assert "schedule=cosine" in arm.label
    assert "schedule" not in arm.space(8).ranges


def test_a_name_with_a_dash_needs_no_quotes_and_a_warm_up_has_a_share():
    (arm,) = parse_arms(["adamw(schedule=warmup-cosine, warmup=0.2)"], "torch")
    assert arm.schedule == scheduled("warmup-cosine", 0.2)
    assert surefoot.Opt("adamw", schedule="warmup-cosine", warmup=0.2).arm.hyper == arm.hyper


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("adamw(schedule=cosin)", "Did you mean 'cosine'"),
        ("adamw(warmup=0.1)", "warmup goes with a schedule of the optimizer"),
        ("adamw(schedule=cosine, warmup=2)", "warmup is 2; give the share of the steps"),
        ("adamw(lr=cosine)", "lr=cosine is not a plain value"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(text, words):
    with pytest.raises(UsageError) as refused:
        parse_arms([text], "torch")
    assert words in str(refused.value)


class WithSchedule(torch.optim.SGD):
    """A class that has an option of that name itself."""

    def __init__(self, params, lr=0.1, schedule="its own"):
        super().__init__(params, lr)
        self.schedule = schedule


def test_a_class_that_has_such_an_option_itself_gets_it():
    arm = make_arm(WithSchedule, "torch", {"schedule": "steps"})
    assert arm.schedule is None
    assert arm.build([torch.nn.Parameter(torch.ones(1))]).schedule == "steps"


def halved(step, steps):
    return 1.0 if 2 * step <= steps else 0.5


def rates(arm, protocol=None):
    """The learning rates of a trial's steps."""
    (planned,) = trials("sgd")
    found = []

    class Noting(Training):
        def update(self, closure):
            found.append(self.optimizer.param_groups[0]["lr"])
            return super().update(closure)

    Noting(Trial("line", arm, 0, protocol or planned.protocol), line(), lambda _: None).run(None)
    return found[1:]  # the first is that of the warm-up


@pytest.mark.parametrize("make", ["sgd", torch.optim.SGD])
def test_each_optimizer_is_trained_with_its_own_schedule(make):
    assert rates(surefoot.Opt(make, lr=0.1, schedule="linear").arm) == pytest.approx(
        [0.1 * (1 - i / 12) for i in range(12)]
    )
    assert rates(surefoot.Opt(make, lr=0.1, schedule=halved).arm) == [0.1] * 6 + [0.05] * 6


def asked(optimizers, **changes):
    return ask("quadratic-deep", Options(optimizers=optimizers, device="cpu", workers=1, **changes))


def test_what_is_meant_to_be_without_a_schedule_is_without_and_it_is_said(capsys):
    request = asked(["adamw", "schedule_free_adamw", "mars(prodigy)", "dog(schedule=linear)"], schedule="cosine")
    found = {arm.label: arm.schedule and arm.schedule.name for arm in request.arms}
    first, *others = found.values()
    assert (first, others) == (None, ["constant", "constant", "linear"])
    announce(request)
    said = " ".join(capsys.readouterr().err.split())
    assert "Schedule-Free AdamW and MARS(Prodigy) keep a constant learning rate, as meant; schedule= among" in said
    announce(asked(["adamw", "schedule_free_adamw"]))
    assert "constant" not in capsys.readouterr().err


def test_one_line_compares_schedule_free_with_a_schedule():
    request = asked(["schedule_free_adamw", "adamw(schedule=cosine)"])
    assert [trial.schedule.name for trial in request.plan(request.wanted).trials[:2]] == ["constant", "cosine"]


def test_a_function_is_a_schedule_of_all_and_decides_the_numbers():
    request, plain = asked(["sgd", "adam"], schedule=halved), asked(["sgd", "adam"])
    arms = request.arms
    assert [arm.label for arm in arms] == [arm.label for arm in plain.arms]
    assert all(arm.schedule.shape is halved for arm in arms)
    assert request.hash not in (plain.hash, asked(["sgd", "adam"], schedule=lambda step, steps: step / steps).hash)
    told = repeat(request.plan(request.wanted).design)
    assert not told.is_command
    assert "surefoot.Opt('sgd', schedule=halved)" in told.text
    assert "code of its own (SGD, Adam)" in told.words


def test_a_schedule_is_said_again_by_a_command():
    told = repeat(asked(["adamw(schedule=cosine, warmup=0.1)"]).plan(asked(["adam"]).wanted).design)
    assert "adamw(schedule='cosine', warmup=0.1)" in shlex.split(told.text)
    (again,) = arms_of(["adamw(schedule='cosine', warmup=0.1)"])
    assert again.schedule == scheduled("cosine", 0.1)
