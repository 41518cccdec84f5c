"""AdaBound and AMSBound, which torch lacks: in torch's manner, with the arguments of the authors' own class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

from torch import Tensor

from surefoot.torch.options import Common, declared
from surefoot.torch.spelling import MOMENTS, TorchOptimizer


class AdaBound(TorchOptimizer):
    """Adam at first and SGD at last: each weight's rate is clipped between two bounds that close on `final_lr`.

    Use it to try for Adam's speed early and SGD's generalization late with one learning rate; with `gamma=1e-3` the
    bounds are within a factor of two of `final_lr` from step 1,000 on, so short runs see little of SGD. The direction
    stays a mean of gradients: its late phase is SGD with momentum beta1 at `final_lr * (1 - beta1)`. A scheduler
    scales both bounds with the learning rate, by lr / base_lr; `base_lr` is the group's rate when it was made and
    is saved with it. This is the formula of the authors' code; `convention="paper"` is their Algorithm 2.

    Args:
        params: parameters or param groups.
        lr: Adam's learning rate, at the start; 1e-3 is usual.
        betas: shares of the mean gradient and of the mean squared gradient kept each step; in [0, 1).
        final_lr: rate on which the bounds close; 0.01 to 0.1 is usual, about a tenth of it is felt as SGD's rate.
        gamma: how fast they close, per step; in (0, 1).
        eps: added to the root of the mean square before its bias is corrected.
        weight_decay: added to the gradient as `weight_decay * p`, unless decoupled.
        amsbound: never let the divisor shrink (AMSBound).
        decoupled_weight_decay: shrink weights by `lr * weight_decay` instead.
        extras: what every optimizer takes (`Common`).

    Source: Luo et al., ICLR 2019, arXiv:1902.09843.

    Example:
        >>> optimizer = surefoot.torch.AdaBound(model.parameters(), lr=1e-3, final_lr=0.1)
    """

    name = "adabound"
    state_names: ClassVar[Mapping[str, str]] = MOMENTS
    switch_names: ClassVar[Mapping[str, str]] = {"decoupled": "decoupled_weight_decay", "amsgrad": "amsbound"}
    sparse_error = "AdaBound does not support sparse gradients, please consider SGD or Adagrad instead"

    @declared
    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        final_lr: float = 0.1,
        gamma: float = 1e-3,
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsbound: bool = False,
        *,
        decoupled_weight_decay: bool = False,
        **extras: Unpack[Common],
    ) -> None: ...


class AMSBound(AdaBound):
    """AdaBound that never forgets its largest mean square: `AdaBound(amsbound=True)` under its own name."""

    fixed: ClassVar[Mapping[str, Any]] = {"amsbound": True}

    @declared
    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        final_lr: float = 0.1,
        gamma: float = 1e-3,
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        decoupled_weight_decay: bool = False,
        **extras: Unpack[Common],
    ) -> None: ...
