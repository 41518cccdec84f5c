"""Options of every Surefoot optimizer beside torch's arguments: they set how it runs.

These belong to the optimizer, not to a param group or a checkpoint: a run that is resumed elsewhere chooses anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Any, TypedDict

import torch

from surefoot.engines.engine_choice import ENGINES
from surefoot.errors import UsageError, unknown
from surefoot.frontends.declared import declaring
from surefoot.hyperparameters import HYPERPARAMETERS

AROUND_EVERY_RULE = ("max_grad_value", "ema")
"""Hyperparameters that every optimizer takes, whatever its rule."""


class Extras(TypedDict, total=False):
    """Keyword arguments of every optimizer; `RunOptions` says what the first five mean.

    `max_grad_value` cuts off every gradient's entries at this size; `ema` keeps a moving average of the weights, and is
    the share of it that each step keeps. Both can differ between param groups.

    The others put something around the rule: `AdamW(params, cautious=True)` runs the rule `cautious(adamw)`. Their own
    numbers follow by name, as `lookahead=True, sync_period=6`, and can differ between param groups; all else keeps the
    optimizer's defaults. Several stand in this order, the first one innermost. `surefoot explain "cautious(adamw)"`
    shows what comes out.
    """

    engine: str
    max_grad_norm: float | None
    state_dtype: torch.dtype | None
    stochastic_rounding: bool
    seed: int
    max_grad_value: float | None
    ema: float
    mars: bool
    grokfast: bool
    cautious: bool
    rms_clip: bool
    trust_ratio: bool
    trust_gradient: bool
    hyperball: bool
    lookahead: bool
    schedule_free: bool
    mars_scale: float
    slow_share: float
    slow_gain: float
    clip_rms: float
    sync_period: float
    slow_step: float


class Common(Extras, total=False):
    """Keyword arguments of every optimizer that torch lacks: torch's own, a convention, and `Extras`.

    `foreach` is accepted for torch.optim's sake and changes nothing; `maximize` climbs instead of descending;
    `capturable` keeps the step count on the parameter's device; `differentiable` lets autograd see through the step.
    `convention` is whose form and defaults of the rule to use: `torch`, `keras`, `optax` or `paper`.
    """

    foreach: bool | None
    maximize: bool
    capturable: bool
    differentiable: bool
    convention: str


_DEFAULTS = {"foreach": None, "maximize": False, "capturable": False, "differentiable": False, "convention": "torch"}

declared = declaring(*(Parameter(name, Parameter.KEYWORD_ONLY, default=x) for name, x in _DEFAULTS.items()))
"""Makes a constructor of its signature, with the arguments of `Common` that it leaves out."""


@dataclass(frozen=True)
class RunOptions:
    """The run options of an optimizer.

    Attributes:
        engine: `auto` takes the compiled kernel for the parameter's device where there is one; `cpu` and `gpu` are
            these kernels, `eager` is the rule itself on torch's arrays, which holds a second copy of weights and state
            while it steps.
        max_grad_norm: scale all gradients down together where their joint norm is larger; None does not.
        state_dtype: kind of the state's numbers, such as `torch.bfloat16` for float32 weights; None is the weight's.
            `torch.uint8` keeps a byte a weight and slot, relative to the largest of each 256 neighbours: a slot
            `exp_avg` has codes, and scales in `exp_avg_scale`. It costs accuracy, which `benchmarks/state8.py`
            measures. State stays float32 of parameters of fewer than 4096 weights, or not in one dense piece of plain
            memory (sharded ones too), and under `differentiable`, `capturable` and sparse gradients; moving averages
            (`ema`) and complex numbers stay as they are. There is a kernel for the CPU. State that starts as the
            weights (DoG's, Prodigy's, Schedule-Free's) has their digits at least.
        stochastic_rounding: round weights in bfloat16, and state in bfloat16 or 8 bits, at random, in proportion, so
            that small steps count.
        seed: of this rounding.
    """

    engine: str = "auto"
    max_grad_norm: float | None = None
    state_dtype: torch.dtype | None = None
    stochastic_rounding: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise unknown("engine", self.engine, ENGINES)
        if self.max_grad_norm is not None and not self.max_grad_norm > 0:
            raise UsageError(f"max_grad_norm={self.max_grad_norm!r} is not allowed: give a number above 0, or None.")
        allowed = (None, torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.uint8)
        if self.state_dtype not in allowed:
            raise UsageError(
                f"state_dtype={self.state_dtype!r} is not allowed: give torch.bfloat16, float16, float32, float64, or "
                "uint8 for a byte a weight."
            )


def split(given: Mapping[str, Any]) -> tuple[RunOptions, dict[str, Any], dict[str, Any]]:
    """Return the options among keyword arguments, what stands around every rule, and the others.

    Raises:
        UsageError: a value is out of range.
    """
    own = {name: given[name] for name in RunOptions.__dataclass_fields__ if name in given}
    around = {name: given[name] for name in AROUND_EVERY_RULE if given.get(name) is not None}
    for name, value in around.items():
        HYPERPARAMETERS[name].check("optimizer", name, value)
    others = {name: value for name, value in given.items() if name not in (*own, *AROUND_EVERY_RULE)}
    return RunOptions(**own), around, others
