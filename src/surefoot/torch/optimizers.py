"""Drop-in replacements for torch.optim's optimizers, and AdaBound and AMSBound, which torch lacks.

Each replacement has torch's arguments in torch's order, with torch's defaults, checks and messages, keeps its state
under torch's names, and so exchanges checkpoints with torch.optim. `foreach` chooses among torch's implementations and
changes nothing here; `fused=False` asks for the eager engine. `convention=` computes another framework's form of the
rule and takes its defaults for what is not given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

from torch import Tensor

from surefoot.conventions import convention as find_convention
from surefoot.frontends.declared import declaring
from surefoot.torch.group_settings import Group, Settings
from surefoot.torch.options import Common, Extras, declared
from surefoot.torch.spelling import MOMENTS, TorchOptimizer
from surefoot.torch.state import tensors

Number = float | Tensor
Betas = tuple[Number, Number]

as_torch = declaring()
"""Makes a constructor of a signature that is torch's, argument for argument."""


class SGD(TorchOptimizer):
    """Gradient descent, with momentum or Nesterov momentum if asked; see `torch.optim.SGD` for the arguments."""

    name = "sgd"
    state_names: ClassVar[Mapping[str, str]] = {"b": "momentum_buffer"}
    sparse_error = ""

    @as_torch
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: Number = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
        convention: str = "torch",
        **extras: Unpack[Extras],
    ) -> None: ...

    def _hyper(self, group: Group) -> dict[str, Any]:
        """Return the hyperparameters; torch lets a group without momentum keep the others' `nesterov`."""
        given = super()._hyper(group)
        return {**given, "nesterov": bool(given["nesterov"] and given["momentum"])}

    def _ensure_state(self, p: Tensor, settings: Settings) -> Group:
        """Return the parameter's state. Late momentum starts as in a first step, as in torch."""
        if settings.starts and self.state[p].get("momentum_buffer") is None:
            self.state[p].pop("step", None)
        return super()._ensure_state(p, settings)


class Adagrad(TorchOptimizer):
    """Adagrad; see `torch.optim.Adagrad` for the arguments."""

    name = "adagrad"
    state_names: ClassVar[Mapping[str, str]] = {"s": "sum"}
    sparse_error = ""

    @as_torch
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        convention: str = "torch",
        **extras: Unpack[Extras],
    ) -> None: ...

    def add_param_group(self, param_group: Group) -> None:
        """Add a group of parameters. Their sums are made at once, as torch does, so that processes can share them."""
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            self._ensure_state(p, self._settings(self.param_groups[-1]))

    def share_memory(self) -> None:
        """Move the sums of squared gradients into shared memory, for training by several processes."""
        for state in self.state.values():
            for name in tensors(state, {"s": "sum"}).values():
                state[name].share_memory_()


class Adadelta(TorchOptimizer):
    """Adadelta; see `torch.optim.Adadelta` for the arguments."""

    name = "adadelta"
    state_names: ClassVar[Mapping[str, str]] = {"v": "square_avg", "u": "acc_delta"}

    @as_torch
    def __init__(
        self,
        params: Any,
        lr: Number = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
        convention: str = "torch",
        **extras: Unpack[Extras],
    ) -> None: ...


class RMSprop(TorchOptimizer):
    """RMSprop, centred or with momentum if asked; see `torch.optim.RMSprop` for the arguments."""

    name = "rmsprop"
    state_names: ClassVar[Mapping[str, str]] = {"v": "square_avg", "a": "grad_avg", "b": "momentum_buffer"}

    @as_torch
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        *,
        convention: str = "torch",
        **extras: Unpack[Extras],
    ) -> None: ...


class Adam(TorchOptimizer):
    """Adam, or AMSGrad with `amsgrad=True`; see `torch.optim.Adam` for the arguments."""

    name = "adam"
    state_names: ClassVar[Mapping[str, str]] = MOMENTS
    switch_names: ClassVar[Mapping[str, str]] = {"decoupled": "decoupled_weight_decay"}
    sparse_error = "Adam does not support sparse gradients, please consider SparseAdam instead"

    @as_torch
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
        convention: str = "torch",
        **extras: Unpack[Extras],
    ) -> None: ...

    def _form(self, group: Group) -> Mapping[str, bool]:
        """Return the switches that the convention sets; AMSGrad has its own in some."""
        amsgrad = find_convention("amsgrad", group["convention"]).switches if group["amsgrad"] else {}
        return {**super()._form(group), **amsgrad}


class AdamW(Adam):
    """Adam with weight decay kept out of the gradient; see `torch.optim.AdamW` for the arguments."""

    name = "adamw"
    fixed: ClassVar[Mapping[str, Any]] = {"decoupled_weight_decay": True}

    @as_torch
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        convention: str = "torch",
        **extras: Unpack[Extras],
    ) -> None: ...


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
        betas: Betas = (0.9, 0.999),
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
        betas: Betas = (0.9, 0.999),
        final_lr: float = 0.1,
        gamma: float = 1e-3,
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        decoupled_weight_decay: bool = False,
        **extras: Unpack[Common],
    ) -> None: ...
