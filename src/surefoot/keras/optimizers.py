"""Drop-in replacements for keras.optimizers' optimizers.

Each class has Keras's arguments in Keras's order, with its defaults, and keeps its state in Keras's order under its
names. `convention=` computes another framework's form of the rule and takes its defaults for what is not given.
Numbers may be integers, and our own spelling (`lr`, `beta1`, `eps`) is understood too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Unpack

from surefoot.keras.arguments import Common, Rate, declared
from surefoot.keras.spelling import AdamLike, NamedOptimizer, register


@register
class SGD(NamedOptimizer):
    """Gradient descent, with momentum or Nesterov momentum if asked; see `keras.optimizers.SGD` for the arguments."""

    rule_name = "sgd"
    spelled: ClassVar[Mapping[str, str]] = {"nesterov": "nesterov"}
    state_names: ClassVar[Sequence[Mapping[str, str]]] = ({"b": "momentum"},)

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class Adagrad(NamedOptimizer):
    """Adagrad; see `keras.optimizers.Adagrad` for the arguments."""

    rule_name = "adagrad"
    state_names: ClassVar[Sequence[Mapping[str, str]]] = ({"s": "accumulator"},)

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class Adadelta(NamedOptimizer):
    """Adadelta; see `keras.optimizers.Adadelta` for the arguments."""

    rule_name = "adadelta"
    state_names: ClassVar[Sequence[Mapping[str, str]]] = ({"v": "accumulated_grad", "u": "accumulated_delta_var"},)

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class RMSprop(NamedOptimizer):
    """RMSprop, centred or with momentum if asked; see `keras.optimizers.RMSprop` for the arguments."""

    rule_name = "rmsprop"
    spelled: ClassVar[Mapping[str, str]] = {"centered": "centered"}
    state_names: ClassVar[Sequence[Mapping[str, str]]] = (
        {"v": "velocity"},
        {"b": "momentum"},
        {"a": "average_gradient"},
    )

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class Adam(AdamLike):
    """Adam, or AMSGrad with `amsgrad=True`; see `keras.optimizers.Adam` for the arguments."""

    rule_name = "adam"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class AdamW(AdamLike):
    """Adam with weight decay by default; see `keras.optimizers.AdamW` for the arguments."""

    rule_name = "adamw"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **common: Unpack[Common],
    ) -> None: ...
