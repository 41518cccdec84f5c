"""Signs that tuning was not good enough: an optimizer that lost to one that it contains.

Some optimizers contain others: with a large eps Adam is momentum, and with momentum 0 momentum is gradient descent. So
when each is tuned well, the general one cannot lose on the training loss, which is what it minimises; if it does, the
search fell short, and the ranking with it.
Source: Choi et al., On Empirical Comparisons of Optimizers for Deep Learning, arXiv:1910.05446.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean

from surefoot.analysis.arms import Arm
from surefoot.analysis.intervals import ALPHA, paired_difference

INCLUDES = {
    "momentum": ("sgd",),
    "nesterov": ("sgd",),
    "rmsprop with momentum": ("momentum", "sgd"),
    "adam": ("momentum", "sgd"),
    "nadam": ("nesterov", "sgd"),
}
"""Each optimizer, and those that it becomes at some setting of its hyperparameters."""


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
    """The name under which `INCLUDES` knows a setting: a rule may be another one by its options."""
    momentum = bool(hyper.get("momentum"))
    if rule in ("sgd", "momentum", "nesterov"):
        return ("nesterov" if hyper.get("nesterov") or rule == "nesterov" else "momentum") if momentum else "sgd"
    return "rmsprop with momentum" if rule == "rmsprop" and momentum else rule


def _beaten(general: Arm, special: Arm) -> Beaten | None:
    """Whether the special one's training loss is lower, and not by chance, on the seeds that both finished."""
    names = [family(arm.trials[0].rule, arm.trials[0].hyper) for arm in (general, special)]
    mine, its = _losses(general), _losses(special)
    common = [seed for seed in mine if seed in its]
    if names[1] not in INCLUDES.get(names[0], ()) or len(common) < 2:
        return None
    pairs = [mine[seed] for seed in common], [its[seed] for seed in common]
    gap = paired_difference(*pairs)
    if gap.mean <= 0 or gap.p > ALPHA:
        return None
    return Beaten(general.label, special.label, fmean(pairs[0]), fmean(pairs[1]), _knob(names[0]))


def _losses(arm: Arm) -> dict[int, float]:
    found = {trial.seed: trial.outcome.train_loss for trial in arm.finished if trial.outcome}
    return {seed: loss for seed, loss in found.items() if isfinite(loss)}


def _knob(general: str) -> str:
    """The hyperparameter that turns the general one into the special one."""
    return "momentum" if general in ("momentum", "nesterov") else "eps"
