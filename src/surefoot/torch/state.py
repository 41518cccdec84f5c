"""The state of a parameter, and its form for the rule.

State has the parameter's own shape, dtype and memory layout, the step count is a tensor as in torch. A rule works on
real numbers: a complex parameter and its state are shown to it as pairs, which move independently.

A slot `exp_avg` in 8 bits is `exp_avg`, uint8 of the parameter's shape, and `exp_avg_scale`, a float32 number for each
256 weights. Engines see both as `Blocks`. Where autograd follows the state, where a step is captured, and where a
gradient is sparse, state stays unencoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from surefoot.engines.blocks import Blocks, fits
from surefoot.engines.eager import SlotValue
from surefoot.engines.jobs import KINDS
from surefoot.engines.layout import lies_like
from surefoot.errors import UsageError

TRAINING = "training_weight"
"""The name in `state` of the training weights, while evaluation weights are in place."""


def steps_so_far(own: Mapping[str, Any]) -> Any:
    """Return the step count. Torch's SGD has none: its momentum buffer means at least one step."""
    return own.get("step", 0.0 if own.get("momentum_buffer") is None else 1.0)


def counts(step: Any, p: Tensor, *, capturable: bool) -> Tensor:
    """Return a step count that can count: a new tensor for a plain number or a short dtype.

    So of a short kind, such as bfloat16, in which counting stops early.
    """
    if isinstance(step, Tensor) and step.dtype in KINDS:
        return step
    # on the CPU, where reading it costs nothing, unless it must be captured with the step
    dtype = torch.float64 if torch.get_default_dtype() == torch.float64 else torch.float32
    return torch.tensor(float(step), dtype=dtype, device=p.device if capturable else "cpu")


def tensor_number(value: Any, p: Tensor, *, capturable: bool, count: int = 1) -> Tensor:
    """Return a slot that is one number for `p`: float64, beside the step count.

    Args:
        value: the number.
        p: the parameter.
        capturable: whether the step count lies where the parameter does.
        count: how many matrices the parameter is, each of which has a number; `value` is of all, or each one's.

    Raises:
        UsageError: it is not one number.
    """
    x = torch.as_tensor(value, dtype=torch.float64, device=p.device if capturable else "cpu")
    if count > 1 and not x.dim():
        return x.repeat(count)
    if x.numel() != count:
        asked = "one number" if count == 1 else f"{count}, one for each of its blocks"
        raise UsageError(f"a number of a tensor's state has the shape {[*x.shape]}; give {asked}.")
    return x if x.dim() == (count > 1) else x.reshape(() if count == 1 else (count,))


def filled(p: Tensor, start: float | str, dtype: torch.dtype) -> Tensor:
    """Return a new slot for `p`, filled with `start`, or with the weights if it is `WEIGHT`."""
    if isinstance(start, str):
        return p.to(dtype, copy=True)
    value = complex(start, start) if p.is_complex() else start
    return torch.full_like(p, value, dtype=dtype, memory_format=torch.preserve_format, requires_grad=False)


def slot_dtype(
    p: Tensor, slot: str, start: float | str, wanted: torch.dtype | None, *, encode: bool = True
) -> torch.dtype:
    """Return the dtype of a slot that starts at `start`: the parameter's, unless another is wanted.

    A slot that starts as the weights has no fewer digits than they: its distance from them would be their rounding
    error. The moving average of weights in half precision is kept in float32: its steps are too small for theirs. So is
    what cannot be kept in 8 bits, or must not, without `encode`.
    """
    if p.is_complex():
        return p.dtype
    if slot == "ema":
        return torch.promote_types(p.dtype, torch.float32)
    if isinstance(start, str):
        return p.dtype if wanted in (None, torch.uint8) else torch.promote_types(p.dtype, wanted)
    if wanted == torch.uint8 and not (encode and fits(p)):
        return torch.promote_types(p.dtype, torch.float32)
    return wanted or p.dtype


def is_sharded(x: Any) -> bool:
    """Return whether a tensor is one of several processes (a DTensor), of which this one has a shard."""
    return hasattr(x, "to_local")


def real(x: Tensor) -> Tensor:
    """Return the tensor that a rule works on, in the same memory.

    Of a sharded tensor (DTensor, as FSDP2 makes them) that is the local shard: weights do not depend on each other.
    Where autograd looks on, which follows the whole tensor, it stays whole. A complex tensor becomes pairs of real
    numbers, which move independently, as torch has it.
    """
    x = x.to_local() if is_sharded(x) and not torch.is_grad_enabled() else x  # type: ignore[attr-defined]
    return torch.view_as_real(x) if x.is_complex() else x


