"""The neutral form between frameworks: what an optimizer has gathered, under the rule's own names.

NumPy arrays, parameter by parameter, in the order in which the optimizer has them; and what their numbers mean, where
conventions keep different things under one name. Signs are ours: no buffer here points downhill. Weights and
hyperparameters are not part of it: the optimizer that goes on has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from surefoot.errors import UsageError

Slots = Mapping[str, np.ndarray]
"""The arrays of one parameter, by the rule's names."""


@dataclass(frozen=True)
class Meaning:
    """What the numbers of the slots mean.

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


@dataclass(frozen=True)
class Progress:
    """How far an optimizer has come.

    Attributes:
        rule: name of the rule. Variants that keep the same state have one: `sgd`, `adam`, `adabound`.
        slots: for each parameter, its arrays by the rule's names, such as `m` and `v`.
        steps: for each parameter the number of steps it has made; None where the optimizer does not count.
        meanings: for each parameter what the numbers mean.

    SGD without momentum keeps nothing but its count, and in optax does not know its parameters: `slots` is empty, and
    the other two speak for all.
    """

    rule: str
    slots: tuple[Slots, ...]
    steps: tuple[int | None, ...]
    meanings: tuple[Meaning, ...] = field(repr=False)

    def rearranged(
        self, order: Sequence[int], layouts: Mapping[int, Callable[[np.ndarray], np.ndarray]] | None = None
    ) -> Progress:
        """Return the progress for a framework that has the parameters in another order, or lays them out otherwise.

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
        change = layouts or {}
        moved = [{name: change.get(i, np.asarray)(x) for name, x in self.slots[i].items()} for i in order]
        return replace(
            self,
            slots=tuple(moved),
            steps=tuple(self.steps[i] for i in order),
            meanings=tuple(self.meanings[i] for i in order),
        )

    def count(self) -> int:
        """Return the number of steps, for a framework that counts once for all parameters.

        Raises:
            UsageError: parameters have made different numbers of steps, or nobody knows how many.
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
