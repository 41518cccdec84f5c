"""Rules for matrices, with torch's arguments where torch has the rule.

They take kernels of convolutions too, as matrices with a row for each output, and in each param group `blocks=`: how
many matrices its parameters are made of, one below the other, or how high each is. `transposed=True` there says that
the outputs of its weights are their columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import torch

from surefoot.conventions import convention as find_convention
from surefoot.frontends.declared import Call
from surefoot.hyperparameters import HYPERPARAMETERS
from surefoot.torch.group_settings import Group
from surefoot.torch.optimizers import Betas, Number, as_torch
from surefoot.torch.options import Common, Extras, declared
from surefoot.torch.spelling import TorchOptimizer

_SCALES = {"original": "original", "match_rms_adamw": "rms"}
"""The rule's word for each of torch's ways to adjust the learning rate."""


class Muon(TorchOptimizer):
    """Momentum whose directions all get the same size; see `torch.optim.Muon` for the first arguments.

    Use it for the hidden matrices of large models, and give embeddings, output head, biases and gains to AdamW:
    `surefoot.torch.split` does both. Unlike torch's it takes kernels of convolutions. Its products are computed in the
    weights' kind of numbers, in float32 of half precision; torch's always in bfloat16, as these with
    `products="bfloat16"`: faster where the hardware has it, and good to two digits.

    Args:
        params: parameters or param groups, all of them matrices or kernels of convolutions.
        lr: learning rate; 0.02 is usual, and AdamW's own with `adjust_lr_fn="match_rms_adamw"`.
        weight_decay: weights shrink by `lr * weight_decay` each step.
        momentum: share of the mean gradient kept each step; in [0, 1).
        nesterov: look one step ahead.
        ns_coefficients: of x, x^3 and x^5 in the polynomial that draws singular values to 1.
        eps: least length of a matrix that it is divided by.
        ns_steps: how often the polynomial acts.
        adjust_lr_fn: `original` multiplies the rate by the root of rows over columns, if there are more rows;
            `match_rms_adamw` makes steps as long as AdamW's; None is the convention's, torch's the first.
        products: kind of number of the products: `bfloat16`, `float32` or `float64`; None for the weights'.
        extras: what every optimizer takes (`Common`).

    Source: Jordan et al. 2024; Liu et al. 2025, arXiv:2502.16982.

    Example:
        >>> optimizer = surefoot.torch.Muon(matrices, lr=0.02, weight_decay=0.1)
    """

    name = "muon"
    state_names: ClassVar[Mapping[str, str]] = {"m": "momentum_buffer"}

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
        products: str | None = None,
        **extras: Unpack[Common],
    ) -> None: ...

    def _start(self, call: Call) -> None:
        made = {**call.defaults, **call.given}
        if made["adjust_lr_fn"] not in (None, *_SCALES):
            raise ValueError(f"Adjust learning rate function {made['adjust_lr_fn']} is not supported")
        if len(made["ns_coefficients"]) != 3:
            raise ValueError("Coefficients must be a tuple of exactly 3 values")
        if not 0 < made["ns_steps"] < 100:
            raise ValueError("Number of steps must be above 0, and less than 100 for computational efficiency")
        check_products(call)
        super()._start(call)

    def _hyper(self, group: Group) -> dict[str, Any]:
        polynomial = (tuple(group["ns_coefficients"]),) * group["ns_steps"]
        made = {**super()._hyper(group), "coefficients": polynomial}
        scale = group["adjust_lr_fn"]
        return made if scale is None else {**made, "scale": _SCALES[scale]}


class NorMuon(TorchOptimizer):
    """Muon that divides each row by the root of its running mean square.

    Use it where Muon is meant, for hidden matrices alone.

    Args:
        params: parameters or param groups, all of them matrices or kernels of convolutions.
        lr: learning rate; 0.02 is usual.
        weight_decay: weights shrink by `lr * weight_decay` each step.
        momentum: share of the mean gradient kept each step; in [0, 1).
        beta2: share of a row's mean square kept each step; in [0, 1).
        products: kind of number of the products: `bfloat16`, `float32` or `float64`; None for the weights'.
        extras: what every optimizer takes (`Common`).

    Source: Li et al. 2025, arXiv:2510.05491.

    Example:
        >>> optimizer = surefoot.torch.NorMuon(matrices, lr=0.02)
    """

    name = "normuon"
    state_names: ClassVar[Mapping[str, str]] = {"m": "momentum_buffer", "v": "second_momentum_buffer"}

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 0.02,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        beta2: float = 0.95,
        products: str | None = None,
        **extras: Unpack[Common],
    ) -> None: ...

    def _start(self, call: Call) -> None:
        check_products(call)
        super()._start(call)


class Adafactor(TorchOptimizer):
    """Adam with next to no state: a mean square for each row and column; see `torch.optim.Adafactor` for the arguments.

    A kernel of a convolution is a matrix with a row for each output; torch's takes the last two axes of it. Vectors
    keep a mean square for each number.
    """

    name = "adafactor"
    state_names: ClassVar[Mapping[str, str]] = {"R": "row_var", "C": "col_var", "v": "variance"}

    @as_torch
    def __init__(
        self,
        params: Any,
        lr: Number = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        convention: str = "torch",
        **extras: Unpack[Extras],
    ) -> None: ...

    def _start(self, call: Call) -> None:
        d, beta2_decay = ({**call.defaults, **call.given}[name] for name in ("d", "beta2_decay"))
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        super()._start(call)

    def _hyper(self, group: Group) -> dict[str, Any]:
        """Return the hyperparameters. Without `eps`, torch takes the first parameter dtype's."""
        made = super()._hyper(group)
        if made["eps"] is not None:
            return made
        if group["convention"] == "torch":
            return {**made, "eps": torch.finfo(group["params"][0].dtype).eps if group["params"] else 2.0**-23}
        return {**made, "eps": find_convention(self.name, group["convention"]).defaults["eps"]}


class SOAP(TorchOptimizer):
    """Adam in the coordinates in which a matrix's gradients do not mix: the eigenvectors of their products.

    Use it for matrices of a few thousand rows and columns at most: it keeps four square matrices for each, and
    decomposes two of them at every `precondition_frequency`-th step. What is no matrix takes AdamW.

    Args:
        params: parameters or param groups.
        lr: learning rate; 3e-3 is usual.
        betas: shares of the mean gradient, and of mean square and statistics, kept each step; in [0, 1).
        eps: added to the root of the mean square.
        weight_decay: weights shrink by `lr * weight_decay` after each step.
        precondition_frequency: steps from one basis to the next.
        extras: what every optimizer takes (`Common`).

    Source: Vyas et al., ICLR 2025, arXiv:2409.11321.

    Example:
        >>> optimizer = surefoot.torch.SOAP(model.parameters(), lr=3e-3)
    """

    name = "soap"
    state_names: ClassVar[Mapping[str, str]] = {"m": "exp_avg", "v": "exp_avg_sq"}

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 3e-3,
        betas: Betas = (0.95, 0.95),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        precondition_frequency: int = 10,
        **extras: Unpack[Common],
    ) -> None: ...


def check_products(call: Call) -> None:
    """Raise `UsageError` if products are wanted in an unknown kind of number."""
    if call.given.get("products") is not None:
        HYPERPARAMETERS["products"].check("optimizer", "products", call.given["products"])
