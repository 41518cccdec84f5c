"""Rules for large batches, with the arguments that timm and pytorch_optimizer give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

from surefoot.torch.optimizers import Betas, Number
from surefoot.torch.options import Common, declared
from surefoot.torch.spelling import MOMENTS, TorchOptimizer


class Signum(TorchOptimizer):
    """Move every weight equally far, against the sign of its mean gradient.

    The steps stay as long as the rate: let it fall towards the end.

    Args:
        params: parameters or param groups.
        lr: how far every weight moves; 3e-5 to 3e-4 is usual.
        momentum: share of the mean gradient kept each step; in [0, 1).
        weight_decay: weights shrink by `lr * weight_decay` each step.
        extras: what every optimizer takes (`Common`).

    Source: Bernstein et al., ICML 2018, arXiv:1802.04434.

    Example:
        >>> optimizer = surefoot.torch.Signum(model.parameters(), lr=1e-4)
    """

    name = "signum"
    state_names: ClassVar[Mapping[str, str]] = {"m": "momentum_buffer"}

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-4,
        momentum: float = 0.9,
        weight_decay: float = 0,
        **extras: Unpack[Common],
    ) -> None: ...


class Lamb(TorchOptimizer):
    """Adam whose step is as long, tensor by tensor, as the weights are: one rate suits all layers.

    Give biases and gains an optimizer of their own: their lengths say little. timm and pytorch_optimizer scale all
    gradients down to the length 1 besides, which is `max_grad_norm=1.0` here.

    Args:
        params: parameters or param groups.
        lr: length of a step over that of the weights; 1e-3 is usual.
        betas: shares of the mean gradient and of the mean squared gradient kept each step; in [0, 1).
        eps: added to the root of the mean square.
        weight_decay: added to the step as `weight_decay * p`, before its length is taken.
        extras: what every optimizer takes (`Common`).

    Source: You et al., ICLR 2020, arXiv:1904.00962.

    Example:
        >>> optimizer = surefoot.torch.Lamb(model.parameters(), lr=2e-3, weight_decay=0.01, max_grad_norm=1.0)
    """

    name = "lamb"
    state_names: ClassVar[Mapping[str, str]] = MOMENTS

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 1e-2,
        **extras: Unpack[Common],
    ) -> None: ...


class Lars(TorchOptimizer):
    """Momentum on gradients scaled to a fixed share of each tensor's weights.

    Give biases and gains an optimizer of their own: their lengths say little.

    Args:
        params: parameters or param groups.
        lr: learning rate, which multiplies the velocity; 1 to 30 is usual.
        momentum: share of the velocity kept each step.
        weight_decay: added to the gradient as `weight_decay * p`; the lengths of both are added.
        dampening: share of a new gradient kept out of the velocity.
        trust_coefficient: length of a gradient over that of the weights.
        nesterov: take the gradient's step after the momentum's.
        extras: what every optimizer takes (`Common`).

    Source: You, Gitman & Ginsburg 2017, arXiv:1708.03888.

    Example:
        >>> optimizer = surefoot.torch.Lars(model.parameters(), lr=2.0, weight_decay=1e-4)
    """

    name = "lars"
    state_names: ClassVar[Mapping[str, str]] = {"b": "momentum_buffer"}

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0,
        dampening: float = 0,
        trust_coefficient: float = 1e-3,
        nesterov: bool = False,
        **extras: Unpack[Common],
    ) -> None: ...
