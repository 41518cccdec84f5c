"""Surefoot's rules as Keras 3 optimizers: drop-in replacements for keras.optimizers', and the ones that it lacks."""

import surefoot.keras.installed  # noqa: F401  first: it says what is missing
from surefoot.keras.adabound import AdaBound, AMSBound
from surefoot.keras.optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, RMSprop
from surefoot.keras.rule_optimizer import RuleOptimizer

__all__ = [
    "SGD",
    "AMSBound",
    "AdaBound",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "RMSprop",
    "RuleOptimizer",
]
