"""A step as long, tensor by tensor, as the weights are: LAMB around Adam's step, LARS around momentum's gradient.

LAMB measures the step, with weight decay in it (`decay="inside"`). Keras decays first and leaves decay out of the step
that it measures (`"before"`). LARS measures the gradient, with decay in it: before momentum, which adds such gradients
up. Its paper adds the lengths of gradient and decay (`trust_apart`), where optax measures their sum. Where the weights
or what is measured are all 0, nothing is scaled, as in all code.
"""

from __future__ import annotations

from typing import Any

from surefoot.about import About, Claim, Convention
from surefoot.combinator import combinator
from surefoot.mathops import Array, sqrt, total, where
from surefoot.rule import Step
from surefoot.rules.adam import LR, adamw
from surefoot.rules.sgd import momentum, sgd
from surefoot.rules.spelling import BETAS, BETAS_KERAS, BETAS_OPTAX, BETAS_TORCH, KERAS, OPTAX, PAPER, TORCH

_LAMB = "You et al., ICLR 2020, arXiv:1904.00962"
_LARS = "You, Gitman & Ginsburg 2017, arXiv:1708.03888"
_SMALL = Claim("Biases and gains: their lengths say little. Leave them to a rule of their own.", "the authors' code")
_LAMB_DEFAULTS = {"lr": 1e-3, **BETAS, "eps": 1e-6, "weight_decay": 1e-2}
_LARS_DEFAULTS = {"momentum": 0.9, "trust_coefficient": 1e-3, "weight_decay": 0.0}
_OWN = {"momentum": "momentum", "trust_coefficient": "trust_coefficient"}


def _length(x: Array) -> Array:
    return sqrt(total(x * x))


def _ratio(weights: Array, step: Array, factor: Array) -> Array:
    """Return `factor` times the quotient of two lengths; 1 where either is 0."""
    return where(weights * step > 0, factor * weights / where(step > 0, step, 1.0), 1.0)


@combinator(
    source=_LAMB,
    about=About(
        title="TrustRatio",
        adds="makes each tensor's step as long as its weights",
        use=(Claim("Large batches: one learning rate then suits layers whose gradients differ in size.", _LAMB),),
        avoid=(_SMALL,),
    ),
    defaults={"decay": "inside"},
)
def trust_ratio(step: Step, g: Array, w: Array, state: Any, t: Array, *, lr: float) -> Step:  # noqa: ARG001
    """Scale each tensor's step to its weights' length times the learning rate."""
    return step.scaled(_ratio(_length(w), _length(step.move), lr))


@combinator(
    source=_LARS,
    about=About(
        title="TrustGradient",
        adds="makes each tensor's gradient a fixed share of its weights long",
        use=(Claim("Large batches: one learning rate then suits layers whose gradients differ in size.", _LARS),),
        avoid=(_SMALL,),
    ),
    pin={"decoupled": False},
)
def trust_gradient(
    g: Array,
    w: Array,
    state: Any,  # noqa: ARG001
    t: Array,  # noqa: ARG001
    *,
    weight_decay: float,
    trust_coefficient: float = 1e-3,
    trust_apart: bool = False,
) -> tuple[Array, dict[str, Array]]:
    """Make each tensor's gradient, decay included, a share of its weights long."""
    apart = trust_apart and weight_decay
    size = _length(g - weight_decay * w) + weight_decay * _length(w) if apart else _length(g)
    return g * _ratio(_length(w), size, trust_coefficient), {}


lamb = trust_ratio(adamw).variant(
    "lamb",
    "Adam whose step is as long, tensor by tensor, as the weights are.",
    pin={},
    source=_LAMB,
    parent=adamw,
    about=About(
        title="LAMB",
        adds="scales each tensor's update, decay included, to the norm of its parameters",
        use=(Claim("BERT in batches of 32 thousand: as good as with 512, in 76 minutes.", _LAMB),),
        avoid=(_SMALL,),
        lr=LR.borrowed("Adam"),
        conventions={
            "torch": Convention(
                "",
                {**TORCH, **BETAS_TORCH},
                _LAMB_DEFAULTS,
                note="torch has none: the authors' form; timm and pytorch_optimizer clip all gradients to the length 1 "
                "besides (max_grad_norm=1)",
            ),
            "keras": Convention(
                "keras.optimizers.Lamb",
                {**KERAS, **BETAS_KERAS},
                {**_LAMB_DEFAULTS, "eps": 1e-7, "weight_decay": 0.0},
                {"decay": "before"},
                "weights decay before the step, which is measured without it",
            ),
            "optax": Convention(
                "optax.lamb",
                {**OPTAX, **BETAS_OPTAX, "weight_decay": "weight_decay"},
                {**BETAS, "eps": 1e-6, "weight_decay": 0.0},
            ),
            "paper": Convention(
                "",
                {**PAPER, "beta1": "β₁", "beta2": "β₂", "eps": "ε", "weight_decay": "λ"},
                _LAMB_DEFAULTS,
                note="Algorithm 2, the trust ratio unbounded; ε and λ as in the authors' code",
            ),
        },
    ),
    eps=1e-6,
)

lars = trust_gradient(sgd).variant(
    "lars",
    "Momentum on gradients scaled to a fixed share of each tensor's weights.",
    pin={},
    source=_LARS,
    parent=momentum,
    about=About(
        title="LARS",
        adds="scales what each layer contributes to the velocity by the ratio of two norms",
        use=(
            Claim("Images in batches of 8 thousand (AlexNet), 32 thousand (ResNet-50): no accuracy was lost.", _LARS),
        ),
        avoid=(_SMALL,),
        lr=LR.borrowed("Adam"),
        conventions={
            "torch": Convention(
                "",
                {**TORCH, **_OWN, "dampening": "dampening"},
                {"lr": 1.0, **_LARS_DEFAULTS, "dampening": 0.0},
                {"trust_apart": True},
                "torch has none: timm's and pytorch_optimizer's form; the rate multiplies the velocity",
            ),
            "keras": Convention(
                "",
                {**KERAS, **_OWN},
                {"lr": 1.0, **_LARS_DEFAULTS},
                {"trust_apart": True, "lr_in_buffer": True},
                "Keras has none: the paper's form in Keras's spelling",
            ),
            "optax": Convention(
                "optax.lars",
                {
                    **OPTAX,
                    "weight_decay": "weight_decay",
                    "trust_coefficient": "trust_coefficient",
                    "momentum": "momentum",
                },
                _LARS_DEFAULTS,
                {"lr_in_buffer": True},
                "the ratio is that of gradient and decay together; the velocity holds steps",
            ),
            "paper": Convention(
                "",
                {**PAPER, "momentum": "m", "trust_coefficient": "η", "weight_decay": "β"},
                {"lr": 1.0, **_LARS_DEFAULTS},
                {"trust_apart": True, "lr_in_buffer": True},
                "Algorithm 1: the velocity holds steps",
            ),
        },
    ),
    lr=1.0,
    momentum=0.9,
)
