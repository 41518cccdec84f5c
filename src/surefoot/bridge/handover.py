"""The neutral form between frameworks: what an optimizer has gathered, under the rule's own names.

NumPy arrays, parameter by parameter, in the order in which the optimizer has them; and what their numbers mean, where
conventions keep different things under one name. Signs are ours: no buffer here points downhill. Weights and
hyperparameters are not part of it: the optimizer that goes on has its own.

`fit` makes of one meaning another, or refuses and says why. The buffer of momentum holds gradients in torch and optax,
and steps in Keras and in optax's RMSprop. One is the other times the learning rate of the coming step: training goes on
equal, and stays equal while the rate stays. A maximum of mean squares cannot be corrected afterwards, when it is no
longer known in which step it was reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from surefoot.errors import UsageError
from surefoot.rule import Rule

Slots = Mapping[str, np.ndarray]
"""The arrays of one parameter, by the rule's names."""


@dataclass(frozen=True)
class Meaning:
    """The meaning of the slots' numbers.

    Attributes:
        lr: learning rate of the coming step; None if the optimizer does not show it, as optax's own do not.
        base_lr: what a schedule is measured against, for a rule whose formula asks; else None.
        lr_in_buffer: whether the momentum buffer holds steps (rate times gradient), not gradients.
        amsgrad_corrected: whether AMSGrad's maximum is over the bias-corrected mean square.
    """

    lr: float | None = None
    base_lr: float | None = None
    lr_in_buffer: bool = False
    amsgrad_corrected: bool = False

    @classmethod
    def of(cls, rule: Rule, hyper: Mapping[str, Any], lr: float, base_lr: Any) -> Meaning:
        """Return what a rule's numbers mean under its hyperparameters, at these learning rates."""
        base = float(base_lr) if "base_lr" in rule.own and base_lr is not None else None
        return cls(lr, base, bool(hyper.get("lr_in_buffer")), bool(hyper.get("amsgrad_corrected")))


@dataclass(frozen=True)
class Handover:
    """The progress of an optimizer.

    Attributes:
        rule: name of the rule. Variants that keep the same state have one: `sgd`, `adam`, `adabound`.
        slots: for each parameter, its arrays by the rule's names, such as `m` and `v`.
        steps: for each parameter the number of steps it has made; None where the optimizer does not count.
        meanings: for each parameter what the numbers mean.
        numbers: the slots that do not lie as their parameter does: one number, of shape (), or beside a matrix one for
            each row, column or pair of them.
        shared: by the rule's names, what it keeps as one number for the whole optimizer.

    SGD without momentum keeps nothing but its count, and in optax does not know its parameters: `slots` is empty, and
    the other two speak for all.
    """

    rule: str
    slots: tuple[Slots, ...]
    steps: tuple[int | None, ...]
    meanings: tuple[Meaning, ...] = field(repr=False)
    numbers: frozenset[str] = frozenset()
    shared: Mapping[str, float] = field(default_factory=dict)

    def rearranged(
        self, order: Sequence[int], layouts: Mapping[int, Callable[[np.ndarray], np.ndarray]] | None = None
    ) -> Handover:
        """Return the progress for parameters in another order or layout.

        torch's `Linear` keeps (out, in) and lists the weight first; Flax and Keras keep (in, out), and jax sorts
        names, the bias first.

        Args:
            order: for each parameter of the target, its number here.
            layouts: by the number here, what changes an array of a parameter, such as `np.transpose`.

        Raises:
            UsageError: the order does not name each parameter once.

        Example:
            >>> progress.rearranged([1, 0], {0: np.transpose})
        """
        if not self.slots:
            return self
        if sorted(order) != list(range(len(self.slots))):
            raise UsageError(f"order={list(order)!r} does not name each of the {len(self.slots)} parameters once.")
        return replace(
            self,
            slots=tuple(self._laid_out(i, (layouts or {}).get(i, np.asarray)) for i in order),
            steps=tuple(self.steps[i] for i in order),
            meanings=tuple(self.meanings[i] for i in order),
        )

    def _laid_out(self, i: int, change: Callable[[np.ndarray], np.ndarray]) -> Slots:
        return {name: x if name in self.numbers else change(x) for name, x in self.slots[i].items()}

    def count(self) -> int:
        """Return the number of steps, for a framework that counts once for all parameters.

        Raises:
            UsageError: parameters have made different numbers of steps, or the number is unknown.
        """
        counts = set(self.counts())
        if len(counts) > 1:
            raise UsageError(
                f"parameters have made different numbers of steps, {min(counts)} to {max(counts)}; optax and Keras "
                "count once for all. Move those that differ as optimizers of their own."
            )
        return counts.pop() if counts else 0

    def counts(self) -> tuple[int, ...]:
        """Return the number of steps of each parameter.

        Raises:
            UsageError: the optimizer did not count.
        """
        known = tuple(steps for steps in self.steps if steps is not None)
        if len(known) < len(self.steps):
            raise UsageError("the source does not count its steps; say how many: steps=..., where it is read.")
        return known


