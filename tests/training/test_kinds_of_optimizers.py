"""Optimizers that take the model, names or groups, several as one, and closures: each trained as its user would."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import surefoot
from line_task import Line, line, numbers, trials
from surefoot.arms.arm_list import arms_of
from surefoot.comparison.ask import ask
from surefoot.design.trial import Trial, hash_of
from surefoot.errors import TrialError
from surefoot.options import Options
from surefoot.report.repeat import repeat
from surefoot.store.protocol import Recipe
from surefoot.training import try_out
from surefoot.training.events import EpochDone, Finished
from surefoot.training.loop import Training
from surefoot.training.try_out import Pilot, TryOut

pytestmark = pytest.mark.usefixtures("one_thread")


class Deep(Line):
    """The line behind a hidden layer."""

    def make_model(self, seed):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))


def planned(made, epochs=3, evaluate_every=0, **recipe):
    (trial,) = trials("sgd", epochs=epochs)
    (arm,) = arms_of([made])
    protocol = replace(trial.protocol, recipe=Recipe(**recipe), evaluate_every=evaluate_every)
    return Trial("line", arm, 0, protocol)


def training(made, heard=None, **planning):
    heard = [] if heard is None else heard
    return Training(planned(made, **planning), Deep(line().data), heard.append)


def no_decay(named):
    return [
        {"params": [p for name, p in named if name.endswith("weight")], "weight_decay": 0.1},
        {"params": [p for name, p in named if name.endswith("bias")], "weight_decay": 0.0},
    ]


class OfModel(torch.optim.SGD):
    def __init__(self, model, lr=0.1):
        super().__init__([model[0].weight, *model[2].parameters()], lr)


class OfNames(torch.optim.SGD):
    def __init__(self, named_parameters, lr=0.1):
        super().__init__([p for name, p in named_parameters if "0" not in name], lr)


def both(model, lr=0.1):
    """Momentum for the first layer, Adam for the last."""
    return [torch.optim.SGD(model[0].parameters(), lr, momentum=0.9), torch.optim.Adam(model[2].parameters(), lr / 10)]


def averaging(model, lr=0.1):
    return [torch.optim.SGD(model[0].parameters(), lr), surefoot.torch.SGD(model[2].parameters(), lr, ema=0.9)]


@pytest.mark.parametrize("optimizer", ["adamw", torch.optim.AdamW])
def test_groups_are_made_of_the_named_parameters(optimizer):
    made = training(surefoot.Opt(optimizer, lr=0.01, groups=no_decay))
    assert [(len(group["params"]), group["weight_decay"]) for group in made.optimizer.param_groups] == [
        (2, 0.1),
        (2, 0.0),
    ]
    assert "groups=no_decay" in made.trial.arm.label


def test_groups_decide_the_numbers_and_are_said_again_by_their_name():
    keys = [planned(surefoot.Opt("adamw", **given)).key for given in ({}, {"groups": no_decay}, {"groups": list})]
    assert len(set(keys)) == 3
    request = ask("quadratic-deep", Options(optimizers=[surefoot.Opt("adamw", groups=no_decay)], device="cpu"))
    assert "surefoot.Opt('adamw', groups=no_decay)" in repeat(request.plan(request.wanted).design).text


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (
            lambda named: [{"params": [p for name, p in named if "bias" in name]}],
            "missing or repeated: 0.weight, 2.weight",
        ),
        (lambda named: no_decay(named) + no_decay(named)[1:], "missing or repeated: 0.bias, 2.bias"),
        (lambda named: [named[0].missing], "groups= raises AttributeError"),
    ],
)
def test_groups_that_leave_something_out_are_refused(groups, words):
    with pytest.raises(TrialError) as refused:
        training(surefoot.Opt("adamw", groups=groups))
    assert words in str(refused.value)


@pytest.mark.parametrize(("make", "count"), [(OfModel, 3), (OfNames, 2)])
def test_a_class_gets_what_it_calls_its_first_argument(make, count):
    made = training(make)
    assert len(made.optimizer.param_groups[0]["params"]) == count
    with pytest.raises(TrialError, match="needs the model"):
        made.trial.arm.build(made.model.parameters())


@pytest.mark.parametrize("make", [both, averaging])
def test_several_optimizers_of_one_model_are_trained_saved_and_loaded_as_one(make):
    whole, again = [], []
    made = training(make, whole)
    made.run(None)
    assert isinstance(whole[-1], Finished)
    stopped = next(event for event in whole if isinstance(event, EpochDone))
    training(make, again).run(stopped.checkpoint)
    key = made.trial.key
    assert numbers(again)[key] == {at: value for at, value in numbers(whole)[key].items() if at != 1}
    assert whole[-1].outcome.optimizer_bytes > 0
    TryOut(replace(made.trial, purpose="try"), Deep(line().data), lambda _: None).run(None)


def test_several_are_each_stepped_under_the_schedule_as_by_hand():
    made = training(surefoot.Opt(both, schedule="linear"))
    made.run(None)
    task, data = Deep(line().data), line().data
    model = task.make_model(0)
    each = both(model)
    for step in range(12):
        order = torch.from_numpy(np.random.default_rng([0, step // 4 + 1]).permutation(32))
        for optimizer, lr in zip(each, (0.1, 0.01), strict=True):
            optimizer.zero_grad()
            optimizer.param_groups[0]["lr"] = lr * (1 - step / 12)
        task.measure(model, data.train.batch(order.split(8)[step % 4]))[0].backward()
        for optimizer in each:
            optimizer.step()
    assert all(
        torch.allclose(p, q, rtol=1e-5) for p, q in zip(model.parameters(), made.model.parameters(), strict=True)
    )


class Sharp(torch.optim.SGD):
    """Sharpness-aware minimization: the gradient is that of a place a little uphill."""

    def step(self, closure=None):
        weights = [p for group in self.param_groups for p in group["params"]]
        norm = torch.stack([p.grad.norm() for p in weights]).norm()
        moves = [0.05 * p.grad / norm for p in weights]
        with torch.no_grad():
            for p, move in zip(weights, moves, strict=True):
                p.add_(move)
        closure()
        with torch.no_grad():
            for p, move in zip(weights, moves, strict=True):
                p.sub_(move)
        super().step()


def test_a_step_with_a_closure_takes_the_gradients_that_it_asks_for():
    heard = []
    made = training(surefoot.Opt(Sharp, lr=0.1, closure=True), heard)
    made.run(None)
    assert (made.steps_taken, made.gradients_taken) == (6, 12)
    assert heard[-1].outcome.gradients == 2
    plain = []
    training(surefoot.Opt(torch.optim.SGD, lr=0.1), plain).run(None)
    assert plain[-1].outcome.gradients == 1
    assert plain[-1].outcome.test_loss != heard[-1].outcome.test_loss


@pytest.mark.parametrize("evaluate_every", [0, 2])
def test_a_closure_is_charged_for_its_gradients_over_the_same_batches(evaluate_every):
    """Of two gradients a step it takes half the steps: those that any other takes first."""
    seen = {}
    for made in (surefoot.Opt(Sharp, lr=0.1, closure=True), torch.optim.SGD):
        one = training(made, epochs=6 if evaluate_every else 3, evaluate_every=evaluate_every)
        batches = seen[one.trial.arm.closure] = []
        one.order._changed = lambda batch, *_, here=batches: here.append(batch[0].sum().item()) or batch
        one.run(None)
        del batches[0]  # of the warm-up
    assert len(seen[""]) == 12
    assert seen["more"] == seen[""][:6]


def test_a_closure_that_spends_more_than_an_epoch_leaves_the_next_without_steps():
    heard, rest = [], []
    lbfgs = surefoot.Opt(torch.optim.LBFGS, lr=0.5, max_iter=3)
    made = training(lbfgs, heard, accumulate=4)
    made.run(None)
    epochs = [event for event in heard if isinstance(event, EpochDone)]
    assert (made.steps_taken, made.gradients_taken) == (1, 3)
    assert {replace(one.epoch, epoch=0) for one in epochs} == {replace(epochs[0].epoch, epoch=0)}
    training(lbfgs, rest, accumulate=4).run(epochs[0].checkpoint)
    assert [event.epoch for event in rest if isinstance(event, EpochDone)] == [one.epoch for one in epochs[1:]]


def test_a_trial_whose_gradients_are_charged_is_another_one():
    """Results of older versions, which charged none, are not taken for it."""
    trial = planned(torch.optim.LBFGS)
    parts = [trial.arm.rule, dict(trial.arm.hyper), trial.seed, trial.protocol.decides]
    assert trial.key != hash_of(parts)
    own_loop = replace(trial, protocol=replace(trial.protocol, own_loop=True))
    assert own_loop.key == hash_of([*parts[:3], own_loop.protocol.decides])


def test_a_pilot_tells_the_seconds_of_a_gradient(monkeypatch):
    class Counted(Deep):
        passed = 0.0

        def measure(self, model, batch):
            self.passed += 1
            return super().measure(model, batch)

    for made in (torch.optim.SGD, surefoot.Opt(torch.optim.LBFGS, lr=0.1, max_iter=4, tolerance_change=0.0)):
        heard, task = [], Counted(line().data)
        monkeypatch.setattr(try_out, "time", SimpleNamespace(perf_counter=lambda task=task: task.passed))
        Pilot(replace(planned(made), purpose="pilot"), task, heard.append).run(None)
        assert heard[-1].timing.step == 1  # a step of LBFGS takes four


def test_lbfgs_is_trained_as_by_hand():
    heard = []
    made = training(surefoot.Opt(torch.optim.LBFGS, lr=0.5, max_iter=3), heard, accumulate=4, epochs=9)
    made.run(None)
    task, data = Deep(line().data), line().data
    model = task.make_model(0)
    optimizer, losses = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=3), []

    def closure():
        optimizer.zero_grad()
        loss = task.measure(model, data.train.batch(slice(0, 32)))[0]
        loss.backward()
        return loss

    for _ in range(3):
        losses.append(optimizer.step(closure).item())
    taken = optimizer.state_dict()["state"][0]["func_evals"]
    trained = [event.epoch.train_loss for event in heard if isinstance(event, EpochDone)]
    assert [*dict.fromkeys(trained)] == pytest.approx(losses, rel=1e-3)
    assert (made.steps_taken, made.gradients_taken) == (3, taken) == (3, 9)
    assert heard[-1].outcome.gradients == 3


def test_a_closure_and_a_grad_scaler_do_not_go_together():
    with pytest.raises(TrialError, match="takes a closure, which a GradScaler cannot follow"):
        training(surefoot.Opt(torch.optim.LBFGS), precision="fp16")


@pytest.mark.usefixtures("workers_here")
def test_what_closures_took_is_in_the_table(tmp_path):
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    data = ((x, (x[:, 0] > 0).long()),) * 3
    study = surefoot.compare(
        model=lambda: nn.Linear(4, 2),
        data=data,
        optimizers=["sgd", surefoot.Opt(Sharp, lr=0.1, closure=True)],
        epochs=1,
        trials=0,
        seeds=2,
        workers=1,
        device="cpu",
        store=tmp_path / "r.sqlite",
    )
    table = study.table()
    assert "Gradients per step" in str(table)
    assert any("takes fewer steps" in note for note in table.captions)
