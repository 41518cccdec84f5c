"""The bars in a terminal: a resumed trial's time left, and lines that fit."""

import io
import time

import pytest
from rich.console import Console

from surefoot.cli import progress
from surefoot.comparison import events
from surefoot.comparison.planning import Options, plan


@pytest.fixture(scope="module")
def trial():
    """One trial of the article with a long name."""
    options = Options(("a name that is longer than any column should be=sgd(lr=0.1)",), only=True, device="cpu")
    return plan("article", options).trials[0]


def bars(width=80):
    console = Console(file=io.StringIO(), force_terminal=True, width=width)
    drawn = progress._bars(console)
    return drawn, progress.Bars(drawn, many=True)


def test_epochs_done_before_are_no_part_of_the_speed(trial):
    drawn, shown = bars()
    shown.observe(trial, events.Started(trial.key, 4))
    (task,) = drawn.tasks
    assert task.completed == 4 * trial.protocol.steps_per_epoch
    assert task.fields["epoch"] == "5/5"
    time.sleep(0.02)
    for step in (1, 2, 3):
        shown.observe(trial, events.Progress(trial.key, 5, 4 * trial.protocol.steps_per_epoch + step, task.total, 0.5))
        time.sleep(0.02)
    assert task.speed < 200  # two steps in 0.04 s; with the four epochs before it would be tens of thousands


@pytest.mark.parametrize("width", [60, 80])
def test_a_bar_fits_its_terminal_with_the_time_left(trial, width):
    drawn, shown = bars(width)
    with drawn:
        shown.observe(trial, events.Started(trial.key, 0))
        for step in (1, 2):
            shown.observe(trial, events.Progress(trial.key, 1, step, 960, 0.5))
            time.sleep(0.01)
    console = Console(file=io.StringIO(), width=width)
    console.print(drawn.get_renderable())
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 1
    assert "loss 0.5000" in lines[0]
    assert lines[0].rstrip()[-1] != "…"
