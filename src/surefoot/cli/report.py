"""`surefoot report`: write the report of stored results again, with figures and tables as files if asked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli.compare import RESULTS, Json, StorePath

if TYPE_CHECKING:
    from surefoot.store import Record


def report(
    study: Annotated[str, typer.Argument(help="Which study.")] = "article",
    store: StorePath = RESULTS / "results.sqlite",
    out: Annotated[Path, typer.Option(help="Where the report goes.")] = RESULTS / "report.html",
    figures: Annotated[Path | None, typer.Option(help="Also write each figure as SVG and PNG to this folder.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Also write every epoch of every trial to this CSV file.")] = None,
    as_json: Json = False,
) -> None:
    """Write the report of the newest run of a study from the store; nothing is trained.

    Example: surefoot report article --figures figures --csv epochs.csv
    """
    from surefoot.cli.result import conclude
    from surefoot.report import write_csv, write_figures
    from surefoot.store import Store, newest_run

    with Store(store, readonly=True) as results:
        records = one_name_each(newest_run(results.records(study), study))
    if figures:
        write_figures(records, figures)
    if csv:
        write_csv(records, csv)
    conclude(records, store, out, as_json=as_json)


def one_name_each(records: Sequence[Record]) -> list[Record]:
    """Return the records with one name for each setting: the newest that the user gave it.

    Runs at different times may have named one setting twice, or given one name to two settings: then the older setting
    gets a number after it.
    """
    names: dict[str, str] = {}
    for record in reversed(records):
        if _setting(record) not in names:
            names[_setting(record)] = _free(record.label, names.values())
    return [replace(record, label=names[_setting(record)]) for record in records]


def _free(label: str, taken: Collection[str]) -> str:
    numbered = (f"{label} ({number})" for number in count(2))
    return next(name for name in chain([label], numbered) if name not in taken)


def _setting(record: Record) -> str:
    return f"{record.rule} {sorted(record.hyper.items())}"
