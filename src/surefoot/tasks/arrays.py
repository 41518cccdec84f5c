"""Examples that lie in arrays: the i-th example is the i-th row of each. Arrays are shared by all worker processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from surefoot.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


class Arrays:
    """Rows of NumPy arrays, such as inputs and targets.

    Args:
        arrays: at least one; all of the same length, from 1.

    Raises:
        UsageError: no array, an empty one, or arrays of different lengths.
    """

    def __init__(self, *arrays: NDArray[Any]) -> None:
        lengths = [len(array) for array in arrays]
        if not arrays or len(set(lengths)) > 1:
            raise UsageError(f"the arrays have {lengths} rows; give inputs and targets of the same length.")
        if lengths[0] == 0:
            raise UsageError("the arrays are empty; give at least one example.")
        self.arrays = arrays

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, rows: Any) -> Arrays:
        """Some of the examples: a slice shares memory, an array of places copies."""
        return Arrays(*(array[rows] for array in self.arrays))

    def to(self, device: str) -> Tensors:
        """Return the examples as tensors on a device; on the CPU they share the arrays' memory."""
        import torch

        return Tensors([torch.from_numpy(array).to(device) for array in self.arrays])

    def batch(self, index: Tensor | slice) -> tuple[Tensor, ...]:
        """Return a batch on the CPU."""
        return self.to("cpu").batch(index)


@dataclass(frozen=True)
class Tensors:
    """Rows of tensors on a device."""

    tensors: Sequence[Tensor]

    def __len__(self) -> int:
        return len(self.tensors[0])

    def to(self, device: str) -> Tensors:
        """Return the same rows on another device."""
        return Tensors([tensor.to(device) for tensor in self.tensors])

    def batch(self, index: Tensor | slice) -> tuple[Tensor, ...]:
        """These rows of each tensor."""
        return tuple(tensor[index] for tensor in self.tensors)
