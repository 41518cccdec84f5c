"""The records inside the page: packed once, unpacked by the reader's browser when he asks for the file.

Compressed JSON as text, some 3 MB for ten thousand trials, which the browser does not look at until then. An epoch is a
list in the order of `CURVE`; the page's script makes the same CSV and JSON of it as `export` writes.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

from surefoot.analysis import Summary
from surefoot.analysis.settings import measured
from surefoot.report.export import CURVE, FINAL, IDENTITY
from surefoot.store.records import Rates, Record
from surefoot.words import as_json, plain
from surefoot.words.numbers import join

MOST_EPOCHS = 200_000
"""Epochs of all trials; above, tuning trials keep their last one only."""

MOST_RATES = 10_000
"""Recorded step sizes of all trials that measure; above, each optimizer keeps those of its first trial."""


def packed(summary: Summary) -> str:
    """The records and the summary as base64 of gzip of JSON."""
    content = {
        "columns": {"identity": IDENTITY, "curve": CURVE, "final": FINAL},
        "left_out": left_out(summary.records),
        "summary": as_json(summary),
        "records": list(_records(summary.records)),
    }
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return b64encode(gzip.compress(text.encode("utf-8", "replace"), compresslevel=5, mtime=0)).decode("ascii")


def left_out(records: Sequence[Record]) -> str:
    """What the page does not hold, in words; empty if it holds everything."""
    parts = []
    if _is_long(records):
        parts.append("all but the last epoch of tuning trials")
    if any(record.rates for record in records if record.purpose == "tune"):
        parts.append("the step sizes of tuning trials")
    if _has_many_rates(records):
        parts.append("the step sizes of all but one trial of each optimizer")
    return f"Left out here, and kept in the store: {join(parts)}." if parts else ""


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
    """The values, those that are not finite as None."""
    return [None if isinstance(value, float) and not isfinite(value) else value for value in values]
