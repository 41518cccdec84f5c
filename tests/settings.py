"""Every rule in every convention with options that change its form: what each target of the compiler is run on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.conventions import FRAMEWORKS, resolve
from surefoot.rule import Rule
from surefoot.rules import RULES
from surefoot.update import update

HEAVY = {"momentum": 0.9}
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "sgd": [HEAVY, {**HEAVY, "dampening": 0.5}, {**HEAVY, "nesterov": True}],
    "adagrad": [{"lr_decay": 0.1, "initial_accumulator": 0.1}],
    "rmsprop": [{"centered": False}, {"centered": True}, {"centered": True, **HEAVY}, HEAVY],
    "adamw": [{"amsgrad": True}],
}
"""Options of each rule beyond none, weight decay, and climbing."""


@dataclass(frozen=True)
class Setting:
    """A rule with every hyperparameter decided."""

    rule: Rule
    framework: str
    options: Mapping[str, Any]

    @property
    def hyper(self) -> dict[str, Any]:
        return resolve(self.rule.name, self.framework, {"lr": 0.01, **self.options})

    def __str__(self) -> str:
        return "-".join((self.rule.name, self.framework, *(f"{k}={v}" for k, v in self.options.items())))


def _settings() -> Iterator[Setting]:
    for name, rule in RULES.items():
        for framework in FRAMEWORKS:
            for options in ({}, {"weight_decay": 0.1}, {"maximize": True}, *OPTIONS.get(name, [])):
                yield Setting(rule, framework, options)


SETTINGS = tuple(_settings())


def run(setting: Setting, start: np.ndarray, gradients: np.ndarray) -> tuple[list[Any], list[Any], dict[str, Any]]:
    """Return the weights and rates after each step of the rule on NumPy, and its last state."""
    weight, weights, rates = start, [], []
    state = {slot: np.full_like(start, value) for slot, value in setting.rule.starts(setting.hyper).items()}
    with np.errstate(invalid="ignore"):
        for t, gradient in enumerate(gradients, start=1):
            weight, state, step = update(setting.rule, weight, gradient, state, t, setting.hyper)
            weights.append(weight)
            rates.append(np.broadcast_to(step.rate, weight.shape))
    return weights, rates, state
