"""NAdam: Adam that looks one step ahead, as Nesterov's momentum does. Four rules go by its name.

Dozat's momentum warms up: `beta1 * (1 - 0.96^(t psi) / 2)`, and what both terms are divided by is one minus the product
of these. torch takes psi 0.004; Keras 1, so that it is over in a hundred steps. optax keeps beta1 constant, where the
product is a power of it. AlgoPerf and timm divide both terms by 1 - beta1^t besides, which makes the first step longer
(`ahead` is off); that is what `nadamw` is here.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Claim, Convention
from surefoot.mathops import Array, sqrt
from surefoot.rule import Slot, Step, rule
from surefoot.rules.adam import LR, adam
from surefoot.rules.spelling import BETAS, BETAS_KERAS, BETAS_OPTAX, BETAS_TORCH, KERAS, OPTAX, PAPER, TORCH

_SOURCE = "Dozat, ICLR 2016 workshop"
_ALGOPERF = "Dahl et al. 2023, arXiv:2306.07179"
_DEFAULTS = {"lr": 2e-3, **BETAS, "eps": 1e-8, "weight_decay": 0.0}
_BETAS_PAPER = {"beta1": "β₁", "beta2": "β₂", "eps": "ε"}


@rule(
    slots=(
        Slot("m", meaning="running mean of the gradients"),
        Slot("v", positive=True, meaning="running mean of the squared gradients"),
        Slot("p", when="warming", start=1.0, per="tensor", meaning="product of all momenta so far"),
    ),
    source=_SOURCE,
    parent=adam,
    about=About(
        title="NAdam",
        adds="takes the mean as it will be at the next step, and warms momentum up",
        use=(
            Claim(
                "Adam's problems, where looking ahead may save steps: its author's networks learned faster.", _SOURCE
            ),
        ),
        avoid=(
            Claim(
                "Numbers from another framework: torch, Keras, optax and AlgoPerf mean four different rules.",
                "surefoot explain nadam --conventions",
            ),
        ),
        lr=LR.borrowed("Adam"),
        conventions={
            "torch": Convention(
                "torch.optim.NAdam",
                {**TORCH, **BETAS_TORCH, "psi": "momentum_decay", "decoupled": "decoupled_weight_decay"},
                {**_DEFAULTS, "psi": 4e-3, "decoupled": False},
            ),
            "keras": Convention(
                "keras.optimizers.Nadam",
                {**KERAS, **BETAS_KERAS},
                {**_DEFAULTS, "lr": 1e-3, "eps": 1e-7, "psi": 1.0},
                {"decoupled": True},
                "momentum has warmed up after a hundred steps; Keras has one product for all variables, so that one "
                "that joins late starts wrong there",
            ),
            "optax": Convention(
                "optax.nadam",
                {**OPTAX, **BETAS_OPTAX},
                {**BETAS, "eps": 1e-8},
                {"warming": False},
                "momentum is constant",
            ),
            "paper": Convention(
                "",
                {**PAPER, **_BETAS_PAPER, "psi": "ψ"},
                {"lr": 2e-3, **BETAS, "eps": 1e-8, "psi": 4e-3},
                note="Algorithm 2, the mean square corrected as Adam's, as all code has it",
            ),
        },
    ),
)
def nadam(
    g: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 2e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    psi: float = 4e-3,
    warming: bool = True,
    ahead: bool = True,
) -> Step:
    """Follow the mean gradient one step ahead, divided by the root mean square."""
    m = beta1 * state.m + (1 - beta1) * g
    v = beta2 * state.v + (1 - beta2) * g * g
    if warming:
        now, then = beta1 * (1 - 0.5 * 0.96 ** (t * psi)), beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * psi))
        p = state.p * now
        c, coming = 1 - p, 1 - p * then
    else:
        now, then, p = beta1, beta1, None
        c, coming = 1 - beta1**t, 1 - beta1 ** (t + 1)
    direction = then * (c / coming if ahead else 1.0) * m + (1 - now) * g
    return Step(rate=lr / c / (sqrt(v) / sqrt(1 - beta2**t) + eps), direction=direction, m=m, v=v, p=p)


nadamw = nadam.variant(
    "nadamw",
    "NAdam with constant momentum and decoupled weight decay, as AlgoPerf's baselines have it.",
    pin={"decoupled": True, "warming": False, "psi": 0.0},
    source=f"{_SOURCE}; Loshchilov & Hutter, ICLR 2019, arXiv:1711.05101; {_ALGOPERF}",
    about=About(
        title="NAdamW",
        adds="leaves the warm-up of momentum out, and decays the weights themselves",
        use=(Claim("A baseline: AlgoPerf compares the times of other optimizers with its own.", _ALGOPERF),),
        avoid=(
            Claim(
                "Expecting torch's NAdam with decay: its first step is 80 % off this one's.",
                "surefoot explain nadamw --conventions",
            ),
        ),
        lr=LR.borrowed("Adam"),
        conventions={
            "torch": Convention(
                "",
                {**TORCH, **BETAS_TORCH},
                {**_DEFAULTS, "lr": 1e-3, "weight_decay": 1e-2},
                note="torch has none of this form: AlgoPerf's and timm's",
            ),
            "keras": Convention(
                "",
                {**KERAS, **BETAS_KERAS},
                {**_DEFAULTS, "lr": 1e-3, "eps": 1e-7, "weight_decay": 4e-3},
                note="Keras has none: AlgoPerf's form in Keras's spelling, with the defaults of its AdamW",
            ),
            "optax": Convention(
                "optax.nadamw",
                {**OPTAX, **BETAS_OPTAX, "weight_decay": "weight_decay"},
                {**BETAS, "eps": 1e-8, "weight_decay": 1e-4},
                {"ahead": True},
                "the mean is corrected for the step to come",
            ),
            "paper": Convention(
                "",
                {**PAPER, **_BETAS_PAPER, "weight_decay": "λ"},
                {"lr": 1e-3, **BETAS, "eps": 1e-8},
                note="AlgoPerf's code",
            ),
        },
    ),
    lr=1e-3,
    ahead=False,
    weight_decay=1e-2,
)
