"""The test whether a kernel can step a parameter in its place, and the view for the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from surefoot.compiler.kernel_plan import scales
from surefoot.engines.blocks import Blocks
from surefoot.engines.layout import Runs, find_runs, is_apart, is_plain, is_quick, lies_like
from surefoot.engines.uninterrupted import load

KINDS = {torch.float32: "float32", torch.float64: "float64", torch.bfloat16: "bfloat16", torch.float16: "float16"}


class Fitted(NamedTuple):
    """A parameter as a kernel sees it.

    Attributes:
        arrays: `w`, `g` and `state.m` for a slot `m`; last the scales of those in 8 bits.
        runs: where they lie, in this order.
        kinds: their kinds of numbers; the scales' is not in question.
        copied: the gradient was laid out anew, in the order of the weight.
    """

    arrays: dict[str, Tensor]
    runs: Runs
    kinds: tuple[tuple[str, str], ...]
    copied: bool

    @property
    def strided(self) -> bool:
        """Whether neighbours are apart in some array."""
        return any(stride != 1 for stride in self.runs.strides)


def fit(weight: Tensor, gradient: Tensor, state: Mapping[str, Tensor | Blocks]) -> Fitted | str:
    """Return the kernel's view of a parameter, or the reason why no kernel can step it."""
    blocks = {f"state.{slot}": x for slot, x in state.items() if isinstance(x, Blocks)}
    slots = {f"state.{slot}": x.codes if isinstance(x, Blocks) else x for slot, x in state.items()}
    arrays = {"w": weight, "g": gradient.resolve_neg(), **slots}
    for name, x in arrays.items():
        if not is_plain(x):
            return f"{type(x).__name__} of layout {x.layout} is not plain memory"
        if x.dtype not in KINDS and name not in blocks:
            return f"it has numbers of {x.dtype}"
    if any(x.device != weight.device for x in arrays.values()):
        return ""  # torch has the words for it
    if weight.device.type == "cpu" and not _converts(arrays):
        return "this processor cannot convert float16"
    if not all(is_apart(x) for name, x in arrays.items() if name != "g"):
        return ""  # weights that share memory are an error, for which torch has the words
    copied = gradient.is_neg() or not (lies_like if blocks else is_quick)(gradient, weight)
    if copied:
        arrays["g"] = torch.empty_like(weight, dtype=gradient.dtype).copy_(gradient)
    runs = find_runs([*arrays.values()])
    kinds = tuple((name, blocks[name].kind if name in blocks else KINDS[x.dtype]) for name, x in arrays.items())
    if runs is None:
        return "it lies in too many pieces"
    fitted = Fitted(arrays, runs, kinds, copied)
    return _with_scales(fitted, blocks) if blocks else fitted


def _with_scales(fitted: Fitted, blocks: Mapping[str, Blocks]) -> Fitted | str:
    """Return the same with the scales. Kernels count blocks from the start of one run."""
    arrays, runs = {scales(name): x.scales for name, x in blocks.items()}, fitted.runs
    if any(x.device.type != "cpu" for x in arrays.values()):
        return "there is no kernel yet for 8-bit state on a GPU"
    if len(runs.addresses) != 1 or fitted.strided or not all(x.is_contiguous() for x in arrays.values()):
        return "its 8-bit state does not lie in one piece, as the weights do"
    addresses = [*runs.addresses[0], *(x.data_ptr() for x in arrays.values())]
    whole = Runs([addresses], (*runs.strides, *(1 for _ in arrays)), runs.length)
    return fitted._replace(arrays={**fitted.arrays, **arrays}, runs=whole)


def _converts(arrays: Mapping[str, Tensor]) -> bool:
    if all(x.dtype != torch.float16 for x in arrays.values()):
        return True
    found: bool = load("surefoot.engines.pointers").has_float16()
    return found
