"""State in 8 bits as it lies in an optimizer's `state`: the codes under the slot's name, the scales beside them.

A slot `exp_avg` in 8 bits is `exp_avg`, uint8 of the parameter's shape, and `exp_avg_scale`, a float32 number for each
256 weights. Engines see both as `Blocks`. Where autograd follows the state, where a step is captured, and where
a gradient is sparse, state stays unencoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from surefoot.engines.blocks import Blocks
from surefoot.engines.eager import Kept
from surefoot.engines.layout import lies_like
from surefoot.errors import UsageError
from surefoot.torch.state import real


def scale_name(name: str) -> str:
    """Return the name in `state` of what belongs to the codes under `name`."""
    return f"{name}_scale"


def kept(own: Mapping[str, Any], name: str, *, positive: bool) -> Kept:
    """Return a slot as engines see it; `positive` tells that its numbers are never negative.

    Raises:
        UsageError: codes without scales, or of another size.
    """
    x: Tensor = own[name]
    if x.dtype != torch.uint8:
        return real(x)
    if scale_name(name) not in own:
        raise UsageError(f"state {name!r} is in 8 bits and {scale_name(name)!r} is missing; a checkpoint has both.")
    return Blocks(x, own[scale_name(name)], positive)


def keep(own: dict[str, Any], name: str, x: Kept) -> None:
    """Put a slot into a parameter's state."""
    own.pop(scale_name(name), None)
    if isinstance(x, Blocks):
        own[name], own[scale_name(name)] = x.codes, x.scales
    else:
        own[name] = x


def numbers(x: Kept) -> Tensor:
    """Return a slot's numbers."""
    return x.read() if isinstance(x, Blocks) else x


def tensors(own: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    """Return the names of all tensors that slots are made of, of some also the scales'."""
    scales = {f"{slot} scales": scale_name(name) for slot, name in names.items() if own[name].dtype == torch.uint8}
    return {**names, **scales}


def restored(given: Mapping[str, Any], name: str, p: Tensor, wanted: torch.dtype, *, positive: bool) -> Kept:
    """Return a slot of a checkpoint for `p`, if it is in 8 bits or is to be; encoded to nearest.

    Blocks are neighbours in memory: codes that lie otherwise than `p` are encoded anew, so that kernels can use them.
    """
    x = kept(given, name, positive=positive)
    if wanted != torch.uint8:
        return numbers(x).to(p.device, wanted)
    if isinstance(x, Blocks) and lies_like(x.codes, p):
        return Blocks(x.codes.to(p.device, copy=True), x.scales.to(p.device, copy=True), positive)
    if x.shape != p.shape:  # a checkpoint of another model, for which the step has torch's error
        return Blocks.of(numbers(x).to(p.device, torch.float32), positive=positive)
    return Blocks.of(torch.empty_like(p, dtype=torch.float32).copy_(numbers(x)), positive=positive)
