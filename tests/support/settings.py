"""Every rule in every convention with options that change its form: what each target of the compiler is run on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.conventions import FRAMEWORKS, required, shown
from surefoot.rule import SET_BY_FRONT_END, WEIGHT, Rule
from surefoot.rules import RULES
from surefoot.update import update

ANY_SHAPE = [name for name, rule in RULES.items() if rule.shape == "any"]
"""Rules that step weights in any arrangement; those for matrices have tests of their own."""

HEAVY = {"momentum": 0.9}
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "sgd": [HEAVY, {**HEAVY, "dampening": 0.5}, {**HEAVY, "nesterov": True}],
    "adagrad": [{"lr_decay": 0.1, "initial_accumulator": 0.1}],
    "rmsprop": [{"centered": False}, {"centered": True}, {"centered": True, **HEAVY}, HEAVY],
    "adamw": [{"amsgrad": True}],
}
"""Options of each rule beyond none, weight decay, and climbing."""

SURROUNDED = {"gradient_factor": 0.5, "max_grad_value": 0.3, "maximize": True, "weight_decay": 0.1, "ema": 0.9}
"""Everything that can stand around a rule."""


def needs(rule: str, framework: str) -> dict[str, Any]:
    """What a convention requires, the learning rate apart: the rule's own default."""
    return {name: RULES[rule].defaults[name] for name in required(rule, framework) if name != "lr"}


@dataclass(frozen=True)
class Setting:
    """A rule with every hyperparameter decided."""

    rule: Rule
    framework: str
    options: Mapping[str, Any]

    @property
    def hyper(self) -> dict[str, Any]:
        asked = {name: value for name, value in self.options.items() if name not in SET_BY_FRONT_END}
        return {**shown(self.rule, self.framework, {"lr": 0.01, **asked}), **self.options}

    def begin(self, weight: np.ndarray) -> dict[str, np.ndarray]:
        """Return the state before the first step."""
        starts = self.rule.starts(self.hyper)
        return {slot: weight.copy() if at is WEIGHT else np.full_like(weight, at) for slot, at in starts.items()}

    def __str__(self) -> str:
        return "-".join((self.rule.name, self.framework, *(f"{k}={v}" for k, v in self.options.items())))


def setting(name: str, **options: Any) -> Setting:
    """A rule by its name, with torch's options."""
    return Setting(RULES[name], "torch", options)


FORMS = ("sgd", "adagrad", "adamw", "amsbound", "lion", "adopt", "adamatan2", "nadam", "lamb", "prodigy")
"""Rules that together have every operation, sums and numbers of each kind: what a kind of numbers is tried on."""


def _settings() -> Iterator[Setting]:
    for name, rule in RULES.items():
        for framework in FRAMEWORKS:
            for options in ({}, {"weight_decay": 0.1}, {"maximize": True}, *OPTIONS.get(name, [])):
                yield Setting(rule, framework, options)
        yield Setting(rule, "torch", SURROUNDED)


SETTINGS = tuple(_settings())

FUSED = tuple(setting for setting in SETTINGS if setting.rule.shape == "any")
"""Those of rules that a kernel steps weight by weight."""


def run(setting: Setting, start: np.ndarray, gradients: np.ndarray) -> tuple[list[Any], list[Any], dict[str, Any]]:
    """Return the weights and rates after each step of the rule on NumPy, and its last state."""
    weight, weights, rates = start, [], []
    state = setting.begin(start)
    with np.errstate(invalid="ignore"):
        for t, gradient in enumerate(gradients, start=1):
            weight, state, step = update(setting.rule, weight, gradient, state, t, setting.hyper)
            weights.append(weight)
            rates.append(np.broadcast_to(step.rate, weight.shape))
    return weights, rates, state
