"""Whole comparisons of a training function: as of a task, whatever is killed and however many workers there are."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import surefoot
from own_loops import accuracy, classify, held, net, slowly
from surefoot.comparison.ask import ask
from surefoot.comparison.forecast import foretell
from surefoot.errors import TrialError, UsageError
from surefoot.options import Options
from surefoot.range_test.find import lr_find
from surefoot.store import Store
from surefoot.training.events import EpochDone, Started
from worker_processes import assert_gone, workers_of
from workers_here import here

ONE = {"optimizers": ["sgd(lr=0.1)", "adam"], "better": "max", "epochs": 2, "trials": 0, "seeds": 2, "device": "cpu"}
TUNED = {**ONE, "optimizers": ["sgd", "adam"], "trials": 4, "seeds": 2}


def numbers(records):
    """What must be equal between two runs: all but times."""
    found = {}
    for one in records:
        epochs = [replace(epoch, seconds=0.0) for epoch in one.epochs]
        outcome = one.outcome and replace(one.outcome, step_seconds=0.0)
        found[one.label, one.seed, one.purpose, str(one.hyper)] = repr((epochs, one.rates, outcome, one.status))
    return found


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A finished comparison, with its store."""
    path = tmp_path_factory.mktemp("tuned") / "results.sqlite"
    with here():
        return surefoot.compare(train=classify, store=path, metric="hits", **TUNED)


def test_it_is_planned_tuned_and_judged_as_a_task_is(tuned):
    assert [row.label for row in tuned.summary.rows] == ["SGD", "Adam", "SGD tuned", "Adam tuned"]
    assert {record.status for record in tuned.records} == {"finished"}
    assert all(record.outcome.test_metric >= 0 for record in tuned.records if record.purpose == "measure")
    assert all(not record.outcome.test_metric >= 0 for record in tuned.records if record.purpose == "tune")
    assert "highest mean test hits" in tuned.verdict


def test_figures_that_a_function_does_not_tell_have_no_column_and_no_panel(tuned, tmp_path):
    header = str(tuned.table())
    assert "Test hits" in header
    assert not any(name in header for name in ("loss", "gap", "nan", "diverged"))
    page = tuned.report(tmp_path / "r.html").read_text()
    assert "Validation hits" in page
    assert "Training loss" in page
    assert "Validation loss" not in page
    assert "Training hits" not in page
    assert "Generalization" not in page


def test_a_loss_that_is_told_beside_the_value_has_a_column(tmp_path):
    def train(run):
        w = torch.nn.Parameter(torch.ones(2))
        optimizer = run.optimizer([w])
        for _ in run.epochs():
            optimizer.zero_grad()
            loss = (w**2).sum()
            loss.backward()
            optimizer.step()
            run.step(loss)
            run.report(lambda: (1 - w.abs().sum(), (w**2).sum()))
        run.test(lambda: (1 - w.abs().sum(), (w**2).sum()))

    with here():
        study = surefoot.compare(train=train, store=tmp_path / "r.sqlite", **ONE)
    assert "Test loss" in str(study.table())
    assert "Test score" in str(study.table())


def test_the_same_call_again_trains_nothing_and_says_the_same(tuned, capsys):
    before = tuned.store.read_bytes()
    capsys.readouterr()
    again = surefoot.compare(train=classify, store=tuned.store, metric="hits", **TUNED)
    assert "nothing to run" in capsys.readouterr().err
    assert numbers(again.records) == numbers(tuned.records)
    assert (str(again.table()), again.verdict) == (str(tuned.table()), tuned.verdict)
    assert tuned.store.stat().st_size == len(before)


def test_the_report_of_the_store_prints_what_the_comparison_did(tuned, surefoot_command):
    code, out, err = surefoot_command("report", "classify", "--store", str(tuned.store))
    assert code == 0, err
    assert " ".join(tuned.verdict.split()) in " ".join(out.split())


