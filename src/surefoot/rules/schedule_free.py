"""Schedule-Free: average the weights as they go, in the place of momentum and of a falling learning rate.

Gradients are taken at y, between the newest weights z of the rule inside and the average x of all of them. A model
holds y while it trains, and x is what it is evaluated with: x = (y - (1 - beta1) z) / beta1. The rule inside has no
momentum of its own. The average weighs each z by the rate of its step, which is lr, less in a warm-up, and less where
the rule inside takes only a share of a step, as RAdam does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from surefoot.about import About, Centre, Claim, Convention
from surefoot.combinator import combinator
from surefoot.errors import UsageError
from surefoot.mathops import Array, freedom, maximum, minimum, sqrt, where
from surefoot.rule import WEIGHT, Number, Slot, Step, rule
from surefoot.rules.adam import adamw
from surefoot.rules.radam import radam
from surefoot.rules.sgd import sgd
from surefoot.rules.spelling import BETAS, BETAS_KERAS, BETAS_OPTAX, BETAS_TORCH, KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Defazio et al., NeurIPS 2024, arXiv:2405.15682"
_CODE = "the authors' code, schedulefree 1.4.1"
_README = "the authors' README, schedulefree 1.4.1"


def _average(w: Array, state: Any, hyper: Mapping[str, Any]) -> Array:
    """Return x: what y and z leave of it."""
    return (w - (1 - hyper["beta1"]) * state.z) / hyper["beta1"]


@combinator(
    source=_SOURCE,
    slots=(
        Slot("z", start=WEIGHT, meaning="weights of the rule inside"),
        Number("h", meaning="largest rate so far"),
        Number("W", meaning="sum of what the average has weighed by"),
    ),
    about=About(
        scheduled=False,
        title="Schedule-Free",
        adds="averages the weights as they go, and takes gradients between the average and the newest",
        use=(
            Claim("Training whose end is not known: at any time the average is as good as a schedule's end.", _SOURCE),
            Claim("Momentum's place without its memory: it keeps as much as the rule inside with momentum.", _SOURCE),
        ),
        avoid=(
            Claim("Evaluating or saving the training weights: evaluate the average.", _README),
            Claim("A falling learning rate: the average takes its place. A warm-up is recommended.", _README),
            Claim("BatchNorm as it is: its statistics belong to y. Take them anew before evaluating.", _README),
        ),
        meanings={"beta1": "how far from the newest weights towards their average gradients are taken"},
    ),
    pin={"beta1": 0.0, "momentum": 0.0},
    defaults={"decay": "inside"},
    evaluate=_average,
)
def schedule_free(
    step: Step,
    g: Array,  # noqa: ARG001
    w: Array,
    state: Any,
    t: Array,
    *,
    lr: float,
    beta1: float = 0.9,
    warmup_steps: float = 0.0,
    weight_power: float = 0.0,
    rate_power: float = 2.0,
) -> Step:
    """Average the weights, and take gradients between the average and the newest."""
    if not beta1:
        raise UsageError("schedule_free: beta1=0 keeps no average; give a number above 0, such as 0.9.")
    warm = minimum(t / warmup_steps, 1.0) if warmup_steps else 1.0
    step = step.scaled(warm) if warmup_steps else step
    rate = lr * warm if step.decay is None else lr * warm * step.decay
    h = maximum(state.h, rate)
    weight = h**rate_power * t**weight_power if weight_power else h**rate_power
    W = state.W + weight  # noqa: N806  the slot's name
    whole = where(W > 0, W, 1.0)  # as long as it is 0 nothing moves
    move = weight / whole * (w - state.z) + (1 - beta1 * state.W / whole) * step.move
    return step.moving(move).keeping(z=state.z - step.move, h=h, W=W)


@rule(
    slots=(Slot("v", positive=True, meaning="running mean of the squared gradients"),),
    source="Kingma & Ba, ICLR 2015, arXiv:1412.6980",
    pin={"decoupled": True},
)
def adamw_without_mean(
    g: Array, state: Any, t: Array, *, lr: float = 2.5e-3, beta2: float = 0.999, eps: float = 1e-8
) -> Step:
    """Divide each gradient by the root of the recent mean of its square."""
    v = beta2 * state.v + (1 - beta2) * g * g
    return Step(rate=lr / (sqrt(v / (1 - beta2**t)) + eps), direction=g, v=v)


@rule(
    slots=(Slot("v", positive=True, meaning="running mean of the squared gradients"),),
    source="Liu et al., ICLR 2020, arXiv:1908.03265",
    pin={"decoupled": True},
)
def radam_without_mean(
    g: Array, state: Any, t: Array, *, lr: float = 2.5e-3, beta2: float = 0.999, eps: float = 1e-8, silent: bool = True
) -> Step:
    """Divide each gradient by the root of the mean of its square, in shorter steps as long as that is uncertain."""
    v = beta2 * state.v + (1 - beta2) * g * g
    known, most = freedom(t, beta2), 2 / (1 - beta2) - 1
    n, end = maximum(known, 4.0), where(most > 4, most, 5.0)  # below 4 nothing is rectified
    rectified = sqrt((n - 4) * (n - 2) * end / ((end - 4) * (end - 2) * n))
    share = where(known > 4, rectified, 0.0 if silent else 1.0)
    root = where(known > 4, sqrt(v / (1 - beta2**t)) + eps, 1.0)
    return Step(rate=lr * share / root, direction=g, decay=share, v=v)


_OWN = {"warmup_steps": "warmup_steps", "weight_power": "r", "rate_power": "weight_lr_power"}
_OWN_DEFAULTS = {"beta1": 0.9, "warmup_steps": 0.0, "weight_power": 0.0, "rate_power": 2.0, "weight_decay": 0.0}
_OWN_PAPER = {"beta1": "β", "warmup_steps": "warmup", "weight_power": "r", "rate_power": "p"}
_PAPER_RADAM = {**PAPER, "beta1": "β", "weight_power": "r", "rate_power": "p", "beta2": "β₂", "eps": "ε"}
_OPTAX = {**OPTAX, "weight_decay": "weight_decay", "warmup_steps": "warmup_steps", "rate_power": "weight_lr_power"}
_OPTAX_DEFAULTS = {name: value for name, value in _OWN_DEFAULTS.items() if name != "weight_power"}
_SGD = {"lr": 1.0, **_OWN_DEFAULTS}
_ADAM = {"lr": 2.5e-3, **_OWN_DEFAULTS, **BETAS, "eps": 1e-8}
_RADAM = {name: value for name, value in _ADAM.items() if name != "warmup_steps"}
_NO_WARMUP = {name: theirs for name, theirs in _OWN.items() if name != "warmup_steps"}
_AUTHORS = "torch has none: the authors' code"
_IN_OPTAX = "a warm-up there moves z by the rate of the step before, and weighs by this step's: 1 % apart"
_IN_KERAS = (
    "keras.optimizers.ScheduleFreeAdamW is another rule: each step weighs as much, in a warm-up too; only y decays; "
    "nothing evaluates the average; on torch and TensorFlow it reads z after it was written"
)

schedule_free_sgd = replace(
    schedule_free(
        sgd.variant(
            "gradient_descent",
            "Gradient descent without momentum.",
            pin={"momentum": 0.0, "dampening": 0.0, "nesterov": False, "lr_in_buffer": False},
            source=sgd.source,
        ),
        name="schedule_free_sgd",
        lr=1.0,
        about=About(
            scheduled=False,
            title="Schedule-Free SGD",
            adds="averages the weights as they go, in the place of momentum and of a falling rate",
            use=schedule_free.about.use,
            avoid=schedule_free.about.avoid,
            lr=Centre(-0.75, "Defazio et al., README: 10 to 50 times higher than SGD's, here as SGD's"),
            meanings=schedule_free.about.meanings,
            conventions={
                "torch": Convention("", {**TORCH, "beta1": "momentum", **_OWN}, _SGD, note=_AUTHORS),
                "keras": Convention(
                    "",
                    {**KERAS, "beta1": "momentum", **_OWN},
                    _SGD,
                    note="Keras has none: the authors' formula in Keras's spelling",
                ),
                "optax": Convention(
                    "optax.contrib.schedule_free_sgd",
                    {**_OPTAX, "beta1": "b1"},
                    {"lr": 1.0, **_OPTAX_DEFAULTS},
                    note=_IN_OPTAX,
                ),
                "paper": Convention("", {**PAPER, **_OWN_PAPER}, _SGD, note="Algorithm 1, and the code's weights"),
            },
        ),
    ),
    doc="Gradient descent that averages its weights, and takes gradients near the average.",
    parent=sgd,
)

schedule_free_adamw = replace(
    schedule_free(
        adamw_without_mean,
        name="schedule_free_adamw",
        about=About(
            scheduled=False,
            title="Schedule-Free AdamW",
            adds="takes gradients near a running average of all weights so far, without momentum or schedule",
            use=(
                Claim(
                    "No schedule to choose: it won the self-tuning track of the first AlgoPerf competition.",
                    "Kasimbeg et al., ICLR 2025, arXiv:2502.15015",
                ),
                *schedule_free.about.use,
            ),
            avoid=schedule_free.about.avoid,
            lr=Centre(-2.52, "Defazio et al., README: 1 to 10 times higher than AdamW's, here as Adam's"),
            meanings=schedule_free.about.meanings,
            conventions={
                "torch": Convention("", {**TORCH, **BETAS_TORCH, **_OWN}, _ADAM, note=_AUTHORS),
                "keras": Convention("", {**KERAS, **BETAS_KERAS, **_OWN}, _ADAM, note=_IN_KERAS),
                "optax": Convention(
                    "optax.contrib.schedule_free_adamw",
                    {**_OPTAX, **BETAS_OPTAX},
                    {"lr": 2.5e-3, **_OPTAX_DEFAULTS, **BETAS, "eps": 1e-8},
                    note=_IN_OPTAX,
                ),
                "paper": Convention(
                    "",
                    {**PAPER, **_OWN_PAPER, "beta2": "β₂", "eps": "ε"},
                    _ADAM,
                    note="the code's form; in Algorithm 1 the rate has √(1 - β₂ᵗ) in it, and so have the weights",
                ),
            },
        ),
    ),
    doc="AdamW that averages its weights instead of its gradients.",
    parent=adamw,
)

schedule_free_radam = replace(
    schedule_free(
        radam_without_mean,
        name="schedule_free_radam",
        about=About(
            scheduled=False,
            title="Schedule-Free RAdam",
            adds="takes gradients near a running average of all weights so far, without momentum or schedule",
            use=(Claim("No schedule and no warm-up to choose.", _CODE), *schedule_free.about.use),
            avoid=(
                Claim("Counting on the first steps: nothing moves until the mean square is known.", "the formula"),
                *schedule_free.about.avoid,
            ),
            lr=Centre(-2.52, "Defazio et al., README: 1 to 10 times higher than AdamW's, here as Adam's"),
            meanings=schedule_free.about.meanings,
            conventions={
                "torch": Convention(
                    "",
                    {**TORCH, **BETAS_TORCH, **_NO_WARMUP, "silent": "silent_sgd_phase"},
                    {**_RADAM, "silent": True},
                    note=_AUTHORS,
                ),
                "keras": Convention(
                    "",
                    {**KERAS, **BETAS_KERAS, **_NO_WARMUP},
                    _RADAM,
                    note="Keras has none: the authors' formula in Keras's spelling",
                ),
                "optax": Convention(
                    "",
                    {**{name: theirs for name, theirs in _OPTAX.items() if name != "warmup_steps"}, **BETAS_OPTAX},
                    {name: value for name, value in _RADAM.items() if name not in ("lr", "weight_power")},
                    note="optax has none: the authors' formula in optax's spelling",
                ),
                "paper": Convention("", _PAPER_RADAM, _RADAM, note="the authors' code; the paper has none"),
            },
        ),
    ),
    doc="RAdam that averages its weights instead of its gradients.",
    parent=radam,
)
