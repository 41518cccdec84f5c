"""Hyperparameters: letter in the papers, unit, legal and sensible range.

One entry serves every rule; where a rule means something else by a name, its `About.meanings` says so. A *switch* is a
hyperparameter that changes the formula itself (where eps stands, what the momentum buffer holds): it is True or False,
and `conventions.py` sets it; one with `words` takes one of these, a `polynomial` one also coefficients, three for each
of its steps. The checks of options and the generated formulas read this table.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.errors import UsageError
from surefoot.mathops import Array
from surefoot.values import is_number


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter: its meaning and its values.

    `low` and `high` bound the legal values; `low` itself is legal unless `above` is set, and `high` itself is legal
    if `closed` is set. `sensible` is where to look for good values; it is advice, never enforced.
    """

    symbol: str
    meaning: str
    low: float = 0.0
    high: float = math.inf
    above: bool = False
    closed: bool = False
    sensible: tuple[float, float] | None = None
    switch: bool = False
    words: tuple[str, ...] = ()
    polynomial: bool = False

    @property
    def range(self) -> str:
        """The legal values in words, for messages: `0 <= x < 1`."""
        if self.switch:
            return "True or False"
        if self.words:
            return f"one of {', '.join(self.words)}{', or tuples of three numbers' if self.polynomial else ''}"
        upper = "" if math.isinf(self.high) else f" {'<=' if self.closed else '<'} {self.high:g}"
        return f"{self.low:g} {'<' if self.above else '<='} x{upper}"

    def check(self, rule: str, name: str, value: Any) -> None:
        """Raise `UsageError` if `value` is of the wrong type or out of range."""
        if not self._allows(value):
            raise UsageError(
                f"{rule}: {name}={value!r} is not allowed: {name} ({self.meaning}) is {self.range}{_kind(value)}."
            )

    def _allows(self, value: Any) -> bool:
        if self.switch:
            return isinstance(value, bool)
        if self.words:
            return value in self.words or (self.polynomial and _are_threes(value))
        if not is_number(value) or math.isnan(value):
            return False
        number = float(value)
        above_low = number > self.low if self.above else number >= self.low
        return above_low and (number < self.high or (self.closed and number == self.high))


def _are_threes(value: Any) -> bool:
    """Return whether a value is a tuple of tuples of three numbers, at least one."""
    return (
        isinstance(value, tuple)
        and bool(value)
        and all(isinstance(three, tuple) and len(three) == 3 and all(map(is_number, three)) for three in value)
    )


def _kind(value: Any) -> str:
    """Return a hint for a value of another form, such as NumPy's bfloat16 or an array; else nothing."""
    if isinstance(value, numbers.Real | bool | np.bool_) or not hasattr(type(value), "__float__"):
        return ""
    return f", as a Python number; this is of type {type(value).__name__}, so give float({value})"


def _switch(meaning: str) -> Hyperparameter:
    return Hyperparameter("", meaning, switch=True)


