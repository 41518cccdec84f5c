"""Run one study from the command line: its progress on standard error, Ctrl-C as an ordinary end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

from surefoot.comparison.driver import Run
from surefoot.comparison.request import Request
from surefoot.progress import progress
from surefoot.store import Design, Record, Store

INTERRUPTED = 130


@dataclass(frozen=True)
class Ran:
    """What was planned, its records, and the design with the time that it has taken."""

    planned: Run
    records: list[Record]
    design: Design

    @property
    def failed(self) -> bool:
        """Whether a trial could not be run."""
        return any(record.status == "failed" for record in self.records)


def run(request: Request, store: Path, logdir: Path | None = None) -> Ran:
    """Run what is left of a study; exit with 130 after Ctrl-C.

    `logdir` is a folder for TensorBoard's event files.
    """
    try:
        with Store(store) as results:
            planned = request.prepare(results)
            known, todo = planned.standing(results)
            with progress(planned, len(known), todo, logdir) as observe:
                records = planned.run(results, observe)
            return Ran(planned, records, results.design(planned.design.hash) or planned.design)
    except KeyboardInterrupt:
        typer.echo("\nStopped. Finished epochs are kept; the same command goes on from there.", err=True)
        raise typer.Exit(INTERRUPTED) from None
