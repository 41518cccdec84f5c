"""Rules for large batches: Keras's Lamb with Keras's arguments, the others in Keras's manner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Unpack

from surefoot.keras.arguments import Common, Rate, declared
from surefoot.keras.base import register
from surefoot.keras.optimizers import MOMENTS, NamedOptimizer


@register
class Lamb(NamedOptimizer):
    """Adam whose step is as long as the weights are. Arguments are those of `keras.optimizers.Lamb`."""

    rule_name = "lamb"
    state_names: ClassVar[Sequence[Mapping[str, str]]] = MOMENTS[:1]

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class Lars(NamedOptimizer):
    """Momentum on gradients as long as a share of the weights. You, Gitman & Ginsburg 2017, arXiv:1708.03888."""

    rule_name = "lars"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 1.0,
        momentum: float = 0.9,
        trust_coefficient: float = 1e-3,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class Signum(NamedOptimizer):
    """Move every weight equally far, against the sign of its mean gradient. Bernstein et al., ICML 2018."""

    rule_name = "signum"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.0001,
        beta_1: float = 0.9,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...
