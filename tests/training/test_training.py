"""One trial: the same seed gives the same numbers, a resumed run equals an undisturbed one, divergence is a result."""

import math
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from line_task import Line, line, trials
from surefoot.arms.arm import make_arm
from surefoot.arms.arm_list import parse_arms
from surefoot.datasets import Dataset
from surefoot.design.trial import Trial
from surefoot.store.protocol import Protocol
from surefoot.tasks.arrays import Arrays
from surefoot.tasks.builtin import BuiltIn
from surefoot.tasks.task import Splits
from surefoot.torch import Adam, RuleOptimizer
from surefoot.training import try_out as pilot_run
from surefoot.training.events import Diverged, EpochDone, Finished, Started, StepsDone
from surefoot.training.loop import Training
from surefoot.training.step_records import recording_steps
from surefoot.training.try_out import Pilot

pytestmark = pytest.mark.usefixtures("one_thread")


def data(size=60):
    random = np.random.default_rng(7)
    images = random.integers(0, 256, (size, 28, 28), np.uint8)
    labels = random.integers(0, 10, size).astype(np.uint8)
    return Dataset("noise", images, labels, images[:20], labels[:20], tuple("0123456789"), "none", "made here")


def task(given=None, train_size=40):
    """The article's network on noise."""
    images, labels = (given or data()).train_images, (given or data()).train_labels
    every = Arrays(images, labels)
    splits = Splits(every[:train_size], every[train_size : train_size + 20], every[:20])
    return BuiltIn("article", "surefoot.tasks.models.fast_article", "noise", splits)


def trial(text="adam", seed=0, **changes):
    (arm,) = parse_arms([text], "keras")
    settings = {
        "task": "article",
        "dataset": "noise",
        "epochs": 3,
        "batch_size": 16,
        "train_size": 40,
        "validation_size": 20,
        "test_size": 20,
        "device": "cpu",
    }
    return Trial("article", arm, seed, Protocol(**{**settings, **changes}))


def run(planned, checkpoint=None, kind=Training):
    heard = []
    kind(planned, task(train_size=planned.protocol.train_size), heard.append).run(checkpoint)
    return [event for event in heard if not isinstance(event, StepsDone)]


def numbers(events):
    """What must be equal between two runs: all but the times and the checkpoint's bytes."""
    found = []
    for event in events:
        if isinstance(event, EpochDone):
            e = event.epoch
            found.append((e.epoch, e.train_loss, e.train_metric, e.validation_loss, e.validation_metric))
            found.append(event.rates)
        if isinstance(event, Finished):
            found.append((event.outcome.test_loss, event.outcome.test_metric, event.outcome.train_loss))
    return found


def test_events_come_in_order_and_the_outcome_is_measured():
    events = run(trial())
    assert [type(event) for event in events] == [Started, EpochDone, EpochDone, EpochDone, Finished]
    assert [event.epoch.epoch for event in events[1:4]] == [1, 2, 3]
    seconds = [event.epoch.seconds for event in events[1:4]]
    assert 0 < seconds[0] < seconds[1] < seconds[2]
    outcome = events[-1].outcome
    assert outcome.parameters == 433_034 - 2 * (32 + 32 + 64 + 64 + 256)  # without the moving statistics
    assert outcome.optimizer_bytes == 2 * 4 * outcome.parameters
    assert outcome.step_seconds > 0


def test_the_same_trial_twice_gives_the_same_numbers():
    assert numbers(run(trial())) == numbers(run(trial()))


def test_another_seed_gives_others():
    assert numbers(run(trial())) != numbers(run(trial(seed=1)))


@pytest.mark.parametrize(
    ("text", "stops"),
    [
        ("sgd(lr=0.1, momentum=0.9)", (1, 2, 3)),
        ("adagrad", (1,)),
        ("adadelta", (2,)),
        ("rmsprop", (1,)),
        ("adabound", (2,)),
        ("amsbound", (1,)),
    ],
)
def test_a_run_that_goes_on_from_any_epoch_equals_one_never_stopped(text, stops):
    whole = run(trial(text))
    for stop in stops:
        resumed = run(trial(text), whole[stop].checkpoint)
        assert resumed[0] == Started(whole[0].key, stop)
        assert numbers(resumed[1:]) == numbers(whole[1 + stop :])


