"""The report: one HTML file that needs no network, no server and no other file.

The figures are interactive (values under the pointer, a saved SVG or PNG): Vega travels inside the page, 0.9 MB, as
much as static pictures of a study with twelve optimizers, which could not follow the width of a phone. All numbers are
text and readable before a figure is drawn. A content security policy forbids the page to load anything, and every
name that a user gave reaches it through Jinja's escaping or as JSON that cannot end its script element.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from surefoot import __version__
from surefoot.analysis import Summary, group, pair_table, summarize, table, tuning_warnings
from surefoot.analysis.tuning_words import how_tuned
from surefoot.files import write_whole
from surefoot.report import provenance
from surefoot.report.figure import Figure
from surefoot.report.figures import figures, tuning_figures, tuning_looks
from surefoot.report.ledger import HEADER, ledger
from surefoot.report.theme import Style, dark_partners, styles
from surefoot.store.records import Record


def write_report(records: Sequence[Record], path: str | Path, *, command: str | None = None) -> Path:
    """Write the report of one study to an HTML file, whole or not at all, and return the file's path.

    Args:
        records: the trials of one study, in the order in which optimizers shall appear.
        path: the file to write; an existing one is replaced.
        command: the command line that made the records, for "how to repeat"; by default put together from them.

    Raises:
        UsageError: no records, records that cannot be compared, or a path that cannot be a file.
        SurefootError: the file cannot be written.
    """
    return write_whole(path, render(records, command=command))


def render(records: Sequence[Record], *, command: str | None = None) -> str:
    """The text of the report page."""
    summary, arms = summarize(records), group(records)
    looks, tuned = styles(arm.label for arm in arms), tuning_looks(arms, summary.tuning)
    return _template().render(
        summary=summary,
        header=table(summary).header,
        pairs=pair_table(summary),
        rows=_rows(summary, looks),
        figures=_figures(figures(arms), looks),
        ledger_header=HEADER,
        ledger=ledger(summary.tuning, tuned),
        how_tuned=how_tuned(summary.tuning) if summary.tuning else "",
        tuning_warnings=tuning_warnings(summary.tuning),
        tuning_figures=_figures(tuning_figures(summary.tuning, tuned), tuned),
        dark=dark_partners(),
        protocol=provenance.protocol_in_words(summary.protocol),
        other_protocol=provenance.other_protocol(summary.protocol),
        settings=[
            (row, look, provenance.settings(arm)) for row, look, arm in zip(summary.rows, looks, arms, strict=True)
        ],
        environment=provenance.environment(records),
        command=command or provenance.command(arms),
        bundle=_bundle(),
        version=__version__,
    )


def _rows(summary: Summary, looks: Sequence[Style]) -> list[dict[str, Any]]:
    return [
        {"look": look, "label": cells[0], "cells": [_stacked(cell) for cell in cells[1:]], "row": row}
        for look, cells, row in zip(looks, table(summary).rows, summary.rows, strict=True)
    ]


def _stacked(cell: str) -> tuple[str, str]:
    """A cell as its value and what stands below it: the interval in brackets or the count in parentheses."""
    value, _, below = re.sub(r" (?=[\[(])", "\n", cell, count=1).partition("\n")
    return value, below


def _figures(every: Sequence[Figure], looks: Sequence[Style]) -> list[dict[str, Any]]:
    return [{"figure": figure, "spec": _script_json(figure.spec()), "looks": looks} for figure in every]


def _script_json(value: Any) -> Markup:
    """JSON for a script element: nothing in it can close the element or open a comment."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@cache
def _bundle() -> Markup:
    """Vega, Vega-Lite and Vega-Embed as one script; made once per process, as it takes a second."""
    return Markup(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def _unbroken(text: str) -> str:
    """The text with spaces between a number and its unit that no line break may use."""
    return re.sub(r"(?<=\d) (?=[%A-Za-z])", "\u00a0", text)


def _template() -> Template:
    source = files("surefoot.report").joinpath("template.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["unbroken"] = _unbroken
    return environment.from_string(source)
