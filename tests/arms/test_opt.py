"""Optimizers as a user writes them: names, classes of any library, options with values and with ranges."""

import pytest
import torch
from torch import nn

import surefoot
from line_task import line
from surefoot.arms.arm_list import arms_of, parse_arms
from surefoot.arms.opt import Opt
from surefoot.comparison.ask import ask
from surefoot.errors import SurefootWarning, TrialError, UsageError
from surefoot.options import Options
from surefoot.search.space import WIDTH, space
from surefoot.store import Store
from surefoot.store.ranges import log, one_minus, uniform
from surefoot.torch import RuleOptimizer


class Plain(torch.optim.Optimizer):
    """An optimizer of a user's, with a learning rate that has no default."""

    def __init__(self, params, lr, bite=0.5):
        super().__init__(params, {"lr": lr, "bite": bite})

    def step(self, closure=None):
        raise NotImplementedError


class Picky(torch.optim.SGD):
    def __init__(self, params, lr=0.1):
        if lr > 1:
            raise ValueError("too fast")
        super().__init__(params, lr=lr)


def test_a_list_may_mix_names_texts_classes_and_opts():
    arms = arms_of(["sgd", "adam(lr=0.1)", torch.optim.NAdam, Opt("adabound", name="mine")])
    assert [arm.label for arm in arms] == ["SGD", "Adam(lr=0.1)", "NAdam", "mine"]
    assert arms[2].name == "torch.optim.nadam.NAdam"
    assert (arms[0].convention, arms[2].convention) == ("torch", "")


def test_a_class_is_built_with_the_options_that_were_given():
    made = Opt(torch.optim.NAdam, lr=0.3, betas=(0.8, 0.99)).arm.build(nn.Linear(1, 1).parameters())
    assert type(made) is torch.optim.NAdam
    assert made.defaults["lr"] == 0.3
    assert made.defaults["betas"] == (0.8, 0.99)


def test_a_rule_is_built_with_every_option_decoded():
    made = Opt("adam", lr=0.3).arm.build(nn.Linear(1, 1).parameters())
    assert isinstance(made, RuleOptimizer)
    assert made.param_groups[0]["lr"] == 0.3


def test_the_pair_betas_is_shown_and_searched_as_two():
    arm = Opt(torch.optim.NAdam).arm
    assert (arm.hyper["beta1"], arm.hyper["beta2"]) == (0.9, 0.999)
    tuned = arm.with_options({"beta1": 0.5}).build(nn.Linear(1, 1).parameters())
    assert tuned.defaults["betas"] == (0.5, 0.999)


@pytest.mark.parametrize(("trials", "names"), [(8, ["lr"]), (16, ["lr", "beta1"]), (30, ["lr", "beta1", "eps"])])
def test_another_librarys_class_is_searched_in_as_many_dimensions_and_as_wide_as_ours(trials, names):
    theirs, ours = Opt(torch.optim.NAdam).arm.space(trials), space("adam", trials, "torch")
    assert list(theirs.ranges) == list(ours.ranges) == names
    lr = theirs.ranges["lr"]
    assert lr.high / lr.low == pytest.approx(10**WIDTH)
    assert lr.at(0.5) == pytest.approx(torch.optim.NAdam([nn.Parameter(torch.ones(1))]).defaults["lr"])
    assert [d.text for d in list(theirs.ranges.values())[1:]] == [d.text for d in list(ours.ranges.values())[1:]]


def test_momentum_that_is_off_by_default_is_not_searched():
    assert list(Opt(torch.optim.SGD).arm.space(16).ranges) == ["lr"]


def test_a_range_stands_instead_of_ours_and_the_rest_stays():
    for optimizer in ("adam", torch.optim.NAdam):
        dimensions = Opt(optimizer, lr=log(1e-4, 1)).arm.space(16).ranges
        assert dimensions["lr"] == log(1e-4, 1)
        assert list(dimensions) == ["lr", "beta1"]
    extra = Opt(torch.optim.NAdam, weight_decay=uniform(0, 0.1), beta2=one_minus(1e-4, 0.1)).arm.space(8)
    assert list(extra.ranges) == ["lr", "weight_decay", "beta2"]


def test_a_value_that_was_given_is_not_searched():
    assert list(Opt(torch.optim.NAdam, lr=0.1).arm.space(16).ranges) == ["beta1"]


def test_without_a_default_the_middle_of_the_range_is_the_untuned_learning_rate():
    assert Opt(Plain, lr=log(0.01, 1)).arm.hyper == {"lr": pytest.approx(0.1), "bite": 0.5}
    with pytest.raises(UsageError, match=r"no learning rate of its own; give one: surefoot.Opt\(Plain, lr=0.1\)"):
        Opt(Plain)


class Speedy(torch.optim.SGD):
    """A class that calls its learning rate otherwise."""

    def __init__(self, params, nesterov=False, speed=0.01):  # noqa: ARG002
        super().__init__(params, lr=speed)


def asked(*optimizers, **options):
    return ask(line(), Options(**{"optimizers": arms_of(optimizers), "only": True, "device": "cpu", **options}))


def test_a_class_whose_learning_rate_cannot_be_found_is_warned_of_where_others_are_tuned(tmp_path):
    with Store(tmp_path / "r.sqlite") as store:
        with pytest.warns(SurefootWarning, match=r"Speedy has no option lr.*surefoot.Opt\(Speedy, speed=surefoot.log"):
            asked("sgd", Speedy).prepare(store)
        asked("sgd", Speedy, trials=0).prepare(store)
        asked("sgd", Opt(Speedy, speed=0.1)).prepare(store)
        asked("sgd", Opt(Speedy, speed=log(1e-3, 1))).prepare(store)