def test_every_arm_starts_from_the_same_weights_and_sees_the_same_batches():
    first = [run(trial(text, epochs=1, batch_size=40))[1].epoch.train_loss for text in ("adam", "sgd", "adadelta")]
    assert first[0] == first[1] == first[2]


class clock:
    """The test's own."""

    now = 0.0


@pytest.fixture
def compiling(monkeypatch):
    """On the test's clock a step takes a second, and a hundred more if it is the first of its process."""
    original, once = RuleOptimizer.step, [100.0]

    def step(self):
        clock.now += once.pop() if once else 1.0
        original(self)

    monkeypatch.setattr(RuleOptimizer, "step", step)
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)
    return once


def test_what_the_first_step_of_a_process_compiles_is_not_on_the_clock(compiling):
    planned = trial(epochs=1)
    events = run(planned)
    assert not compiling
    assert events[1].epoch.seconds == planned.protocol.steps_per_epoch


def test_a_pilot_tells_what_every_trial_takes_apart_from_what_a_process_takes_once(compiling):
    _, told = run(replace(trial(), purpose="pilot"), kind=Pilot)
    assert not compiling
    assert (told.timing.setup, told.timing.step, told.timing.cold) == (1.0, 1.0, 99.0)


class Slow(Line):
    """The line, whose metric and whose examples take their time; `took` counts what of it was waited for."""

    def begin(self, model, batch):
        loss, _ = self.measure(model, batch)

        def metric():
            clock.now += 100.0
            return loss.detach()

        return loss, metric


class SlowRows(Arrays):
    def to(self, _device):
        return self

    def batch(self, index):
        clock.now += 1000.0
        return super().to("cpu").batch(index)


def test_a_steps_time_is_that_of_both_passes_and_the_step(monkeypatch):
    def step(self):
        clock.now += 1.0
        original(self)

    original = RuleOptimizer.step
    monkeypatch.setattr(RuleOptimizer, "step", step)
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)
    data = line().data
    slow = Slow(Splits(SlowRows(*data.train.arrays), data.validation, data.test))
    (planned,) = trials("sgd", epochs=2)
    heard = []
    Training(planned, slow, heard.append).run(None)
    assert heard[-1].outcome.step_seconds == 1.0
    assert [event.epoch.seconds for event in heard if isinstance(event, EpochDone)] == [4.0, 8.0]
    heard.clear()
    monkeypatch.setattr(pilot_run, "PILOT_SECONDS", 1.0)
    Pilot(replace(planned, purpose="pilot"), slow, heard.append).run(None)
    assert heard[-1].timing.step == 1101.0, "a budget pays for all of it"


def test_an_optimizer_that_keeps_an_average_is_evaluated_with_it():
    make = make_arm(Adam, "torch", {"lr": 0.1, "ema": 0.9})
    plain = make_arm(Adam, "torch", {"lr": 0.1})
    planned = trials("sgd", epochs=3)[0]
    heard = []
    Training(replace(planned, arm=make), line(), heard.append).run(None)
    done = [event.epoch for event in heard if isinstance(event, EpochDone)]

    task, data = line(), line().data
    model = task.make_model(0)
    optimizer, average = plain.build(model.parameters()), model.weight.detach().clone()
    for epoch, told in enumerate(done, 1):
        order = torch.from_numpy(np.random.default_rng([0, epoch]).permutation(32))
        for index in torch.split(order, 8):
            optimizer.zero_grad()
            task.measure(model, data.train.batch(index))[0].backward()
            optimizer.step()
            average += (1 - 0.9) * (model.weight.detach() - average)
        averaged = task.make_model(0)
        averaged.weight.data.copy_(average)
        expected, walking = (
            task.measure(one, data.validation.batch(slice(0, 16)))[0].item() for one in (averaged, model)
        )
        assert told.validation_loss == pytest.approx(expected, rel=1e-5)
        assert abs(walking - expected) > 1e-3 * expected, "else the test shows nothing"
    assert heard[-1].outcome.test_loss == pytest.approx(
        task.measure(averaged, data.test.batch(slice(0, 16)))[0].item(), rel=1e-5
    )
    assert heard[-1].outcome.optimizer_bytes == 3 * model.weight.nbytes, "training weights that are put by are no state"


