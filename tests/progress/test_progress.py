"""The bars in a terminal: a resumed trial's time left, and lines that fit."""

import io
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console
from torch import nn

from planned_run import plan
from surefoot.options import Options
from surefoot.progress import progress
from surefoot.progress.board import Bars, Board, empty_bars
from surefoot.progress.words import Lines, name_of
from surefoot.store import Epoch, Outcome
from surefoot.store.design import TrialPart
from surefoot.training import events
from surefoot.words.numbers import time_left


@pytest.fixture(scope="module")
def trial():
    """One trial of the article with a long name."""
    options = Options(("a name that is longer than any column should be=sgd(lr=0.1)",), only=True, device="cpu")
    return plan("article", options).trials[0]


class clock:
    """The test's own."""

    now = 0.0


@pytest.fixture
def timed(monkeypatch):
    """The board reads the test's clock."""
    monkeypatch.setattr("surefoot.progress.board.time", SimpleNamespace(monotonic=lambda: clock.now))


def bars(width=80):
    console = Console(file=io.StringIO(), force_terminal=True, width=width, get_time=lambda: clock.now)
    drawn = empty_bars(console)
    return drawn, Bars(drawn, many=True)


def test_epochs_done_before_are_no_part_of_the_speed(trial):
    drawn, shown = bars()
    shown.observe(trial, events.Started(trial.key, 4))
    (task,) = drawn.tasks
    assert task.completed == 4 * trial.protocol.steps_per_epoch
    assert task.fields["place"] == "epoch 5/5"
    for step in (1, 2, 3):
        clock.now += 2.0
        shown.observe(trial, events.StepsDone(trial.key, 5, 4 * trial.protocol.steps_per_epoch + step, task.total, 0.5))
    assert task.speed == 0.5


@pytest.mark.parametrize("width", [60, 80])
def test_a_bar_fits_its_terminal_with_the_time_left(trial, width):
    drawn, shown = bars(width)
    with drawn:
        shown.observe(trial, events.Started(trial.key, 0))
        for step in (1, 2):
            clock.now += 1.0
            shown.observe(trial, events.StepsDone(trial.key, 1, step, 960, 0.5))
    console = Console(file=io.StringIO(), width=width)
    console.print(drawn.get_renderable())
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 1
    assert "loss 0.5000" in lines[0]
    assert lines[0].rstrip()[-1] != "…"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((0.9, 0.95), "betas=(0.9, 0.95)"),
        ([0.9, 0.12345], "betas=(0.9, 0.123)"),
        (None, "betas=None"),
        (nn.Linear, "betas=Linear"),
        (True, "betas=True"),
        ("fast", "betas=fast"),
    ],
)
def test_options_of_any_kind_are_written(trial, value, text):
    arm = replace(trial.arm, label="A", given={"lr": 0.00012345, "betas": value})
    assert name_of(replace(trial, arm=arm, purpose="tune"), many=False, longest=60) == f"A (lr=0.000123, {text})"


@pytest.mark.parametrize("values", [[math.nan, 0.5, 0.7], [0.5, math.nan, 0.7], [0.7, 0.5, math.nan]])
def test_an_epoch_without_a_metric_is_not_the_best(trial, values):
    board = Board([trial])
    for number, value in enumerate(values, 1):
        board.observe(trial, events.EpochDone(trial.key, Epoch(number, 1.0, 0.1, 0.1, 0.1, value), (), b""))
    assert "70.00 %" in board.__rich__().plain


def test_a_configuration_that_is_run_again_on_another_seed_is_told_apart(trial):
    first, again = (replace(trial, purpose="tune", seed=seed) for seed in (1000, 1001))
    assert name_of(again, many=False) == f"{name_of(first, many=False)} #1001"


@pytest.mark.usefixtures("timed")
def test_the_board_counts_tells_the_best_of_each_optimizer_and_the_time_left(trial):
    tuned = replace(trial, arm=replace(trial.arm, label="y"), purpose="tune", part=TrialPart("tuning", "x"))
    other = replace(trial, arm=replace(trial.arm, label="x"), seed=1)
    board = Board([trial, tuned, other])
    assert board.__rich__().plain == "0 of 3 trials done, 0 running"
    for one, accuracy in ((trial, 0.5), (tuned, 0.9), (other, 0.7)):
        board.observe(one, events.Started(one.key, 0))
        board.observe(one, events.EpochDone(one.key, Epoch(1, 1.0, 0.1, 0.5, 0.1, accuracy), (), b""))
    board.observe(trial, events.Finished(trial.key, Outcome(0.1, 0.5, 0.1, 0.5, 0.01, 0, 0)))
    clock.now += 70
    counts, best = board.__rich__().plain.splitlines()
    assert counts == "1 of 3 trials done, 2 running, about 80 s left, then what tuning chooses"
    chosen = replace(other, part=TrialPart("measured", "x"))
    board.observe(chosen, events.Started(chosen.key, 0))
    assert board.__rich__().plain.splitlines()[0].endswith(" left")
    assert best == f"Best validation accuracy so far: x 90.00 %, {trial.arm.label} 50.00 %"


def test_epochs_done_before_are_no_part_of_the_boards_speed(trial):
    board = Board([trial])
    board.observe(trial, events.Started(trial.key, 4))
    assert "left" not in board.__rich__().plain


@pytest.mark.usefixtures("timed")
def test_a_log_says_what_is_left_after_the_first_epoch_and_at_each_quarter(trial, capsys):
    every = [replace(trial, seed=seed) for seed in range(8)]
    lines = Lines(Board(every), many=True)
    for one in every:
        lines.observe(one, events.Started(one.key, 0))
        clock.now += 20
        lines.observe(one, events.EpochDone(one.key, Epoch(1, 1.0, 0.1, 0.5, 0.1, 0.5), (), b""))
        lines.observe(one, events.Finished(one.key, Outcome(0.1, 0.5, 0.1, 0.5, 0.01, 0, 0)))
    said = [line for line in capsys.readouterr().err.splitlines() if "trials done" in line]
    assert [line.split("] ")[1].split(" of ")[0] for line in said] == ["0", "2", "4", "6"]
    assert said[0].endswith("0 of 8 trials done, 1 running, about 13 min left.")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "under a second"),
        (79.9, "about 80 s"),
        (160, "about 2.7 min"),
        (5_999, "about 100 min"),
        (7e5, "about 194 h"),
    ],
)
def test_the_time_left_has_no_more_digits_than_a_guess_has(seconds, text):
    assert time_left(seconds) == text


@pytest.mark.parametrize(("optimizer", "tells"), [("sgd(lr=0.1)", False), ("sgd", True)])
def test_what_tuning_chooses_is_announced_where_something_is_tuned(capsys, optimizer, tells):
    planned = plan("logreg-digits", Options((optimizer,), only=True, device="cpu", seeds=2, trials=2))
    with progress(planned, 2, planned.trials):
        pass
    said = " ".join(capsys.readouterr().err.split())
    assert "Study logreg-digits" in said
    assert ("What tuning chooses is measured after it." in said) is tells
