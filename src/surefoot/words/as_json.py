"""A summary for programs: every number, the verdict's sentences, and the result table as its columns have it."""

from __future__ import annotations

from typing import Any

from surefoot.analysis import Summary, plain
from surefoot.words.notes import notes
from surefoot.words.results import table
from surefoot.words.verdict import verdict_sentences, verdict_text
from surefoot.words.warnings import warnings

NUMBERS = ("study", "protocol", "metric", "rows", "comparisons", "groups", "target", "arrivals", "profiles")

CLAIMS = ("best", "ties", "behind", "open", "yardstick", "pairs")


def as_json(summary: Summary) -> dict[str, Any]:
    """The summary as plain dicts and lists for `json.dumps`; a number that is not finite becomes None."""
    verdict = summary.verdict
    written: dict[str, Any] = {
        **{name: getattr(summary, name) for name in NUMBERS},
        "verdict": {
            "sentences": verdict_sentences(verdict, summary.scale, summary.tuned_from),
            **{name: getattr(verdict, name) for name in CLAIMS},
            "text": verdict_text(summary),
        },
        "notes": notes(summary),
        "warnings": warnings(summary),
        "tuning": summary.tuning,
        "table": table(summary, "page").to_json(),
    }
    return {name: plain(value) for name, value in written.items()}
