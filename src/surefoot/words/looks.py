"""Planned looks in words: when they come, what each decided, and what that means for the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from surefoot.analysis.interim import Interim, Left
from surefoot.store.looks import LookPlan, Spending
from surefoot.words.numbers import join, seeds

SPENDING: dict[Spending, str] = {
    "obrien-fleming": "O'Brien and Fleming",
    "pocock": "Pocock",
    "linear": "in proportion to the seeds",
}


def plan_text(plan: LookPlan) -> str:
    """Return when a study is looked at."""
    many = len(plan.at) > 1
    return f"Planned looks at {join(list(map(str, plan.at)))} seeds." if many else f"One look, at {seeds(plan.most)}."


def left_out_text(plan: LookPlan) -> str:
    """Return a sentence on the looks that were left out; empty if none was."""
    if not plan.left_out:
        return ""
    looks = join(list(map(str, plan.left_out)))
    return (
        f"Left out: {'the look' if len(plan.left_out) == 1 else 'looks'} at {looks} seeds. So few seeds cannot find a "
        f"difference there, with this spending ({SPENDING[plan.spending]}) and so many pairs."
    )


def interim_text(found: Interim) -> str:
    """Return what the last look has decided, for a log."""
    here = found.taken[-1]
    left = _by_look([one for one in found.left if one.seeds == here], {})
    then = "The question is decided." if found.decided else f"Next look: {found.due} seeds." if found.due else ""
    return " ".join([f"Look at {seeds(here)}.", *left, then]).strip()


def look_sentences(found: Interim, plan: LookPlan, looks: Sequence[int], names: Mapping[str, str]) -> Iterator[str]:
    """Yield what planned looks mean for a verdict, sentence by sentence.

    Args:
        found: what the looks have decided.
        plan: when they come.
        looks: seeds at every verdict that p-values count, earlier runs included.
        names: each label as a sentence says it.
    """
    if not found.taken:
        yield f"The first planned look is at {seeds(plan.at[0])}: until then nothing is decided."
        return
    last, most = found.taken[-1], plan.most
    if found.decided and last < most:
        yield f"Decided after {last} of at most {seeds(most)}."
    elif found.due is not None:
        yield f"Not decided after {last} of at most {seeds(most)}: the next look is at {found.due}."
    yield from _by_look([one for one in found.left if one.seeds < last], names)
    if len(looks) > 1:
        yield f"p-values count the looks at {join([*map(str, looks)])} seeds."


def _by_look(left: Sequence[Left], names: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each look at which arms left."""
    for here in sorted({one.seeds for one in left}):
        said = {one: names.get(one.label, one.label) for one in left if one.seeds == here}
        beaten = [f"{name} (behind {names.get(one.behind, one.behind)})" for one, name in said.items() if one.behind]
        if beaten:
            yield f"No more seeds after {here}: {join(beaten)}."
        if others := [name for one, name in said.items() if not one.behind]:
            yield f"Decided, so no more seeds after {here}: {join(others)}."
