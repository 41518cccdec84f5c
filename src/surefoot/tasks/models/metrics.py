"""The metrics that the tasks share, each the mean over a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from surefoot.errors import UsageError


def accuracy(outputs: Tensor, labels: Tensor) -> Tensor:
    """The share of examples whose largest output is that of their class.

    Args:
        outputs: N x classes, or N x classes x places.
        labels: N, or N x places, the index of the class.

    The mean is taken in float64, in which the number of right answers can be told from it.

    Raises:
        UsageError: one output an example, whose largest is always right or always wrong.
    """
    if outputs.ndim < 2 or outputs.shape[1] < 2:
        raise UsageError(
            f"accuracy takes the largest of several outputs, one for each class, and the model has outputs of shape "
            f"{tuple(outputs.shape)}. For two classes with one output give better='max' and metric=lambda outputs, "
            "targets: ((outputs > 0).flatten() == targets.flatten()).float().mean()."
        )
    return (outputs.argmax(1) == labels).to(torch.float64).mean()
