"""Reasons to doubt a ranking: three checks that a careful reader would make. `words.notes` writes them.

1. Some optimizers contain others: with a large eps Adam is momentum. Each rule says which (`About.contains`). A
   well-tuned general one cannot lose on the training loss, which it minimises. If it does, the search fell short.
2. An optimizer whose chosen configuration diverges was tuned on too few seeds.
3. An optimizer of which no configuration beats guessing was not compared at all. Tasks of unknown chance are left out.

Source: Choi et al., On Empirical Comparisons of Optimizers for Deep Learning, arXiv:1910.05446.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import isfinite, nan, sqrt
from statistics import fmean
from typing import Any

from surefoot.analysis.scale import Scale
from surefoot.analysis.settings import Setting
from surefoot.analysis.tuning import TuningRow
from surefoot.rules import RULES
from surefoot.statistics.intervals import ALPHA, paired_difference
from surefoot.store.protocol import Protocol


@dataclass(frozen=True)
class Beaten:
    """A tuned optimizer with a higher training loss than a `special` case of it; `knob` leads there."""

    label: str
    special: str
    loss: float
    special_loss: float
    knob: str


@dataclass(frozen=True)
class Unstable:
    """An optimizer chosen on `tuning_seeds` seeds that diverged on `diverged` of `judged` measuring seeds."""

    label: str
    tuning_seeds: int
    diverged: int
    judged: int


@dataclass(frozen=True)
class NoProgress:
    """An optimizer of which no configuration beat `chance`, the metric of guessing.

    Its `best` (None where all diverged) is within what `luck` alone can reach. `searched` says whether there were
    several configurations, or one setting as given.
    """

    label: str
    best: float | None
    chance: float
    luck: float
    searched: bool = True


Doubt = Beaten | Unstable | NoProgress


def doubts(
    settings: Sequence[Setting], tuning: Sequence[TuningRow], protocol: Protocol, scale: Scale
) -> tuple[Doubt, ...]:
    """Return every reason to doubt the ranking of these settings; `tuning` has a row for each tuned one."""
    searches = {row.label: row for row in tuning}
    tuned = [one for one in settings if one.label in searches]
    unstable = [
        Unstable(one.label, len(searches[one.label].seeds), len(one.diverged), len(one.judged))
        for one in tuned
        if one.diverged
    ]
    return (*beaten(tuned), *unstable, *_at_chance(settings, tuning, protocol, scale))


def beaten(settings: Sequence[Setting]) -> tuple[Beaten, ...]:
    """Return every optimizer with a clearly higher training loss than one that it contains.

    Args:
        settings: the tuned settings of a study, with their measuring trials. A warning about untuned ones would be
            right, but of no use.
    """
    losses = {
        one.label: {t.seed: t.outcome.train_loss for t in one.finished if t.outcome and isfinite(t.outcome.train_loss)}
        for one in settings
    }
    found = []
    for general, special in product(settings, settings):
        first, other = general.trials[0], special.trials[0]
        missed = knob(family(first.rule, first.hyper), family(other.rule, other.hyper), first.hyper)
        mine, its = losses[general.label], losses[special.label]
        common = [seed for seed in mine if seed in its]
        if missed is None or len(common) < 2:
            continue
        pairs = [mine[seed] for seed in common], [its[seed] for seed in common]
        gap = paired_difference(*pairs)
        if gap.mean > 0 and gap.p <= ALPHA:
            found.append(Beaten(general.label, special.label, fmean(pairs[0]), fmean(pairs[1]), missed))
    return tuple(found)


def family(rule: str, hyper: Mapping[str, object]) -> str:
    """Return the rule that a setting amounts to: by its options a rule may be another one."""
    if rule not in ("sgd", "momentum", "nesterov"):
        return rule
    if not hyper.get("momentum"):
        return "sgd"
    return "nesterov" if hyper.get("nesterov") or rule == "nesterov" else "momentum"


def knob(rule: str, special: str, hyper: Mapping[str, object]) -> str | None:
    """Return the hyperparameter that turns a rule into a special case of it; None if it is no special case."""
    contains = RULES[rule].about.contains if rule in RULES else None
    if contains is None or special not in contains.rules or (contains.when and not hyper.get(contains.when)):
        return None
    return contains.knob


def no_progress(label: str, values: Iterable[float], chance: float, scale: Scale, size: Any = None) -> list[NoProgress]:
    """Return a doubt if no configuration of an optimizer beat guessing; else an empty list.

    Args:
        label: name of the optimizer.
        values: the best figure of each tried configuration; not finite where it diverged.
        chance: the metric of guessing: the share of the largest class, or the initial loss.
        scale: scale of the metric.
        size: number of examples behind a share, if known: luck of three standard deviations must be beaten too.
    """
    known = [value for value in values if isfinite(value)]
    best = scale.best(known) if known else None
    lucky = scale.metric.share and 0 < chance < 1 and isinstance(size, int)  # by three standard deviations
    luck = chance + scale.gain(3 * sqrt(chance * (1 - chance) / size)) if lucky else chance
    beat = best is not None and scale.gain(best) > scale.gain(luck)
    return [] if beat else [NoProgress(label, best, chance, luck)]


def _at_chance(
    settings: Sequence[Setting], tuning: Sequence[TuningRow], protocol: Protocol, scale: Scale
) -> Iterator[NoProgress]:
    """Yield the optimizers that learned nothing: tuned ones by validation metric, others by test metric."""
    if (chance := protocol.chance) is None:
        return
    for row in tuning:
        if ended := [one for one in row.tried if one.status in ("finished", "diverged")]:
            tried = [nan if one.metric is None else one.metric for one in ended]
            yield from no_progress(row.label, tried, chance, scale, protocol.validation_size or None)
    tuned = {row.label for row in tuning}
    for one in settings:
        if one.label not in tuned and one.judged:
            given = no_progress(one.label, one.results().values(), chance, scale, protocol.test_size or None)
            yield from (replace(doubt, searched=False) for doubt in given)
