"""The verdict in sentences: the best, what it is ahead of, what is open.

`analysis.verdict` decides, and this file writes. Its sentences say "tuned Adam" and "untuned Adam" where a study has
both, whatever their labels are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from dataclasses import replace

from surefoot.analysis import Setting, Summary
from surefoot.analysis.verdict import Pair
from surefoot.statistics.permutation import FEWEST_PAIRS, fewest_pairs
from surefoot.store.margin import Margin
from surefoot.words.clauses import Clauses, more_seeds
from surefoot.words.looks import look_sentences
from surefoot.words.numbers import Written, are, join, seeds
from surefoot.words.pairs import among_others


def verdict_text(summary: Summary) -> str:
    """Return the verdict of a study as one paragraph."""
    return " ".join(verdict_sentences(summary))


def verdict_sentences(summary: Summary) -> tuple[str, ...]:
    """Return the verdict of a study, sentence by sentence."""
    said = _Said(summary)
    ways = {"nothing": said.nothing, "one run": said.one_run, "seeds": said.seeds, "against": said.against}
    sentences = (*ways[summary.verdict.basis](), *said.casualties())
    # A sentence that begins with a word of ours gets a capital. A user's name stays as it is.
    ours = tuple(f"{name} " for label, name in said.names.items() if name != label)
    return tuple(one[0].upper() + one[1:] if one.startswith(ours) else one for one in sentences)


def spoken(labels: Sequence[str], tuned_from: Mapping[str, str]) -> dict[str, str]:
    """Return each label as a sentence says it: "tuned Adam" and "untuned Adam" where both are there.

    All stay as they are where two of them would get one name.
    """
    pairs = {label: name for label, name in tuned_from.items() if label in labels and name in labels}
    words = {label: f"untuned {label}" if label in pairs.values() else label for label in labels}
    words |= {label: f"tuned {name}" for label, name in pairs.items()}
    return words if len(set(words.values())) == len(words) else {label: label for label in labels}


class _Said:
    def __init__(self, summary: Summary) -> None:
        self.verdict, self.scale, self.written = summary.verdict, summary.scale, Written(summary.metric)
        self.arms = {one.label: one for one in summary.arms}
        self.names = spoken(list(self.arms), summary.tuned_from)
        self.clauses = Clauses(self.verdict, self.scale, self.names)
        self.best = self.names.get(self.verdict.against or self.verdict.best or "", "")
        self.interim, self.design = summary.interim, summary.design
        self.beaten = summary.interim.beaten if summary.interim else frozenset()
        self.unfinished = _unfinished(summary)
        asked = summary.design.looks.question.kind if summary.design else "best"
        self.others = tuple(among_others(summary, self.names)) if asked == "all-pairs" else ()
        self.means = [row.test_metric.mean for row in summary.rows if row.test_metric] if summary.interim else []
        tested = Counter(row.family for row in summary.comparisons if row.p is not None)
        assumed = [row for row in summary.comparisons if row.is_assumed]
        self.early = all(row.n >= fewest_pairs(row.together) for row in assumed)
        self.together = max((r.together for r in summary.comparisons if r.together > tested[r.family]), default=0)

    def nothing(self) -> Iterator[str]:
        """Yield why there is no verdict on one arm or none."""
        finished = [one for one in self.arms.values() if one.finished]
        if not finished:
            yield "No trial has finished: there is no verdict."
        for label, score in self.verdict.scores.items():
            alone = "" if len(finished) == 1 else " on every seed"
            result = f"test {self.scale.name} {self.written.value(score)}, {_finished(self.arms[label])}"
            yield f"Only {self.names[label]} has finished{alone} ({result}): there is nothing to compare it with."

    def one_run(self) -> Iterator[str]:
        """Yield the best of one run, the others in groups, and its limits."""
        verdict, name, share = self.verdict, self.scale.name, self.scale.metric.share
        ties, rest, behind = verdict.ties, verdict.open, verdict.behind
        clauses = [f"{self.best} has the {self.written.superlative} test {name} in this one run ({self._score})"]
        if ties:
            clauses.append(f"{self._gaps(ties)} {are(len(ties))} not separated from it")
        if rest and share:
            side = "below" if self.scale.sign > 0 else "above"
            clauses.append(f"{self._gaps(rest)} {are(len(rest))} {side} it by too little for one run to settle")
        elif rest:
            clauses.append(f"{self._gaps(rest)} {'follows' if len(rest) == 1 else 'follow'}")
        if behind:
            clauses.append(f"{self._gaps(behind)} {are(len(behind))} behind in this one run")
        yield "; ".join(clauses) + "."
        if verdict.yardstick is None:
            yield ("One run settles nothing: only several seeds show how much of a difference the seed makes.")
        else:
            yield (
                f"One seed cannot separate close rows: {self.scale.test_size:,} test examples alone leave a noise of "
                f"{self.written.size(verdict.yardstick)}, and the seed adds its own."
            )

    def seeds(self) -> Iterator[str]:
        """Yield the best of several seeds, what it is ahead of, and what that rests on."""
        verdict, best = self.verdict, self.arms[self.verdict.best or ""]
        rivals = " of those that none is ahead of" if self._is_exceeded else ""
        behind = [self.clauses.behind(pair) for pair in verdict.pairs if pair.distinguishable and pair.ahead]
        yield (
            f"{self.best} has the {self.written.superlative} mean test {self.scale.name}{rivals} ({self._score}, "
            f"{_seeds(best)}){f', ahead of {join(behind)}' if behind else ''}."
        )
        yield from self._rest()

    def against(self) -> Iterator[str]:
        """Yield what is ahead of the reference, what is behind, and what that rests on."""
        verdict, name, found = self.verdict, self.scale.name, _seeds(self.arms[self.verdict.against])
        score = self.written.value(verdict.scores[verdict.against])
        apart = [pair for pair in verdict.pairs if pair.distinguishable]
        ahead = [self.clauses.behind(_turned(pair)) for pair in apart if not pair.ahead]
        behind = [self.clauses.behind(pair) for pair in apart if pair.ahead]
        sides = [f"{side}: {join(names)}" for side, names in (("ahead", ahead), ("behind", behind)) if names]
        said = "; ".join(sides) or "no difference is found"
        yield f"Against {self.best} (mean test {name} {score}, {found}), {said}."
        yield from self._rest()

    def _rest(self) -> Iterator[str]:
        """Yield what is not told apart, and what a verdict of several seeds rests on."""
        verdict = self.verdict
        level = [pair for pair in verdict.pairs if not pair.distinguishable and pair.other not in self.beaten]
        if ties := [pair for pair in level if pair.p is not None]:
            yield from self._ties(ties) if verdict.margin is None else self._within(ties, verdict.margin)
        if few := [self.clauses.level(pair) for pair in level if pair.p is None]:
            yield f"Not settled, because a claim needs {FEWEST_PAIRS} seeds or more: {join(few)}."
        yield from self.others
        if verdict.apart:
            apart = join([self.names[label] for label in verdict.apart])
            yield f"Not ranked against the best, because too few seeds are shared: {apart}."
        if self.interim and self.design:
            yield from look_sentences(self.interim, self.design.looks, verdict.looks, self.names)
        elif len(verdict.looks) > 1:
            yield (
                f"This is look {len(verdict.looks)} at the question, after verdicts on "
                f"{join([*map(str, verdict.looks[:-1])])} seeds. The p-values count all looks."
            )
        if self.unfinished:
            yield (
                f"The run has had {self.unfinished}. A verdict before its end is one look more, which p-values do not "
                "count."
            )
        if self.together:
            yield f"An earlier verdict on these seeds tested {self.together} pairs: p-values are adjusted for as many."
        if verdict.trusted is not None:
            fewer = f"fewer than {seeds(verdict.trusted)}"
            rests = f"What an earlier verdict found with {fewer}" if self.early else f"With {fewer} this"
            yield f"{rests} rests on a t-test, which assumes normally distributed differences."
        if verdict.lost is not None:
            guessing = "the score of guessing" if self.scale.chance is not None else "no better than the worst score"
            yield f"A seed that diverged counts as {self.written.value(verdict.lost)}, {guessing}."

    def _ties(self, ties: Sequence[Pair]) -> Iterator[str]:
        """Yield what is not told apart from the best, and how far apart it may be."""
        yield f"Not distinguishable from {self.best}: {join([self.clauses.level(pair) for pair in ties])}."
        widest = self.written.size(max(abs(end) for pair in ties for end in (pair.low, pair.high)))
        yield f"A tie may still hide a difference of up to {widest}."

    def _within(self, ties: Sequence[Pair], margin: Margin) -> Iterator[str]:
        """Yield what is equal to the best, what the best is not worse than, what is open.

        Where all are compared with one arm: what is not worse than that one.
        """
        within = self.written.margin(margin)
        told = {answer: [pair for pair in ties if pair.answer == answer] for answer in ("equal", "not worse", "open")}
        named = {answer: join([self.clauses.level(pair, p=False) for pair in pairs]) for answer, pairs in told.items()}
        if told["equal"]:
            yield f"Equal to {self.best} within {within}: {named['equal']}."
        if pairs := told["not worse"]:
            who, than = f"{self.best} is", named["not worse"]
            if pairs[0].reference:
                who, than = f"{than} {are(len(pairs))}", self.best
            yield (
                f"{who} not worse by more than {within} than {than}; whether they are equal is still open: "
                f"{more_seeds(pairs)}."
            )
        if told["open"]:
            yield f"Still open whether within {within} of {self.best}: {named['open']}; {more_seeds(told['open'])}."

    def casualties(self) -> Iterator[str]:
        """Yield one sentence for each way in which trials did not finish."""
        ways: dict[str, Callable[[Setting], Sized]] = {
            "Diverged": lambda one: one.diverged,
            "Failed": lambda one: one.with_status("failed"),
            "Unfinished and left out": lambda one: one.with_status("running"),
        }
        for way, lost in ways.items():
            if named := [self._counted(one, len(lost(one))) for one in self.arms.values() if lost(one)]:
                yield f"{way}: {join(named)}."

    def _counted(self, one: Setting, number: int) -> str:
        name = self.names[one.label]
        return name if len(one.trials) == 1 else f"{name} ({number} of {seeds(len(one.trials))})"

    @property
    def _is_exceeded(self) -> bool:
        """Whether an arm that left has a better mean, of fewer seeds."""
        score = self.scale.gain(self.verdict.scores[self.verdict.best or ""])
        return any(self.scale.gain(mean) > score for mean in self.means)

    @property
    def _score(self) -> str:
        return self.written.value(self.verdict.scores[self.verdict.best or ""])

    def _gaps(self, labels: Sequence[str]) -> str:
        scores, best = self.verdict.scores, self.verdict.scores[self.verdict.best or ""]
        return join([f"{self.names[label]} ({self.written.signed(scores[label] - best)})" for label in labels])


def _unfinished(summary: Summary) -> str:
    """Return how many seeds of an unfinished run are tested, where no p-value counts that look."""
    design, ended = summary.design, max((len(one.ended) for one in summary.arms), default=0)
    if design is None or design.looks.at or design.budget.seconds is not None or ended >= len(design.measure):
        return ""
    tested = any(row.p is not None for row in summary.comparisons)
    fresh = any(not trial.judged for one in summary.arms for trial in one.judged)
    return f"{ended} of its {seeds(len(design.measure))}" if tested and fresh else ""


def _turned(pair: Pair) -> Pair:
    """Return a pair with the difference of the other sign."""
    return replace(pair, difference=-pair.difference, low=-pair.high, high=-pair.low)


def _finished(one: Setting) -> str:
    finished, judged = len(one.finished), len(one.judged)
    return f"{finished} of {seeds(judged)}" if one.diverged else seeds(finished)


def _seeds(one: Setting) -> str:
    lost = len(one.diverged)
    return f"{seeds(len(one.judged))}{f', {lost} of them diverged' if lost else ''}"
