"""Adam's younger kin, with the arguments of torch's NAdam or of the authors' code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

from surefoot.torch.optimizers import Betas, Number, as_torch
from surefoot.torch.options import Common, Extras, declared
from surefoot.torch.spelling import MOMENTS, TorchOptimizer


class NAdam(TorchOptimizer):
    """Adam that looks one step ahead, with momentum that warms up. Arguments are those of `torch.optim.NAdam`."""

    name = "nadam"
    state_names: ClassVar[Mapping[str, str]] = {**MOMENTS, "p": "mu_product"}

    @as_torch
    def __init__(
        self,
        params: Any,
        lr: Number = 2e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        convention: str = "torch",
        **extras: Unpack[Extras],
    ) -> None: ...


class NAdamW(TorchOptimizer):
    """NAdam with constant momentum and decoupled weight decay, as in timm.

    It is not `NAdam(decoupled_weight_decay=True)`: its first step is five times as long.

    Args:
        params: parameters or param groups.
        lr: learning rate; 1e-3 is usual.
        betas: shares of the mean gradient and of the mean squared gradient kept each step; in [0, 1).
        eps: added to the root of the mean square.
        weight_decay: weights shrink by `lr * weight_decay` each step.
        extras: what every optimizer takes (`Common`).

    Source: Dozat 2016; Dahl et al. 2023, arXiv:2306.07179.

    Example:
        >>> optimizer = surefoot.torch.NAdamW(model.parameters(), lr=1e-3)
    """

    name = "nadamw"
    state_names: ClassVar[Mapping[str, str]] = MOMENTS

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        **extras: Unpack[Common],
    ) -> None: ...


class AdamC(TorchOptimizer):
    """AdamW whose decay falls with the schedule's square, so that late gradients stop growing.

    The rate that a schedule is measured against is the one given here, or a scheduler's `initial_lr`.

    Args:
        params: parameters or param groups.
        lr: the largest learning rate; 1e-3 is usual.
        betas: shares of the mean gradient and of the mean squared gradient kept each step; in [0, 1).
        eps: added to the root of the mean square.
        weight_decay: weights shrink by `lr**2 / initial_lr * weight_decay` each step.
        extras: what every optimizer takes (`Common`).

    Source: Defazio 2025, arXiv:2506.02285.

    Example:
        >>> optimizer = surefoot.torch.AdamC(model.parameters(), lr=1e-3, weight_decay=0.1)
    """

    name = "adamc"
    state_names: ClassVar[Mapping[str, str]] = MOMENTS

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        **extras: Unpack[Common],
    ) -> None: ...


class AdamAtan2(TorchOptimizer):
    """Adam with an angle in the place of its quotient, which needs no eps: any scale of gradients makes the same steps.

    Args:
        params: parameters or param groups.
        lr: learning rate; 1e-4 is usual.
        betas: shares of the mean gradient and of the mean squared gradient kept each step; in [0, 1).
        weight_decay: weights shrink by `lr * weight_decay` each step.
        a: what the angle is multiplied by; 1.27 makes steady gradients step as Adam's do.
        b: what the root is multiplied by under the angle.
        extras: what every optimizer takes (`Common`).

    Source: Everett et al., ICML 2024, arXiv:2407.05872.

    Example:
        >>> optimizer = surefoot.torch.AdamAtan2(model.parameters(), lr=1e-4)
    """

    name = "adamatan2"
    state_names: ClassVar[Mapping[str, str]] = MOMENTS

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-4,
        betas: Betas = (0.9, 0.99),
        weight_decay: float = 0,
        a: float = 1.27,
        b: float = 1.0,
        **extras: Unpack[Common],
    ) -> None: ...


class StableAdamW(TorchOptimizer):
    """AdamW that takes shorter steps in tensors whose mean square lags behind.

    It takes the place of clipping by the norm.

    Args:
        params: parameters or param groups.
        lr: learning rate; 1e-3 is usual.
        betas: shares of the mean gradient and of the mean squared gradient kept each step; in [0, 1).
        weight_decay: weights shrink by the shortened rate times this each step.
        eps: added to the root of the mean square.
        extras: what every optimizer takes (`Common`).

    Source: Wortsman et al., NeurIPS 2023, arXiv:2304.13013; as torch-optimi has it.

    Example:
        >>> optimizer = surefoot.torch.StableAdamW(model.parameters(), lr=1e-3)
    """

    name = "stableadamw"
    state_names: ClassVar[Mapping[str, str]] = MOMENTS

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-3,
        betas: Betas = (0.9, 0.99),
        weight_decay: float = 1e-2,
        eps: float = 1e-6,
        **extras: Unpack[Common],
    ) -> None: ...
