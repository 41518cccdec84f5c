"""The report: one HTML file that needs no network, no server and no other file.

`content` decides what the page says, as data. `drawn` draws, and `html` sets. The figures are interactive (values under
the pointer, a saved SVG or PNG), so Vega travels inside the page: 0.9 MB, as much as static pictures of a study with
twelve optimizers, which could not follow the width of a phone. All numbers are text, readable before a figure is drawn.
A content security policy forbids the page to load anything.

The page of a suite has one figure and nothing to switch: no script, and the figure as SVG.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

import vl_convert
from markupsafe import Markup

from surefoot import __version__
from surefoot.analysis import SuiteSummary, Summary
from surefoot.analysis.rate_free import price_of
from surefoot.files import write_whole
from surefoot.report import provenance
from surefoot.report.export import left_out, packed
from surefoot.report.figure import ReportFigure, svg
from surefoot.report.figures import arm_looks, claim_figures, figures, tuning_figures, tuning_looks
from surefoot.report.reference import published, reference_table
from surefoot.report.repeat import Repeat, repeat
from surefoot.report.staircases import over_problems
from surefoot.report.theme import Style, dark_partners, styles
from surefoot.webpage import script_json, source, template
from surefoot.words import notes, table, tuning_warnings, verdict_text, warnings
from surefoot.words.answers import QUESTIONS, answers
from surefoot.words.glance import at_a_glance
from surefoot.words.numbers import numbers_in_words
from surefoot.words.pairs import TIE, compared, matrix, matrix_caption, standing, standings, ties_in_words
from surefoot.words.ranks import rank_table
from surefoot.words.rate_free import price_table
from surefoot.words.results import arrival_table, setting
from surefoot.words.suite import profile_table, suite_notes, suite_table
from surefoot.words.tuning import cumulative_table, ledger

TEMPLATES = ("surefoot.report", "templates")


def write_report(summary: Summary, path: str | Path) -> Path:
    """Write the report of one study, whole or not at all, and return its path.

    Args:
        summary: what the trials show, optimizers in the order to print them, with its design if there is one.
        path: file to write; an existing one is replaced.

    Raises:
        UsageError: a path that cannot be a file.
        SurefootError: the file cannot be written.
    """
    return write_whole(path, render(summary))


def render(summary: Summary) -> str:
    """Return the text of the report page."""
    return html(content(summary), drawn(summary))


def html(said: Mapping[str, Any], figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page, made of what `content` and `drawn` return. Without figures it has its tables."""
    return template("page.html.j2", TEMPLATES).render(
        **said,
        drawn=figures,
        contents=list(_contents(said, figures)),
        dark=dark_partners(),
        script=Markup(source("script.js", TEMPLATES)),
        bundle=_bundle() if figures else "",
        version=__version__,
    )


def content(summary: Summary) -> dict[str, Any]:
    """Return all that the page says, as data. Nothing is drawn."""
    arms, design, metric = summary.arms, summary.design, summary.metric
    looks = (*arm_looks(arms), *tuning_looks(summary))
    ranks = [-summary.scale.gain(row.test_metric.mean) if row.test_metric else inf for row in summary.rows]
    order = sorted(range(len(arms)), key=ranks.__getitem__)  # Arms without a result come last.
    arrivals = arrival_table(summary)
    return {
        "summary": summary,
        "looks": {look.label: look for look in looks},
        "glance": at_a_glance(summary),
        "questions": QUESTIONS,
        "answers": answers(summary),
        "verdict": verdict_text(summary),
        "ties": ties_in_words(summary),
        "warnings": warnings(summary),
        "notes": notes(summary),
        "results": table(summary, "page"),
        "order": order,
        "remarks": [[text for text in (setting(row, summary), "; ".join(row.reasons)) if text] for row in summary.rows],
        "arrivals": arrivals and replace(arrivals, rows=tuple(arrivals.rows[place] for place in order)),
        "tie": TIE,
        "centre": summary.verdict.against or "the best",
        "standings": {row.label: standing(row.label, summary) for row in summary.rows},
        "matrix": matrix(summary, compared(summary)),
        "counts": standings(summary, compared(summary)),
        "matrix_caption": matrix_caption(summary),
        "ranks": rank_table(summary, "page"),
        "price": price_table(price) if (price := price_of(summary)) else None,
        "tuning_warnings": tuning_warnings(summary),
        "ledger": ledger(summary),
        "cumulative": cumulative_table(summary),
        "published": reference_table(published(summary.study, arms), arms, metric),
        "settings": [
            (row, provenance.settings(arm), numbers_in_words(row.seeds))
            for row, arm in zip(summary.rows, arms, strict=True)
        ],
        "protocol": provenance.protocol_in_words(summary.protocol),
        "facts": provenance.other_protocol(summary.protocol) + (provenance.design_facts(design) if design else []),
        "environment": provenance.environment(summary.records),
        "repeat": repeat(design) if design else Repeat(""),
        "raw": Markup(packed(summary)),
        "left_out": left_out(summary.records),
    }


def drawn(summary: Summary) -> dict[str, dict[str, Any]]:
    """Return the figures by name, each as a specification for the page's script."""
    arms = summary.arms
    every = figures(arms, published(summary.study, arms)) + claim_figures(summary)
    specs = _specs(every, arm_looks(arms))
    return specs | _specs(tuning_figures(summary), tuning_looks(summary))


def _contents(said: Mapping[str, Any], figures: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the anchors of the page's parts, in their order."""
    has = {
        "results": True,
        **dict.fromkeys(figures, True),
        "pairs": said["matrix"],
        "ranks": said["ranks"],
        "price": said["price"],
        "tuning": said["ledger"],
        **dict.fromkeys(("settings", "protocol", "environment"), said["summary"].trained_here),
        "raw": True,
        "published": said["published"],
    }
    yield from (anchor for anchor in QUESTIONS if has.get(anchor))


def _specs(every: Sequence[ReportFigure], looks: Sequence[Style]) -> dict[str, dict[str, Any]]:
    return {figure.name: {"figure": figure, "spec": script_json(figure.spec()), "looks": looks} for figure in every}


@cache
def _bundle() -> Markup:
    """Return Vega, Vega-Lite and Vega-Embed as one script. Making it takes a second, so a process makes it once."""
    return Markup(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def write_suite_page(suite: SuiteSummary, verdicts: Mapping[str, str], path: str | Path) -> Path:
    """Write the page of several studies and return its path.

    Args:
        suite: what the studies say together.
        verdicts: verdict of each study, by its name; its report lies beside the page, under that name.
        path: file to write; an existing one is replaced.

    Raises:
        UsageError: a path that cannot be a file.
        SurefootError: the file cannot be written.
    """
    looks = styles(suite.optimizers, suite.tuned_from)
    figure = over_problems(suite.profiles, looks) if suite.profiles else None  # None: too few targets.
    page = template("suite.html.j2", TEMPLATES).render(
        verdicts=verdicts,
        table=suite_table(suite),
        notes=list(suite_notes(suite)),
        looks={look.label: look for look in looks},
        figure=figure,
        drawn=svg(figure) if figure else "",
        profile=profile_table(suite.profiles) if suite.profiles else None,
        dark=dark_partners(),
        version=__version__,
    )
    return write_whole(path, page)
