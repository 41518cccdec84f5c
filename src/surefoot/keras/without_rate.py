"""Rules without a schedule or a learning rate to tune, with Keras's arguments where it has the rule.

The Schedule-Free ones average the weights. Those that find the rate by sums over all variables do so over those that
have a gradient in a step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Unpack

from surefoot.keras.arguments import Common, Rate, declared
from surefoot.keras.base import register
from surefoot.keras.optimizers import NamedOptimizer


@register
class ScheduleFreeAdamW(NamedOptimizer):
    """AdamW that averages its weights; see `keras.optimizers.ScheduleFreeAdamW` for the arguments.

    It computes what the authors' code does, and Keras's class does not: there every step weighs as much, in a warm-up
    too, decay reaches one of two sets of weights, and nothing evaluates the average.
    """

    rule_name = "schedule_free_adamw"
    state_names: ClassVar[Sequence[Mapping[str, str]]] = (
        {"z": "momentum", "v": "velocity"},
        {"h": "lr_max", "W": "weight_sum"},
    )

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class ScheduleFreeSGD(NamedOptimizer):
    """Gradient descent that averages its weights. Defazio et al., NeurIPS 2024, arXiv:2405.15682."""

    rule_name = "schedule_free_sgd"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 1.0,
        momentum: float = 0.9,
        warmup_steps: int = 0,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class ScheduleFreeRAdam(NamedOptimizer):
    """RAdam that averages its weights. Defazio et al., NeurIPS 2024, arXiv:2405.15682."""

    rule_name = "schedule_free_radam"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class Prodigy(NamedOptimizer):
    """Adam at a growing guess of the distance to go. Mishchenko & Defazio, ICML 2024, arXiv:2306.06101."""

    rule_name = "prodigy"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 1.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        d0: float = 1e-6,
        d_coef: float = 1.0,
        growth_rate: float = math.inf,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class DAdaptAdam(NamedOptimizer):
    """Adam at a growing guess of the distance to go. Defazio & Mishchenko, ICML 2023, arXiv:2301.07733."""

    rule_name = "dadapt_adam"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 1.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        d0: float = 1e-6,
        growth_rate: float = math.inf,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class DAdaptSGD(NamedOptimizer):
    """Gradient descent at a growing guess of the distance to go. Defazio & Mishchenko, ICML 2023, arXiv:2301.07733."""

    rule_name = "dadapt_sgd"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 1.0,
        momentum: float = 0.0,
        d0: float = 1e-6,
        growth_rate: float = math.inf,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class DoG(NamedOptimizer):
    """Gradient descent at the distance gone so far. Ivgi, Hinder & Carmon, ICML 2023, arXiv:2302.12022."""

    rule_name = "dog"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 1.0,
        reps_rel: float = 1e-6,
        epsilon: float = 1e-8,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class DoWG(NamedOptimizer):
    """Gradient descent at the squared distance gone so far. Khaled et al., NeurIPS 2023, arXiv:2305.16284."""

    rule_name = "dowg"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 1.0,
        first_distance: float = 1e-4,
        epsilon: float = 1e-4,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...
