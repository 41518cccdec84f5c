"""Whether a kernel can step a parameter where it lies, and how it is shown to the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from surefoot.engines.layout import Runs, find_runs, is_apart, is_plain, is_quick

KINDS = {
    torch.float32: "float32",
    torch.float64: "float64",
    torch.bfloat16: "bfloat16",
    torch.float16: "float16",
}


class Fitted(NamedTuple):
    """A parameter as a kernel sees it.

    Attributes:
        arrays: `w`, `g` and `state.m` for a slot `m`.
        runs: where they lie, in this order.
        kinds: their kinds of numbers.
        copied: the gradient was laid out anew, in the order of the weight.
    """

    arrays: dict[str, Tensor]
    runs: Runs
    kinds: tuple[tuple[str, str], ...]
    copied: bool

    @property
    def strided(self) -> bool:
        """Whether neighbours lie apart in some array."""
        return any(stride != 1 for stride in self.runs.strides)


def fit(weight: Tensor, gradient: Tensor, state: Mapping[str, Tensor]) -> Fitted | str:
    """Return the parameter as a kernel sees it, or why none can step it; no reason if nobody can."""
    arrays = {"w": weight, "g": gradient.resolve_neg(), **{f"state.{slot}": value for slot, value in state.items()}}
    for x in arrays.values():
        if not is_plain(x):
            return f"{type(x).__name__} of layout {x.layout} is not plain memory"
        if x.dtype not in KINDS:
            return f"it has numbers of {x.dtype}"
    if weight.device.type == "cpu" and not _converts(arrays):
        return "this processor cannot convert float16"
    if not all(is_apart(x) for name, x in arrays.items() if name != "g"):
        return ""  # weights that share memory are an error, for which torch has the words
    copied = gradient.is_neg() or not is_quick(gradient, weight)
    if copied:
        arrays["g"] = torch.empty_like(weight, dtype=gradient.dtype).copy_(gradient)
    runs = find_runs([*arrays.values()])
    kinds = tuple((name, KINDS[x.dtype]) for name, x in arrays.items())
    return "it lies in too many pieces" if runs is None else Fitted(arrays, runs, kinds, copied)


def _converts(arrays: Mapping[str, Tensor]) -> bool:
    if all(x.dtype != torch.float16 for x in arrays.values()):
        return True
    from surefoot.engines.pointers import has_float16  # imports Numba: not before it is needed

    return has_float16()