def test_a_page_says_how_it_is_repeated(tuned, tmp_path):
    page = tuned.report(tmp_path / "r.html").read_text()
    assert "train=...,  # the training function of" in page
    assert "better=" in page
    assert "batch_size=" not in page


def test_a_forecast_reckons_in_epochs(tuned):
    options = Options(store=tuned.store, **{**TUNED, "seeds": 4})
    found = foretell(ask(classify, options), options)
    assert found.numbers.seconds is None or found.numbers.seconds[0] > 0
    assert "nothing is trained yet" in str(found)


def test_an_edited_function_is_trained_anew(tmp_path, capsys):
    def make(bias):
        def train(run):
            classify(run)
            run.test(lambda: bias)

        return train

    with here():
        for bias, words in ((0.25, "4 to run"), (0.25, "nothing to run"), (0.5, "4 to run")):
            capsys.readouterr()
            study = surefoot.compare(train=make(bias), store=tmp_path / "r.sqlite", **ONE)
            assert words in capsys.readouterr().err
            assert {record.outcome.test_metric for record in study.records} == {bias}


def test_every_optimizer_is_tried_out_before_its_first_trial(tmp_path):
    class Refuses(torch.optim.SGD):
        def step(self, closure=None):  # noqa: ARG002
            raise ZeroDivisionError("no step today")

    optimizers = [surefoot.Opt(Refuses, lr=0.1), "adam"]
    with here():
        study = surefoot.compare(train=classify, store=tmp_path / "r.sqlite", **{**ONE, "optimizers": optimizers})
        found = surefoot.try_out(train=classify, **{**ONE, "optimizers": optimizers})
    failed = [record for record in study.records if record.status == "failed"]
    assert len(failed) == 2
    assert all(not record.epochs and "no step today" in record.reason for record in failed)
    assert [bool(reason) for reason in found.values()] == [True, False]


def test_a_function_that_errs_ends_with_its_error(tmp_path):
    def train(run):  # noqa: ARG001
        raise LookupError("no such data")

    with here(), pytest.raises(TrialError, match=r"no such data \(test_own_loops.py, line"):
        surefoot.compare(train=train, store=tmp_path / "r.sqlite", **ONE)