@pytest.mark.usefixtures("workers_here")
def test_two_that_differ_in_their_ranges_share_the_trials_that_are_not_tuned(tmp_path):
    wide = Opt(torch.optim.NAdam, lr=log(1e-6, 10), name="wide")
    request = asked(torch.optim.NAdam, wide, epochs=1, seeds=2, trials=2, workers=1)
    begun = []
    with Store(tmp_path / "r.sqlite") as store:
        records = request.prepare(store).run(store, lambda _, event: begun.append(event.key))
    untuned = {label: [r for r in records if r.label == label] for label in ("NAdam", "wide")}
    assert [r.key for r in untuned["NAdam"]] == [r.key for r in untuned["wide"]]
    tried = {label: {r.hyper["lr"] for r in records if r.label == f"{label} tuned"} for label in ("NAdam", "wide")}
    assert tried["NAdam"] != tried["wide"]
    with pytest.raises(UsageError, match="one optimizer is given twice, as 'NAdam' and as 'wide'"):
        asked(torch.optim.NAdam, Opt(torch.optim.NAdam, name="wide"))


def test_a_full_name_on_the_command_line_is_imported():
    (arm,) = parse_arms(["mine=torch.optim.NAdam(lr=0.01)"], "torch")
    assert (arm.label, arm.make, arm.given) == ("mine", torch.optim.NAdam, {"lr": 0.01})


class NeedsMore(torch.optim.SGD):
    """A class whose step takes what no step is given."""

    def step(self, loss):
        loss.backward()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Opt("adamm"), "Did you mean 'adam'"),
        (lambda: Opt(torch.optim.NAdam, learning_rate=0.1), "unknown option of torch.optim.nadam.NAdam"),
        (lambda: Opt(3), "3 is no optimizer"),
        (lambda: Opt(nn.Linear), "has no method step"),
        (lambda: Opt(NeedsMore), "its step() needs loss, and a step is given nothing but a closure"),
        (lambda: Opt("adam", groups=3), "groups is 3; give a function"),
        (lambda: arms_of([]), "no optimizer to compare"),
        (lambda: parse_arms(["torch.optim.NAdamm"], "torch"), "unknown name in torch.optim 'NAdamm'. Did you mean"),
        (lambda: parse_arms(["no.such.Thing"], "torch"), "is the library installed"),
        (lambda: Opt("adam", beta1=one_minus(0.5, 2)), "0 to 1"),
        (lambda: Opt("sgd", lr=log(0, 1)), "low must be above 0"),
        (lambda: Opt("sgd", name=3), "name is 3; give words on one line"),
        (lambda: Opt(torch.optim.SGD, name=" "), "name is ' '; give words on one line"),
        (lambda: Opt("sgd", name="a\nb"), r"name is 'a\nb'; give words on one line"),
        (lambda: Opt("sgd", name="a\u2028b"), "give words on one line"),
        (lambda: Opt("sgd", name="\x1b[31mred"), "give words on one line"),
        (lambda: parse_arms(["a\nb=adam"], "torch"), r"name is 'a\nb'; give words on one line"),
    ],
)
def test_what_is_no_optimizer_is_refused_with_the_reason(make, words):
    with pytest.raises(UsageError) as refused:
        make()
    assert words in str(refused.value)


def test_a_class_that_refuses_an_option_is_named_with_the_options_it_takes():
    with pytest.raises(TrialError, match=r"optimizer Picky\(lr=2\): .*Picky refuses .*too fast. It takes lr."):
        Opt(Picky, lr=2).arm.build(nn.Linear(1, 1).parameters())


def test_the_doors_are_these():
    assert (surefoot.Opt, surefoot.log, surefoot.uniform, surefoot.one_minus) == (Opt, log, uniform, one_minus)


def test_a_clipped_norm_is_no_option_of_a_rule_and_the_class_that_has_it_is_named():
    with pytest.raises(UsageError, match=r"takes all gradients together; give a class instead, such as surefoot.torch"):
        Opt("adam", max_grad_norm=1.0)
    assert Opt(surefoot.torch.Adam, max_grad_norm=1.0).arm.given == {"max_grad_norm": 1.0}


def test_a_range_whose_ends_are_turned_round_is_shown_as_it_has_to_be():
    with pytest.raises(UsageError, match=r"log\(1, 0.1\): expected 0 < low < high.* write log\(0.1, 1\)"):
        surefoot.log(1, 0.1)


def test_the_weight_decay_of_an_optimizer_that_has_one_is_searched_second():
    """Of AdamW by every name; Adam, whose weight decay is 0, stays Adam."""
    ours, theirs = Opt("adamw").arm.space(12), Opt(torch.optim.AdamW).arm.space(12)
    assert list(ours.ranges) == list(theirs.ranges) == ["lr", "weight_decay"]
    assert ours.ranges["weight_decay"] == theirs.ranges["weight_decay"]
    assert list(Opt("adamw").arm.space(8).ranges) == ["lr"]
    assert "weight_decay" not in Opt("adam").arm.space(30).ranges
    assert list(Opt("adamw", weight_decay=0.1).arm.space(12).ranges) == ["lr"]


class Rateless(torch.optim.SGD):
    """A class whose learning rate has to be given."""

    def __init__(self, params, lr, momentum=0.0):
        super().__init__(params, lr=lr, momentum=momentum)


def test_a_class_whose_learning_rate_has_to_be_given_can_be_compared():
    arm = Opt(Rateless, lr=0.1).arm
    assert arm.decides["fixed"] == {"lr": 0.1}
    assert "lr" not in arm.space(30).ranges
    assert Opt(Rateless, lr=log(0.01, 1)).arm.space(1).ranges == {"lr": log(0.01, 1)}
    with pytest.raises(UsageError, match="no learning rate of its own"):
        Opt(Rateless)