def fit(given: Handover, target: Handover) -> Handover:
    """Return a given in the meaning of another optimizer.

    Args:
        given: what is to go on.
        target: that of the optimizer with which it does, as its reader found it.

    Raises:
        UsageError: another rule, other parameters, other slots, or a meaning that cannot be converted.
    """
    if given.rule != target.rule:
        raise UsageError(f"the state is that of {given.rule}, and the optimizer runs {target.rule}.")
    if given.shared.keys() != target.shared.keys():
        has, keeps = (_listed(one.shared) for one in (given, target))
        raise UsageError(f"the state has {has} for the whole optimizer, and the optimizer keeps {keeps}.")
    if not given.slots and not any(target.slots):
        many = len(target.steps)
        return replace(given, slots=target.slots, steps=given.steps * many, meanings=given.meanings * many)
    if not target.slots and not any(given.slots):
        return replace(given, slots=(), steps=(given.count(),), meanings=given.meanings[:1])
    if len(given.slots) != len(target.slots):
        raise UsageError(f"the state is of {len(given.slots)} parameters; the optimizer has {len(target.slots)}.")
    slots = [_fit(i, given, target) for i in range(len(target.slots))]
    return replace(given, slots=tuple(slots))


def apart(rule: Rule) -> frozenset[str]:
    """Return the slots of a rule that lie unlike a parameter: see `Handover.numbers`."""
    return frozenset(rule.per) - rule.each_weight - rule.shared


def both(name: str, children: Iterable[str]) -> str:
    """Return an error's advice for an optimizer of two rules, which has them under this name."""
    parts = " and ".join(f"{name}[{child!r}]" for child in children)
    return f"the optimizer has two rules, each with its own state; move {parts}, one after the other."


def _listed(slots: Mapping[str, Any]) -> str:
    return " and ".join(sorted(slots)) or "none"


def _fit(i: int, source: Handover, target: Handover) -> Slots:
    given, wanted = source.slots[i], target.slots[i]
    if given.keys() != wanted.keys():
        has, keeps = (_listed(slots) for slots in (given, wanted))
        raise UsageError(
            f"parameter {i}: the state has {has}, and the optimizer keeps {keeps}; make it with the options that the "
            "source has (momentum, amsgrad, centered, ema)."
        )
    for name, x in given.items():
        if x.shape != wanted[name].shape:
            raise UsageError(
                f"parameter {i}: {name} has shape {x.shape}, and the optimizer expects {wanted[name].shape}; "
                "Handover.rearranged changes order and layout."
            )
    return _converted(i, given, source.meanings[i], target.meanings[i])


def _converted(i: int, slots: Slots, given: Meaning, wanted: Meaning) -> Slots:
    if "vmax" in slots and given.amsgrad_corrected != wanted.amsgrad_corrected:
        kept, asked = ("corrected", "uncorrected") if given.amsgrad_corrected else ("uncorrected", "corrected")
        raise UsageError(
            f"parameter {i}: AMSGrad's maximum is over {kept} mean squares in the source and over {asked} ones in the "
            "target, which it does not determine; give the target the source's convention=."
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
