"""The sentences beside the verdict: how the numbers were made, how to read them, and reasons to doubt them.

A sentence that claims something (seeds kept apart, equal effort) is made from the summary. It is said only where it
holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from surefoot.analysis import Summary, TuningRow
from surefoot.analysis.doubts import Doubt, NoProgress, Unstable
from surefoot.statistics.permutation import FEWEST_PAIRS
from surefoot.store.design import Search
from surefoot.words.numbers import Written, count, join, numbers_in_words, short

FAMILIES = " among the tuned, among the untuned, and of each tuned with its own untuned"

TESTS = {"permutation": "the paired permutation test", "t": "the paired t-test"}

PRINTED_CAPTION = (
    "Tried: the range of what was tried. Gain: how much better the test {metric} is tuned than untuned, paired by seed."
)
"""The text below the printed table of tuning."""


def notes(summary: Summary) -> tuple[str, ...]:
    """Return every note that holds for this study."""
    return tuple(_notes(summary))


def warnings(summary: Summary) -> tuple[str, ...]:
    """Return a sentence for each doubt of a summary."""
    written = Written(summary.metric)
    return tuple(warning(one, written) for one in summary.doubts)


def tuning_warnings(summary: Summary) -> tuple[str, ...]:
    """Return a sentence for each doubt about tuning: a choice at the edge, or a search without a result."""
    return tuple(warning for row in summary.tuning for warning in _doubts(row))


def how_tuned(rows: Sequence[TuningRow]) -> str:
    """Return how the rows were tuned and measured, in two or three sentences. It needs at least one row."""
    said = [_search(rows)]
    waiting = [row.label for row in rows if not row.measuring_seeds]
    if 0 < len(waiting) < len(rows):
        said.append(f"Not measured yet: {join(waiting)}.")
    if mixed := [row.label for row in rows if not row.apart]:
        said.append(f"Tuning and measuring share seeds or test data, which flatters the result: {join(mixed)}.")
    else:
        said.append("Tuning saw neither the measuring seeds nor the test data.")
    return " ".join(said)


def warning(doubt: Doubt, written: Written) -> str:
    """Return one doubt as a sentence or two."""
    if isinstance(doubt, NoProgress):
        reached = "all trials diverged" if doubt.best is None else f"its best trial reached {written.value(doubt.best)}"
        lucky = doubt.best is not None and doubt.luck != doubt.chance
        luck = f", and up to {written.value(doubt.luck)} by luck" if lucky else ""
        who = f"No configuration of {doubt.label} is" if doubt.searched else f"{doubt.label}, as given, is no"
        return (
            f"{who} better than guessing: {reached}; guessing gets {written.value(doubt.chance)}{luck}. "
            "So its rank means nothing."
        )
    if isinstance(doubt, Unstable):
        return (
            f"{doubt.label}: the choice of {count(doubt.tuning_seeds, 'tuning seed')} diverged on {doubt.diverged} of "
            f"{count(doubt.judged, 'measuring seed')}. A lower learning rate may be safer."
        )
    return (
        f"{doubt.label} has a higher training loss than {doubt.special} ({doubt.loss:.4g} against "
        f"{doubt.special_loss:.4g}), which is a special case of it. So the tuning of {doubt.label} looks insufficient: "
        f"give it more trials, or a wider search space with {doubt.knob} in it."
    )


def _notes(summary: Summary) -> Iterator[str]:
    if summary.tuning:
        yield how_tuned(summary.tuning)
    elif summary.study == "article" and summary.protocol.is_built_in:
        yield "Each optimizer at one untuned learning rate, as in the tutorial: this compares settings, not optimizers."
    if any(row.n >= 2 for row in summary.rows):
        yield f"Brackets are 95 % t intervals over seeds, not adjusted for their number.{_tested(summary)}"
    if summary.target is None and summary.trained_here:
        yield (
            f"No target of validation {summary.metric.title} separates these trials, so time to target is not shown."
        )
    if len({record.convention for record in summary.records if record.convention}) > 1:
        yield "The optimizers follow more than one convention; see their settings."
    if len({record.protocol.device for record in summary.records}) > 1:
        yield "The trials ran on more than one device: their times do not compare."


def _tested(summary: Summary) -> str:
    """Return how differences were tested, as a sentence that follows another."""
    if not summary.comparisons:
        return ""
    tests = {TESTS[row.test] for row in summary.comparisons if row.test}
    if not tests:
        return f" Differences are paired by seed. With fewer than {FEWEST_PAIRS} seeds none is tested."
    families = {row.family for row in summary.comparisons} != {"all"}
    return (
        f" Differences are paired by seed. p-values come from {join(sorted(tests))}, adjusted (Holm) for "
        f"{_family(summary)}{FAMILIES if families else ''}. A difference counts if its adjusted p is at most 0.05."
    )


def _family(summary: Summary) -> str:
    """Return the pairs that form a family: all, or those with one optimizer."""
    return f"the pairs with {summary.verdict.against}" if summary.verdict.against else "all pairs"


def _search(rows: Sequence[TuningRow]) -> str:
    trials = sorted({row.trials for row in rows})
    effort = f"{trials[0]} to {trials[-1]} configurations" if len(trials) > 1 else count(trials[0], "configuration")
    again, measuring = _union(row.again for row in rows), _union(row.measuring_seeds for row in rows)
    then = f"was then measured like the untuned, on {_seeds(measuring)}" if measuring else "is to be measured"
    first = _seeds([seed for seed in _union(row.seeds for row in rows) if seed not in again])
    raced = "raced on" if any(row.race for row in rows) else "on"
    rerun = f", its best {max(row.finalists for row in rows)} {raced} {_seeds(again)} too" if again else ""
    best = "did best in validation" + (", on the mean of all these seeds," if again else "")
    return f"Each tuned optimizer was tried in {effort} on {first}{rerun}. The one that {best} {then}."


def _union(groups: Iterable[Sequence[int]]) -> list[int]:
    return sorted({seed for group in groups for seed in group})


def _seeds(numbers: Sequence[int]) -> str:
    return f"seed{'' if len(numbers) == 1 else 's'} {numbers_in_words(numbers)}"


def _doubts(row: TuningRow) -> Iterator[str]:
    chosen = next((one.chosen for one in row.searched if one.name == "lr"), None)
    if row.edge and chosen is not None:
        beyond = "higher" if row.edge == "highest" else "lower"
        tried = row.lr_place[1] if row.lr_place else row.trials
        yield (
            f"{row.label}: the chosen learning rate, {short(chosen)}, is the {row.edge} of the {tried} that were "
            f"tried; a {beyond} one may be better{_held(row.planned)}."
        )
    if row.best is None and not row.unfinished:
        yield (
            f"{row.label}: none of its {count(row.trials, 'configuration')} ended with a result, so nothing was tuned."
        )


def _held(planned: Search | None) -> str:
    """Return why the search did not go on, if the user's range held it."""
    if planned is None or not planned.lr_is_users:
        return ""
    return f". The search stayed in the range that you gave ({planned.ranges['lr'].text}); give a wider one to find out"
