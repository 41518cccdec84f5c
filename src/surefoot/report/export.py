"""The report's content as separate files: figures as SVG and PNG, results as CSV, everything as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import vl_convert

from surefoot.analysis import Summary
from surefoot.errors import unknown
from surefoot.files import write_whole
from surefoot.report.figures import by_other_clocks, claim_figures, figures, tuning_figures
from surefoot.store.records import Epoch, Outcome, Record
from surefoot.words import as_json, plain

FORMATS = ("svg", "png")
IDENTITY = ("study", "label", "rule", "convention", "seed", "purpose", "status", "reason", "hyper")
CURVE = tuple(field.name for field in fields(Epoch))
FINAL = {f"final_{field.name}": field.name for field in fields(Outcome)}


def write_figures(summary: Summary, folder: str | Path, formats: Sequence[str] = FORMATS) -> tuple[Path, ...]:
    """Write each figure of the report into the folder and return the paths; SVG for papers, PNG (192 dpi) for slides.

    Raises UsageError for a format that is neither "svg" nor "png", SurefootError when a file cannot be written.
    """
    for name in formats:
        if name not in FORMATS:
            raise unknown("figure format", name, FORMATS)
    every = figures(summary.arms) + by_other_clocks(summary.arms) + claim_figures(summary) + tuning_figures(summary)
    specs = {figure.name: figure.spec() for figure in every}
    return tuple(
        write_whole(Path(folder) / f"{name}.{kind}", _picture(spec, kind))
        for name, spec in specs.items()
        for kind in formats
    )


def write_csv(records: Sequence[Record], path: str | Path) -> Path:
    """Write one line per epoch of each trial; what is measured once (`final_...`) stands on the trial's last line.

    A trial without epochs has one line. `hyper` is JSON, `seconds` the training time until the end of the epoch.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, (*IDENTITY, *CURVE, *FINAL), lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerows(_lines(record))
    return write_whole(path, text.getvalue())


def write_json(summary: Summary, path: str | Path) -> Path:
    """Write the summary and all that the records hold, curves and step sizes included; NaN becomes null."""
    content = {"summary": as_json(summary), "records": plain(summary.records)}
    return write_whole(path, json.dumps(content, allow_nan=False, indent=1) + "\n")


def _lines(record: Record) -> list[dict[str, Any]]:
    identity = {name: getattr(record, name) for name in IDENTITY} | {"hyper": json.dumps(plain(record.hyper))}
    lines = [identity | {name: getattr(epoch, name) for name in CURVE} for epoch in record.epochs] or [identity]
    if record.outcome:
        lines[-1] |= {column: getattr(record.outcome, name) for column, name in FINAL.items()}
    return lines


def _picture(spec: dict[str, Any], kind: str) -> str | bytes:
    if kind == "svg":
        return vl_convert.vegalite_to_svg(spec)
    return vl_convert.vegalite_to_png(spec, scale=2)
