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

from surefoot.mathops import Array, maximum, sqrt
from surefoot.rule import Slot, Step, rule


@rule(
    slots=(
        Slot("m", meaning="running mean of the gradients"),
        Slot("v", positive=True, meaning="running mean of the squared gradients"),
        Slot("vmax", when="amsgrad", positive=True, meaning="largest mean square so far"),
    ),
    source="Kingma & Ba, ICLR 2015, arXiv:1412.6980",
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
    """Follow the recent mean of the gradient, divided by the root of the recent mean of its square."""
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
)

adamw = adam.variant(
    "adamw",
    "Adam with decoupled weight decay.",
    pin={"decoupled": True},
    source="Loshchilov & Hutter, ICLR 2019, arXiv:1711.05101",
    weight_decay=1e-2,
)
