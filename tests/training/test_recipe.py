"""What every step does besides the optimizer: clipping, accumulation, precision and an average, the same for all."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from line_task import line, numbers, trials
from surefoot.arms.arm import make_arm
from surefoot.errors import TrialError, UsageError
from surefoot.report.provenance import other_protocol
from surefoot.store.protocol import Protocol, Recipe
from surefoot.torch import SGD
from surefoot.training.events import EpochDone, Finished
from surefoot.training.loop import Training

pytestmark = pytest.mark.usefixtures("one_thread")


def with_recipe(text="sgd(lr=0.1)", *, protocol=None, **recipe):
    (planned,) = trials(text)
    changed = replace(planned.protocol, recipe=Recipe(**recipe), **(protocol or {}))
    return replace(planned, protocol=changed)


def run(planned, task=None, checkpoint=None):
    heard = []
    Training(planned, task or line(), heard.append).run(checkpoint)
    return heard


def losses(events):
    return [event.epoch.validation_loss for event in events if isinstance(event, EpochDone)]


def walked(change, epochs=3, batch=8):
    """Validation losses of plain SGD, whose gradients and whose weights for evaluation a test changes."""
    task, data = line(), line().data
    model = task.make_model(0)
    optimizer, found, average = torch.optim.SGD(model.parameters(), lr=0.1), [], model.weight.detach().clone()
    for epoch in range(1, epochs + 1):
        order = torch.from_numpy(np.random.default_rng([0, epoch]).permutation(32))
        for index in torch.split(order, batch):
            optimizer.zero_grad()
            task.measure(model, data.train.batch(index))[0].backward()
            if change == "clip":
                nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            average += (1 - 0.9) * (model.weight.detach() - average)
        evaluated = task.make_model(0)
        evaluated.weight.data.copy_(average if change == "ema" else model.weight)
        found.append(task.measure(evaluated, data.validation.batch(slice(0, 16)))[0].item())
    return found


def test_gradients_are_clipped_together():
    found = losses(run(with_recipe(clip=0.5)))
    assert found == pytest.approx(walked("clip"), rel=1e-5)
    assert abs(found[0] / losses(run(with_recipe()))[0] - 1) > 0.01, "else the test shows nothing"


@pytest.mark.parametrize(("batches", "size"), [(4, 32), (3, 24), (2, 16), (5, 40)])
def test_accumulated_batches_are_one_large_batch(batches, size):
    several, one = with_recipe(accumulate=batches), with_recipe(protocol={"batch_size": size})
    assert several.protocol.steps_per_epoch == one.protocol.steps_per_epoch
    assert losses(run(several)) == pytest.approx(losses(run(one)), rel=1e-5)
    first = [next(event.epoch for event in run(planned) if isinstance(event, EpochDone)) for planned in (several, one)]
    assert first[0].train_loss == pytest.approx(first[1].train_loss, rel=1e-5)


def test_an_incomplete_batch_that_is_left_out_is_no_part_of_a_step():
    planned = with_recipe(accumulate=2, protocol={"train_size": 30, "batch_size": 8, "drop_last": True})
    assert (planned.protocol.batches_per_pass, planned.protocol.steps_per_epoch, planned.protocol.steps) == (3, 2, 6)


def test_every_optimizer_is_evaluated_with_the_average():
    found = losses(run(with_recipe(ema=0.9)))
    assert found == pytest.approx(walked("ema"), rel=1e-5)
    own = run(replace(with_recipe(), arm=make_arm(SGD, "torch", {"lr": 0.1, "ema": 0.9})))
    assert found == pytest.approx(losses(own), rel=1e-6)
    assert abs(found[0] / losses(run(with_recipe()))[0] - 1) > 0.01, "else the test shows nothing"


@pytest.mark.parametrize("text", ["schedule_free(sgd)", "surefoot.torch.AdamW(ema=0.9)"])
def test_an_average_of_the_tasks_does_not_replace_that_of_an_optimizer(text):
    with pytest.raises(TrialError, match=r"evaluated with weights of its own.*as in surefoot.torch.AdamW"):
        run(with_recipe(text, ema=0.9))


class Seen(nn.Linear):
    """A line that notes in what its products are computed."""

    seen: list[torch.dtype]

    def forward(self, inputs):
        found = super().forward(inputs)
        self.seen.append(found.dtype)
        return found


@pytest.mark.parametrize(("name", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_forward_passes_have_the_precision_and_weights_keep_theirs(monkeypatch, name, dtype):
    monkeypatch.setattr(Seen, "seen", [], raising=False)
    monkeypatch.setattr(nn, "Linear", Seen)
    heard = run(with_recipe(precision=name))
    assert set(Seen.seen) == {dtype}
    assert isinstance(heard[-1], Finished)
    monkeypatch.undo()
    found, exact = losses(heard), losses(run(with_recipe()))
    assert found != exact
    if name == "bf16":  # the first steps of a GradScaler find its factor, and are left out
        assert found == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize(
    "recipe", [{"ema": 0.9, "clip": 0.5}, {"precision": "fp16"}, {"precision": "bf16", "accumulate": 3}]
)
def test_a_trial_that_goes_on_equals_one_that_was_never_stopped(recipe):
    planned = with_recipe("adam(lr=0.1)", **recipe)
    whole = run(planned)
    stopped = next(event for event in whole if isinstance(event, EpochDone))
    again = numbers(run(planned, checkpoint=stopped.checkpoint))[planned.key]
    assert again == {epoch: value for epoch, value in numbers(whole)[planned.key].items() if epoch != 1}


def test_the_recipe_decides_the_numbers_and_is_stored_and_told():
    plain = with_recipe()
    assert "recipe" not in plain.protocol.content, "older results still count"
    each = [{"clip": 1.0}, {"accumulate": 2}, {"precision": "bf16"}, {"ema": 0.99}]
    assert len({plain.key, *(with_recipe(**one).key for one in each)}) == 5
    protocol = with_recipe(clip=1.0, accumulate=2).protocol
    assert Protocol.from_json(protocol.content) == protocol
    assert ("recipe", "clip=1.0, accumulate=2, the same for all optimizers") in other_protocol(protocol)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"clip": 0}, "clip is 0; give the largest norm of all gradients together, such as clip=1.0"),
        ({"clip": True}, "clip is True"),
        ({"ema": 1.0}, "ema is 1.0; give how much of the average each step keeps, such as ema=0.999"),
        ({"accumulate": 0}, "accumulate is 0; give how many batches make a step"),
        ({"accumulate": 2.0}, "accumulate is 2.0"),
        ({"precision": "half"}, "precision is 'half'; give one of fp32, bf16, fp16"),
    ],
)
def test_a_step_that_cannot_be_is_refused(recipe, words):
    with pytest.raises(UsageError) as refused:
        Recipe(**recipe)
    assert words in str(refused.value)
