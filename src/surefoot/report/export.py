"""The report's content as separate files: figures, every epoch as CSV, tables for a paper.

The cells of the Markdown and LaTeX tables are those of the page and the terminal, digit for digit. Names are the
user's, so this file escapes whatever either language would read as a command. The LaTeX needs only `booktabs`.

The page holds the records too, as compressed JSON in text: some 3 MB for ten thousand trials. The reader's browser
unpacks them on request. An epoch is a list in the order of `CURVE`. The page's script makes JSON of it, and the same
CSV as this file.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import fields
from math import isfinite
from pathlib import Path
from typing import Any

import vl_convert

from surefoot.analysis import Summary
from surefoot.analysis.settings import measured
from surefoot.errors import unknown
from surefoot.files import write_whole
from surefoot.report.figures import by_other_clocks, claim_figures, figures, tuning_figures
from surefoot.store.records import Epoch, Outcome, Rates, Record
from surefoot.words import Table, as_json, plain, table, tuning_table, verdict_text
from surefoot.words.numbers import join
from surefoot.words.pairs import pair_table

FORMATS = ("svg", "png")
IDENTITY = ("study", "label", "rule", "convention", "seed", "purpose", "status", "reason", "hyper")
CURVE = tuple(field.name for field in fields(Epoch))
FINAL = {f"final_{field.name}": field.name for field in fields(Outcome)}

MOST_EPOCHS = 200_000
"""The most epochs of all trials that the page holds. Above, tuning trials keep their last one only."""

MOST_RATES = 10_000
"""The largest number of step sizes that the page holds. Above, each optimizer keeps those of its first trial."""

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "−": "$-$",
    "±": r"$\pm$",
    "–": "--",
    "\n": "; ",
} | {sign: f"\\{sign}" for sign in "&%$#_{}"}
MARKDOWN = {"\n": "; "} | {sign: f"\\{sign}" for sign in "\\`*_{}[]<>()#+!|~$&"}


def write_figures(summary: Summary, folder: str | Path, formats: Sequence[str] = FORMATS) -> tuple[Path, ...]:
    """Write each figure of the report into the folder and return the paths.

    SVG is for papers, PNG (192 dpi) for slides. Raises `UsageError` for another format, `SurefootError` if a file
    cannot be written.
    """
    for name in formats:
        if name not in FORMATS:
            raise unknown("figure format", name, FORMATS)
    every = figures(summary.arms) + by_other_clocks(summary.arms) + claim_figures(summary) + tuning_figures(summary)
    written = []
    for figure in every:
        svg = vl_convert.vegalite_to_svg(figure.spec())
        for kind in formats:
            picture = svg if kind == "svg" else vl_convert.svg_to_png(svg, scale=2)
            written.append(write_whole(Path(folder) / f"{figure.name}.{kind}", picture))
    return tuple(written)


def write_csv(records: Sequence[Record], path: str | Path) -> Path:
    """Write one line for each epoch of each trial and return the path.

    Figures that are measured once (`final_...`) stand on the trial's last line. A trial without epochs has one line.
    `hyper` is JSON, `seconds` the training time until the end of the epoch.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, (*IDENTITY, *CURVE, *FINAL), lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerows(_lines(record))
    return write_whole(path, text.getvalue())


def packed(summary: Summary) -> str:
    """Return the records and the summary as base64 of gzip of JSON."""
    content = {
        "columns": {"identity": IDENTITY, "curve": CURVE, "final": FINAL},
        "left_out": left_out(summary.records),
        "summary": as_json(summary),
        "records": list(_records(summary.records)),
    }
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return b64encode(gzip.compress(text.encode("utf-8", "replace"), compresslevel=5, mtime=0)).decode("ascii")


def left_out(records: Sequence[Record]) -> str:
    """Return what the page does not hold, in words; empty if it holds everything."""
    parts = []
    if _is_long(records):
        parts.append("all but the last point of tuning trials' curves")
    if any(record.rates for record in records if record.purpose == "tune"):
        parts.append("the step sizes of tuning trials")
    if _has_many_rates(records):
        parts.append("the step sizes of all but one trial of each optimizer")
    return f"Left out here, and kept in the store: {join(parts)}." if parts else ""


