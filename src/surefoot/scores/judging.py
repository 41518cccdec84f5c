"""From scores to their verdict: scores become trials like those of a comparison, and are judged as such.

The seeds of each verdict on a file are noted beside it. More seeds later are another look, as they are in a store.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from surefoot.analysis import Summary, summarize
from surefoot.errors import Argument, UsageError, one_line
from surefoot.result import Result
from surefoot.scores.entries import Entries, Entry, by_task, read_score
from surefoot.scores.looks import SeedsSeen, looks, note
from surefoot.scores.tables import read_csv, read_table
from surefoot.scores.tensorboard import read_folder
from surefoot.store.looks import BEST, TakenLook
from surefoot.store.margin import read_margin
from surefoot.store.protocol import Better, Metric, Protocol, read_better
from surefoot.store.records import Outcome, Record, Status
from surefoot.suite import Suite


def judge(
    scores: Any,
    *,
    better: Better = "max",
    metric: str = "score",
    share: bool = False,
    margin: float | str | None = None,
    chance: float | None = None,
    name: str = "scores",
    columns: Mapping[str, str] | None = None,
    runs: str | None = None,
) -> Result:
    """Judge scores from anywhere: which optimizer is best, which are tied, and how sure that is.

    Use it on results of your own scripts, of W&B or of TensorBoard. Run all optimizers with the same seeds: differences
    are taken seed by seed. With fewer than five seeds nothing is claimed.

    Args:
        scores: `{"adam": {0: 0.91, 1: 0.92}, ...}`, `{"adam": [0.91, 0.92], ...}` (seeds 0, 1), a data frame, or the
            path of a CSV file or of a folder from TensorBoard. A long table has columns optimizer, seed and score. A
            wide one has a column seed and one for each optimizer. Exports of W&B work too. A seed that diverged has
            nan, "diverged" or nothing for its score. A long table may also have `test_loss`, `epochs_to_target` (empty
            for a miss), `task` and `chance` (the score of guessing).
        better: direction of better scores: `max` or `min`.
        metric: name of the scores.
        share: whether scores are shares from 0 to 1, such as an accuracy. They are shown in per cent.
        margin: difference that still counts as equal. For a share it is in points (`0.3`), for any other score a number
            (`0.01`) or a part of it (`"2%"`).
        chance: score of guessing, which a seed that diverged counts. Without it such a seed counts as no better than
            the worst. A column `chance` has it for each task.
        name: name of the result; scores in a file take the name of the file.
        columns: your names of columns, as in `{"score": "val_acc"}`.
        runs: pattern of the names of runs, such as `{optimizer}_{seed}`, if no columns have optimizer and seed.

    Returns:
        the verdict in words, table, report and JSON; `.summary` has the numbers.

    Raises:
        UsageError: a row cannot be read, there are fewer than two optimizers, or there are several tasks.

    Example:
        >>> print(surefoot.judge({"adam": [0.91, 0.92, 0.90], "sgd": [0.88, 0.89, 0.87]}).verdict)
    """
    tasks = _judged(scores, _Options(Metric(metric, better, share), margin, chance, name, columns or {}, runs))
    if len(tasks) > 1:
        raise UsageError(f"the scores are of the tasks {', '.join(tasks)}; use judge_suite, which judges several.")
    return Result(*next(iter(tasks.items())))


def judge_suite(
    scores: Any,
    *,
    better: Better = "max",
    metric: str = "score",
    share: bool = False,
    margin: float | str | None = None,
    chance: float | None = None,
    columns: Mapping[str, str] | None = None,
    runs: str | None = None,
) -> Suite[Result]:
    """Judge scores of several tasks, each by itself and all together.

    Args:
        scores: table with a column `task`, as `judge` takes it.
        better: direction of better scores, for every task: `max` or `min`.
        metric: name of the scores.
        share: whether scores are shares from 0 to 1.
        margin: difference that still counts as equal.
        chance: score of guessing, if no column has it.
        columns: your names of columns.
        runs: pattern of the names of runs, which may have `{task}`.

    Raises:
        UsageError: a row cannot be read, a task has one optimizer, or no optimizer has a result in all tasks.

    Example:
        >>> print(surefoot.judge_suite("scores.csv").table())
    """
    tasks = _judged(scores, _Options(Metric(metric, better, share), margin, chance, "scores", columns or {}, runs))
    return Suite({task: Result(task, summary) for task, summary in tasks.items()})


def judge_any(scores: Any, **options: Any) -> Result | Suite[Result]:
    """Judge scores of one task as `judge` does, and scores of several as `judge_suite` does."""
    found = judge_suite(scores, **options)
    first, *others = found.studies.values()
    return found if others else first


@dataclass(frozen=True)
class _Options:
    metric: Metric
    margin: float | str | None
    chance: float | None
    name: str
    columns: Mapping[str, str]
    runs: str | None


def _judged(scores: Any, options: _Options) -> dict[str, Summary]:
    """Return the summary of each task, by its name."""
    read_better(options.metric.better, "the scores")
    one_line(Argument("name"), options.name)
    one_line(Argument("metric"), options.metric.name)
    path = Path(scores) if isinstance(scores, str | PathLike) else None
    tasks = by_task(_read(path or scores, options))
    earlier = looks(path) if path else {}
    found = {
        name: _summary(entries, name, options, earlier.get(task, []))
        for task, entries in tasks.items()
        for name in [task or (path.stem if path else options.name)]
    }
    if path:
        note(path, earlier, tasks)
    return found


def _read(scores: Any, options: _Options) -> Iterator[tuple[str, Entry]]:
    """Yield each score with where it stands."""
    if isinstance(scores, Path):
        yield from (read_folder if scores.is_dir() else read_csv)(scores, options.columns, options.runs)
    elif hasattr(scores, "columns"):
        columns = {str(column): list(scores[column]) for column in scores.columns}
        yield from read_table(columns, "the table", "row", 0, options.columns, options.runs)
    elif isinstance(scores, Mapping):
        for label, own in scores.items():
            for seed, value in own.items() if isinstance(own, Mapping) else enumerate(own):
                where = f"{label}, seed {seed}"
                score = read_score(value, where)
                status: Status = "finished" if math.isfinite(score) else "diverged"
                yield where, Entry(one_line("an optimizer", str(label)), int(seed), score, status=status)
    else:
        raise UsageError(f"scores are {type(scores).__name__}; expected a mapping, a data frame or the path of a CSV.")


def _summary(entries: Entries, task: str, options: _Options, earlier: Sequence[SeedsSeen]) -> Summary:
    if len(entries) < 2:
        raise UsageError(
            f"there are scores of {', '.join(entries) or 'no optimizer'}; expected two optimizers or more."
        )
    every = [one for own in entries.values() for one in own.values()]
    beyond = [one for one in every if options.metric.share and one.status == "finished" and not 0 <= one.score <= 1]
    if beyond:
        raise UsageError(
            f"{beyond[0].optimizer} has the score {beyond[0].score:g} with seed {beyond[0].seed}, and ",
            Argument("share"),
            " takes scores from 0 to 1; divide by 100, or leave it out.",
        )
    chances = {options.chance if one.chance is None else one.chance for one in every}
    if len(chances) > 1:
        raise UsageError(f"{task} has the scores of guessing {', '.join(map(str, chances))}; expected one.")
    protocol = Protocol(task=task, metric=options.metric, own_loop=True, chance=chances.pop())
    margin = read_margin(options.margin, options.metric)
    timed = any(one.epochs is not None for one in every)
    times = {
        label: [
            math.inf if one.epochs is None or one.status == "diverged" else one.epochs
            for one in own.values()
            if one.ended
        ]
        for label, own in entries.items()
    }
    return summarize([_record(one, protocol, earlier) for one in every], None, margin, times=times if timed else None)


def _record(one: Entry, protocol: Protocol, earlier: Sequence[SeedsSeen]) -> Record:
    """Return a score as a trial."""
    outcome = Outcome(one.loss, one.score, *(math.nan,) * 3, 0, 0) if one.status == "finished" else None
    return Record(
        f"{one.optimizer} {one.seed}",
        protocol.task,
        one.optimizer,
        one.optimizer,
        "",
        {},
        one.seed,
        protocol,
        judged=frozenset(
            TakenLook(k, together=BEST.together(len(look)))
            for k, look in enumerate(earlier)
            if one.seed in look.get(one.optimizer, ())
        ),
        status=one.status,
        reason="no score" if one.status == "diverged" else "",
        outcome=outcome,
    )
