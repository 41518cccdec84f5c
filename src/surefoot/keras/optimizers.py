"""Drop-in replacements for keras.optimizers' optimizers, and AdaBound and AMSBound, which Keras 3 lacks.

Each class names its rule and has Keras's arguments in Keras's order, with its defaults, and keeps its state in Keras's
order under its names. `convention=` computes another framework's form of the rule and takes its defaults for what is
not given. Numbers may be integers, and our own spelling (`lr`, `beta1`, `eps`) is understood too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

from surefoot.conventions import convention as find_convention
from surefoot.frontends.declared import Call
from surefoot.keras.arguments import Common, Rate, declared, understand
from surefoot.keras.base import KerasOptimizer, register
from surefoot.rules import RULES

MOMENTS: Sequence[Mapping[str, str]] = ({"m": "momentum", "v": "velocity"}, {"vmax": "velocity_hat"})
"""Keras's names for the state of Adam and its relatives."""


class NamedOptimizer(KerasOptimizer):
    """An optimizer whose class says which rule it is."""

    rule_name: ClassVar[str]

    def _start(self, call: Call) -> None:
        rule, given = RULES[self.rule_name], {**call.given, **call.extras}
        self._set_up(rule, understand(rule, given, spelled=self.spelled, form=self._form(given)))

    def _form(self, given: Mapping[str, Any]) -> Mapping[str, bool]:  # noqa: ARG002
        """Return the switches that these arguments set beside the convention's own."""
        return {}


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


class AdamLike(NamedOptimizer):
    """Adam and AdamW: what AMSGrad changes."""

    spelled: ClassVar[Mapping[str, str]] = {"amsgrad": "amsgrad"}
    state_names = MOMENTS

    def _form(self, given: Mapping[str, Any]) -> Mapping[str, bool]:
        """Return the switches that AMSGrad has of its own in some conventions."""
        if not given.get("amsgrad"):
            return {}
        switches = find_convention("amsgrad", given.get("convention", "keras")).switches
        return {name: value for name, value in switches.items() if name in RULES[self.rule_name].defaults}


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
