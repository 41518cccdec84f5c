"""Signs that tuning was not good enough: an optimizer that lost to one that it contains.

Some optimizers contain others: with a large eps Adam is momentum, and with momentum 0 momentum is gradient descent;
each rule says which (`About.contains`). So when each is tuned well, the general one cannot lose on the training loss,
which is what it minimises; if it does, the search fell short, and the ranking with it.
Source: Choi et al., On Empirical Comparisons of Optimizers for Deep Learning, arXiv:1910.05446.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean

from surefoot.analysis.settings import Arm
from surefoot.rules import RULES
from surefoot.statistics.intervals import ALPHA, paired_difference


@dataclass(frozen=True)
class Beaten:
    """A tuned optimizer with a higher training loss than one that it contains; `knob` turns it into that one."""

    label: str
    special: str
    loss: float
    special_loss: float
    knob: str


def beaten(arms: Sequence[Arm]) -> tuple[Beaten, ...]:
    """Every tuned optimizer that lost on training loss to one that it contains.

    Args:
        arms: the tuned arms of a study, with the trials of the measuring seeds. Untuned ones would be warned of
            rightly but to no use.
    """
    found = (_beaten(general, special) for general in arms for special in arms)
    return tuple(one for one in found if one)


def family(rule: str, hyper: Mapping[str, object]) -> str:
    """The name of the rule that a setting comes to: a rule may be another one by its options."""
    if rule not in ("sgd", "momentum", "nesterov"):
        return rule
    if not hyper.get("momentum"):
        return "sgd"
    return "nesterov" if hyper.get("nesterov") or rule == "nesterov" else "momentum"


def knob(rule: str, special: str, hyper: Mapping[str, object]) -> str | None:
    """The hyperparameter that turns a rule into a special case of it; None if it does not contain it."""
    contains = RULES[rule].about.contains if rule in RULES else None
    if contains is None or special not in contains.rules or (contains.when and not hyper.get(contains.when)):
        return None
    return contains.knob


def _beaten(general: Arm, special: Arm) -> Beaten | None:
    """Whether the special one's training loss is lower, and not by chance, on the seeds that both finished."""
    first, other = general.trials[0], special.trials[0]
    missed = knob(family(first.rule, first.hyper), family(other.rule, other.hyper), first.hyper)
    mine, its = _losses(general), _losses(special)
    common = [seed for seed in mine if seed in its]
    if missed is None or len(common) < 2:
        return None
    pairs = [mine[seed] for seed in common], [its[seed] for seed in common]
    gap = paired_difference(*pairs)
    if gap.mean <= 0 or gap.p > ALPHA:
        return None
    return Beaten(general.label, special.label, fmean(pairs[0]), fmean(pairs[1]), missed)


def _losses(arm: Arm) -> dict[int, float]:
    found = {trial.seed: trial.outcome.train_loss for trial in arm.finished if trial.outcome}
    return {seed: loss for seed, loss in found.items() if isfinite(loss)}
