"""All optimizers of one training function, for one arm: made, scheduled and measured together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from surefoot.arms.arm import Arm
from surefoot.design.trial import Trial
from surefoot.errors import TrialError
from surefoot.training.jax_keras_optimizers import KerasFunctionOptimizer, OptaxFunctionOptimizer
from surefoot.training.torch_optimizer import FunctionOptimizer, TorchFunctionOptimizer


class FunctionOptimizers:
    """The optimizers of one training.

    Args:
        trial: whose arm they are, and whose schedule they follow.
    """

    def __init__(self, trial: Trial) -> None:
        self._arm, self._protocol, self._schedule = trial.arm, trial.protocol, trial.schedule
        self._made: dict[str, FunctionOptimizer] = {}
        self._shares: list[float] = []

    def torch(self, name: str, options: Mapping[str, Any], model: nn.Module | Iterable[Any]) -> TorchFunctionOptimizer:
        """Make one for a torch model, its parameters, or param groups."""
        made = TorchFunctionOptimizer(self._new(name, options), model, name)
        self._made[name] = made
        return made

    def optax(self, name: str, options: Mapping[str, Any], steps: int | None) -> Any:
        """Make an optimizer for JAX. Its schedule is a part of it and needs the steps of an epoch."""
        made = OptaxFunctionOptimizer(self._new(name, options), name, self._factors(steps))
        self._made[name] = made
        return made.optimizer

    def keras(self, name: str, options: Mapping[str, Any], model: Any = None) -> Any:
        """Make one for Keras; of two rules for this model."""
        made = KerasFunctionOptimizer(self._new(name, options), name, model)
        self._made[name] = made
        return made.optimizer

    def __len__(self) -> int:
        return len(self._made)

    @property
    def by_name(self) -> dict[str, Any]:
        """The optimizers themselves."""
        return {name: one.optimizer for name, one in self._made.items()}

    @property
    def sizes(self) -> dict[str, Any]:
        """The bytes of their state, the numbers that they train, and their engine, for an outcome."""
        engines = dict.fromkeys(one.engine for one in self._made.values())
        return {
            "optimizer_bytes": sum(one.bytes for one in self._made.values()),
            "parameters": sum(one.count for one in self._made.values()),
            "engine": ", ".join(engines),
        }

    def has_unsaved(self) -> bool:
        """Return whether one has changed something that a checkpoint would lose."""
        return any(one.unsaved.changed() for one in self._made.values() if isinstance(one, TorchFunctionOptimizer))

    def further(self) -> int:
        """Return the further gradients of closures since the last call: all but one a step."""
        found = sum(one.further for one in self._made.values())
        for one in self._made.values():
            one.further = 0
        return found

    def turn(self, *, training: bool) -> None:
        """Turn all to training, or to evaluation."""
        for one in self._made.values():
            one.turn(training=training)

    def is_forgotten(self, *, evaluated: bool) -> bool:
        """Return whether weights for evaluation exist and are not in place."""
        return any(one.is_forgotten(evaluated=evaluated) for one in self._made.values())

    def begin(self, steps_per_epoch: int | None) -> None:
        """Make ready to follow the schedule. `TrialError` if an epoch's steps are not known."""
        self._shares = self._factors(steps_per_epoch)

    def follow(self, steps: int) -> None:
        """Set the learning rates of the step that comes after so many."""
        if self._shares:
            for one in self._made.values():
                one.set_rates(self._shares[min(steps, len(self._shares) - 1)])

    def _new(self, name: str, options: Mapping[str, Any]) -> Arm:
        """Return the arm for a new optimizer."""
        if name in self._made:
            raise TrialError(
                f"the optimizer {name!r} is made twice. Make it once, before the epochs; where a training has several, "
                'give each a name: run.optimizer(model, "generator").'
            )
        return self._arm.with_options(options) if options else self._arm

    def _factors(self, steps_per_epoch: int | None) -> list[float]:
        """Return the factor of the learning rate at each step; an empty list where it is constant."""
        schedule = self._schedule
        if schedule.is_constant:
            return []
        if steps_per_epoch is None:
            raise TrialError(
                f"the schedule {schedule.name} needs to know how many steps an epoch has: give "
                "run.epochs(steps=len(batches)), and in JAX run.optax(steps=len(batches)) too."
            )
        steps = steps_per_epoch * self._protocol.epochs
        return [schedule.factor(step, steps) for step in range(1, steps + 1)]
