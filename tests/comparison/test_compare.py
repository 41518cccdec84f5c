"""Whole comparisons in worker processes: same numbers whatever the workers, nothing lost whatever is killed."""

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

import few_images
import surefoot
from few_images import few_test_images
from planned_run import plan
from surefoot.errors import UsageError
from surefoot.options import Options
from surefoot.store import Store
from surefoot.store.looks import TakenLook, Together
from surefoot.training.events import EpochDone, Finished, Started
from surefoot.workers import pool
from worker_processes import assert_gone, workers_of
from workers_here import here

SMALL = {"only": True, "optimizers": ("sgd(lr=0.1)", "adam"), "epochs": 2, "train_size": 500, "device": "cpu"}


def numbers(records):
    return {
        (r.label, r.seed): (
            [(e.epoch, e.train_loss, e.validation_loss, e.validation_metric) for e in r.epochs],
            r.rates,
            r.outcome and (r.outcome.test_loss, r.outcome.test_metric, r.outcome.train_loss),
        )
        for r in records
    }


def ignore(trial, event):
    """An observer that looks away."""
    del trial, event


def run(path, observe=ignore, **options):
    with few_test_images(), Store(path) as store:
        return plan("article", Options(**{**SMALL, **options})).run(store, observe)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The store and the records of two trials that were trained in this process, nothing in the way."""
    path = tmp_path_factory.mktemp("alone") / "results.sqlite"
    with here():
        return path, run(path)


@pytest.fixture
def undisturbed(finished):
    return numbers(finished[1])


@pytest.mark.usefixtures("forked_workers")
def test_the_numbers_do_not_depend_on_how_many_workers_there_are(tmp_path, undisturbed):
    assert numbers(run(tmp_path / "results.sqlite", workers=2)) == undisturbed


def test_the_same_command_again_trains_nothing(finished):
    path, records = finished
    heard = []
    assert run(path, lambda _, event: heard.append(event)) == records
    assert heard == []


def test_a_new_optimizer_joins_without_training_the_others_again(tmp_path, finished):
    path, records = finished
    more = shutil.copy(path, tmp_path / "results.sqlite")
    heard, optimizers = [], (*SMALL["optimizers"], "mine=adagrad")
    with here():
        *same, new = run(more, lambda _, event: heard.append(event), optimizers=optimizers)
    judged = frozenset({TakenLook(1, 1, together=Together(1, 1))})
    assert same == [replace(record, judged=judged) for record in records], "the first run has judged them"
    assert {event.key for event in heard} == {new.key}
    assert (new.label, new.status, len(new.epochs)) == ("mine", "finished", 2)


def test_a_killed_worker_is_replaced_and_its_trial_goes_on(tmp_path, undisturbed):
    killed, heard = [], []

    def kill_once(_trial, event):
        heard.append(event)
        if isinstance(event, EpochDone) and not killed:
            killed.append(event.key)
            for worker in workers_of():
                worker.kill()

    assert numbers(run(tmp_path / "results.sqlite", kill_once, workers=1)) == undisturbed
    assert Started(killed[0], 1) in heard


@pytest.mark.usefixtures("forked_workers")
def test_a_trial_that_kills_every_worker_fails_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "RESTARTS", 1)
    victim = []

    def kill_always(_trial, event):
        if isinstance(event, Started) and (not victim or event.key == victim[0]):
            victim[:] = [event.key]
            for worker in workers_of():
                worker.kill()

    first, second = run(tmp_path / "results.sqlite", kill_always, workers=1)
    assert (first.status, second.status) == ("failed", "finished")
    assert "died 2 times" in first.reason


def arguments(path):
    options = ["--only", "-o", "sgd(lr=0.1)", "-o", "adam", "--epochs", "2", "--train-size", "500"]
    options += ["--device", "cpu", "--workers", "1"]
    files = ["--store", str(path), "--report", str(path.with_suffix(".html")), "--json"]
    return ["compare", *options, *files]


def command(path):
    return [sys.executable, few_images.__file__, *arguments(path)]


MOMENTS = ("Study", "epoch 1/2, loss", "goes on")
"""The lines of its log after which the driver is stopped: workers start, an epoch is stored, a resumed trial trains."""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_the_driver_stopped_at_any_moment_loses_at_most_an_epoch(tmp_path, undisturbed, surefoot_command, how):
    path = tmp_path / "results.sqlite"
    kept = []
    for moment in MOMENTS:
        code, log, workers = stopped(command(path), moment, how)
        assert code == (130 if how == signal.SIGINT else -how), log
        assert "Traceback" not in log
        assert workers or moment == "Study", "no worker was alive at this moment: it proves nothing"
        kept.append(epochs_in(path))
    assert kept[1] >= 1
    assert kept == sorted(kept)
    with here(), few_test_images():
        _, last, log = surefoot_command(*arguments(path))
    assert [row["n"] for row in json.loads(last)["rows"]] == [1, 1], log
    with Store(path, readonly=True) as store:
        assert numbers(store.records()) == undisturbed


def stopped(call, moment, how):
    """Run a command to the line of its log that tells of the moment, and stop it; code, log, its workers then.

    These have ended before the rest of the log is read, which waits for all that may still write to it.
    """
    driver = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    log = ""
    while moment not in log:
        line = driver.stderr.readline()
        assert line, f"ended before {moment!r}: {log}"
        log += line
    workers = workers_of(driver.pid)
    driver.send_signal(how)
    code = driver.wait()
    assert_gone(workers)
    return code, log + driver.communicate()[1], workers


def epochs_in(path):
    """How many epochs the store has; no stop may damage or lock it, also none before its tables were made."""
    with Store(path) as store:
        return sum(len(record.epochs) for record in store.records())


def test_a_second_driver_on_one_store_is_refused(tmp_path):
    path = tmp_path / "results.sqlite"
    with Store(path):
        second = subprocess.run(command(path), capture_output=True, text=True)
    assert second.returncode == 2
    assert "surefoot: another process is writing the results store" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.usefixtures("forked_workers")
def test_a_budget_that_timing_alone_would_use_up_is_refused_with_what_would_do(tmp_path):
    given = {"optimizers": ["sgd", "adam", "adagrad"], "workers": 1, "device": "cpu"}
    with pytest.raises(UsageError, match=r"it buys about 0 trials of each of 3 .* These take about \d+ s"):
        surefoot.compare("booth", budget="0.2 s", store=tmp_path / "r.sqlite", **given)


def test_a_diverged_trial_is_kept_as_a_result(tmp_path):
    with here():
        (record,) = run(tmp_path / "results.sqlite", optimizers=("sgd(lr=1e30)",))
    assert record.status == "diverged"
    assert "loss became" in record.reason
    heard = []
    run(tmp_path / "results.sqlite", lambda _, event: heard.append(event), optimizers=("sgd(lr=1e30)",))
    assert not any(isinstance(event, Finished) for event in heard)
    assert heard == []
