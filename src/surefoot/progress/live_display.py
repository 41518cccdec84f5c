"""The display of running trials: bars in a terminal, a board in a notebook, lines anywhere else.

All of it goes to standard error, so that a result on standard output stays clean; in a notebook, to the cell's output.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Group
from rich.live import Live

from surefoot.analysis.interim import Interim
from surefoot.comparison.driver import Observer, Run
from surefoot.comparison.request import Request
from surefoot.design.trial import Trial
from surefoot.progress.board import Bars, Board, NotebookCell, empty_bars
from surefoot.progress.console import console_for_people
from surefoot.progress.tensorboard import event_files
from surefoot.progress.words import Lines
from surefoot.training.events import Event
from surefoot.words.looks import interim_text, left_out_text, plan_text
from surefoot.words.numbers import duration, join


@contextmanager
def progress(study: Run, known: int, todo: Sequence[Trial], logdir: Path | None = None) -> Iterator[Observer]:
    """Announce the run, and yield the function to call with each trial's events.

    Args:
        study: what is run.
        known: the number of its trials, as far as it is known now.
        todo: those of them that are to run.
        logdir: folder for TensorBoard's event files; None writes none.

    Raises:
        UsageError: event files are asked for and tensorboardX is not installed.
    """
    console = console_for_people(stderr=True)
    with ExitStack() as shown:
        observers = [shown.enter_context(event_files(logdir))] if logdir else []
        console.print(_opening(study, known, len(todo)))
        many = len({trial.seed for trial in study.trials}) > 1
        if console.is_jupyter:
            observers += [shown.enter_context(NotebookCell(Board(todo), many=many)).observe]
        elif console.is_terminal:
            bars, board = empty_bars(console), Board(todo)
            shown.enter_context(Live(Group(bars, board), console=console, transient=True))
            observers += [board.observe, Bars(bars, many=many).observe]
        else:
            observers += [Lines(Board(todo), many=many).observe]

        def observe(trial: Trial, event: Event) -> None:
            for one in observers:
                one(trial, event)

        yield observe


def announce(request: Request) -> None:
    """Say what is to be compared, before the first of it is prepared."""
    names = join([arm.label for arm in request.arms])
    words = f"Study {request.name}: {names}, on {request.protocol.device}."
    if request.budget.seconds is not None:
        words += f" Each is timed for a second or two, to see what {duration(request.budget.seconds)} buy."
    if flat := request.without_schedule:
        verb, whose = ("keeps", "its") if len(flat) == 1 else ("keep", "their")
        words += f" {join(flat)} {verb} a constant learning rate, as meant; schedule= among {whose} options sets one."
    console_for_people(stderr=True).print(words)


def say_look(found: Interim) -> None:
    """Say what a planned look has decided."""
    print(interim_text(found), file=sys.stderr, flush=True)


def _opening(study: Run, known: int, todo: int) -> str:
    first = study.trials[0]
    finished = f"{known - todo} already finished, " if known > todo else ""
    workers = min(study.workers, todo)
    running = f"{todo} to run, {workers} at a time on {first.protocol.device}" if todo else "nothing to run"
    plan = study.design.looks
    looks = "".join(f" {text}" for text in (plan_text(plan), left_out_text(plan)) if text and plan.at)
    tuned = study.tuning is not None and any(space.ranges for space in study.tuning.spaces.values())
    now = " up to the next look" if todo and len(plan.at) > 1 and not tuned else ""
    later = " What tuning chooses is measured after it." if tuned and todo else ""
    data = f" on {first.protocol.dataset}" if first.protocol.dataset else ""
    tries = " Workers start and try out each optimizer, which takes a while." if todo else ""
    return f"Study {study.name}{data}: {known} trials{now}, {finished}{running}.{looks}{later}{tries}"