def weights_before(p: Tensor) -> int:
    """Return how many weights of the whole tensor precede the local shard; 0 without sharding.

    The rows of a shard, as FSDP2 splits tensors, are numbered as in the whole, so that random rounding is the same
    however many processes share the work. Of a shard across rows only the first weight is.
    """
    if not is_sharded(p):
        return 0
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset  # who has shards has loaded it

    _, offset = compute_local_shape_and_global_offset(p.shape, p.device_mesh, p.placements)  # type: ignore[attr-defined]
    return sum(n * stride for n, stride in zip(offset, p.stride(), strict=True))


def whole_size(p: Tensor) -> int:
    """Return how many numbers a rule sees in a parameter, shards of other processes included."""
    return p.numel() * (2 if p.is_complex() else 1)


def like(p: Tensor, value: Tensor) -> Tensor:
    """Return a slot in the parameter's own dtype: the inverse of `real`."""
    return torch.view_as_complex(value) if p.is_complex() and value.dim() > 0 else value


def number(lr: Any) -> float:
    """Return a learning rate as a number, even from a tensor with autograd."""
    return float(lr.detach() if isinstance(lr, Tensor) else lr)


def scalar(value: Any) -> Any:
    """Return a hyperparameter for a rule. NumPy's numbers become Python's, in double precision.

    A tensor of one element becomes one of no dimension, so that it broadcasts.
    """
    if isinstance(value, Tensor):
        return value.squeeze()
    return value.item() if isinstance(value, np.generic | np.ndarray) else value


def loaded(own: dict[str, Any], p: Tensor, *, capturable: bool) -> dict[str, Any]:
    """Return the loaded state of `p` as this optimizer keeps it.

    A step count that is a plain number becomes a tensor, as in torch, and so does one in half precision; one on a GPU
    comes to the CPU, unless it is to be captured. torch's SGD leaves sparse momentum buffers.
    """
    dense = {key: x.to_dense() if isinstance(x, Tensor) and x.is_sparse else x for key, x in own.items()}
    if "step" in dense:
        step = counts(dense["step"], p, capturable=capturable)
        dense["step"] = step if capturable else step.cpu()
    return dense


def scale_name(name: str) -> str:
    """Return the name in `state` of what belongs to the codes under `name`."""
    return f"{name}_scale"


def kept(own: Mapping[str, Any], name: str, *, positive: bool) -> SlotValue:
    """Return a slot for engines. `positive` means that its numbers are never negative.

    Raises:
        UsageError: codes without scales, or of another size.
    """
    x: Tensor = own[name]
    if x.dtype != torch.uint8:
        return real(x)
    if scale_name(name) not in own:
        raise UsageError(f"state {name!r} is in 8 bits and {scale_name(name)!r} is missing; a checkpoint has both.")
    return Blocks(x, own[scale_name(name)], positive)


def keep(own: dict[str, Any], name: str, x: SlotValue) -> None:
    """Put a slot into a parameter's state."""
    own.pop(scale_name(name), None)
    if isinstance(x, Blocks):
        own[name], own[scale_name(name)] = x.codes, x.scales
    else:
        own[name] = x


def decoded(x: SlotValue) -> Tensor:
    """Return a slot's numbers."""
    return x.read() if isinstance(x, Blocks) else x


def tensors(own: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    """Return the names of all tensors of some slots, with scales where there are any."""
    scales = {f"{slot} scales": scale_name(name) for slot, name in names.items() if own[name].dtype == torch.uint8}
    return {**names, **scales}


def restored(given: Mapping[str, Any], name: str, p: Tensor, wanted: torch.dtype, *, positive: bool) -> SlotValue:
    """Return a checkpoint's slot for `p`, if it is or becomes 8 bits, encoded to nearest.

    Blocks are neighbours in memory: codes that lie otherwise than `p` are encoded anew, so that kernels can use them.
    """
    x = kept(given, name, positive=positive)
    if wanted != torch.uint8:
        return decoded(x).to(p.device, wanted)
    if isinstance(x, Blocks) and lies_like(x.codes, p):
        return Blocks(x.codes.to(p.device, copy=True), x.scales.to(p.device, copy=True), positive)
    if x.shape != p.shape:  # a checkpoint of another model, for which the step has torch's error
        return Blocks.of(decoded(x).to(p.device, torch.float32), positive=positive)
    return Blocks.of(torch.empty_like(p, dtype=torch.float32).copy_(decoded(x)), positive=positive)
