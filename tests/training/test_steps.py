"""A trial of so many steps, evaluated every so often, whatever part of the data that is."""

import contextlib
import io
import re
from dataclasses import replace

import pytest
import torch
from rich.console import Console

import surefoot
from line_task import line, numbers, trials
from surefoot.analysis import suite_summary
from surefoot.comparison.ask import ask
from surefoot.errors import UsageError
from surefoot.options import Options
from surefoot.progress.board import Bars, empty_bars
from surefoot.progress.words import place
from surefoot.report.page import drawn
from surefoot.report.provenance import protocol_in_words
from surefoot.report.repeat import repeat
from surefoot.training.events import EpochDone, Started
from surefoot.training.loop import Training
from surefoot.words import notes
from surefoot.words.results import arrival_table
from surefoot.words.suite import suite_notes
from workers_here import here

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


def diverged(evaluate_every):
    (planned,) = trials("sgd(lr=1e9)")
    heard = []
    planned = replace(planned, protocol=replace(planned.protocol, evaluate_every=evaluate_every))
    Training(planned, line(), heard.append).run(None)
    return heard[-1].reason


def test_where_a_loss_is_lost_is_told_in_what_the_trial_is_counted_in():
    assert re.search(r"at step \d+ \(epoch \d\)$|after epoch \d$", diverged(0))
    assert re.search(r"at step \d+$|after step \d+$", diverged(2))


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """A study in steps: what it says while it runs, its result and its page."""
    x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    data = ((x, (x[:, 0] > 0).long()),) * 3
    path, said = tmp_path_factory.mktemp("steps") / "r.sqlite", io.StringIO()
    with here(), contextlib.redirect_stderr(said):
        study = surefoot.compare(
            model=lambda: torch.nn.Linear(4, 2),
            data=data,
            optimizers=["sgd(lr=0.1)", "adam(lr=0.01)"],
            steps=1000,
            evaluate_every=100,
            trials=0,
            seeds=3,
            workers=1,
            device="cpu",
            store=path,
        )
    return study, said.getvalue(), study.report(path.with_name("r.html")).read_text(encoding="utf-8")


def test_a_study_in_steps_is_told_in_steps(counted):
    study, said, page = counted
    words = " ".join([str(study.table()), *study.table().captions, *notes(study.summary), study.verdict])
    assert "Steps to" in words
    assert "step 100/1000" in said
    assert "epoch" not in words.lower()
    assert "epoch" not in said
    shown = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)
    assert "1,000 steps" in shown
    assert not re.findall(r"[^<>]{0,60}epoch[^<>]{0,40}", re.sub(r'[-"]epoch', "", shown), flags=re.IGNORECASE)


def test_its_medians_are_steps_and_its_figures_run_against_them(counted):
    study, _, _ = counted
    (adam,) = [row for row in study.summary.rows if row.label.startswith("Adam")]
    steps = adam.reach.epochs * 100
    assert f"{steps:,.12g}" in str(study.table())
    assert f"{steps:,.12g} step" in str(arrival_table(study.summary))
    drawn_now = drawn(study.summary)
    assert "curves-epoch" not in drawn_now
    assert [switch.options for switch in drawn_now["curves-step"]["figure"].switches if switch.name == "clock"] == [
        ("steps", "seconds")
    ]
    assert suite_summary.summarize_suite({"one": study.summary}).times[adam.label]["one"] == steps
    assert "median steps" in " ".join(suite_notes(suite_summary.summarize_suite({"one": study.summary})))


def test_bars_count_in_steps():
    (trial,) = trials("sgd")
    trial = replace(trial, protocol=replace(trial.protocol, evaluate_every=50, epochs=4))
    console = Console(file=io.StringIO(), width=100)
    bars = empty_bars(console)
    shown = Bars(bars, many=False)
    shown.observe(trial, Started(trial.key, 0))
    assert bars.tasks[0].fields["place"] == "step 50/200"
    assert place(trial, 3) == "step 150/200"


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
        ({"steps": 1000, "evaluate_every": 300}, "a trial has to end with an evaluation; give 900 steps"),
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
