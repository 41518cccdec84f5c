"""torch: Surefoot's optimizers beside torch.optim's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from surefoot.selfcheck.parity.cases import Case
from surefoot.torch import RuleOptimizer


class Torch:
    """The front-end of torch."""

    name = framework = "torch"

    def drive(
        self, cases: Sequence[Case], starts: Sequence[np.ndarray], rows: np.ndarray, dtype: str = "float32"
    ) -> list[np.ndarray]:
        """Return, for each case, the weights after each step; see `FrontEnd`."""
        return [_drive(case, start, rows, dtype) for case, start in zip(cases, starts, strict=True)]


def _drive(case: Case, start: np.ndarray, rows: np.ndarray, dtype: str) -> np.ndarray:
    weight = torch.nn.Parameter(torch.from_numpy(start).to(getattr(torch, dtype), copy=True))
    optimizer, path = _make(case, weight), []
    for row in rows:
        weight.grad = torch.from_numpy(row).to(weight.dtype)
        optimizer.step()
        path.append(weight.detach().to(torch.float32, copy=True).numpy())
    return np.array(path)


def _make(case: Case, weight: Any) -> torch.optim.Optimizer:
    options: dict[str, Any] = {"lr": case.lr, "weight_decay": case.weight_decay}
    if not case.own:
        return RuleOptimizer([weight], case.rule, convention=case.convention, **options)
    made: torch.optim.Optimizer = getattr(torch.optim, case.call)([weight], **options, **case.their_form)
    return made
