"""`Result`: what a comparison found and what may be said of it, wherever its scores were made."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

from surefoot.analysis import Summary
from surefoot.words import Table, as_json, notes, table, verdict_text, warnings


@dataclass(frozen=True, repr=False)
class Result:
    """What a comparison found: the verdict, the table and the report.

    Attributes:
        name: what was compared.
        summary: all numbers: a row for each optimizer, every pair, the verdict, the tuning.
    """

    name: str
    summary: Summary

    @property
    def verdict(self) -> str:
        """What the seeds allow to say, in a few sentences; ties are called ties."""
        return verdict_text(self.summary)

    def table(self) -> Table:
        """Return the result table, a row for each optimizer; print it."""
        return table(self.summary)

    def to_json(self) -> dict[str, Any]:
        """Return all of it for `json.dumps`, as commands print it with `--json`."""
        return as_json(self.summary)

    def report(self, path: str | PathLike[str]) -> Path:
        """Write the report, one page that needs no network, and return its path."""
        from surefoot.report import write_report  # loads all that draws, after the training

        return write_report(self.summary, Path(path))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.verdict}>"

    def _repr_html_(self) -> str:
        """Return the verdict, the result table and what there is to note, for notebooks."""
        texts = (self.verdict, *warnings(self.summary), *notes(self.summary))
        verdict, *remarks = (f"<p>{escape(text)}</p>" for text in texts)
        return f"<h4>{escape(self.name)}</h4>{verdict}{self.table()._repr_html_()}{''.join(remarks)}"