def test_a_budget_in_minutes_is_reckoned_from_an_epoch(tmp_path):
    given = {**ONE, "seeds": None, "trials": None, "epochs": None, "optimizers": ["sgd"], "workers": 1}
    with here(), Store(tmp_path / "r.sqlite") as store:
        planned = ask(classify, Options(budget="60 s", **given)).prepare(store)
    timing, sizing = planned.design.timings["SGD"], planned.design.sizing
    assert timing.keeping > 0
    assert sizing.epochs == 5
    assert 2 * sizing.seeds * sizing.epochs * timing.keeping < 60, "untuned and tuned"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"better": None}, "better is missing; say which value of what the training reports is better"),
        ({"model": net}, "train and model are given; a training function makes these itself"),
        ({"batch_size": 8}, "batch_size is for tasks; a training function makes its own batches"),
        ({"clip": 1.0}, "train and clip are given; a training function makes these itself"),
        ({"epochs": None, "steps": 100}, "steps is for tasks; a training function makes its own batches and epochs"),
        ({"dataset": "mnist"}, "dataset is for the built-in studies"),
        ({"metric": accuracy}, "give what they are called, such as metric='AUROC'"),
        ({"task": "article"}, "a task and train, better are given"),
    ],
)
def test_what_does_not_go_with_a_function_is_refused(given, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        surefoot.compare(**{**ONE, "train": classify, "store": tmp_path / "r.sqlite", **given})


def test_a_range_test_wants_a_task():
    with pytest.raises(UsageError, match="a range test takes the steps itself"):
        lr_find(classify, optimizers=["adam"], better="max")


FILE = """
import torch

def train(run):
    w = torch.nn.Parameter(torch.ones(2))
    optimizer = run.optimizer([w])
    for _ in run.epochs():
        optimizer.zero_grad()
        loss = (w ** 2).sum()
        loss.backward()
        optimizer.step()
        run.step(loss)
        run.report(loss)
    run.test(lambda: (w ** 2).sum())
"""


@pytest.mark.usefixtures("workers_here")
def test_the_command_takes_a_function_in_a_file(surefoot_command):
    Path("my_loop.py").write_text(FILE)
    common = ["my_loop.py:train", "--only", "-o", "sgd", "-o", "adam"]
    some = ["--epochs", "1", "--trials", "0", "--seeds", "2", "--device", "cpu"]
    code, _, err = surefoot_command("compare", *common, *some)
    assert code == 2
    assert "--better is missing; say which value" in err
    code, out, err = surefoot_command("try", "my_loop.py:train", "-o", "adam", "--better", "min", "--device", "cpu")
    assert (code, out) == (0, "Adam: works\n"), err
    code, out, err = surefoot_command("compare", *common, *some, "--better", "min")
    assert code == 0, err
    assert "Test loss using Adam" in out
    code, out, err = surefoot_command("compare", *common, *some, "--better", "min", "--dry-run")
    assert "every trial has ended" in out
    code, _, err = surefoot_command("compare", "article", "--better", "min")
    assert (code, "--better is for a metric of yours" in err) == (2, True)


def ignore(_trial, _event):
    """An observer that looks away."""


def run_of(train, path, observe=ignore, **options):
    request = ask(train, Options(**{**ONE, **options}))
    with Store(path) as store:
        return request.plan(request.wanted).run(store, observe)


@pytest.mark.usefixtures("forked_workers")
def test_two_workers_have_the_numbers_of_one_and_of_none(tmp_path):
    found = [numbers(run_of(classify, tmp_path / f"{workers}.sqlite", workers=workers)) for workers in (1, 2)]
    with here():
        found.append(numbers(run_of(classify, tmp_path / "here.sqlite")))
    assert found[0] == found[1] == found[2]


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize("saves", [True, False])
def test_a_killed_worker_is_replaced_and_its_trial_goes_on_where_it_was_kept(tmp_path, saves):
    killed, heard = [], []
    released = tmp_path / "released"
    train = held(released, saves)

    def kill_once(_trial, event):
        heard.append(event)
        if isinstance(event, EpochDone) and not killed:
            killed.append(event.key)
            for worker in workers_of():
                worker.kill()
            released.touch()

    found = numbers(run_of(train, tmp_path / "r.sqlite", kill_once, workers=1, epochs=3))
    with here():
        assert found == numbers(run_of(train, tmp_path / "here.sqlite", epochs=3))
    first, again = (event.epoch for event in heard if isinstance(event, Started) and event.key == killed[0])
    assert first == 0
    assert (again > 0) == saves


SCRIPT = """
import surefoot
from own_loops import slowly

surefoot.compare(train=slowly, optimizers=["sgd(lr=0.1)", "adam"], better="max", epochs=2, trials=0, seeds=2,
                 device="cpu", workers=1, store="r.sqlite")
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_the_driver_stopped_loses_at_most_an_epoch(tmp_path, how):
    (tmp_path / "script.py").write_text(f"import sys; sys.path[:0] = {sys.path!r}\n{SCRIPT}")
    driver = subprocess.Popen([sys.executable, "script.py"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    log = ""
    while "epoch 1/2, loss" not in log:
        line = driver.stderr.readline()
        assert line, log
        log += line
    workers = workers_of(driver.pid)
    driver.send_signal(how)
    assert driver.wait() == -how
    assert workers, "no worker was alive at this moment: it proves nothing"
    assert_gone(workers)  # before what comes next, which waits for all that may still write to the log
    driver.communicate()
    with Store(tmp_path / "r.sqlite") as store:
        assert sum(len(record.epochs) for record in store.records()) >= 1
    with here():
        assert numbers(run_of(slowly, tmp_path / "r.sqlite")) == numbers(run_of(slowly, tmp_path / "here.sqlite"))
