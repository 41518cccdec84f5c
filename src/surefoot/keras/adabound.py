"""AdaBound and AMSBound, which Keras 3 lacks: in Keras's manner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Unpack

from surefoot.keras.arguments import Common, Rate, declared
from surefoot.keras.spelling import MOMENTS, NamedOptimizer, register


@register
class AdaBound(NamedOptimizer):
    """Adam at first and SGD at last: each weight's rate is clipped between two bounds that close on `final_lr`.

    Use it to try for Adam's speed early and SGD's generalization late with one learning rate; with `gamma=1e-3` the
    bounds are within a factor of two of `final_lr` from step 1,000 on, so short runs see little of SGD. The direction
    stays a mean of gradients. A schedule scales both bounds with the learning rate, by its rate over
    `base_learning_rate`, which is saved with the optimizer. This is the formula of the authors' code;
    `convention="paper"` is their Algorithm 2.

    Args:
        learning_rate: Adam's learning rate, at the start; 1e-3 is usual.
        beta_1: share of the mean gradient kept each step; in [0, 1).
        beta_2: share of the mean squared gradient kept each step; in [0, 1).
        final_lr: rate on which the bounds close; 0.01 to 0.1 is usual, about a tenth of it is felt as SGD's rate.
        gamma: how fast they close, per step; in (0, 1).
        epsilon: added to the root of the mean square before its bias is corrected.
        amsbound: never let the divisor shrink (AMSBound).
        weight_decay: share of each weight, times the learning rate, that is taken off every step; None for none.
        common: what every optimizer takes (`Common`).

    Raises:
        UsageError: an unknown option, a value out of range, or a schedule that starts at zero.

    Source: Luo et al., ICLR 2019, arXiv:1902.09843.

    Example:
        >>> model.compile(AdaBound(learning_rate=1e-3, final_lr=0.1), loss="sparse_categorical_crossentropy")
    """

    rule_name = "adabound"
    state_names = MOMENTS
    spelled: ClassVar[Mapping[str, str]] = {"amsgrad": "amsbound"}

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        final_lr: float = 0.1,
        gamma: float = 1e-3,
        epsilon: float = 1e-7,
        amsbound: bool = False,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class AMSBound(NamedOptimizer):
    """AdaBound that never forgets its largest mean square: `AdaBound(amsbound=True)` under its own name."""

    rule_name = "amsbound"
    state_names = MOMENTS

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        final_lr: float = 0.1,
        gamma: float = 1e-3,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...
