"""A trial of so many steps, evaluated every so often, whatever part of the data that is."""

from dataclasses import replace

import pytest
import torch

from line_task import line, numbers, trials
from surefoot.comparison.request import ask
from surefoot.errors import UsageError
from surefoot.options import Options
from surefoot.report.provenance import protocol_in_words
from surefoot.report.repeat import repeat
from surefoot.training.events import EpochDone
from surefoot.training.loop import Training

pytestmark = pytest.mark.usefixtures("one_thread")


def run(every, epochs, checkpoint=None):
    (planned,) = trials("adam(lr=0.1)")
    planned = replace(planned, protocol=replace(planned.protocol, evaluate_every=every, epochs=epochs))
    heard, seen = [], []

    class Seeing(Training):
        def _loaded(self, steps):
            seen.extend(steps if self.epoch else ())
            return super()._loaded(steps)

    training = Seeing(planned, line(), heard.append)
    training.run(checkpoint)
    return training, heard, seen


@pytest.mark.parametrize(("every", "epochs"), [(3, 4), (6, 2), (1, 12), (12, 1)])
def test_so_many_steps_are_the_same_ones_however_often_they_are_evaluated(every, epochs):
    whole, _, batches = run(0, 3)
    training, heard, seen = run(every, epochs)
    assert training.protocol.steps == 12
    assert all(torch.equal(one, other) for one, other in zip(seen, batches, strict=True))
    assert len([event for event in heard if isinstance(event, EpochDone)]) == epochs
    assert torch.equal(training.model.weight, whole.model.weight)


def test_a_trial_that_goes_on_equals_one_that_was_never_stopped():
    training, whole, _ = run(5, 3)
    stopped = next(event for event in whole if isinstance(event, EpochDone))
    key = training.trial.key
    again = numbers(run(5, 3, stopped.checkpoint)[1])[key]
    assert again == {at: value for at, value in numbers(whole)[key].items() if at != 1}


def asked(**changes):
    return ask("quadratic-deep", Options(optimizers=["sgd"], device="cpu", workers=1, **changes))


def test_steps_stand_in_the_place_of_epochs():
    request = asked(steps=1000, evaluate_every=50)
    assert (request.wanted.epochs, request.protocol.steps_per_epoch, request.protocol.steps) == (20, 50, 1000)
    assert asked(steps=1000).protocol.evaluate_every == 50
    assert asked(steps=7).protocol.evaluate_every == 1
    assert request.hash not in (asked().hash, asked(steps=1000, evaluate_every=100).hash)
    told = repeat(request.plan(request.wanted).design).text
    assert "--steps 1000 --evaluate-every 50" in told
    assert "--epochs" not in told
    assert "--steps" not in repeat(asked().plan(asked().wanted).design).text
    assert "1,000 steps, with an evaluation every 50," in protocol_in_words(request.protocol)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 1000, "evaluate_every": 300}, "a trial has to end with an evaluation; give steps=900"),
        ({"steps": 100, "epochs": 3}, "steps and epochs are given"),
        ({"steps": 100, "budget": "3 epochs"}, "steps and epochs are given"),
        ({"evaluate_every": 3}, "goes with"),
        ({"steps": 0}, "is 0; give a whole number from 1"),
    ],
)
def test_steps_that_cannot_be_are_refused(changes, words):
    with pytest.raises(UsageError) as refused:
        asked(**changes)
    assert words in str(refused.value)
