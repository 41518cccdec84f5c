"""The metrics that the tasks share, each the mean over a batch."""

from __future__ import annotations

import torch
from torch import Tensor


def accuracy(outputs: Tensor, labels: Tensor) -> Tensor:
    """The share of examples whose largest output is that of their class.

    Args:
        outputs: N x classes, or N x classes x places.
        labels: N, or N x places, the index of the class.

    The mean is taken in float64, in which the number of right answers can be told from it.
    """
    return (outputs.argmax(1) == labels).to(torch.float64).mean()
