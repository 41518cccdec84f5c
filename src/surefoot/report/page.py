"""The report: one HTML file that needs no network, no server and no other file.

The figures are interactive (values under the pointer, a saved SVG or PNG): Vega travels inside the page, 0.9 MB, as
much as static pictures of a study with twelve optimizers, which could not follow the width of a phone. All numbers are
text and readable before a figure is drawn. A content security policy forbids the page to load anything, and every
name that a user gave reaches it through Jinja's escaping or as JSON that cannot end its script element.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from math import inf
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from surefoot import __version__
from surefoot.analysis import Arm, Row, Summary, group, summarize, table, tuning_warnings
from surefoot.analysis.tuning_words import how_tuned, numbers_in_words
from surefoot.files import write_whole
from surefoot.report import provenance
from surefoot.report.cumulative import cumulative_table, within
from surefoot.report.figure import Figure
from surefoot.report.figures import Problems, arm_looks, claim_figures, figures, tuning_figures, tuning_looks
from surefoot.report.ledger import header, ledger
from surefoot.report.matrix import compared, matrix, ties_in_words
from surefoot.report.ranking import further, further_header, setting
from surefoot.report.raw import left_out, packed
from surefoot.report.reference import Reference, published, reference_table
from surefoot.report.repeat import Repeat, repeat
from surefoot.report.survival import arrival_cells
from surefoot.report.theme import Style, dark_partners
from surefoot.store.design import Design
from surefoot.store.records import Record


def write_report(
    records: Sequence[Record],
    path: str | Path,
    *,
    command: str | None = None,
    references: Sequence[Reference] | None = None,
    problems: Problems | None = None,
    design: Design | None = None,
) -> Path:
    """Write the report of one study to an HTML file, whole or not at all, and return the file's path.

    Args:
        records: the trials of one study, in the order in which optimizers shall appear.
        path: the file to write; an existing one is replaced.
        command: the command line that made the records, for "how to repeat"; by default put together from them.
        references: published numbers, to be drawn beside the study's own; by default those that we know of its task.
        problems: where the study is one of several problems, the time to target of each optimizer on each (infinite
            for a miss): with three or more the performance profile is over them, else over seeds.
        design: the design that was stored before the first trial.

    Raises:
        UsageError: no records, records that cannot be compared, or a path that cannot be a file.
        SurefootError: the file cannot be written.
    """
    page = render(records, command=command, references=references, problems=problems, design=design)
    return write_whole(path, page)


def render(
    records: Sequence[Record],
    *,
    command: str | None = None,
    references: Sequence[Reference] | None = None,
    problems: Problems | None = None,
    design: Design | None = None,
) -> str:
    """The text of the report page; the arguments are those of `write_report`."""
    summary, arms = summarize(records), group(records)
    references = published(summary.study, arms) if references is None else references
    looks, tuned = arm_looks(arms), tuning_looks(arms, summary.tuning)
    drawn = _figures(figures(arms, references) + claim_figures(summary, arms, problems), looks)
    drawn |= _figures(tuning_figures(summary.tuning, tuned, summary.metric), tuned)
    content = {
        "summary": summary,
        "drawn": drawn,
        "looks": {look.label: look for look in (*looks, *tuned)},
        "published": reference_table(references, arms, summary.scale),
        **_verdict(summary),
        **_tables(summary, looks, tuned),
        **_provenance(records, summary, arms, looks),
    }
    return _template().render(
        **content,
        contents=list(_contents(content)),
        design=provenance.design_facts(design) if design else [],
        repeat=Repeat(command) if command else repeat(design) if design else Repeat(""),
        dark=dark_partners(),
        script=Markup(_source("script.js")),
        bundle=_bundle() if drawn else "",
        version=__version__,
    )


def _verdict(summary: Summary) -> dict[str, Any]:
    return {"ties": ties_in_words(summary), "warnings": summary.warnings}


def _tables(summary: Summary, looks: Sequence[Style], tuned: Sequence[Style]) -> dict[str, Any]:
    tuning, scale = summary.tuning, summary.scale
    return {
        "header": (*table(summary).header, *further_header(summary)),
        "many": any(row.n > 1 for row in summary.rows),
        "targets": [scale.target(one.target) for one in summary.arrivals],
        "rows": _rows(summary, looks),
        "cumulative": cumulative_table(tuning, scale),
        "matrix": matrix(summary, compared(summary)),
        "ledger_header": header(scale),
        "ledger": ledger(tuning, tuned, scale),
        "how_tuned": how_tuned(tuning) if tuning else "",
        "good": within(tuning, scale),
        "tuning_warnings": tuning_warnings(tuning),
    }


def _provenance(
    records: Sequence[Record], summary: Summary, arms: Sequence[Arm], looks: Sequence[Style]
) -> dict[str, Any]:
    return {
        "protocol": provenance.protocol_in_words(summary.protocol),
        "other_protocol": provenance.other_protocol(summary.protocol),
        "settings": [
            (row, look, provenance.settings(arm), numbers_in_words(row.seeds))
            for row, look, arm in zip(summary.rows, looks, arms, strict=True)
        ],
        "environment": provenance.environment(records),
        "raw": Markup(packed(records, summary)),
        "left_out": left_out(records),
    }


def _contents(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The parts that the page has, as anchor and title, in their order."""
    drawn = content["drawn"]
    yield "results", "Results"
    for name in ("curves-epoch", "time-to-target", "tuning-learning-rate", "tuning-best-of"):
        if name in drawn:
            yield name, drawn[name]["figure"].title
    if content["matrix"]:
        yield "pairs", "Every pair"
    for name in ("generalization", "profile", "step-sizes"):
        if name in drawn:
            yield name, drawn[name]["figure"].title
    if content["ledger"]:
        yield "tuning", "How each was tuned"
    yield from (("settings", "Settings"), ("environment", "Environment"), ("raw", "Raw data"))
    if content["published"]:
        yield "published", "Published numbers"


def _rows(summary: Summary, looks: Sequence[Style]) -> list[dict[str, Any]]:
    """The rows of the result table, the best mean first and those without a result last."""
    tuning = {row.label: row for row in summary.tuning}
    rows = [
        {
            "look": look,
            "label": row.label,
            "setting": setting(row, tuning.get(row.label)),
            "cells": [_stacked(cell) for cell in (*cells[1:], *further(row, tuning.get(row.label), summary))],
            "arrivals": arrival_cells(summary.arrivals, row.label),
            "row": row,
        }
        for look, cells, row in zip(looks, table(summary).rows, summary.rows, strict=True)
    ]
    return sorted(rows, key=lambda entry: _place(entry["row"], summary))


def _place(row: Row, summary: Summary) -> float:
    return -summary.scale.gain(row.test_metric.mean) if row.test_metric else inf


def _stacked(cell: str) -> tuple[str, str]:
    """A cell as its value and what stands below it: the interval in brackets or the count in parentheses."""
    value, _, below = re.sub(r" (?=[\[(])", "\n", cell, count=1).partition("\n")
    return value, below


def _figures(every: Sequence[Figure], looks: Sequence[Style]) -> dict[str, dict[str, Any]]:
    return {figure.name: {"figure": figure, "spec": _script_json(figure.spec()), "looks": looks} for figure in every}


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
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(_source)
    )
    environment.filters |= {"unbroken": _unbroken, "stacked": _stacked}
    return environment.get_template("page.html.j2")


def _source(name: str) -> str:
    return files("surefoot.report").joinpath("templates", name).read_text(encoding="utf-8")
