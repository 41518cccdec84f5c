"""Adam's younger kin: Keras's Nadam with Keras's arguments, the others in Keras's manner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Unpack

from surefoot.keras.arguments import Common, Rate, declared
from surefoot.keras.base import register
from surefoot.keras.optimizers import MOMENTS, NamedOptimizer


@register
class Nadam(NamedOptimizer):
    """Adam that looks one step ahead; see `keras.optimizers.Nadam` for the arguments.

    Each variable has its own product of momenta. The step count is Keras's, one for all: a variable that joins late
    starts with a step of another length.
    """

    rule_name = "nadam"
    state_names: ClassVar[Sequence[Mapping[str, str]]] = (MOMENTS[0], {"p": "u_product"})

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
class NAdamW(NamedOptimizer):
    """NAdam with constant momentum and decoupled weight decay. Dahl et al. 2023, arXiv:2306.07179."""

    rule_name = "nadamw"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        **common: Unpack[Common],
    ) -> None: ...


@register
class AdamC(NamedOptimizer):
    """AdamW whose weight decay falls with the square of the schedule. Defazio 2025, arXiv:2506.02285."""

    rule_name = "adamc"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        **common: Unpack[Common],
    ) -> None: ...


@register
class AdamAtan2(NamedOptimizer):
    """Adam with an angle in the place of its quotient. Everett et al., ICML 2024, arXiv:2407.05872."""

    rule_name = "adamatan2"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.0001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        a: float = 1.27,
        b: float = 1.0,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class StableAdamW(NamedOptimizer):
    """AdamW with shorter steps where its mean square lags. Wortsman et al., NeurIPS 2023, arXiv:2304.13013."""

    rule_name = "stableadamw"

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        epsilon: float = 1e-6,
        weight_decay: float | None = 0.01,
        **common: Unpack[Common],
    ) -> None: ...
