"""Surefoot's rules as optax gradient transformations: optax's spelling, with AdaBound and AMSBound beside them."""

from surefoot.optax import installed  # noqa: F401  first: without jax and optax, it says what to install
from surefoot.optax.factory import Factory, factory
from surefoot.optax.optimizers import (
    adabound,
    adadelta,
    adagrad,
    adam,
    adamw,
    amsbound,
    amsgrad,
    momentum,
    nesterov,
    rmsprop,
    sgd,
)
from surefoot.optax.rates import effective_lr
from surefoot.optax.transformation import RuleState

__all__ = [
    "Factory",
    "RuleState",
    "adabound",
    "adadelta",
    "adagrad",
    "adam",
    "adamw",
    "amsbound",
    "amsgrad",
    "effective_lr",
    "factory",
    "momentum",
    "nesterov",
    "rmsprop",
    "sgd",
]
