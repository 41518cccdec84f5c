"""A summary for programs: every number, the verdict's sentences, and the cells of the result table.

Only `plain` flattens NaN, mappings and dataclasses. JSON has no NaN or infinity, and browsers refuse a page that writes
them: they become null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any

from surefoot.analysis import Summary
from surefoot.analysis.rate_free import price_of
from surefoot.store.protocol import Metric, Protocol
from surefoot.words.notes import notes, warnings
from surefoot.words.results import table
from surefoot.words.verdict import verdict_sentences, verdict_text

NUMBERS = ("study", "protocol", "metric", "rows", "comparisons", "groups", "target", "arrivals", "profiles", "ranks")

CLAIMS = ("best", "ties", "behind", "open", "yardstick", "margin", "lost", "against", "ahead")


def as_json(summary: Summary) -> dict[str, Any]:
    """Return the summary as plain dicts and lists for `json.dumps`. A number that is not finite becomes None."""
    verdict = summary.verdict
    written: dict[str, Any] = {
        **{name: getattr(summary, name) for name in NUMBERS},
        "verdict": {
            "sentences": verdict_sentences(summary),
            **{name: getattr(verdict, name) for name in CLAIMS},
            "pairs": [{**plain(pair), "answer": pair.answer} for pair in verdict.pairs],
            "text": verdict_text(summary),
        },
        "looks": _looks(summary),
        "notes": notes(summary),
        "warnings": warnings(summary),
        "tuning": summary.tuning,
        "table": table(summary, "page").to_json(),
        "planned": _planned(summary),
    }
    if price := price_of(summary):
        written["price"] = price
    return {name: plain(value) for name, value in written.items()}


def _looks(summary: Summary) -> dict[str, Any] | None:
    """Return the planned looks and what they decided; None where the end is the only look."""
    return {"planned": summary.design.looks, **vars(summary.interim)} if summary.design and summary.interim else None


def _planned(summary: Summary) -> dict[str, Any]:
    """Return each planned search: how many configurations, and its ranges as people read them."""
    return {
        row.defaults: {
            "trials": len(search.configurations),
            "ranges": {name: one.text for name, one in search.ranges.items()},
            "sources": search.sources,
        }
        for row in summary.tuning
        if row.defaults and (search := row.planned)
    }


def plain(value: Any) -> Any:
    """Return a value as dicts, lists, strings, numbers, booleans and None. Anything else becomes its text."""
    if isinstance(value, str | bool | int | None):
        return value
    if isinstance(value, float):
        return float(value) if isfinite(value) else None
    if isinstance(value, Metric):
        return value.to_json()
    if isinstance(value, Protocol):
        return plain(value.content)
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return str(value)
