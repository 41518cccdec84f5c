"""From one meaning to another: slots as the optimizer that goes on would have kept them, or a refusal that says why.

The buffer of momentum holds gradients in torch and optax, and steps in Keras and in optax's RMSprop. One is the other
times the learning rate of the coming step: training goes on equal, and stays equal while the rate stays. A maximum of
mean squares cannot be corrected afterwards, when it is no longer known in which step it was reached.
"""

from __future__ import annotations

from dataclasses import replace

from surefoot.bridge.progress import Meaning, Progress, Slots
from surefoot.errors import UsageError
from surefoot.rules import RULES


def family(rule: str) -> str:
    """Return the name that all rules with the same state and formula share: only hyperparameters tell them apart."""
    return RULES[rule].family if rule in RULES else rule


def fit(progress: Progress, target: Progress) -> Progress:
    """Return a progress in the meaning of another optimizer.

    Args:
        progress: what is to go on.
        target: that of the optimizer with which it does, as its reader found it.

    Raises:
        UsageError: another rule, other parameters, other slots, or a meaning that cannot be converted.
    """
    if progress.rule != target.rule:
        raise UsageError(f"the state is that of {progress.rule}, and the optimizer runs {target.rule}.")
    if not progress.slots and not any(target.slots):
        many = len(target.steps)
        return replace(progress, slots=target.slots, steps=progress.steps * many, meanings=progress.meanings * many)
    if not target.slots and not any(progress.slots):
        return replace(progress, slots=(), steps=(progress.count(),), meanings=progress.meanings[:1])
    if len(progress.slots) != len(target.slots):
        raise UsageError(f"the state is of {len(progress.slots)} parameters; the optimizer has {len(target.slots)}.")
    slots = [_fit(i, progress, target) for i in range(len(target.slots))]
    return replace(progress, slots=tuple(slots))


def _fit(i: int, progress: Progress, target: Progress) -> Slots:
    given, wanted = progress.slots[i], target.slots[i]
    if given.keys() != wanted.keys():
        raise UsageError(
            f"parameter {i}: the state has {_list(given)}, and the optimizer keeps {_list(wanted)}; make it with the "
            "options that the source has (momentum, amsgrad, centered, ema)."
        )
    for name, x in given.items():
        if x.shape != wanted[name].shape:
            raise UsageError(
                f"parameter {i}: {name} has shape {x.shape}, and the optimizer expects {wanted[name].shape}; "
                "Progress.rearranged changes order and layout."
            )
    return _converted(i, given, progress.meanings[i], target.meanings[i])


def _list(slots: Slots) -> str:
    return " and ".join(sorted(slots)) or "none"


def _converted(i: int, slots: Slots, given: Meaning, wanted: Meaning) -> Slots:
    if "vmax" in slots and given.amsgrad_corrected != wanted.amsgrad_corrected:
        kept, asked = ("corrected", "uncorrected") if given.amsgrad_corrected else ("uncorrected", "corrected")
        raise UsageError(
            f"parameter {i}: AMSGrad's maximum is over {kept} mean squares in the source and over {asked} ones in the "
            "target, which cannot be told from it; give the target the source's convention=."
        )
    if "b" not in slots or given.lr_in_buffer == wanted.lr_in_buffer:
        return slots
    lr = given.lr if wanted.lr is None else wanted.lr
    if not lr:
        raise UsageError(
            f"parameter {i}: the momentum buffer holds steps on one side and gradients on the other, and the learning "
            f"rate between them is {lr}; move it at a rate above 0, or give the target the source's convention=."
        )
    return {**slots, "b": slots["b"] * lr if wanted.lr_in_buffer else slots["b"] / lr}
