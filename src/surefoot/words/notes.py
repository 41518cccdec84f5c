"""The notes of a study: how its numbers were got, and how to read them."""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.analysis import Summary
from surefoot.statistics.permutation import FEWEST_PAIRS
from surefoot.words.numbers import join
from surefoot.words.tuning import how_tuned

FAMILIES = " among the tuned, among the untuned, and of each tuned with its own untuned"

TESTS = {"permutation": "the paired permutation test", "t": "the paired t-test"}


def notes(summary: Summary) -> tuple[str, ...]:
    """Every note that holds of this study."""
    return tuple(_notes(summary))


def _notes(summary: Summary) -> Iterator[str]:
    if summary.tuning:
        yield how_tuned(summary.tuning)
    elif summary.study == "article":
        yield "Each optimizer at one untuned learning rate, as in the tutorial: this compares settings, not optimizers."
    if any(row.n >= 2 for row in summary.rows):
        yield f"Brackets are 95 % t intervals over seeds, each for itself.{_tested(summary)}"
    if summary.target is None:
        yield (
            f"No target of validation {summary.metric.title} tells these trials apart, so time to target is not shown."
        )
    if len({record.convention for record in summary.records if record.convention}) > 1:
        yield "The optimizers follow more than one convention; see their settings."
    if len({record.protocol.device for record in summary.records}) > 1:
        yield "The trials ran on more than one device: their times do not compare."


def _tested(summary: Summary) -> str:
    """How differences were tested, as a sentence after another."""
    if not summary.comparisons:
        return ""
    tests = {TESTS[row.test] for row in summary.comparisons if row.test}
    if not tests:
        return f" Differences are paired by seed; with fewer than {FEWEST_PAIRS} seeds none is tested."
    families = {row.family for row in summary.comparisons} != {"all"}
    return (
        f" Differences are paired by seed; p-values are those of {join(sorted(tests))}, adjusted (Holm) for all pairs"
        f"{FAMILIES if families else ''}, and only an adjusted p of at most 0.05 counts as a difference."
    )
