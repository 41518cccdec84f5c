"""The optimizers of a training function in JAX or Keras: the same rule, with the same values, in that framework."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from surefoot.arms.arm import Arm
from surefoot.errors import TrialError
from surefoot.rule import Rule
from surefoot.update import evaluates


class OptaxMade:
    """The arm as an optax transformation.

    Args:
        arm: what is compared.
        name: of the optimizer, where a training has several.
        factors: what the learning rate is multiplied by at each step; constant if there are none.
    """

    engine = "optax"

    def __init__(self, arm: Arm, name: str, factors: Sequence[float] = ()) -> None:
        from surefoot.optax import factory
        from surefoot.optax.leaves import looked_up, size

        self.name, self._asked, self.count, self.bytes = name, False, 0, 0
        rule, hyper = _rule(arm, "JAX")
        self._has_others = evaluates(rule, {**hyper, "ema": None})
        if factors:
            hyper["lr"] = looked_up([_lr(arm) * factor for factor in factors])
        made = factory(rule)(**hyper)

        def init(params: Any) -> Any:
            state = made.init(params)
            self.count, self.bytes = size(params)[0], size(state)[1]
            return state

        def update(*arguments: Any, **more: Any) -> Any:
            self._asked = self._asked or "watch_weights" in more
            return made.update(*arguments, **more)

        self.optimizer = made._replace(init=init, update=update)

    def is_forgotten(self, *, evaluated: bool) -> bool:  # noqa: ARG002
        """Whether it has other weights to evaluate with, for which `surefoot.optax.evaluation_params` was not asked."""
        return self._has_others and not self._asked

    def turn(self, *, training: bool) -> None:
        """Do nothing: the function asks for the weights to evaluate with."""

    def set_rates(self, factor: float) -> None:
        """Do nothing: the transformation has the schedule."""


class KerasMade:
    """The arm as a Keras optimizer; see `OptaxMade` for the arguments."""

    def __init__(self, arm: Arm, name: str) -> None:
        from surefoot.keras import RuleOptimizer

        self.name, self._arm = name, arm
        self._rule, self._hyper = _rule(arm, "Keras")
        given = {("learning_rate" if option == "lr" else option): value for option, value in self._hyper.items()}
        self.optimizer: Any = RuleOptimizer(self._rule, **given)

    @property
    def engine(self) -> str:
        """What runs its steps."""
        return "keras"

    @property
    def count(self) -> int:
        """How many numbers it trains."""
        from surefoot.keras.arrays import size

        return int(size(self.optimizer._trainable_variables)[0])

    @property
    def bytes(self) -> int:
        """The memory of its state, without what is one number."""
        from surefoot.keras.arrays import size

        return int(size(self.optimizer.variables)[1])

    def is_forgotten(self, *, evaluated: bool) -> bool:
        """Whether it was left with the weights that it trains with, and has others to evaluate with."""
        return evaluates(self._rule, {**self._hyper, "ema": None}) and not evaluated

    def turn(self, *, training: bool) -> None:
        """Turn it to training, or to evaluation."""
        if self.optimizer.built:
            self.optimizer.train() if training else self.optimizer.eval()

    def set_rates(self, factor: float) -> None:
        """Set the learning rate to so much of the one that it was made with."""
        self.optimizer.learning_rate = _lr(self._arm) * factor


def _rule(arm: Arm, framework: str) -> tuple[Rule, dict[str, Any]]:
    """Return the rule of an arm and its values; `TrialError` for a class, which only its own framework has."""
    if not isinstance(arm.made_by, Rule):
        raise TrialError(
            f"{arm.label} is a class of torch's kind, and this training is in {framework}: give a rule, such as "
            "adam, or leave it out."
        )
    return arm.made_by, {name: value for name, value in arm.hyper.items() if name in arm.made_by.defaults}


def _lr(arm: Arm) -> float:
    if "lr" not in arm.hyper:
        raise TrialError(
            f"a schedule sets the learning rate, and {arm.label} has none; leave the schedule constant, or leave this "
            "optimizer out."
        )
    return float(arm.hyper["lr"])
