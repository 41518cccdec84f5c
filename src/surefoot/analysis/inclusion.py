"""Signs that tuning was not good enough, in words: what a careful reader would ask before believing a ranking.

Some optimizers contain others: with a large eps Adam is momentum, and with momentum 0 momentum is gradient descent;
each rule says which (`About.contains`). So when each is tuned well, the general one cannot lose on the training loss,
which is what it minimises; if it does, the search fell short, and the ranking with it. And an optimizer that nowhere
beats guessing was not compared at all.
Source: Choi et al., On Empirical Comparisons of Optimizers for Deep Learning, arXiv:1910.05446.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite, sqrt
from statistics import fmean

from surefoot.analysis.arms import Arm
from surefoot.analysis.checks import count, share
from surefoot.analysis.intervals import ALPHA, paired_difference
from surefoot.rules import RULES


def inclusion_warnings(arms: Sequence[Arm]) -> tuple[str, ...]:
    """A warning for each tuned optimizer that lost on training loss to one that it contains.

    Args:
        arms: the tuned arms of a study, with the trials of the measuring seeds. Untuned ones would be warned of
            rightly but to no use.
    """
    warnings = (_inclusion_warning(general, special) for general in arms for special in arms)
    return tuple(warning for warning in warnings if warning)


def no_progress_warning(
    label: str,
    values: Iterable[float],
    start: float,
    *,
    higher: bool = True,
    margin: float = 0.0,
    without: str = "guessing",
    write: Callable[[float], str] = "{:.4g}".format,
) -> str | None:
    """A warning when no configuration of an optimizer got anywhere; None when one did.

    Args:
        label: the optimizer's name.
        values: the best figure of each configuration that was tried; not finite where it diverged.
        start: what needs no training: the metric of guessing (the share of the largest class), or the initial loss.
        higher: whether higher is better; False for a loss.
        margin: by how much `start` must be beaten to count; `guessing_margin` for a share.
        without: what reaches `start` without training: "guessing", or "the untrained model".
        write: how a figure is written.
    """
    known = [value for value in values if isfinite(value)]
    best = max(known, default=None) if higher else min(known, default=None)
    if best is not None and (best > start + margin if higher else best < start - margin):
        return None
    reached = "all diverged" if best is None else f"the best reached {write(best)}"
    edge = write(start + margin if higher else start - margin)
    luck = f" by more than luck, which alone can reach {edge}" if margin and best is not None else ""
    return (
        f"No configuration of {label} beat the {write(start)} of {without} ({reached}){luck}: it has learned nothing "
        "that shows, and its rank means nothing."
    )


def guessing_margin(chance: float, size: int) -> float:
    """How far above `chance` luck alone can lift an accuracy on `size` examples: three standard deviations."""
    return 3 * sqrt(share(chance, "chance") * (1 - chance) / count(size, "size"))


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


def _inclusion_warning(general: Arm, special: Arm) -> str | None:
    """Words if the special one's training loss is lower, and not by chance, on the seeds that both finished."""
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
    return (
        f"{general.label} lost to {special.label} on training loss ({fmean(pairs[0]):.4g} against "
        f"{fmean(pairs[1]):.4g}), which it contains as a special case: the tuning of {general.label} looks "
        f"insufficient. Give it more trials, or a wider search space with {missed} in it."
    )


def _losses(arm: Arm) -> dict[int, float]:
    found = {trial.seed: trial.outcome.train_loss for trial in arm.finished if trial.outcome}
    return {seed: loss for seed, loss in found.items() if isfinite(loss)}
