"""The verdict on scores that were made anywhere: `judge` takes a table of optimizer, seed and score.

The table becomes trials like those of a comparison, so verdict, pairs, report and JSON are the same. Where it lies in a
file, the seeds of each verdict are noted beside it: more seeds later are another look, as they are in a store.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from surefoot.analysis import Summary, summarize
from surefoot.errors import UsageError
from surefoot.files import write_whole
from surefoot.store.looks import Look
from surefoot.store.margin import read_margin
from surefoot.store.protocol import Better, Metric, Protocol
from surefoot.store.records import Outcome, Record

Scores = Mapping[str, Mapping[int, float]]
"""The score of each optimizer by seed; not a number where it diverged."""

NAMES = ("optimizer", "seed", "score")
DIVERGED = ("", "nan", "diverged")
"""What stands in the place of a score that there is none of."""


def judge(
    scores: Any,
    *,
    better: Better = "max",
    metric: str = "score",
    share: bool = False,
    margin: float | str | None = None,
    chance: float | None = None,
    name: str = "scores",
) -> Summary:
    """Judge scores made anywhere: which optimizer is best, which are tied, how sure that is.

    Use it on results of your own scripts, of W&B or of TensorBoard. Optimizers must have been run with the same seeds:
    differences are taken seed by seed, and nothing is claimed below five.

    Args:
        scores: `{"adam": {0: 0.91, 1: 0.92}, ...}`, `{"adam": [0.91, 0.92], ...}` (seeds 0, 1), a data frame, or the
            path of a CSV file. A table is long, with columns optimizer, seed and score, or wide, with a column seed and
            one for each optimizer. A seed that diverged has nan, "diverged" or nothing for its score.
        better: whether `max` or `min` is better.
        metric: what the scores are called.
        share: whether they are shares such as an accuracy, from 0 to 1, which are written in per cent.
        margin: by how much two may differ and still count as equal. Points of a share (`0.3`); of any other score a
            number (`0.01`), or a part of it (`"2%"`).
        chance: the score of guessing, which is what a seed counts that diverged. Without it such a seed counts as no
            better than the worst.
        name: what the scores are of; that of the file, where they lie in one.

    Returns:
        everything that is known of them: `.verdict`, `.comparisons`, `.rows`; it is written by `surefoot.words`.

    Raises:
        UsageError: a row cannot be read, by its line; or there are no two optimizers.

    Example:
        >>> print(verdict_text(judge({"adam": [0.91, 0.92, 0.90], "sgd": [0.88, 0.89, 0.87]})))
    """
    if better not in ("max", "min"):
        raise UsageError("better", f" is {better!r}; expected 'max' or 'min'.")
    path = Path(scores) if isinstance(scores, str | PathLike) else None
    found = read_csv(path) if path else _read(scores)
    if len(found) < 2:
        raise UsageError(f"there are scores of {', '.join(found) or 'no optimizer'}; expected two optimizers or more.")
    looks = _looks(path)
    judged_by = Metric(metric, better, share)
    protocol = Protocol(task=path.stem if path else name, metric=judged_by, own_loop=True, chance=chance)
    made = summarize([*_records(found, protocol, looks)], margin=read_margin(margin, judged_by))
    if path:
        _note(path, looks, found)
    return made


def read_csv(path: Path) -> dict[str, dict[int, float]]:
    """Return the scores of a CSV file, long or wide.

    Raises:
        UsageError: it cannot be read, or a line of it.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text file; expected CSV.") from error
    if not rows:
        raise UsageError(f"{path} has no rows; expected a line of names, and one or more below it.")
    columns = {str(column): [row[column] for row in rows] for column in rows[0] if column is not None}
    return _read_table(columns, f"{path}, line", 2)