HYPERPARAMETERS: dict[str, Hyperparameter] = {
    "lr": Hyperparameter("α", "learning rate: weight moved per unit of direction", sensible=(1e-5, 1.0)),
    "momentum": Hyperparameter("μ", "share of the velocity kept each step", sensible=(0.8, 0.99)),
    "dampening": Hyperparameter("τ", "share of a new gradient kept out of the momentum buffer", high=1.0, closed=True),
    "lr_decay": Hyperparameter("η", "the rate is divided by 1 + (t - 1) lr_decay", sensible=(0.0, 1e-2)),
    "initial_accumulator": Hyperparameter("s₀", "value the sum of squared gradients starts from", sensible=(0.0, 0.1)),
    "alpha": Hyperparameter("ρ", "share of the mean squared gradient kept each step", high=1.0, sensible=(0.9, 0.999)),
    "rho": Hyperparameter("ρ", "share of the running averages kept each step", high=1.0, closed=True),
    "beta1": Hyperparameter("β₁", "share of the mean gradient kept each step", high=1.0, sensible=(0.5, 0.99)),
    "beta2": Hyperparameter(
        "β₂", "share of the mean squared gradient kept each step", high=1.0, sensible=(0.9, 0.9999)
    ),
    "eps": Hyperparameter("ε", "keeps the divisor away from zero; unit of a gradient", sensible=(1e-10, 1e-3)),
    "beta3": Hyperparameter("β₃", "share of a third mean kept each step", high=1.0, sensible=(0.99, 0.9999)),
    "mix": Hyperparameter("ω", "weight of the slow mean beside the fast one", sensible=(1.0, 10.0)),
    "eps_root": Hyperparameter("ε₀", "added to the mean square at every step", sensible=(1e-16, 1e-8)),
    "threshold": Hyperparameter(
        "ν", "degrees of freedom from which the mean square counts as known", low=4.0, above=True
    ),
    "final_lr": Hyperparameter("α*", "rate on which AdaBound's two bounds close", sensible=(1e-3, 1.0)),
    "gamma": Hyperparameter("γ", "speed at which the bounds close", high=1.0, above=True, sensible=(1e-4, 1e-2)),
    "base_lr": Hyperparameter("α₀", "learning rate that a schedule is measured against"),
    "weight_decay": Hyperparameter("λ", "pull of each weight towards zero", sensible=(0.0, 0.1)),
    "gradient_factor": Hyperparameter("κ", "what every gradient is multiplied by: unscaling, clipping by norm"),
    "max_grad_value": Hyperparameter("c", "largest size of a gradient's entry; larger ones are cut off", above=True),
    "ema": Hyperparameter("δ", "share of the averaged weights kept each step", high=1.0, sensible=(0.99, 0.9999)),
    "nesterov": _switch("take the gradient's step after the momentum's (look-ahead)"),
    "centered": _switch("divide by the standard deviation of the gradient, not its root mean square"),
    "amsgrad": _switch("divide by the largest mean squared gradient so far"),
    "maximize": _switch("climb instead of descend"),
    "eps_inside": _switch("eps is added under the root, not to it"),
    "eps_in_max": _switch("eps is added to the gradient's size before the maximum, not to the maximum"),
    "eps_twice": _switch("eps is added to the mean square at every step as well, in the place of eps_root"),
    "eps_hat": _switch("eps is added to the root before its bias is corrected (the paper's epsilon-hat)"),
    "lr_in_buffer": _switch("the momentum buffer holds steps (rate times gradient), not gradients"),
    "bias_correction": _switch("moments are divided by 1 - beta^t"),
    "amsgrad_corrected": _switch("the maximum is taken over the bias-corrected mean square"),
    "sqrt_t": _switch("the rate is divided by the root of the step count"),
    "decoupled": _switch("weight decay shrinks the weights themselves and stays out of the gradient"),
    "clipped": _switch("the divided gradient is cut off at the fourth root of the steps so far"),
    "sync_period": Hyperparameter("k", "steps from one pull to the next", low=1.0, sensible=(5, 10)),
    "slow_step": Hyperparameter("σ", "how far the slow weights go towards the fast ones", high=1.0, closed=True),
    "warmup_steps": Hyperparameter("T", "steps over which the rate rises in a straight line", sensible=(0, 1000)),
    "weight_power": Hyperparameter("Q", "power of the step count by which the average weighs", sensible=(0.0, 2.0)),
    "rate_power": Hyperparameter(
        "P", "power of the largest rate so far by which the average weighs", sensible=(0.0, 2.0)
    ),
    "first_distance": Hyperparameter("d₀", "first guess of the distance to go", above=True, sensible=(1e-6, 1e-4)),
    "d_coef": Hyperparameter("C", "factor of every guess of the distance to go", above=True, sensible=(0.5, 2.0)),
    "growth_rate": Hyperparameter(
        "Γ", "how many times the guess of the distance may grow in one step", low=1.0, closed=True
    ),
    "safeguard_warmup": _switch("a low learning rate does not make the guess of the distance grow faster"),
    "silent": _switch("nothing moves until the mean square rests on enough gradients"),
    "psi": Hyperparameter("ψ", "speed at which momentum warms up", sensible=(4e-3, 1.0)),
    "warming": _switch("momentum starts at half of beta1 and rises to it"),
    "ahead": _switch("the mean gradient is corrected for the step to come, not for this one"),
    "amplitude": Hyperparameter("a", "what the angle is multiplied by", sensible=(0.5, 2.0)),
    "stretch": Hyperparameter("b", "what the root is multiplied by under the angle", sensible=(0.5, 2.0)),
    "trust_coefficient": Hyperparameter(
        "φ", "length of a gradient over that of its tensor's weights", sensible=(1e-4, 1e-2)
    ),
    "trust_apart": _switch("the gradient and its weight decay are measured apart, and their lengths added"),
    "clip_rms": Hyperparameter(
        "χ", "largest root mean square of a tensor's gradients over their own roots", above=True, sensible=(0.5, 2.0)
    ),
    "mars_scale": Hyperparameter("ζ", "weight of the newest gradient's change", sensible=(0.01, 0.1)),
    "slow_share": Hyperparameter("ξ", "share of the slow mean gradient kept each step", high=1.0, sensible=(0.9, 0.99)),
    "slow_gain": Hyperparameter("Λ", "how many times the slow mean is added to the gradient", sensible=(0.1, 5.0)),
    "buffer_mean": _switch("the momentum buffer is a mean of the gradients, not a sum"),
    "scale": Hyperparameter(
        "",
        "what the rate is multiplied by, from a matrix's shape",
        words=("rms", "original", "spectral", "none"),
    ),
    "rms": Hyperparameter("ϱ", "root mean square of a matrix's step over the rate", above=True, sensible=(0.1, 0.4)),
    "coefficients": Hyperparameter(
        "",
        "polynomial that sets singular values near 1",
        words=("keller", "quintic", "polar_express"),
        polynomial=True,
    ),
    "eps_floor": _switch("eps is the least length that is divided by, and is not added"),
    "products": Hyperparameter("", "kind of number of the matrix products", words=("bfloat16", "float32", "float64")),
    "eps_rows": Hyperparameter("ε₁", "keeps the divisor of a row away from zero", sensible=(1e-10, 1e-3)),
    "beta2_decay": Hyperparameter(
        "υ", "power of the step count that is the share of a new square in their mean", low=-1.0, high=0.0, closed=True
    ),
    "eps_scale": Hyperparameter(
        "ε₂", "least root mean square of weights that a step is a share of", sensible=(1e-4, 1e-2)
    ),
    "relative_step": _switch("the rate is at most 1 over the root of the step count"),
    "parameter_scale": _switch("the rate is multiplied by the weights' root mean square"),
    "scale_decayed": _switch("the weights are measured after their decay"),
    "period": Hyperparameter("p", "steps from one basis to the next", low=1.0, sensible=(1, 100)),
    "decay": Hyperparameter(
        "",
        "where decoupled decay stands, if not before the move",
        words=("before", "after", "proximal", "corrected", "cautious", "inside"),
    ),
    "decay_by_lr": _switch("decoupled decay is multiplied by the learning rate, not only by its schedule"),
}


def schedule(lr: Array, base_lr: float | None) -> Array:
    """Return how far a schedule has scaled the learning rate.

    `base_lr` is the rate the optimizer was made with. If that was zero (a warm-up that starts from nothing) there is
    nothing to scale by: the factor is 1 while the rate is above zero, and 0 at zero, so that nothing moves.
    """
    if base_lr is None:
        return 1.0
    return lr / base_lr if base_lr else float(bool(lr))
