"""`torch.testing.assert_close`, which takes a quarter of a millisecond, only where two tensors are not close."""

import torch
from torch import Tensor


def assert_near(found: Tensor, expected: Tensor, bound: float, *, equal_nan: bool = True) -> None:
    """Check that kind, shape and numbers agree, the last within a bound that is relative and absolute."""
    kinds = [(x.dtype, x.shape, x.layout, x.device) for x in (found, expected)]
    if kinds[0] != kinds[1] or not torch.allclose(found, expected, rtol=bound, atol=bound, equal_nan=equal_nan):
        torch.testing.assert_close(found, expected, rtol=bound, atol=bound, equal_nan=equal_nan)
