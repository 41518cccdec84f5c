"""One suite for every executor: all trials end once, whatever is killed, and with the numbers of an undisturbed run."""

import math
import sys
import time
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch

import surefoot
from forked_workers import forked
from line_task import Hold, foreign, line, numbers, pause, serial, trials
from own_loops import classify, events_of, slowly, task_of, trial_of
from surefoot.errors import UsageError
from surefoot.training.events import (
    Diverged,
    End,
    EpochDone,
    Failed,
    Finished,
    PilotTimed,
    Started,
    StepsDone,
    TryOutPassed,
)
from surefoot.workers import pool
from surefoot.workers.executors import capacity, open_executor
from surefoot.workers.runner import Limits, Runner, parse_bytes
from worker_processes import assert_gone, command, workers_of
from workers_here import here


class Driver:
    """Runs trials as a plan does: remembers every checkpoint, and hands it out again."""

    def __init__(self, runner):
        self.runner, self.saved = runner, {}

    def run(self, planned, task=None, size=2, deadline=None, **limits):
        runner = replace(self.runner, **limits)
        with (
            open_executor(runner, task or line(), "cpu", size) as executor,
            closing(executor.run(planned, self.saved.get, deadline)) as told,
        ):
            for event in told:
                if isinstance(event, EpochDone):
                    self.saved[event.key] = event.checkpoint
                yield event


# Ray starts its own processes, by fork and exec; JAX, which other tests bring into this process, warns of every fork
pytestmark = pytest.mark.filterwarnings("ignore:os.fork.. was called:RuntimeWarning")


RAY = pytest.param("ray", marks=[pytest.mark.slow, pytest.mark.frameworks])


@pytest.fixture(scope="module", params=["local", RAY])
def runner(request):
    if request.param == "local":
        with forked():
            yield Runner()
        return
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield Runner("ray")
    ray.shutdown()


@pytest.fixture
def driver(runner):
    return Driver(runner)


def workers(runner):
    """The worker processes of this driver."""
    if runner.name == "local":
        return workers_of()
    return [process for process in psutil.process_iter() if "ray::Actor" in command(process)]


def assert_none_left(runner):
    assert_gone(workers(runner))
    assert not workers(runner)


def kill(runner):
    for process in workers(runner):
        process.kill()


@pytest.fixture
def clock(monkeypatch):
    """The pool's clock, which a test can put forward."""

    def now():
        return time.monotonic() + now.forward

    now.forward = 0.0
    monkeypatch.setattr(pool, "time", SimpleNamespace(monotonic=now))
    monkeypatch.setattr(pool, "START_SECONDS", math.inf)
    return now


def test_every_trial_ends_once_and_its_events_are_in_order_with_the_numbers_of_a_serial_run(driver, runner):
    planned = trials("sgd(lr=0.1)", "adam(lr=0.1)", "adabound", seeds=2)
    events = [event for event in driver.run(planned) if not isinstance(event, StepsDone)]
    for trial in planned:
        own = [event for event in events if getattr(event, "key", None) == trial.key]
        assert [type(event) for event in own] == [Started, EpochDone, EpochDone, EpochDone, Finished]
        assert [event.epoch.epoch for event in own[1:4]] == [1, 2, 3]
    assert len(events) == 5 * len(planned)
    assert numbers(events) == numbers(serial(planned))
    assert {event.environment["device"] for event in events if isinstance(event, Started)} == {"cpu"}
    assert_none_left(runner)


def test_a_trial_that_diverges_or_fails_leaves_the_others_alone(driver):
    class Refuses(torch.optim.SGD):
        def step(self):
            raise ZeroDivisionError("no step today")

    bad = foreign(Refuses)
    planned = [bad, *trials("sgd(lr=1e30)", "adam")]
    ends = {event.key: event for event in driver.run(planned) if isinstance(event, End)}
    assert [type(ends[trial.key]) for trial in planned] == [Failed, Diverged, Finished]
    assert "ZeroDivisionError: no step today (test_executors.py, line" in ends[bad.key].reason


