"""Adam and its relatives: momentum's direction at RMSprop's rate, both corrected for starting from zero.

Where eps stands decides what it means. The paper's algorithm, torch and optax add it to the corrected root; Keras,
TensorFlow and AdaBound's authors add it to the uncorrected one (`eps_hat`), which is eps / sqrt(1 - beta2^t) in the
other form: 32 times as much on the first step.

Where AMSGrad takes its maximum decides what it promises. In the paper, which corrects nothing, and in optax, which
takes it over the corrected mean square, no rate rises while lr stays. torch and Keras take it before they correct its
bias: after a large first gradient the rate falls, and rises again.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Centre, Claim, Contents, Convention
from surefoot.mathops import Array, maximum, sqrt
from surefoot.rule import Slot, Step, rule
from surefoot.rules.rmsprop import rmsprop
from surefoot.rules.spelling import BETAS, BETAS_KERAS, BETAS_OPTAX, BETAS_TORCH, KERAS, OPTAX, PAPER, TORCH

LR = Centre(-3.02, "Sivaprasad et al. 2020: Adam, lr only; with eps, all of Adam", "eps", -2.70)
"""The prior of Adam's learning rate."""


@rule(
    slots=(
        Slot("m", meaning="running mean of the gradients"),
        Slot("v", positive=True, meaning="running mean of the squared gradients"),
        Slot("vmax", when="amsgrad", positive=True, meaning="largest mean square so far"),
    ),
    source="Kingma & Ba, ICLR 2015, arXiv:1412.6980",
    parent=rmsprop,
    about=About(
        title="Adam",
        adds="takes momentum's direction, and corrects both averages for starting from zero",
        use=(
            Claim(
                "A first try: of fifteen optimizers on eight problems none was best throughout, and Adam stayed "
                "competitive.",
                "Schmidt, Schneider & Hennig, ICML 2021, arXiv:2007.01547",
            ),
            Claim("Attention models, where plain SGD lags.", "Zhang et al., NeurIPS 2020, arXiv:1912.03194"),
        ),
        avoid=(
            Claim(
                "Weight decay through the loss: weights with large gradients decay less. AdamW keeps it apart.",
                "Loshchilov & Hutter, ICLR 2019, arXiv:1711.05101",
            ),
            Claim(
                "Where it must be certain to converge: there are convex problems on which it does not.",
                "Reddi, Kale & Kumar, ICLR 2018, arXiv:1904.09237",
            ),
        ),
        lr=LR,
        contains=Contents(("momentum", "sgd"), knob="eps"),
    ),
)
def adam(
    g: Array,
    state: Any,
    t: Array,
    *,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    amsgrad: bool = False,
    eps_hat: bool = False,
    bias_correction: bool = True,
    amsgrad_corrected: bool = False,
) -> Step:
    """Follow the mean gradient, divided by the root of its mean square."""
    m = beta1 * state.m + (1 - beta1) * g
    v = beta2 * state.v + (1 - beta2) * g * g
    c1 = 1 - beta1**t if bias_correction else 1.0
    c2 = sqrt(1 - beta2**t) if bias_correction else 1.0
    if not amsgrad:
        root, vmax = sqrt(v) / c2, None
    elif amsgrad_corrected:
        vmax = maximum(state.vmax, v / (c2 * c2))
        root = sqrt(vmax)
    else:
        vmax = maximum(state.vmax, v)
        root = sqrt(vmax) / c2
    rate = lr / c1 / (root + (eps / c2 if eps_hat else eps))
    return Step(rate=rate, direction=m, m=m, v=v, vmax=vmax)


amsgrad = adam.variant(
    "amsgrad",
    "Adam that never forgets its largest mean square.",
    pin={"amsgrad": True},
    source="Reddi, Kale & Kumar, ICLR 2018, arXiv:1904.09237",
    about=About(
        title="AMSGrad",
        adds="puts the largest mean square of all steps in the place of the newest",
        use=(
            Claim(
                "Rare large gradients: it remembers them, and converges on a convex problem that was built to defeat "
                "Adam.",
                "Reddi, Kale & Kumar, ICLR 2018, arXiv:1904.09237",
            ),
        ),
        avoid=(
            Claim(
                "Counting on rates that never rise: torch and Keras correct the maximum's bias, and early rates can "
                "rise again.",
                "the formula; in optax's and the paper's form none can",
            ),
            Claim(
                "Expecting a clear gain: it was among fifteen optimizers, and none of the newer ones beat Adam "
                "throughout.",
                "Schmidt, Schneider & Hennig, ICML 2021, arXiv:2007.01547",
            ),
            Claim(
                "One early outlier in the gradient: the mean square of that time stays in the divisor until it is "
                "exceeded.",
                "the formula",
            ),
        ),
        lr=LR.borrowed("Adam"),
    ),
)

adamw = adam.variant(
    "adamw",
    "Adam with decoupled weight decay.",
    pin={"decoupled": True},
    source="Loshchilov & Hutter, ICLR 2019, arXiv:1711.05101",
    about=About(
        title="AdamW",
        adds="keeps weight decay out of the gradient, so that every weight decays alike",
        use=(
            Claim(
                "Adam with weight decay: the best decay then depends less on the learning rate.",
                "Loshchilov & Hutter, ICLR 2019, arXiv:1711.05101",
            ),
        ),
        avoid=(
            Claim(
                "Copying weight_decay from the paper to torch, which multiplies it by the learning rate. The paper "
                "does not.",
                "surefoot explain adamw --conventions",
            ),
        ),
        lr=LR.borrowed("Adam"),
    ),
    weight_decay=1e-2,
)

_ADAMC = "Defazio 2025, arXiv:2506.02285"
_ADAMC_DEFAULTS = {"lr": 1e-3, **BETAS, "eps": 1e-8, "weight_decay": 1e-2}

adamc = adam.variant(
    "adamc",
    "AdamW whose weight decay falls with the square of the schedule.",
    pin={"decoupled": True, "decay": "corrected"},
    source=_ADAMC,
    parent=adamw,
    about=About(
        title="AdamC",
        adds="multiplies decay once more by what a schedule has made of the rate",
        use=(
            Claim("Long runs with a schedule: gradients stop growing towards the end, and the loss is lower.", _ADAMC),
        ),
        avoid=(Claim("A constant rate: there it is AdamW.", "the formula"),),
        lr=LR.borrowed("Adam"),
        conventions={
            "torch": Convention(
                "",
                {**TORCH, **BETAS_TORCH},
                _ADAMC_DEFAULTS,
                note="torch has none: AdamW's spelling; the largest rate is the one that the optimizer was made with",
            ),
            "keras": Convention(
                "",
                {**KERAS, **BETAS_KERAS},
                {**_ADAMC_DEFAULTS, "eps": 1e-7, "weight_decay": 4e-3},
                {"eps_hat": True},
                "Keras has none: its AdamW with this decay",
            ),
            "optax": Convention(
                "",
                {**OPTAX, **BETAS_OPTAX, "weight_decay": "weight_decay"},
                {**BETAS, "eps": 1e-8, "weight_decay": 1e-4},
                note="optax has none: its adamw with this decay",
            ),
            "paper": Convention(
                "",
                {**PAPER, **BETAS_OPTAX, "weight_decay": "λ"},
                {"lr": 1e-3, **BETAS, "eps": 1e-8},
                note="Algorithm 2: the largest rate is the one that the schedule is measured against",
            ),
        },
    ),
    weight_decay=1e-2,
)
