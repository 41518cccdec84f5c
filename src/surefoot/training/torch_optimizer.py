"""One optimizer of a training function: what all frameworks share, and torch's.

Each tells its size, turns between training and evaluation, and follows the schedule, so that the rest need not know
the framework. An arm that a framework does not have is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from copy import deepcopy
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from surefoot.arms.arm import Arm
from surefoot.arms.several_optimizers import apart
from surefoot.tasks.seeds import seeded
from surefoot.torch.composite import SurefootOptimizer
from surefoot.training.evaluation_weights import has_other_weights
from surefoot.training.param_groups import rates_of, scale_rates, state_bytes, turn
from surefoot.training.unsaved import Unsaved


class FunctionOptimizer(Protocol):
    """An optimizer that was made for a training.

    Attributes:
        name: of the optimizer, where a training has several.
        optimizer: it, as its framework has it.
        count: how many numbers it trains.
        further: gradients that closures took besides the one of each step.
        bytes: the memory of its state.
        engine: what runs its steps.
    """

    name: str
    optimizer: Any
    further: int

    @property
    def count(self) -> int: ...  # noqa: D102  see above
    @property
    def bytes(self) -> int: ...  # noqa: D102
    @property
    def engine(self) -> str: ...  # noqa: D102

    def is_forgotten(self, *, evaluated: bool) -> bool:
        """Return whether weights for evaluation exist and are not in place."""
        ...

    def turn(self, *, training: bool) -> None:
        """Turn one that keeps two sets of weights to training, or to evaluation."""
        ...

    def set_rates(self, factor: float) -> None:
        """Set the learning rates to a factor of their first values."""
        ...


class TorchFunctionOptimizer:
    """The arm as a torch optimizer.

    Args:
        arm: what is compared.
        model: a module, its parameters, or param groups.
        name: of the optimizer, where a training has several.
    """

    def __init__(self, arm: Arm, model: nn.Module | Iterable[Any], name: str) -> None:
        self.name, self._label, self.further = name, arm.label, 0
        self._needs_first = arm.closure == "more"
        self.optimizer = arm.build(model if isinstance(model, nn.Module) else list(model))
        self._rates = rates_of(self.optimizer)
        self._compile(arm)
        for one in apart(self.optimizer):
            if isinstance(one, torch.optim.Optimizer):
                one.register_step_pre_hook(self._count_gradients)
        self.turn(training=True)
        self.unsaved = Unsaved(self.optimizer)

    @property
    def parameters(self) -> list[Tensor]:
        """Everything that it trains."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    @property
    def count(self) -> int:
        """The number of weights that it trains."""
        return sum(p.numel() for p in self.parameters)

    @property
    def bytes(self) -> int:
        """The memory of its state."""
        return state_bytes(self.optimizer)

    @property
    def engine(self) -> str:
        """The engine of its steps."""
        return str(getattr(self.optimizer, "engine", "torch"))

    def is_forgotten(self, *, evaluated: bool) -> bool:
        """Return whether the training weights are in place although it has others for evaluation."""
        return not evaluated and has_other_weights(self.optimizer)

    def turn(self, *, training: bool) -> None:
        """Turn one that keeps two sets of weights to training, or to evaluation."""
        turn(self.optimizer, training=training)

    def set_rates(self, factor: float) -> None:
        """Set the learning rates to a factor of their first values."""
        scale_rates(self.optimizer, self._rates, factor, self._label)

    def before_steps(self, look: Callable[[SurefootOptimizer], None]) -> None:
        """Have a function called before each step of a rule, once gradients are unscaled."""
        if not isinstance(self.optimizer, SurefootOptimizer):
            return

        def called(optimizer: Any, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> None:
            by_closure, scaled = len(arguments) > 1 or options, getattr(optimizer, "grad_scale", None) is not None
            if not (by_closure or scaled or all(p.grad is None for p in self.parameters)):
                look(optimizer)

        self.optimizer.register_step_pre_hook(called)

    def _count_gradients(self, _: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Count how often a step calls its closure; the first time is the step's own gradient, if there is no other."""
        named = {**options, **dict(zip(("closure",), arguments[1:], strict=False))}
        closure, self_made = named.get("closure"), 0 if self._needs_first else 1
        if not callable(closure):
            return None

        def counted() -> Any:
            nonlocal self_made
            self.further, self_made = self.further + 1 - self_made, 0
            return closure()

        return arguments[:1], {**named, "closure": counted}

    def _compile(self, arm: Arm) -> None:
        """Take a step on copies: what a process compiles at its first step is no optimizer's own time."""
        with seeded(0), suppress(Exception):
            copied = self._copy(arm)
            for group in copied.param_groups:
                for p in group["params"]:
                    p.grad = torch.zeros_like(p)
            getattr(copied, "train", lambda: None)()
            copied.step()

    def _copy(self, arm: Arm) -> Any:
        """Return a copy for other parameters, made anew since a foreign class may not allow copying."""
        if isinstance(self.optimizer, SurefootOptimizer):
            return deepcopy(self.optimizer)
        return arm.build([nn.Parameter(torch.zeros_like(p)) for p in self.parameters])
