"""Rules after Adam, with torch's arguments or those of the authors' code.

State has the names that torch or the authors give it, so checkpoints are exchanged with torch.optim where it has the
rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

from surefoot.torch.optimizers import Betas, Number, as_torch
from surefoot.torch.options import Common, Extras, declared
from surefoot.torch.spelling import MOMENTS, TorchOptimizer


class Adamax(TorchOptimizer):
    """Adam whose divisor is the largest recent gradient; see `torch.optim.Adamax` for the arguments."""

    name = "adamax"
    state_names: ClassVar[Mapping[str, str]] = {"m": "exp_avg", "u": "exp_inf"}

    @as_torch
    def __init__(
        self,
        params: Any,
        lr: Number = 2e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
        convention: str = "torch",
        **extras: Unpack[Extras],
    ) -> None: ...


class RAdam(TorchOptimizer):
    """Adam that waits until its mean square rests on enough gradients. Arguments are those of `torch.optim.RAdam`."""

    name = "radam"
    state_names: ClassVar[Mapping[str, str]] = MOMENTS

    @as_torch
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        convention: str = "torch",
        **extras: Unpack[Extras],
    ) -> None: ...


class Lion(TorchOptimizer):
    """Move every weight equally far, by the sign of momentum and gradient.

    Use it with large batches, or where Adam's second number a weight is too much. Take a learning rate 3 to 10 times
    lower than AdamW's, and as much more weight decay. The steps stay as long as the rate: let it fall towards the end.

    Args:
        params: parameters or param groups.
        lr: how far every weight moves; 3e-5 to 3e-4 is usual.
        betas: shares of the mean gradient kept in the step and in the memory; in [0, 1).
        weight_decay: weights shrink by `lr * weight_decay` each step; 0.01 to 10 is usual.
        extras: what every optimizer takes (`Common`).

    Source: Chen et al., NeurIPS 2023, arXiv:2302.06675.

    Example:
        >>> optimizer = surefoot.torch.Lion(model.parameters(), lr=1e-4, weight_decay=0.1)
    """

    name = "lion"
    state_names: ClassVar[Mapping[str, str]] = {"m": "exp_avg"}

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-4,
        betas: Betas = (0.9, 0.99),
        weight_decay: float = 0,
        **extras: Unpack[Common],
    ) -> None: ...


class AdaBelief(TorchOptimizer):
    """Adam that divides by the distance of gradients from their mean: gradients that agree make long steps.

    Args:
        params: parameters or param groups.
        lr: learning rate; 1e-3 is usual.
        betas: shares of the mean gradient and of its mean squared error kept each step; in [0, 1).
        eps: added to the mean squared error at every step, and to its root; 1e-8 where SGD beats Adam, else 1e-16.
        weight_decay: weights shrink by `lr * weight_decay` each step.
        extras: what every optimizer takes (`Common`).

    Source: Zhuang et al., NeurIPS 2020, arXiv:2010.07468; the authors' code without rectification.

    Example:
        >>> optimizer = surefoot.torch.AdaBelief(model.parameters(), lr=1e-3)
    """

    name = "adabelief"
    state_names: ClassVar[Mapping[str, str]] = {"m": "exp_avg", "s": "exp_avg_var"}

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-16,
        weight_decay: float = 0,
        **extras: Unpack[Common],
    ) -> None: ...


class Yogi(TorchOptimizer):
    """Adam whose mean square cannot fall quickly: rare large gradients are remembered.

    Args:
        params: parameters or param groups.
        lr: learning rate; 1e-2 is usual.
        betas: shares of the mean gradient and of the mean squared gradient kept each step; in [0, 1).
        eps: added to the root of the mean square; 1e-3 is usual, which acts as a floor.
        initial_accumulator: value that both means start from.
        weight_decay: added to the gradient as `weight_decay * p`.
        extras: what every optimizer takes (`Common`).

    Source: Zaheer et al., NeurIPS 2018.

    Example:
        >>> optimizer = surefoot.torch.Yogi(model.parameters(), lr=1e-2)
    """

    name = "yogi"
    state_names: ClassVar[Mapping[str, str]] = MOMENTS

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-2,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-3,
        initial_accumulator: float = 1e-6,
        weight_decay: float = 0,
        **extras: Unpack[Common],
    ) -> None: ...


class ADOPT(TorchOptimizer):
    """Adam that divides by the last step's mean square, and converges for any beta2.

    The first step stores the gradient's square and moves nothing.

    Args:
        params: parameters or param groups.
        lr: learning rate; 1e-3 is usual.
        betas: shares of the mean step and of the mean squared gradient kept each step; in [0, 1).
        eps: the smallest divisor.
        weight_decay: added to the gradient as `weight_decay * p`, unless `decouple`.
        decouple: shrink weights by `lr * weight_decay` instead.
        extras: what every optimizer takes (`Common`).

    Source: Taniguchi et al., NeurIPS 2024, arXiv:2411.02853; as the authors' code of November 2024.

    Example:
        >>> optimizer = surefoot.torch.ADOPT(model.parameters(), lr=1e-3, weight_decay=0.01, decouple=True)
    """

    name = "adopt"
    state_names: ClassVar[Mapping[str, str]] = MOMENTS

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-3,
        betas: Betas = (0.9, 0.9999),
        eps: float = 1e-6,
        weight_decay: float = 0,
        decouple: bool = False,
        **extras: Unpack[Common],
    ) -> None: ...


class AdEMAMix(TorchOptimizer):
    """Adam with a second, much slower mean of the gradients, for long runs.

    Args:
        params: parameters or param groups.
        lr: learning rate; 1e-3 is usual.
        betas: shares of the fast mean, of the mean square and of the slow mean kept each step; in [0, 1).
        alpha: weight of the slow mean; 2 to 8 is usual.
        eps: added to the root of the mean square.
        weight_decay: weights shrink by `lr * weight_decay` each step.
        extras: what every optimizer takes (`Common`).

    Source: Pagliardini, Ablin & Grangier, ICLR 2025, arXiv:2409.03137; without warm-ups of `alpha` and the third beta.

    Example:
        >>> optimizer = surefoot.torch.AdEMAMix(model.parameters(), lr=1e-3, weight_decay=0.1)
    """

    name = "ademamix"
    state_names: ClassVar[Mapping[str, str]] = {"m": "exp_avg_fast", "n": "exp_avg_slow", "v": "exp_avg_sq"}

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-3,
        betas: tuple[Number, Number, Number] = (0.9, 0.999, 0.9999),
        alpha: float = 2.0,
        eps: float = 1e-8,
        weight_decay: float = 0,
        **extras: Unpack[Common],
    ) -> None: ...


class Adan(TorchOptimizer):
    """Adam with a mean of the gradients' differences, which looks one step ahead.

    Args:
        params: parameters or param groups.
        lr: learning rate; 1e-3 is usual.
        betas: shares of the mean gradient, of the mean difference and of the mean square kept each step; in [0, 1).
        eps: added to the root of the mean square.
        weight_decay: weights are divided by `1 + lr * weight_decay` after each step.
        extras: what every optimizer takes (`Common`).

    Source: Xie et al., IEEE TPAMI 2024, arXiv:2208.06677.

    Example:
        >>> optimizer = surefoot.torch.Adan(model.parameters(), lr=1e-3, weight_decay=0.02)
    """

    name = "adan"
    state_names: ClassVar[Mapping[str, str]] = {"m": "exp_avg", "d": "exp_avg_diff", "v": "exp_avg_sq", "p": "pre_grad"}

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-3,
        betas: tuple[Number, Number, Number] = (0.98, 0.92, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0,
        **extras: Unpack[Common],
    ) -> None: ...