def _lines(record: Record) -> list[dict[str, Any]]:
    identity = {name: getattr(record, name) for name in IDENTITY} | {"hyper": json.dumps(plain(record.hyper))}
    lines = [identity | {name: getattr(epoch, name) for name in CURVE} for epoch in record.epochs] or [identity]
    if record.outcome:
        lines[-1] |= {column: getattr(record.outcome, name) for column, name in FINAL.items()}
    return lines


def write_markdown(summary: Summary, path: str | Path) -> Path:
    """Write the verdict and the tables as Markdown (with pipe tables) and return the path."""
    return write_whole(path, markdown(summary))


def write_latex(summary: Summary, path: str | Path) -> Path:
    r"""Write the tables as LaTeX, to be `\input` where `booktabs` is loaded, and return the path."""
    return write_whole(path, latex(summary))


def markdown(summary: Summary) -> str:
    """Return the verdict, the result table, every pair and the tuning as Markdown."""
    blocks = [_escaped(verdict_text(summary), MARKDOWN)]
    blocks += [f"## {heading}\n\n{_pipes(cells)}" for heading, cells in _tables(summary)]
    return f"# {_escaped(summary.study, MARKDOWN)}\n\n" + "\n\n".join(blocks) + "\n"


def latex(summary: Summary) -> str:
    """Return the result table, every pair and the tuning as LaTeX, a `table` for each."""
    verdict = " ".join(verdict_text(summary).split())
    return f"% {verdict}\n\n" + "\n\n".join(_booktabs(heading, cells) for heading, cells in _tables(summary)) + "\n"


def _tables(summary: Summary) -> Iterator[tuple[str, Table]]:
    yield "Results", table(summary)
    if pairs := pair_table(summary):
        yield f"Differences in test {summary.scale.name}, paired by seed", pairs
    if tuning := tuning_table(summary):
        yield "Tuning", tuning


def _pipes(cells: Table) -> str:
    rule = ["---", *("---:" for _ in cells.header[1:])]
    rows = [[_escaped(cell, MARKDOWN) or " " for cell in row] for row in (cells.header, *cells.texts)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], rule, *rows[1:]))


def _booktabs(heading: str, cells: Table) -> str:
    head, *rows = (_latex_row(row) for row in (cells.header, *cells.texts))
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_escaped(heading, LATEX)}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(cells.header) - 1)}}}",
        r"\toprule",
        rf"{head} \\",
        r"\midrule",
        *(rf"{row} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def _latex_row(row: Sequence[str]) -> str:
    """Return a row's cells. A bracket or star at the start would be read as an option of the line before."""
    text = " & ".join(_escaped(cell, LATEX) for cell in row)
    return f"{{}}{text}" if text.startswith(("[", "*")) else text


def _escaped(text: str, signs: dict[str, str]) -> str:
    return "".join(signs.get(sign, sign) for sign in text)


def _is_long(records: Sequence[Record]) -> bool:
    return sum(len(record.epochs) for record in records) > MOST_EPOCHS


def _has_many_rates(records: Sequence[Record]) -> bool:
    return sum(len(record.rates) for record in measured(records)) > MOST_RATES


def _records(records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    last_only, few = _is_long(records), _has_many_rates(records)
    told: set[str] = set()
    for record in records:
        tuning = record.purpose == "tune"
        epochs = record.epochs[-1:] if tuning and last_only else record.epochs
        yield {
            "key": record.key,
            **{name: getattr(record, name) for name in IDENTITY if name != "hyper"},
            "hyper": plain(record.hyper),
            "protocol": plain(record.protocol),
            "environment": plain(record.environment),
            "epochs": [_numbers(tuple(getattr(epoch, name) for name in CURVE)) for epoch in epochs],
            "rates": [] if tuning or (few and record.label in told) else [_rates(one) for one in record.rates],
            "outcome": plain(record.outcome),
        }
        told |= {record.label} if record.rates else set()


def _rates(one: Rates) -> list[Any]:
    return [one.step, _numbers(one.quantiles), *_numbers((one.lower, one.upper))]


def _numbers(values: Sequence[Any]) -> list[Any]:
    """Return the values, with None for a number that is not finite."""
    return [None if isinstance(value, float) and not isfinite(value) else value for value in values]
