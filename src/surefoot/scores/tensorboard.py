"""A folder from TensorBoard: scalars as its page downloads them, or event files, which its own package reads.

The page downloads a file `run-RUN-tag-TAG.csv` with the columns `Wall time,Step,Value` for each run and tag. The score
of a run is its last value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from surefoot.errors import UsageError
from surefoot.scores.charts import COLUMNS
from surefoot.scores.entries import Entry, entry
from surefoot.scores.run_names import read_run
from surefoot.scores.tables import csv_columns

FILE = re.compile(r"run[-_](?P<run>.+)-tag-(?P<tag>.+)")
SCALARS = ["Wall time", "Step", "Value"]
EVENTS = "*tfevents*"

Last = tuple[str, str, str, Any]
"""A run, a tag, the place of its values, and the last of these."""


def read_folder(folder: Path, given: Mapping[str, str], runs: str | None) -> Iterator[tuple[str, Entry]]:
    """Yield the last value of each run, with where it stands.

    Args:
        folder: folder of CSV files, or one that TensorBoard shows.
        given: the tag of the score, under `score`, where there are several.
        runs: pattern of the names of runs.
    """
    files = sorted(folder.glob("*.csv"))
    last = [*map(_downloaded, files)] if files else [*_events(folder)]
    tags = dict.fromkeys(tag for _, tag, _, _ in last)
    # a browser writes _ for a slash in the name of a file
    wanted = {tag for tag in tags if given.get("score", tag).replace("/", "_") == tag.replace("/", "_")}
    if len(wanted) != 1:
        raise UsageError(f"{folder} has the tags {', '.join(tags)}; say which is the score with ", COLUMNS, ".")
    for run, tag, where, value in last:
        if tag in wanted:
            yield where, entry({**read_run(run, runs, where), "score": value}, where)


def _downloaded(path: Path) -> Last:
    found, columns = FILE.fullmatch(path.stem), csv_columns(path)
    if found is None:
        raise UsageError(
            f"{path} has no run and tag in its name; expected run-RUN-tag-TAG.csv, as TensorBoard names it."
        )
    if list(columns) != SCALARS:
        raise UsageError(f"{path} has the columns {', '.join(columns)}; expected {', '.join(SCALARS)}.")
    return found["run"], found["tag"], f"{path}, line {len(columns['Value']) + 1}", columns["Value"][-1]


def _events(folder: Path) -> Iterator[Last]:
    places = sorted({path.parent for path in folder.rglob(EVENTS)})
    if not places:
        raise UsageError(f"{folder} has no CSV files and no event files; expected scalars of TensorBoard.")
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ModuleNotFoundError:
        raise UsageError(
            f"{folder} has event files, which tensorboard reads: pip install tensorboard, or give a folder of the CSV "
            "files that its page downloads."
        ) from None
    for place in places:
        events = EventAccumulator(str(place)).Reload()
        for tag in events.Tags()["scalars"]:
            yield str(place.relative_to(folder)), tag, str(place), events.Scalars(tag)[-1].value
