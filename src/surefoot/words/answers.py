"""The question of each part of the report, and its answer in one line.

An answer names the best by its number. Only the verdict says whether that number is ahead of the next; the first part
repeats it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from statistics import fmean

from surefoot.analysis import Summary
from surefoot.analysis.rate_free import price_of
from surefoot.words.glance import LEVEL, levels
from surefoot.words.notes import how_tuned
from surefoot.words.numbers import DURATION, WHOLE_PERCENT, Written, are, count, join, named, short
from surefoot.words.pairs import standing
from surefoot.words.rate_free import price_answer

QUESTIONS = {
    "results": "Who is best?",
    "curves-epoch": "Who learns fastest?",
    "curves-step": "Who learns fastest?",
    "time-to-target": "When is a target reached?",
    "tuning-learning-rate": "Which learning rates work?",
    "tuning-best-of": "What does tuning buy?",
    "pairs": "Which differences are real?",
    "ranks": "Best by steps, by seconds or by tuning cost?",
    "price": "What can be had without tuning?",
    "generalization": "Does it hold on new data?",
    "profile": "Is it fast on every seed?",
    "step-sizes": "How large are the steps?",
    "tuning": "How was each tuned?",
    "settings": "What exactly was compared?",
    "protocol": "How was each trained?",
    "environment": "On what machine?",
    "raw": "How can I repeat this?",
    "published": "What do others find?",
}
"""The question of each part of the report, by its anchor, in the page's order."""


def answers(summary: Summary) -> dict[str, str]:
    """Return the one-line answer of each part of the report, by its anchor. A part without one is left out."""
    ways: Mapping[str, Callable[[Summary], str]] = {
        "results": _leader,
        "curves-epoch": _fastest,
        "curves-step": _fastest,
        "time-to-target": _first_there,
        "tuning-learning-rate": _rates,
        "tuning-best-of": _gains,
        "pairs": _differ,
        "price": lambda summary: price_answer(found) if (found := price_of(summary)) else "",
        "generalization": _generalizes,
        "profile": _reliable,
        "step-sizes": _sizes,
        "tuning": lambda summary: how_tuned(summary.tuning) if summary.tuning else "",
    }
    return {anchor: said for anchor, way in ways.items() if (said := way(summary))}


def _leader(summary: Summary) -> str:
    best = summary.verdict.best
    if best is None:
        return ""
    if summary.verdict.basis == "one run":
        return f"{best} leads in one run of each, which settles nothing."
    level = sum(standing(row.label, summary) in LEVEL for row in summary.rows)
    if against := summary.verdict.against:
        return " ".join([f"Compared with {against}.", *(f"{heading}: {names}." for heading, names in levels(summary))])
    others = count(len(summary.rows) - 1, "other")
    return f"{best}, but {level} of the {others} {are(level)} not clearly behind." if level else f"{best}."


def _fastest(summary: Summary) -> str:
    areas = {row.label: row.area.mean for row in summary.rows if row.area}
    if not areas:
        return ""
    best, height = _best(areas, summary)
    return f"Best curve: {best}, validation {summary.metric.title} {Written(summary.metric).value(height)} on average."


def _first_there(summary: Summary) -> str:
    """Return the first optimizer at the hardest target that was reached."""
    for one in reversed(summary.arrivals):
        epochs = {label: way.median for label, way in one.epochs.items() if way.median is not None}
        times = {label: way.median for label, way in one.seconds.items() if way.median is not None}
        if epochs and times:
            (first, epoch), (quick, time) = _least(epochs), _least(times)
            after = summary.protocol.unit.amount(epoch)
            target = Written(summary.metric).target(one.target)
            return (
                f"First at {target}: {first}, after {after}. Least time: {quick}, {DURATION(time)}. Both are medians."
            )
    return "No optimizer reached a target in half of its trials." if summary.arrivals else ""


def _rates(summary: Summary) -> str:
    chosen = {row.label: next((one.chosen for one in row.searched if one.name == "lr"), None) for row in summary.tuning}
    known = [f"{label} at {short(value)}" for label, value in chosen.items() if value is not None]
    return f"Best in validation: {named(known)}." if known else ""


def _gains(summary: Summary) -> str:
    gains = {row.label: row.gain for row in summary.tuning if row.gain}
    if not gains:
        return ""
    most = max(gains, key=lambda label: gains[label].mean)
    return f"{most} gains most over its defaults: {Written(summary.metric).signed(gains[most].mean)} in the test."


def _differ(summary: Summary) -> str:
    """Return how many of the pairs differ clearly, and how many were not tested."""
    rows = summary.comparisons
    apart, untested = sum(row.distinguishable for row in rows), sum(row.p is None for row in rows)
    rest = len(rows) - apart - untested
    said = [f"{apart} of {count(len(rows), 'pair')} {'differs' if apart == 1 else 'differ'} clearly"]
    said += [f"{rest} {'does' if rest == 1 else 'do'} not"] if rest else []
    said += [f"{untested} {'has' if untested == 1 else 'have'} too few seeds for a test"] if untested else []
    return f"{join(said)}." if rows else ""


def _generalizes(summary: Summary) -> str:
    losses = {
        arm.label: fmean(known)
        for arm in summary.arms
        if (known := [o.train_loss for one in arm.finished if (o := one.outcome) and isfinite(o.train_loss)])
    }
    scores = {row.label: row.test_metric.mean for row in summary.rows if row.test_metric}
    if not losses or not scores:
        return ""
    return f"Lowest training loss: {_least(losses)[0]}. Best test {summary.metric.title}: {_best(scores, summary)[0]}."


def _reliable(summary: Summary) -> str:
    word = summary.protocol.unit.word
    firsts = {label: -one.shares[0] for label, one in (summary.profiles.epochs if summary.profiles else {}).items()}
    if not any(firsts.values()):
        return ""
    best, share = _least(firsts)
    return f"Fewest {word}s, or as few as the quickest: {best}, on {WHOLE_PERCENT(-share)} of the seeds."


def _sizes(summary: Summary) -> str:
    """Return the smallest and the largest final step size of a median weight, by optimizer."""
    ends = {
        arm.label: known[-1]
        for arm in summary.arms
        if (known := [rates.quantiles[len(rates.quantiles) // 2] for one in arm.trials[:1] for rates in one.rates])
    }
    if not ends:
        return ""
    (low, least), (high, most) = _least(ends), _least({label: -end for label, end in ends.items()})
    if least == -most:
        return f"At the end the median weight's is {short(least)}."
    return f"At the end the median weight's is from {short(least)} ({low}) to {short(-most)} ({high})."


def _best(values: Mapping[str, float], summary: Summary) -> tuple[str, float]:
    """Return the names with the best value, and the value."""
    names, loss = _least({label: -summary.scale.gain(value) for label, value in values.items()})
    return names, summary.scale.gain(-loss)


def _least(values: Mapping[str, float]) -> tuple[str, float]:
    """Return the names with the smallest value, and the value."""
    least = min(values.values())
    return named([label for label, value in values.items() if value == least]), least
