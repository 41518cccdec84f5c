"""Rules after Adam: Keras's own with Keras's arguments, the others in Keras's manner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Unpack

from surefoot.keras.arguments import Common, Rate, declared
from surefoot.keras.base import register
from surefoot.keras.optimizers import NamedOptimizer


@register
class Lion(NamedOptimizer):
    """Move every weight equally far, against a sign; see `keras.optimizers.Lion` for the arguments."""

    rule_name = "lion"
    state_names: ClassVar[Sequence[Mapping[str, str]]] = ({"m": "momentum"},)

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class Adamax(NamedOptimizer):
    """Adam whose divisor is the largest recent gradient; see `keras.optimizers.Adamax` for the arguments."""

    rule_name = "adamax"
    state_names: ClassVar[Sequence[Mapping[str, str]]] = ({"m": "momentum", "u": "norm"},)

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
class RAdam(NamedOptimizer):
    """Adam that waits until its mean square rests on enough gradients. Liu et al., ICLR 2020, arXiv:1908.03265."""

    rule_name = "radam"

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
class AdaBelief(NamedOptimizer):
    """Adam that divides by the distance of gradients from their mean. Zhuang et al., NeurIPS 2020, arXiv:2010.07468."""

    rule_name = "adabelief"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-16,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class Yogi(NamedOptimizer):
    """Adam whose mean square cannot fall quickly. Zaheer et al., NeurIPS 2018."""

    rule_name = "yogi"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-3,
        initial_accumulator_value: float = 1e-6,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class ADOPT(NamedOptimizer):
    """Divide each gradient by the mean square before it. Taniguchi et al., NeurIPS 2024, arXiv:2411.02853."""

    rule_name = "adopt"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.9999,
        epsilon: float = 1e-6,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class AdEMAMix(NamedOptimizer):
    """Adam with a second, much slower mean. Pagliardini, Ablin & Grangier, ICLR 2025, arXiv:2409.03137."""

    rule_name = "ademamix"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        beta_3: float = 0.9999,
        alpha: float = 2.0,
        epsilon: float = 1e-8,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class Adan(NamedOptimizer):
    """Adam with a mean of the gradients' differences. Xie et al., IEEE TPAMI 2024, arXiv:2208.06677."""

    rule_name = "adan"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.98,
        beta_2: float = 0.92,
        beta_3: float = 0.99,
        epsilon: float = 1e-8,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...
