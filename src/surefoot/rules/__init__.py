"""The rules: one file per family, each rule the paper's maths as one function."""

from surefoot.rule import Rule
from surefoot.rules.adabound import adabound, amsbound, bounded
from surefoot.rules.adadelta import adadelta
from surefoot.rules.adagrad import adagrad
from surefoot.rules.adam import adam, adamw, amsgrad
from surefoot.rules.rmsprop import rmsprop
from surefoot.rules.sgd import momentum, nesterov, sgd

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (sgd, momentum, nesterov, adagrad, adadelta, rmsprop, adam, amsgrad, adamw, adabound, amsbound)
}
"""Every rule by its name, in the order in which each builds on the ones before."""

__all__ = [
    "RULES",
    "adabound",
    "adadelta",
    "adagrad",
    "adam",
    "adamw",
    "amsbound",
    "amsgrad",
    "bounded",
    "momentum",
    "nesterov",
    "rmsprop",
    "sgd",
]
