"""The hyperparameters of a transformation: constants, and values known only while training.

The first are checked as everywhere. The others, schedules and arrays, enter each update as a `Number`, in the precision
that the weights are computed in; a value that is out of range there is not noticed. Never in less: in bfloat16, 0.999
is 1, and Adam divides by zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surefoot.errors import UsageError
from surefoot.frontends.lookup import values
from surefoot.frontends.number import Number
from surefoot.hyperparameters import HYPERPARAMETERS
from surefoot.optax.leaves import fitted, own
from surefoot.rule import Rule


@dataclass(frozen=True)
class Hyper:
    """The hyperparameters of a rule.

    Attributes:
        fixed: a value for every hyperparameter; of those in `moving`, one that stands for it.
        moving: scalar arrays, and functions of the count of steps so far.
    """

    fixed: Mapping[str, Any]
    moving: Mapping[str, Any]

    @property
    def follows(self) -> bool:
        """Whether the state, not an option, has the base rate of a schedule."""
        return "base_lr" not in self.moving

    def at(self, count: Any, dtype: Any, base_lr: Any = None) -> dict[str, Any]:
        """Return all values for the step after `count` others, for weights computed in `dtype`."""
        made = {name: fitted(jnp.asarray(self.value(name, count)), dtype) for name in self.moving}
        base = self.moving.get("base_lr", base_lr)
        if base is not None:
            made["base_lr"] = _base(made["lr"] if "lr" in made else self.fixed["lr"], fitted(jnp.asarray(base), dtype))
        return {**self.fixed, **{name: Number(value) for name, value in made.items()}}

    def base(self) -> Any:
        """Return the base rate of a schedule as an array, from the first step on."""
        return own(fitted(jnp.asarray(self.value("lr" if self.follows else "base_lr", 0)), jnp.result_type(float)))

    def value(self, name: str, count: Any) -> Any:
        """Return a hyperparameter after so many steps, as the user gave it."""
        value = self.moving.get(name, self.fixed[name])
        return value(count) if callable(value) else value


def _base(lr: Any, base: Any) -> Any:
    """Return the rate to divide by. Where a schedule begins at zero, it is the rate itself."""
    return jnp.where(base == 0, jnp.where(lr == 0, 1.0, lr), base)


def decide(rule: Rule, framework: str, given: Mapping[str, Any]) -> Hyper:
    """Return the hyperparameters that a user's options, in our spelling, ask for.

    Raises:
        UsageError: an unknown convention, a value of the wrong kind or out of range, or no learning rate.
    """
    given = dict(given)
    later = {name: x for name, x in given.items() if callable(x) or isinstance(x, jax.Array | np.ndarray)}
    moving = {name: _moving(rule, name, x) for name, x in later.items()}
    # a value that is to come is in range, and in use, while the others are checked
    settled = {name: HYPERPARAMETERS[name].low + 0.5 if name in moving else x for name, x in given.items()}
    base = settled.pop("base_lr", None)
    if base is not None:
        HYPERPARAMETERS["base_lr"].check(rule.name, "base_lr", base)
        moving["base_lr"] = given["base_lr"]
    return Hyper({**values(rule, framework, settled, at_home="optax"), "base_lr": None}, moving)


def _moving(rule: Rule, name: str, value: Any) -> Any:
    """Return a schedule, or an array that can be a hyperparameter."""
    if HYPERPARAMETERS[name].switch:
        HYPERPARAMETERS[name].check(rule.name, name, value)
    if callable(value):
        return value
    if value.ndim:
        raise UsageError(f"{rule.name}: {name} has shape {value.shape}; give a number, a scalar array or a schedule.")
    if jnp.issubdtype(value.dtype, jnp.floating) and value.dtype.itemsize < 4:
        raise UsageError(
            f"{rule.name}: {name} is {value.dtype}, which holds two or three digits; give float32. "
            "inject_hyperparams takes the weights' own kind by default; pass hyperparam_dtype=jnp.float32."
        )
    return value
