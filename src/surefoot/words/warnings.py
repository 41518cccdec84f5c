"""The warnings of a study: a sentence for each reason to doubt its ranking."""

from __future__ import annotations

from surefoot.analysis import Summary
from surefoot.analysis.doubts import Doubt, NoProgress, Unstable
from surefoot.words.numbers import seeds
from surefoot.words.scale import Written


def warnings(summary: Summary) -> tuple[str, ...]:
    """A sentence for each doubt of a summary."""
    written = Written(summary.metric)
    return tuple(warning(one, written) for one in summary.doubts)


def warning(doubt: Doubt, written: Written) -> str:
    """One doubt as a sentence or two."""
    if isinstance(doubt, NoProgress):
        return _no_progress(doubt, written)
    if isinstance(doubt, Unstable):
        return (
            f"{doubt.label}: what was chosen on {seeds(doubt.tuning_seeds)} of tuning diverged on {doubt.diverged} of "
            f"{seeds(doubt.judged)} of measuring. A lower learning rate may be safer."
        )
    return (
        f"{doubt.label} lost to {doubt.special} on training loss ({doubt.loss:.4g} against {doubt.special_loss:.4g}), "
        f"which it contains as a special case: the tuning of {doubt.label} looks insufficient. Give it more trials, or "
        f"a wider search space with {doubt.knob} in it."
    )


def _no_progress(doubt: NoProgress, written: Written) -> str:
    reached = "all diverged" if doubt.best is None else f"the best reached {written.value(doubt.best)}"
    lucky = doubt.best is not None and doubt.luck != doubt.chance
    luck = f" by more than luck, which alone can reach {written.value(doubt.luck)}" if lucky else ""
    who = f"No configuration of {doubt.label} beat" if doubt.searched else f"{doubt.label}, as given, did not beat"
    return (
        f"{who} the {written.value(doubt.chance)} of guessing ({reached}){luck}: it "
        "has learned nothing that shows, and its rank means nothing."
    )
