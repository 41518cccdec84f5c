"""The optimizers of a training function in JAX or Keras: the same rule with the same values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from surefoot.arms import two_rules
from surefoot.arms.arm import Arm
from surefoot.errors import TrialError
from surefoot.rule import Rule
from surefoot.update import evaluates

Part = tuple[Rule, dict[str, Any]]
"""A rule and its values."""


class OptaxFunctionOptimizer:
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
        from surefoot.optax.two_rules import two_rules as both

        self.name, self._asked, self.count, self.bytes, self.further = name, False, 0, 0, 0
        parts = _parts(arm, "JAX")
        self._has_others = any(_has_others(part) for part in parts)
        about = two_rules.around(arm.hyper)
        blocks, makers = about.pop("blocks", None), list[Any]()
        for rule, hyper in parts:
            if factors:
                hyper["lr"] = looked_up([_lr(arm, hyper) * factor for factor in factors])
            more = {"blocks": blocks} if rule.shape == "matrix" and not makers else {}
            makers.append(partial(factory(rule), **hyper, **more))
        first, *rest = makers
        made = both(first, *rest, about=about) if rest else first()

        def init(params: Any) -> Any:
            state = made.init(params)
            self.count, self.bytes = size(params)[0], size(state)[1]
            return state

        def update(*arguments: Any, **more: Any) -> Any:
            self._asked = self._asked or "watch_weights" in more
            return made.update(*arguments, **more)

        self.optimizer = made._replace(init=init, update=update)

    def is_forgotten(self, *, evaluated: bool) -> bool:  # noqa: ARG002
        """Return whether it has evaluation weights and `surefoot.optax.evaluation_params` was not called."""
        return self._has_others and not self._asked

    def turn(self, *, training: bool) -> None:
        """Do nothing: the function asks for the weights to evaluate with."""

    def set_rates(self, factor: float) -> None:
        """Do nothing: the transformation has the schedule."""


class KerasFunctionOptimizer:
    """The arm as a Keras optimizer; see `OptaxFunctionOptimizer` for the other arguments.

    Args:
        model: what it is made for, where the arm has two rules.
    """

    def __init__(self, arm: Arm, name: str, model: Any = None) -> None:
        from surefoot.keras import RuleOptimizer, split

        self.name, self._arm, self.further = name, arm, 0
        parts = _parts(arm, "Keras")
        self._hyper, self._has_others = parts[0][1], any(_has_others(part) for part in parts)
        children = [RuleOptimizer(rule, **_in_keras(hyper)) for rule, hyper in parts]
        self.optimizer: Any = children[0]
        if len(parts) == 2:
            _check_two(arm, model, evaluated_apart=self._has_others)
            self.optimizer = split(model, matrices=children[0], rest=children[1], **two_rules.around(arm.hyper))

    @property
    def engine(self) -> str:
        """The engine of its steps."""
        return "keras"

    @property
    def count(self) -> int:
        """The number of weights that it trains."""
        from surefoot.keras.arrays import size

        return int(size(self.optimizer._trainable_variables)[0])

    @property
    def bytes(self) -> int:
        """The memory of its state, without what is one number."""
        from surefoot.keras.arrays import size

        return int(size(self.optimizer.variables)[1])

    def is_forgotten(self, *, evaluated: bool) -> bool:
        """Return whether the training weights are in place although it has others for evaluation."""
        return self._has_others and not evaluated

    def turn(self, *, training: bool) -> None:
        """Turn it to training, or to evaluation."""
        if self.optimizer.built and self._has_others:
            self.optimizer.train() if training else self.optimizer.eval()

    def set_rates(self, factor: float) -> None:
        """Multiply the original learning rate by a factor. Two rules keep their proportion."""
        self.optimizer.learning_rate = _lr(self._arm, self._hyper) * factor


def _parts(arm: Arm, framework: str) -> list[Part]:
    """Return the rule or the two rules of an arm, with values; `TrialError` for a class, which needs torch."""
    rule = arm.made_by
    if not isinstance(rule, Rule):
        raise TrialError(
            f"{arm.label} is a class of torch's kind, and this training is in {framework}: give a rule, such as "
            "adam, or leave it out."
        )
    if arm.rest is None:
        return [(rule, {name: value for name, value in arm.hyper.items() if name in rule.defaults})]
    first, others = two_rules.values(rule, arm.rest, arm.hyper)
    return [(rule, first), (arm.rest, others)]


def _check_two(arm: Arm, model: Any, *, evaluated_apart: bool) -> None:
    if not getattr(model, "built", False):
        raise TrialError(
            f"{arm.label} has two rules, and which weights each of them steps is read from the model: give one that is "
            "built, run.keras(model=model)."
        )
    if evaluated_apart:
        raise TrialError(
            f"{arm.label} has two rules, of which one is evaluated with other weights than it trains with; in Keras "
            "give two that are not, or leave it out."
        )


def _has_others(part: Part) -> bool:
    """Return whether a rule evaluates with other weights than it trains."""
    rule, hyper = part
    return evaluates(rule, {**hyper, "ema": None})


def _in_keras(hyper: Mapping[str, Any]) -> dict[str, Any]:
    return {("learning_rate" if option == "lr" else option): value for option, value in hyper.items()}


def _lr(arm: Arm, hyper: Mapping[str, Any]) -> float:
    if "lr" not in hyper:
        raise TrialError(
            f"a schedule sets the learning rate, and {arm.label} has none; leave the schedule constant, or leave this "
            "optimizer out."
        )
    return float(hyper["lr"])
