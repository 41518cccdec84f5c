"""The report's content as separate files: figures, results as CSV, everything as JSON, tables for a paper.

The cells of the Markdown and LaTeX tables are those of the page and the terminal, digit for digit. Names are the
user's, so whatever either language would read as a command is escaped. The LaTeX needs no package beyond `booktabs`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import vl_convert

from surefoot.analysis import Summary, plain
from surefoot.errors import unknown
from surefoot.files import write_whole
from surefoot.report.figures import by_other_clocks, claim_figures, figures, tuning_figures
from surefoot.store.records import Epoch, Outcome, Record
from surefoot.words import Table, as_json, table, tuning_table, verdict_text
from surefoot.words.pairs import pair_table

FORMATS = ("svg", "png")
IDENTITY = ("study", "label", "rule", "convention", "seed", "purpose", "status", "reason", "hyper")
CURVE = tuple(field.name for field in fields(Epoch))
FINAL = {f"final_{field.name}": field.name for field in fields(Outcome)}

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
    """Write each figure of the report into the folder and return the paths; SVG for papers, PNG (192 dpi) for slides.

    Raises UsageError for a format that is neither "svg" nor "png", SurefootError when a file cannot be written.
    """
    for name in formats:
        if name not in FORMATS:
            raise unknown("figure format", name, FORMATS)
    every = figures(summary.arms) + by_other_clocks(summary.arms) + claim_figures(summary) + tuning_figures(summary)
    draw: dict[str, Callable[..., str | bytes]] = {
        "svg": vl_convert.vegalite_to_svg,
        "png": partial(vl_convert.vegalite_to_png, scale=2),
    }
    specs = {figure.name: figure.spec() for figure in every}
    return tuple(
        write_whole(Path(folder) / f"{name}.{kind}", draw[kind](spec))
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


def write_markdown(summary: Summary, path: str | Path) -> Path:
    """Write the verdict and the tables as Markdown (with pipe tables) and return the path."""
    return write_whole(path, markdown(summary))


def write_latex(summary: Summary, path: str | Path) -> Path:
    r"""Write the tables as LaTeX, to be `\input` where `booktabs` is loaded, and return the path."""
    return write_whole(path, latex(summary))


def markdown(summary: Summary) -> str:
    """The verdict, the result table, every pair and the tuning as Markdown."""
    blocks = [_escaped(verdict_text(summary), MARKDOWN)]
    blocks += [f"## {heading}\n\n{_pipes(cells)}" for heading, cells in _tables(summary)]
    return f"# {_escaped(summary.study, MARKDOWN)}\n\n" + "\n\n".join(blocks) + "\n"


def latex(summary: Summary) -> str:
    """The result table, every pair and the tuning as LaTeX, a `table` for each."""
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
    """The cells; a bracket or star at the start would be read as an option of the line before."""
    text = " & ".join(_escaped(cell, LATEX) for cell in row)
    return f"{{}}{text}" if text.startswith(("[", "*")) else text


def _escaped(text: str, signs: dict[str, str]) -> str:
    return "".join(signs.get(sign, sign) for sign in text)
