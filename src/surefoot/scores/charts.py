"""W&B's charts as downloaded: steps in the first column, then `RUN - METRIC`, its `__MIN` and its `__MAX`.

The score of a run is its last value. The best value would reward noise, and be chosen on what it is reported on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from surefoot.errors import Argument, UsageError
from surefoot.scores.entries import Entry, entry
from surefoot.scores.run_names import read_run

COLUMN = re.compile(r"(?P<run>.+) - (?P<metric>.+?)(?P<bound>__MIN|__MAX)?")


def is_chart(header: Sequence[str]) -> bool:
    """Return whether these are the columns of a chart."""
    return len(header) > 1 and all(COLUMN.fullmatch(name) for name in header[1:])


def read_chart(
    columns: Mapping[str, Sequence[Any]], what: str, metric: str | None, runs: str | None
) -> Iterator[tuple[str, Entry]]:
    """Yield the last value of each run, with where it stands.

    Args:
        columns: columns of the table, the steps first.
        what: name of the file.
        metric: the metric that is the score, where the chart has several.
        runs: pattern of the names of runs.
    """
    matches = [found for name in list(columns)[1:] if (found := COLUMN.fullmatch(name)) and not found["bound"]]
    metrics = dict.fromkeys(found["metric"] for found in matches)
    if (metric is None and len(metrics) > 1) or (metric is not None and metric not in metrics):
        raise UsageError(f"{what} has the metrics {', '.join(metrics)}; say which is the score with ", COLUMNS, ".")
    for found in matches:
        if found["metric"] == (metric or found["metric"]):
            where = f"{what}, column {found.string!r}"
            values = [value for value in columns[found.string] if str(value or "").strip()]
            if not values:
                raise UsageError(f"{where}: there is no value; expected the metric of the run, step by step.")
            yield where, entry({**read_run(found["run"], runs, where), "score": values[-1]}, where)


COLUMNS = Argument("columns")
