"""A pair of the verdict as a clause of its sentences: "Adam by 0.30 pp [0.10, 0.50]".

With more than a few pairs a clause is a name alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from surefoot.analysis.scale import Scale
from surefoot.analysis.verdict import Pair, Verdict
from surefoot.statistics.equivalence import MOST_SEEDS
from surefoot.words.numbers import Written, count, p_value, seeds

MANY = 4
"""The most pairs whose numbers a sentence has. Readers skip more; `Verdict.pairs` has them."""


@dataclass(frozen=True)
class Clauses:
    """The pairs of one verdict, each as a clause; `names` has each label as a sentence says it."""

    verdict: Verdict
    scale: Scale
    names: Mapping[str, str]

    def behind(self, pair: Pair) -> str:
        """Return an arm that the best is ahead of, and by how much."""
        name, written = self.names[pair.other], Written(self.scale.metric)
        if len(self.verdict.pairs) > MANY:
            return name
        low, high = sorted(-self.scale.gain(bound) for bound in (pair.low, pair.high))
        said = [f"{pair.diverged} of {seeds(pair.n)} diverged"] if pair.diverged else []
        if self.verdict.margin and pair.closeness and pair.closeness.equal:
            said.append(f"equal within {written.margin(self.verdict.margin)}")
        small = f" ({', '.join(said)})" if said else ""
        return f"{name} by {written.size(abs(pair.difference))} {written.size.bounds(low, high)}{small}"

    def level(self, pair: Pair, *, p: bool = True) -> str:
        """Return an arm that is not told apart, with its numbers; `p` adds the p-value of a difference."""
        name, written = self.names[pair.other], Written(self.scale.metric)
        if len(self.verdict.pairs) > MANY:
            return name
        said = [f"{written.signed(pair.difference)} {written.size.bounds(pair.low, pair.high)}", seeds(pair.n)]
        said += [f"{pair.diverged} of them diverged"] if pair.diverged else []
        said += [] if pair.p is None or not p else [f"adjusted p = {p_value(pair.p)}"]
        return f"{name} ({', '.join(said)})"


def more_seeds(pairs: Sequence[Pair]) -> str:
    """Return how many more seeds would tell. The pair that takes most of them decides."""
    needed = [pair.closeness.more for pair in pairs if pair.closeness]
    most = max((number for number in needed if number is not None), default=0)
    if None in needed:
        return f"even {MOST_SEEDS:,} seeds might not tell"
    return f"about {count(most, 'more seed')} would tell"