def test_a_last_batch_of_one_image_counts_as_one():
    (done,) = [event for event in run(trial(epochs=1, train_size=33)) if isinstance(event, EpochDone)]
    assert done.epoch.train_metric * 33 == pytest.approx(round(done.epoch.train_metric * 33))
    assert math.isfinite(done.epoch.train_loss)


def test_divergence_is_a_result_with_its_reason():
    events = run(trial("sgd(lr=1e30)"))
    assert isinstance(events[-1], Diverged)
    assert "loss became" in events[-1].reason
    assert not any(isinstance(event, Finished) for event in events)


class Undefined(Line):
    """The line, judged by a metric that is no number."""

    def measure(self, model, batch):
        loss, _ = super().measure(model, batch)
        return loss, loss.detach() * math.nan


@pytest.mark.parametrize(("purpose", "part"), [("measure", "test"), ("tune", "validation")])
def test_a_metric_that_is_not_a_number_at_the_end_is_a_reason_of_its_own(purpose, part):
    (planned,) = trials("sgd", epochs=2)
    heard = []
    Training(replace(planned, purpose=purpose), Undefined(line().data), heard.append).run(None)
    assert len([event for event in heard if isinstance(event, EpochDone)]) == 2
    assert isinstance(heard[-1], Diverged)
    assert heard[-1].reason.startswith(f"the metric 'loss' is nan on the {part} data, while the loss is ")


def test_rates_are_recorded_within_adabounds_bounds():
    rates = [r for event in run(trial("adabound")) if isinstance(event, EpochDone) for r in event.rates]
    assert [r.step for r in rates] == sorted(recording_steps(9))
    for r in rates:
        assert r.lower is not None
        assert all(r.lower * (1 - 1e-6) <= q <= r.upper * (1 + 1e-6) for q in r.quantiles)
        assert list(r.quantiles) == sorted(r.quantiles)


def test_rates_of_sgd_are_its_learning_rate():
    (event,) = [event for event in run(trial("sgd(lr=0.125)", epochs=1)) if isinstance(event, EpochDone)]
    assert all(set(r.quantiles) == {0.125} and r.lower is None for r in event.rates)


def test_steps_to_record_are_spread_over_decades():
    steps = sorted(recording_steps(960))
    assert steps[:3] == [1, 2, 3]
    assert steps[-1] == 960
    assert 15 <= len(steps) <= 26
    assert recording_steps(1) == {1}


def test_the_key_tells_what_decides_the_numbers_and_nothing_else():
    assert trial().key == trial("mine=adam").key
    different = [trial(), trial("adam(lr=0.5)"), trial("sgd"), trial(seed=1), trial(epochs=4), trial(train_size=30)]
    assert len({t.key for t in different}) == len(different)


def test_training_does_not_touch_the_data():
    before = data()
    events = []
    given = data()
    Training(trial(epochs=1), task(given), events.append).run(None)
    assert np.array_equal(before.train_images, given.train_images)
    assert math.isfinite(events[-1].outcome.test_loss)


LATE = """
import sys
import torch
from torch.optim import Optimizer
from surefoot.torch import Adam
from surefoot.training.process import tune_worker

def use(weight):
    optimizer = Adam([weight])
    weight.grad = torch.ones(3)
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.zero_grad()

tune_worker()
use(torch.nn.Parameter(torch.ones(3)))
print("torch._dynamo" in sys.modules)
import torch._dynamo
use(torch.nn.Parameter(torch.ones(3)))
for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
    print(getattr(Optimizer, name).__wrapped__.__dynamo_disable._torchdynamo_disable)
"""


def test_a_worker_loads_torchs_compiler_only_if_something_compiles():
    """Then it leaves alone what torch says that it does not compile."""
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", *["True"] * 4]
