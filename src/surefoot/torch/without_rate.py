"""Rules without a schedule or a learning rate to tune, with their authors' arguments.

The Schedule-Free ones average the weights: train with `optimizer.train()`, and evaluate and save in `optimizer.eval()`
or inside `with optimizer.averaged():`. The others find the rate by sums over all parameters of the optimizer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

from surefoot.errors import UsageError
from surefoot.frontends.declared import Call
from surefoot.torch.optimizers import Betas, Number
from surefoot.torch.options import Common, declared
from surefoot.torch.spelling import MOMENTS, TorchOptimizer

_AVERAGE = {"h": "lr_max", "W": "weight_sum"}


class SGDScheduleFree(TorchOptimizer):
    """Gradient descent that averages its weights, and so needs no schedule.

    Args:
        params: parameters or param groups.
        lr: learning rate; 10 to 50 times that of SGD with a schedule is usual.
        momentum: how far from the newest weights towards their average gradients are taken; above 0, below 1.
        weight_decay: added to the gradient as `weight_decay * p`.
        warmup_steps: steps over which the rate rises to `lr`.
        r: power of the step count by which the average weighs.
        weight_lr_power: power of the largest rate so far by which it weighs.
        extras: what every optimizer takes (`Common`).

    Source: Defazio et al., NeurIPS 2024, arXiv:2405.15682; as schedulefree 1.4.1.

    Example:
        >>> optimizer = surefoot.torch.SGDScheduleFree(model.parameters(), lr=1.0, warmup_steps=100)
    """

    name = "schedule_free_sgd"
    state_names: ClassVar[Mapping[str, str]] = _AVERAGE

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        **extras: Unpack[Common],
    ) -> None: ...


class AdamWScheduleFree(TorchOptimizer):
    """AdamW that averages its weights, and so needs no schedule.

    Args:
        params: parameters or param groups.
        lr: learning rate; 1 to 10 times that of AdamW with a schedule is usual.
        betas: how far towards the average gradients are taken, and the share of the mean square kept; in (0, 1).
        eps: added to the root of the mean square.
        weight_decay: weights shrink by `lr * weight_decay` each step.
        warmup_steps: steps over which the rate rises to `lr`.
        r: power of the step count by which the average weighs.
        weight_lr_power: power of the largest rate so far by which it weighs.
        extras: what every optimizer takes (`Common`).

    Source: Defazio et al., NeurIPS 2024, arXiv:2405.15682; as schedulefree 1.4.1.

    Example:
        >>> optimizer = surefoot.torch.AdamWScheduleFree(model.parameters(), lr=2.5e-3, warmup_steps=100)
    """

    name = "schedule_free_adamw"
    state_names: ClassVar[Mapping[str, str]] = {**MOMENTS, **_AVERAGE}

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 2.5e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        **extras: Unpack[Common],
    ) -> None: ...


class RAdamScheduleFree(TorchOptimizer):
    """RAdam that averages its weights as it goes, without a warm-up to choose.

    Args:
        params: parameters or param groups.
        lr: learning rate; 1 to 10 times that of AdamW with a schedule is usual.
        betas: how far towards the average gradients are taken, and the share of the mean square kept; in (0, 1).
        eps: added to the root of the mean square.
        weight_decay: weights shrink by `lr * weight_decay` each step.
        r: power of the step count by which the average weighs.
        weight_lr_power: power of the largest rate so far by which it weighs.
        silent_sgd_phase: move nothing until the mean square rests on enough gradients; else move as SGD does.
        extras: what every optimizer takes (`Common`).

    Source: Defazio et al., NeurIPS 2024, arXiv:2405.15682; as schedulefree 1.4.1.

    Example:
        >>> optimizer = surefoot.torch.RAdamScheduleFree(model.parameters(), lr=2.5e-3)
    """

    name = "schedule_free_radam"
    state_names: ClassVar[Mapping[str, str]] = {**MOMENTS, **_AVERAGE}

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 2.5e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        silent_sgd_phase: bool = True,
        **extras: Unpack[Common],
    ) -> None: ...


class Prodigy(TorchOptimizer):
    """Adam that guesses its own learning rate, so that there is none to tune.

    Leave `lr` at 1, and tune `d_coef` where it moves too little. All parameters share the guess; groups may have an
    `lr` of their own, 0 among them.

    Args:
        params: parameters or param groups.
        lr: factor of the guessed rate; 1, or a schedule that starts from 1.
        betas: shares of the mean gradient and of the mean squared gradient kept each step; in [0, 1).
        beta3: share of the sums behind the guess kept each step; the root of the second of `betas` if None.
        eps: added to the root of the mean square.
        weight_decay: weights shrink by the guessed rate times `weight_decay`.
        decouple: False adds `weight_decay * p` to the gradient instead.
        use_bias_correction: correct both means for starting from zero.
        safeguard_warmup: a low `lr` does not make the guess grow faster; for warm-ups.
        d0: first guess; rarely needs changing.
        d_coef: factor of every guess; 0.5 to 2 is usual.
        growth_rate: how many times the guess may grow in one step; infinity does not bound it.
        fsdp_in_use: accepted for the authors' code's sake; sharded parameters are seen.
        slice_p: 1; an estimate from every so many entries would depend on their order in memory.
        extras: what every optimizer takes (`Common`).

    Raises:
        UsageError: slice_p above 1, or a value out of range.

    Source: Mishchenko & Defazio, ICML 2024, arXiv:2306.06101; as prodigyopt 1.1.2.

    Example:
        >>> optimizer = surefoot.torch.Prodigy(model.parameters(), weight_decay=0.01, use_bias_correction=True)
    """

    name = "prodigy"
    state_names: ClassVar[Mapping[str, str]] = {**MOMENTS, "w0": "p0", "dmax": "d_max", "p": "d_numerator"}

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1.0,
        betas: Betas = (0.9, 0.999),
        beta3: float | None = None,
        eps: float = 1e-8,
        weight_decay: float = 0,
        decouple: bool = True,
        use_bias_correction: bool = False,
        safeguard_warmup: bool = False,
        d0: float = 1e-6,
        d_coef: float = 1.0,
        growth_rate: float = math.inf,
        fsdp_in_use: bool = False,
        slice_p: int = 1,
        **extras: Unpack[Common],
    ) -> None: ...

    def _start(self, call: Call) -> None:
        if call.given.get("slice_p", 1) != 1:
            raise UsageError(f"Prodigy: slice_p={call.given['slice_p']!r} is not allowed: every entry counts; give 1.")
        super()._start(call)


class DAdaptAdam(TorchOptimizer):
    """Adam whose rate is a growing guess of the distance to go. Prodigy, which came of it, is faster.

    Args:
        params: parameters or param groups.
        lr: factor of the guessed rate; 1, or a schedule that starts from 1.
        betas: shares of the mean gradient and of the mean squared gradient kept each step; in [0, 1).
        eps: added to the root of the mean square.
        weight_decay: added to the gradient as `weight_decay * p`, unless `decouple`.
        log_every: accepted for the authors' code's sake; nothing is logged.
        decouple: weights shrink by the guessed rate times `weight_decay` instead.
        use_bias_correction: correct both means for starting from zero.
        d0: first guess; rarely needs changing.
        growth_rate: how many times the guess may grow in one step; infinity does not bound it.
        fsdp_in_use: accepted for the authors' code's sake; sharded parameters are seen.
        extras: what every optimizer takes (`Common`).

    Source: Defazio & Mishchenko, ICML 2023, arXiv:2301.07733; as dadaptation 3.2.

    Example:
        >>> optimizer = surefoot.torch.DAdaptAdam(model.parameters(), weight_decay=0.01, decouple=True)
    """

    name = "dadapt_adam"
    state_names: ClassVar[Mapping[str, str]] = {**MOMENTS, "p": "numerator_weighted"}

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1.0,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        log_every: int = 0,
        decouple: bool = False,
        use_bias_correction: bool = False,
        d0: float = 1e-6,
        growth_rate: float = math.inf,
        fsdp_in_use: bool = False,
        **extras: Unpack[Common],
    ) -> None: ...


class DAdaptSGD(TorchOptimizer):
    """Gradient descent whose rate is a growing guess of the distance to go.

    Args:
        params: parameters or param groups.
        lr: factor of the guessed rate; 1, or a schedule that starts from 1.
        momentum: share of the weights kept each step, before they go where the sum of gradients says; in [0, 1).
        weight_decay: added to the gradient as `weight_decay * p`.
        log_every: accepted for the authors' code's sake; nothing is logged.
        d0: first guess; rarely needs changing.
        growth_rate: how many times the guess may grow in one step; infinity does not bound it.
        fsdp_in_use: accepted for the authors' code's sake; sharded parameters are seen.
        extras: what every optimizer takes (`Common`).

    Source: Defazio & Mishchenko, ICML 2023, arXiv:2301.07733; as dadaptation 3.2.

    Example:
        >>> optimizer = surefoot.torch.DAdaptSGD(model.parameters(), momentum=0.9)
    """

    name = "dadapt_sgd"
    state_names: ClassVar[Mapping[str, str]] = {"w0": "x0", "p": "numerator_weighted", "G": "g0_norm"}

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1.0,
        momentum: float = 0.0,
        weight_decay: float = 0,
        log_every: int = 0,
        d0: float = 1e-6,
        growth_rate: float = math.inf,
        fsdp_in_use: bool = False,
        **extras: Unpack[Common],
    ) -> None: ...


class DoG(TorchOptimizer):
    """Gradient descent at the distance gone, over the length of all gradients.

    Evaluate an average of the weights, as its authors do: give `ema=0.999`, say, and `with optimizer.averaged():`.

    Args:
        params: parameters or param groups; the distance is that of all groups together.
        reps_rel: distance of the first step, as a share of 1 + the length of all weights; 1e-4 with BatchNorm.
        lr: factor of the rate; 1.
        weight_decay: added to the gradient as `weight_decay * p`.
        eps: added to the sum of the squared gradients.
        extras: what every optimizer takes (`Common`).

    Source: Ivgi, Hinder & Carmon, ICML 2023, arXiv:2302.12022; as dog-optimizer 1.0.3.

    Example:
        >>> optimizer = surefoot.torch.DoG(model.parameters(), ema=0.999)
    """

    name = "dog"
    state_names: ClassVar[Mapping[str, str]] = {"w0": "init_buffer", "r": "rbar"}

    @declared
    def __init__(
        self,
        params: Any,
        reps_rel: float = 1e-6,
        lr: Number = 1.0,
        weight_decay: float = 0,
        eps: float = 1e-8,
        **extras: Unpack[Common],
    ) -> None: ...


class DoWG(TorchOptimizer):
    """Gradient descent at the squared distance gone, over the weighed gradients' length.

    Args:
        params: parameters or param groups; the distance is that of all groups together.
        lr: factor of the rate; 1.
        first_distance: square of the distance that the first step is taken for.
        eps: added to the root of the weighed sum.
        weight_decay: added to the gradient as `weight_decay * p`.
        extras: what every optimizer takes (`Common`).

    Source: Khaled, Mishchenko & Jin, NeurIPS 2023, arXiv:2305.16284; as optax.contrib.dowg.

    Example:
        >>> optimizer = surefoot.torch.DoWG(model.parameters())
    """

    name = "dowg"

    @declared
    def __init__(
        self,
        params: Any,
        lr: Number = 1.0,
        first_distance: float = 1e-4,
        eps: float = 1e-4,
        weight_decay: float = 0,
        **extras: Unpack[Common],
    ) -> None: ...