def test_a_killed_workers_trial_goes_on_from_its_last_epoch_and_ends_bit_equal(driver, runner, tmp_path):
    planned = trials("adam(lr=0.1)", epochs=4)
    events, hold = [], Hold(tmp_path / "released", passes=13)
    for event in driver.run(planned, line(hold), size=1):
        events.append(event)
        if isinstance(event, EpochDone) and event.epoch.epoch == 2:
            kill(runner)
            hold.released.touch()
    started = [event.epoch for event in events if isinstance(event, Started)]
    assert started[0] == 0
    assert started[1] >= 2
    assert sum(isinstance(event, End) for event in events) == 1
    assert numbers(events) == numbers(serial(planned))


def test_a_trial_that_kills_every_worker_fails_and_the_others_go_on(driver, runner, tmp_path):
    planned = trials("sgd(lr=0.1)", "adam")
    ends, hold = {}, Hold(tmp_path / "released", passes=3)
    for event in driver.run(planned, line(hold), size=1):
        if isinstance(event, Started) and event.key == planned[0].key:
            kill(runner)
        if isinstance(event, End):
            ends[event.key] = event
            hold.released.touch()
    first, second = (ends[trial.key] for trial in planned)
    assert isinstance(first, Failed)
    assert "died 3 times" in first.reason
    assert isinstance(second, Finished)


def of_function(train, *optimizers, **more):
    """A training function as a task, a trial of it for each optimizer, and their events in a process of its own."""
    task = task_of(train)
    return task, [trial_of(task, optimizer, **more) for optimizer in optimizers]


def trained_here(train, *optimizers, **more):
    return told([event for one in optimizers for event in events_of(train, optimizer=one, **more)])


def told(events):
    """As text, in which what is not told equals itself."""
    return repr(sorted(numbers(events).items()))


@pytest.mark.usefixtures("one_thread")
def test_a_training_function_has_the_events_and_numbers_of_one_process(driver, runner):
    arms = ("sgd(lr=0.1)", "adam", torch.optim.NAdam)
    task, planned = of_function(classify, *arms)
    events = [event for event in driver.run(planned, task) if not isinstance(event, StepsDone)]
    for trial in planned:
        own = [event for event in events if event.key == trial.key]
        assert [type(event) for event in own] == [Started, EpochDone, EpochDone, EpochDone, Finished]
    assert told(events) == trained_here(classify, *arms)
    assert_none_left(runner)


@pytest.mark.usefixtures("one_thread")
def test_a_function_whose_worker_is_killed_goes_on_from_its_last_epoch_and_ends_bit_equal(driver, runner):
    task, planned = of_function(slowly, "adam", epochs=4)
    events = []
    for event in driver.run(planned, task, size=1):
        events.append(event)
        if isinstance(event, EpochDone) and event.epoch.epoch == 2:
            kill(runner)
    started = [event.epoch for event in events if isinstance(event, Started)]
    assert (started[0], started[1] >= 2) == (0, True)
    assert told(events) == trained_here(slowly, "adam", epochs=4)


def test_a_function_is_tried_out_timed_and_ended_with_its_own_error(driver):
    def train(run):
        if run.hyper["lr"] == 0.25:
            raise ZeroDivisionError("not with this rate")
        found = classify(run)
        assert "torch._dynamo" not in sys.modules, "torch's compiler is not loaded where nothing compiles"
        return found

    task, (good, bad) = of_function(train, "sgd(lr=0.5)", "sgd(lr=0.25)")
    planned = [replace(good, purpose="try"), replace(good, purpose="pilot"), bad]
    ends = {event.key: event for event in driver.run(planned, task) if isinstance(event, End)}
    assert [type(ends[trial.key]) for trial in planned] == [TryOutPassed, PilotTimed, Failed]
    assert "ZeroDivisionError: not with this rate (test_executors.py, line" in ends[bad.key].reason


@pytest.mark.usefixtures("one_thread")
def test_a_function_is_tuned_measured_and_judged(runner, tmp_path):
    asked = {"optimizers": ["sgd", "adam"], "better": "max", "epochs": 1, "trials": 4, "seeds": 2, "device": "cpu"}
    there = surefoot.compare(train=classify, runner=runner, workers=2, store=tmp_path / "there.sqlite", **asked)
    with here():
        here_too = surefoot.compare(train=classify, store=tmp_path / "here.sqlite", **asked)
    studies = there, here_too
    scores = [[(one.label, one.seed, one.epochs[-1].validation_metric) for one in study.records] for study in studies]
    assert scores[0] == scores[1]
    assert there.verdict == here_too.verdict
    assert_none_left(runner)