def _read(scores: Any) -> dict[str, dict[int, float]]:
    """Return the scores of a mapping or a data frame."""
    if hasattr(scores, "columns"):
        return _read_table({str(column): list(scores[column]) for column in scores.columns}, "row", 0)
    if not isinstance(scores, Mapping):
        raise UsageError(f"scores are {type(scores).__name__}; expected a mapping, a data frame or the path of a CSV.")
    return {
        str(label): {
            int(seed): _score(score, f"{label}, seed {seed}")
            for seed, score in (own.items() if isinstance(own, Mapping) else enumerate(own))
        }
        for label, own in scores.items()
    }


def _read_table(columns: Mapping[str, Sequence[Any]], what: str, first: int) -> dict[str, dict[int, float]]:
    """Return the scores of a table; `what` and `first` are how its rows are named and counted."""
    names = {name.strip().lower(): name for name in columns}
    if "seed" not in names:
        raise UsageError(f"the table has the columns {', '.join(columns)}; expected seed, and optimizer and score.")
    cells = _long(columns, names) if "optimizer" in names else _wide(columns, names["seed"])
    found: dict[str, dict[int, float]] = {}
    for row, label, seed, score in cells:
        where = f"{what} {first + row}"
        own, number = found.setdefault(str(label).strip(), {}), _seed(seed, where)
        if number in own:
            raise UsageError(f"{where}: {label} has seed {number} twice; give each seed once.")
        own[number] = _score(score, where)
    return found


def _long(columns: Mapping[str, Sequence[Any]], names: Mapping[str, str]) -> Iterator[tuple[int, Any, Any, Any]]:
    if "score" not in names:
        raise UsageError(f"the table has the columns {', '.join(columns)}; expected one that is called score.")
    rows = zip(*(columns[names[name]] for name in NAMES), strict=True)
    return ((row, *cells) for row, cells in enumerate(rows))


def _wide(columns: Mapping[str, Sequence[Any]], seed: str) -> Iterator[tuple[int, Any, Any, Any]]:
    for label, scores in columns.items():
        if label != seed:
            for row, (number, score) in enumerate(zip(columns[seed], scores, strict=True)):
                yield row, label, number, score


def _seed(value: Any, where: str) -> int:
    try:
        number = float(value)
        if number != int(number):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{where}: the seed is {value!r}; expected a whole number.") from None
    return int(number)


def _score(value: Any, where: str) -> float:
    if value is None or str(value).strip().lower() in DIVERGED:
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(f"{where}: the score is {value!r}; expected a number, or nothing if it diverged.") from None


def _records(scores: Scores, protocol: Protocol, looks: Sequence[Scores]) -> Iterator[Record]:
    """Each score as a trial."""
    for label, own in scores.items():
        for seed, score in own.items():
            judged = frozenset(Look(k) for k, look in enumerate(looks) if seed in look.get(label, ()))
            ended: dict[str, Any] = {"status": "diverged", "reason": "no score"}
            if math.isfinite(score):
                ended = {"status": "finished", "outcome": Outcome(math.nan, score, *(math.nan,) * 3, 0, 0)}
            yield Record(f"{label} {seed}", protocol.task, label, label, "", {}, seed, protocol, judged=judged, **ended)


def _noted(path: Path) -> Path:
    return path.with_name(f"{path.name}.looks.json")


def _looks(path: Path | None) -> list[Any]:
    """Return the seeds of each optimizer at each earlier verdict on a file."""
    if path is None or not _noted(path).exists():
        return []
    try:
        looks = json.loads(_noted(path).read_text(encoding="utf-8"))["looks"]
        return [{str(label): [int(seed) for seed in seeds] for label, seeds in look.items()} for look in looks]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{_noted(path)} should have the seeds of earlier verdicts and cannot be read ({error}); put it back, or "
            "delete it if these scores were never judged before."
        ) from error


def _note(path: Path, looks: list[Any], scores: Scores) -> None:
    """Note a verdict beside its file, if it was on other seeds than the last."""
    now = {label: sorted(own) for label, own in scores.items()}
    if not looks or now != looks[-1]:
        write_whole(_noted(path), json.dumps({"looks": [*looks, now]}, indent=1))
