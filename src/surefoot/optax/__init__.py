"""Surefoot's rules as optax gradient transformations: optax's spelling, with AdaBound and AMSBound beside them.

| file | concept |
| --- | --- |
| `factory.py` | A factory for each rule |
| `hyper.py` | The hyperparameters of a transformation |
| `installed.py` | jax and optax, which this front-end speaks to; without them, the line that installs them |
| `leaves.py` | The leaves of a tree of weights |
| `mask.py` | Which weights decay |
| `optimizers.py` | The optimizers: every rule under its own name, as optax's users call theirs |
| `plane.py` | Complex weights, as optax moves them |
| `rates.py` | The step size of each weight in the coming update, as the rule names it |
| `rounding.py` | Random rounding to bfloat16 |
| `spelling.py` | How optax spells a rule |
| `transformation.py` | A rule as an optax transformation |
"""

from surefoot.optax import installed  # noqa: F401  first: without jax and optax, it says what to install
from surefoot.optax.factory import Factory, factory
from surefoot.optax.optimizers import (
    adabelief,
    adabound,
    adadelta,
    adagrad,
    adam,
    adamax,
    adamw,
    adan,
    ademamix,
    adopt,
    amsbound,
    amsgrad,
    lion,
    momentum,
    nesterov,
    radam,
    rmsprop,
    sgd,
    yogi,
)
from surefoot.optax.rates import effective_lr
from surefoot.optax.transformation import RuleState

__all__ = [
    "Factory",
    "RuleState",
    "adabelief",
    "adabound",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adamw",
    "adan",
    "ademamix",
    "adopt",
    "amsbound",
    "amsgrad",
    "effective_lr",
    "factory",
    "lion",
    "momentum",
    "nesterov",
    "radam",
    "rmsprop",
    "sgd",
    "yogi",
]