def test_the_iterator_can_be_closed_at_any_time_and_leaves_no_process(driver, runner):
    for wanted in (Started, EpochDone):
        for event in driver.run(trials("sgd", "adam", seeds=2), line(pause)):
            if isinstance(event, wanted):
                break
        assert_none_left(runner)


def test_at_the_deadline_what_runs_is_stopped_unfinished(driver, runner, clock):
    events = []
    for event in driver.run(trials("sgd", epochs=1_000_000), line(pause), size=1, deadline=clock() + 1e6):
        events.append(event)
        if isinstance(event, EpochDone):
            clock.forward = 1e6
    assert not any(isinstance(event, End) for event in events)
    assert_none_left(runner)


def test_a_trial_that_takes_too_long_has_failed_and_the_others_go_on(driver, clock):
    long, short = trials("sgd", epochs=1_000_000)[0], trials("adam", epochs=1)[0]
    ends = {}
    for event in driver.run([long, short], line(pause), size=1, trial_timeout=1e6):
        if isinstance(event, EpochDone) and event.key == long.key:
            clock.forward += 1e6
        if isinstance(event, End):
            ends[event.key] = event
    assert ends[long.key] == Failed(long.key, "took longer than 1e+06 s")
    assert isinstance(ends[short.key], Finished)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere it needs psutil")
def test_a_trial_that_uses_too_much_memory_has_failed_and_the_others_go_on(driver):
    class Hungry(torch.optim.SGD):
        def step(self):
            hoard.append(np.ones(2_000_000))
            pause()

    hoard = []
    hungry, modest = foreign(Hungry, epochs=100_000), trials("adam", epochs=1)[0]
    events = list(driver.run([hungry, modest], size=1, trial_memory="1GB"))
    ends = {event.key: event for event in events if isinstance(event, End)}
    assert ends[hungry.key] == Failed(hungry.key, "used more than 1 GB of memory")
    assert isinstance(ends[modest.key], Finished)


def test_workers_stay_for_the_next_run(runner):
    with open_executor(runner, line(), "cpu", 1) as executor:
        list(executor.run(trials("sgd"), lambda _: None))
        before = workers(runner)
        list(executor.run(trials("adam"), lambda _: None))
        assert workers(runner) == before != []
    assert_none_left(runner)


def test_what_one_worker_writes_into_the_data_no_other_sees(driver):
    planned = trials("sgd(lr=0.1)", "adam(lr=0.1)", epochs=1)
    given = line(pause)
    before = given.data.train.arrays[0].copy()
    list(driver.run(planned, given))
    assert np.array_equal(given.data.train.arrays[0], before)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "rai"}, "unknown runner 'rai'. Did you mean 'ray'"),
        ({"address": "auto"}, "are for a Ray cluster, and runner is local; make it ray"),
        ({"gpus_per_trial": 0.25}, "are for a Ray cluster, and runner is local; make it ray"),
        ({"name": "ray", "cpus_per_trial": -1}, "give numbers from 0"),
    ],
)
def test_an_engine_that_cannot_be_is_refused(options, words):
    with pytest.raises(UsageError, match=words.replace("?", r"\?")):
        Runner(**options)


def test_a_limit_that_cannot_be_is_refused():
    with pytest.raises(UsageError, match="trial_timeout is 0; give a number above 0"):
        Limits(seconds=0)


@pytest.mark.parametrize("runner", [RAY], indirect=True)  # this machine's workers share what there is
def test_a_trial_that_no_node_has_room_for_is_refused(runner):
    with pytest.raises(UsageError, match="a trial takes 1 cores and 1 GPUs, and the whole Ray cluster has 2 cores"):
        capacity(replace(runner, gpus_per_trial=1.0), "cuda")


@pytest.mark.parametrize(
    ("text", "size"), [("4GB", 4e9), ("1.5 gb", 1.5e9), ("500MB", 5e8), ("2GiB", 2**31), ("100", 100)]
)
def test_an_amount_of_memory_is_read_as_people_write_it(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "4XB", "1.2.3GB", "-1GB"])
def test_other_text_is_no_amount_of_memory(text):
    with pytest.raises(UsageError, match="is no amount of memory; write it as 4GB or 500MB"):
        parse_bytes(text)
