"""Tables of scores: long, wide, and W&B's table of runs, as the web page and the API's script write it."""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot.errors import UsageError, unknown
from surefoot.scores.charts import COLUMNS, is_chart, read_chart
from surefoot.scores.entries import Entry, entry
from surefoot.scores.run_names import read_run

NAMES: Mapping[str, tuple[str, ...]] = {
    "optimizer": ("optimizer",),
    "seed": ("seed",),
    "score": ("score",),
    "task": ("task",),
    "loss": ("loss", "test loss", "test_loss"),
    "epochs": ("epochs to target", "epochs_to_target"),
    "chance": ("chance",),
    "state": ("state",),
}
"""The names of the columns for each part of an entry."""

PREFIXES = ("", "config.", "config/", "summary.", "summary/")

Columns = Mapping[str, Sequence[Any]]

NAN = re.compile(r"(?<=[:\[,] )-?(?:nan|inf|NaN|Infinity)\b")
"""NaN and infinity in a printed dict."""


def read_csv(path: Path, given: Mapping[str, str], runs: str | None) -> Iterator[tuple[str, Entry]]:
    """Yield the entries of a CSV file; `UsageError` where it, or a line of it, cannot be read."""
    columns = csv_columns(path)
    yield from read_table(columns, str(path), f"{path}, line", 2, given, runs)


def csv_columns(path: Path) -> dict[str, list[Any]]:
    """Return the columns of a CSV file by name; there is at least one row."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text file; expected CSV.") from error
    if not rows:
        raise UsageError(f"{path} has no rows; expected a line of names, and one or more below it.")
    for mark, what in ((";", "semicolons"), ("\t", "tabs")):
        if mark in str(next(iter(rows[0]))):
            raise UsageError(f"{path} has {what} between its cells; write commas there, and a point in 0.5.")
    for number, row in enumerate(rows, 2):
        if None in row:
            raise UsageError(f"{path}, line {number}: there are more cells than names; quote a text with a comma.")
    return {str(column): [row[column] for row in rows] for column in rows[0]}


def read_table(
    columns: Columns, what: str, row: str, first: int, given: Mapping[str, str], runs: str | None
) -> Iterator[tuple[str, Entry]]:
    """Yield the entries of a table, each with where it stands.

    Args:
        columns: columns by name.
        what: name of the table in errors.
        row: name of a row in errors.
        first: number of the first row.
        given: the user's names of columns, by the parts in `NAMES`.
        runs: pattern of the names of runs.
    """
    if unnamed := [name for name in given if name not in NAMES]:
        raise unknown("part of a score", unnamed[0], NAMES)
    if is_chart(list(columns)):
        return read_chart(columns, what, given.get("score"), runs)
    columns = _spread(columns, row, first)
    names = _find(columns, given)
    if "seed" in names and "optimizer" not in names and not _of_runs(columns):
        return _wide(columns, names, row, first)
    return _long(columns, names, row, first, runs)


def _find(columns: Columns, given: Mapping[str, str]) -> dict[str, str]:
    """Return the column of each part. W&B's loss is that of training, so it is no part unless the user says so."""
    lower = {name.strip().lower(): name for name in columns}
    found = {}
    for part, names in NAMES.items():
        wanted = (given[part].strip().lower(),) if part in given else names
        column = next((lower[form] for one in wanted for p in PREFIXES if (form := f"{p}{one}") in lower), None)
        if column is None and part in given:
            raise unknown("column", given[part], columns)
        if column is not None and not (part == "loss" and part not in given and _of_runs(columns)):
            found[part] = column
    return found


def _of_runs(columns: Columns) -> bool:
    """Return whether it is W&B's table, which has a run in each row."""
    return "name" in {name.strip().lower() for name in columns} and any(
        name.strip().lower() == "state" or name.startswith(PREFIXES[1:]) for name in columns
    )


def _spread(columns: Columns, row: str, first: int) -> Columns:
    """Return a column for each key of printed dicts, as the API's script writes them."""
    if not {"summary", "config", "name"} <= set(columns):
        return columns
    spread: dict[str, list[Any]] = {"name": list(columns["name"])}
    for kind in ("config", "summary"):
        dicts = [_dict(text, f"{row} {number}", kind) for number, text in enumerate(columns[kind], first)]
        for key in dict.fromkeys(key for one in dicts for key in one):
            spread[f"{kind}.{key}"] = [one.get(key) for one in dicts]
    return spread


def _dict(text: Any, where: str, kind: str) -> Mapping[str, Any]:
    try:
        found = ast.literal_eval(NAN.sub(r"'\g<0>'", str(text)))
    except (ValueError, SyntaxError):
        found = None
    if not isinstance(found, dict):
        raise UsageError(f"{where}: the {kind} is {text!r}; expected a dict as Python prints it.")
    return found


def _long(
    columns: Columns, names: Mapping[str, str], row: str, first: int, runs: str | None
) -> Iterator[tuple[str, Entry]]:
    """Yield an entry for each row, a run; its name has what no column has."""
    run = next((name for name in columns if name.strip().lower() == "name"), None) if _of_runs(columns) else None
    known = ", ".join(columns)
    wanted = "" if "score" in names else "one that is called score"
    wanted = "seed, and optimizer and score" if run is None and "seed" not in names else wanted
    if wanted:
        raise UsageError(
            f"the table has the columns {known}; expected {wanted}, or name yours in ", COLUMNS, ": score=val_acc."
        )
    for number, cells in enumerate(zip(*columns.values(), strict=True), first):
        where, raw = f"{row} {number}", dict(zip(columns, cells, strict=True))
        told = {part: raw[column] for part, column in names.items()}
        if run is not None and not {"optimizer", "seed"} <= told.keys():
            told = {**read_run(str(raw[run]), runs, where), **told}
        yield where, entry(told, where)


def _wide(columns: Columns, names: Mapping[str, str], row: str, first: int) -> Iterator[tuple[str, Entry]]:
    """Yield the entries of a wide table: rows are seeds, columns are optimizers."""
    common = {part: names[part] for part in ("seed", "task", "chance") if part in names}
    for label in columns:
        if label not in common.values():
            for place, score in enumerate(columns[label]):
                where = f"{row} {first + place}"
                told = {part: columns[name][place] for part, name in common.items()}
                yield where, entry({**told, "optimizer": label, "score": score}, where)
