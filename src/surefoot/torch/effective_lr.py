"""The step size of each weight, for `effective_lr` of a torch optimizer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from surefoot.engines import eager
from surefoot.torch.group_settings import Settings
from surefoot.torch.matrices import Matrix
from surefoot.torch.sharded_sums import whole
from surefoot.torch.state import real
from surefoot.update import take_step


def rate_of(p: Tensor, part: eager.TensorPart, settings: Settings) -> Any:
    """Return the rule's rate for a parameter in the coming step."""
    if settings.rule.shape == "matrix":
        return Matrix(p, part, settings).rate()
    with whole(p):
        return take_step(settings.rule, *part[:5]).rate


def spread(rate: Any, p: Tensor) -> Tensor:
    """Return a rate for each weight, as a copy: a rule may return a living tensor such as `lr`."""
    return torch.as_tensor(rate, dtype=real(p).dtype, device=p.device).clone().expand_as(real(p))
