"""The rules: one file per family, each rule the paper's maths as one function.

| file | concept |
| --- | --- |
| `adabound.py` | AdaBound and AMSBound: a rate per weight that starts as Adam's and ends as SGD's |
| `adadelta.py` | Adadelta: the rate has the unit of a step over the unit of a gradient |
| `adagrad.py` | Adagrad: each weight's rate falls with the sum of its own squared gradients |
| `adam.py` | Adam and its relatives |
| `rmsprop.py` | RMSprop: Adagrad with a sum that forgets, so that the rate can rise again |
| `sgd.py` | Gradient descent and its two kinds of momentum: the family without a rate per weight |
"""

from surefoot.errors import unknown
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


def rule_of(rule: Rule | str) -> Rule:
    """Return a rule that is given as itself, or by the name of a built-in one; `UsageError` if there is none."""
    if isinstance(rule, Rule):
        return rule
    if rule not in RULES:
        raise unknown("optimizer", rule, RULES)
    return RULES[rule]


def is_built_in(rule: Rule) -> bool:
    """Return whether a rule is one of these, whatever its name."""
    return RULES.get(rule.name) is rule


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
    "is_built_in",
    "momentum",
    "nesterov",
    "rmsprop",
    "rule_of",
    "sgd",
]
