"""What a trial is evaluated with: BatchNorm's statistics are those of the weights that are evaluated."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from line_task import Line, line, numbers, trials
from surefoot.arms.arm_list import parse_arms
from surefoot.store.protocol import Recipe
from surefoot.torch import RuleOptimizer
from surefoot.training.events import EpochDone
from surefoot.training.loop import Training

pytestmark = pytest.mark.usefixtures("one_thread")


class Normed(Line):
    """The line behind a layer of BatchNorm."""

    def make_model(self, seed):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


def training(text, heard=None, **recipe):
    (planned,) = trials("sgd")
    protocol = replace(planned.protocol, batch_size=32, recipe=Recipe(**recipe))
    planned = replace(planned, arm=parse_arms([text], "torch")[0], protocol=protocol)
    return Training(planned, Normed(line().data), (heard if heard is not None else []).append)


def expected(made):
    """The validation loss with the statistics of all training examples, by hand."""
    made._mode(training=False)
    inputs, targets = made.validation.batch(slice(0, 16))
    (first, norm, last), (every, _) = made.model, made.train.batch(slice(0, 32))
    with torch.no_grad():
        hidden, seen = first(inputs), first(every)
        scaled = (hidden - seen.mean(0)) / (seen.var(0) + norm.eps).sqrt() * norm.weight + norm.bias
        found = ((last(scaled) - targets) ** 2).mean().item()
    made._mode(training=True)
    return found


OTHERS = ["schedule_free(sgd(lr=0.1))", "lookahead(sgd(lr=0.1))", "surefoot.torch.SGD(lr=0.1, ema=0.9)"]


@pytest.mark.parametrize("text", OTHERS)
def test_statistics_are_taken_again_for_other_weights(text):
    made = training(text)
    made.run(None)
    kept = {name: value.clone() for name, value in made.model.state_dict().items()}
    assert made._evaluate(made.validation)[0] == pytest.approx(expected(made), rel=1e-5)
    assert all(torch.equal(value, kept[name]) for name, value in made.model.state_dict().items())
    assert made.model[1].momentum == 0.1


def test_statistics_of_the_weights_that_train_are_left_alone(monkeypatch):
    made = training("sgd(lr=0.1)")
    monkeypatch.setattr(made, "_passes", None)
    made.run(None)


def test_a_layer_that_is_frozen_keeps_its_statistics():
    made = training("sgd(lr=0.1)", ema=0.9)
    norm = made.model[1]
    norm.train = lambda _=True: norm
    norm.training = False
    made._step(next(made._loaded(made._batches())), 1, [])
    norm.running_mean.fill_(3.0)
    with made._evaluating():
        assert norm.running_mean.tolist() == [3.0] * 3


@pytest.mark.parametrize(("text", "recipe"), [(OTHERS[0], {}), ("adam(lr=0.1)", {"ema": 0.9})])
def test_a_trial_that_goes_on_equals_one_that_was_never_stopped(text, recipe):
    whole, again = [], []
    made = training(text, whole, **recipe)
    made.run(None)
    assert isinstance(made.optimizer, RuleOptimizer)
    stopped = next(event for event in whole if isinstance(event, EpochDone))
    training(text, again, **recipe).run(stopped.checkpoint)
    key = made.trial.key
    assert numbers(again)[key] == {at: value for at, value in numbers(whole)[key].items() if at != 1}
