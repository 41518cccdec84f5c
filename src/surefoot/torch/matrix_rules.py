"""Rules for matrices, with torch's arguments where torch has the rule.

They take kernels of convolutions too, as matrices with a row for each output, and in each param group `blocks=`: how
many matrices its parameters are made of, one below the other, or how high each is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

from surefoot.frontends.declared import Call
from surefoot.hyperparameters import HYPERPARAMETERS
from surefoot.torch.optimizers import Number
from surefoot.torch.options import Common, declared
from surefoot.torch.settings import Group
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
        if made["products"] is not None:
            HYPERPARAMETERS["products"].check("Muon", "products", made["products"])
        super()._start(call)

    def _hyper(self, group: Group) -> dict[str, Any]:
        polynomial = (tuple(group["ns_coefficients"]),) * group["ns_steps"]
        made = {**super()._hyper(group), "coefficients": polynomial}
        scale = group["adjust_lr_fn"]
        return made if scale is None else {**made, "scale": _SCALES[scale]}
