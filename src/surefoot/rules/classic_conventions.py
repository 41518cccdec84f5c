"""The conventions of the classic rules: SGD's, Adagrad's, Adam's and AdaBound's families in each framework.

Later rules state theirs in `About.conventions`. `conventions.py` says what the parts of a `Convention` are for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from surefoot.about import Convention
from surefoot.rules import spelling

_DECOUPLED = {"decoupled": True}
_BOUND = {"final_lr": "final_lr", "gamma": "gamma"}
_BOUND_DEFAULTS = {"final_lr": 0.1, "gamma": 1e-3}

_SGD = {
    "torch": Convention(
        "torch.optim.SGD",
        {**spelling.TORCH, "momentum": "momentum", "dampening": "dampening"},
        {"lr": 1e-3, "weight_decay": 0.0, "momentum": 0.0, "dampening": 0.0},
        note="dampening does not act on the first gradient",
    ),
    "keras": Convention(
        "keras.optimizers.SGD",
        {**spelling.KERAS, "momentum": "momentum"},
        {"lr": 1e-2, "weight_decay": 0.0, "momentum": 0.0},
        {"lr_in_buffer": True, **_DECOUPLED},
        "the velocity holds steps: a change of the learning rate acts with delay",
        limits={"momentum": 1.0},
    ),
    "optax": Convention("optax.sgd", {**spelling.OPTAX, "momentum": "momentum"}, {"momentum": 0.0}),
    "paper": Convention(
        "",
        {**spelling.PAPER, "momentum": "momentum"},
        {"momentum": 0.0},
        {"lr_in_buffer": True},
        "Sutskever et al. 2013: the velocity holds steps",
    ),
}

_ADAGRAD = {
    "torch": Convention(
        "torch.optim.Adagrad",
        {
            **spelling.TORCH,
            "lr_decay": "lr_decay",
            "initial_accumulator": "initial_accumulator_value",
            "eps": "eps",
        },
        {"lr": 1e-2, "weight_decay": 0.0, "lr_decay": 0.0, "initial_accumulator": 0.0, "eps": 1e-10},
    ),
    "keras": Convention(
        "keras.optimizers.Adagrad",
        {**spelling.KERAS, "initial_accumulator": "initial_accumulator_value", "eps": "epsilon"},
        {"lr": 1e-3, "weight_decay": 0.0, "initial_accumulator": 0.1, "eps": 1e-7},
        {"eps_inside": True, **_DECOUPLED},
        "a tenth of torch's rate, and the sum starts at 0.1",
    ),
    "optax": Convention(
        "optax.adagrad",
        {**spelling.OPTAX, "initial_accumulator": "initial_accumulator_value", "eps": "eps"},
        {"initial_accumulator": 0.1, "eps": 1e-7},
        {"eps_inside": True},
    ),
    "paper": Convention(
        "",
        {**spelling.PAPER, "eps": "δ"},
        {},
        note="Duchi et al. 2011: H = δI + diag(G)^(1/2), so δ stands outside the root",
    ),
}

_ADADELTA = {
    "torch": Convention(
        "torch.optim.Adadelta",
        {**spelling.TORCH, "rho": "rho", "eps": "eps"},
        {"lr": 1.0, "weight_decay": 0.0, "rho": 0.9, "eps": 1e-6},
    ),
    "keras": Convention(
        "keras.optimizers.Adadelta",
        {**spelling.KERAS, "rho": "rho", "eps": "epsilon"},
        {"lr": 1e-3, "weight_decay": 0.0, "rho": 0.95, "eps": 1e-7},
        _DECOUPLED,
        "a thousandth of the paper's step: the paper has no learning rate, which is lr 1",
    ),
    "optax": Convention(
        "optax.adadelta",
        {**spelling.OPTAX, "weight_decay": "weight_decay", "rho": "rho", "eps": "eps"},
        {"weight_decay": 0.0, "rho": 0.9, "eps": 1e-6},
        note="weight decay goes into the gradient; optax 0.2.8 without a learning rate climbs: it leaves out the sign",
    ),
    "paper": Convention(
        "",
        {"rho": "ρ", "eps": "ε"},
        {"lr": 1.0, "rho": 0.95, "eps": 1e-6},
        note="Zeiler 2012: no learning rate; ρ and ε as in its MNIST experiments",
    ),
}

_RMSPROP = {
    "torch": Convention(
        "torch.optim.RMSprop",
        {**spelling.TORCH, "alpha": "alpha", "eps": "eps", "momentum": "momentum"},
        {"lr": 1e-2, "weight_decay": 0.0, "alpha": 0.99, "eps": 1e-8, "momentum": 0.0},
    ),
    "keras": Convention(
        "keras.optimizers.RMSprop",
        {**spelling.KERAS, "alpha": "rho", "eps": "epsilon", "momentum": "momentum"},
        {"lr": 1e-3, "weight_decay": 0.0, "alpha": 0.9, "eps": 1e-7, "momentum": 0.0},
        {"eps_inside": True, "lr_in_buffer": True, **_DECOUPLED},
        "eps stands under the root: 1e-7 there is as much as 3e-4 outside",
    ),
    "optax": Convention(
        "optax.rmsprop",
        {**spelling.OPTAX, "alpha": "decay", "eps": "eps", "momentum": "momentum"},
        {"alpha": 0.9, "eps": 1e-8, "momentum": 0.0},
        {"eps_inside": True, "lr_in_buffer": True},
        "momentum acts on steps: the learning rate comes before the trace",
    ),
    "paper": Convention(
        "",
        {**spelling.PAPER, "alpha": "ℵ", "momentum": "ℶ", "eps": "ℸ"},
        {"lr": 1e-4, "alpha": 0.95, "eps": 1e-4, "momentum": 0.9},
        {"centered": True, "eps_inside": True, "lr_in_buffer": True},
        "Graves 2013, equations 38 to 45; Hinton's slide has no eps, mean decay 0.9 and no centring",
    ),
}

_ADAM_DEFAULTS = {"lr": 1e-3, **spelling.BETAS, "eps": 1e-8, "weight_decay": 0.0}

_ADAM = {
    "torch": Convention("torch.optim.Adam", {**spelling.TORCH, **spelling.BETAS_TORCH}, _ADAM_DEFAULTS),
    "keras": Convention(
        "keras.optimizers.Adam",
        {**spelling.KERAS, **spelling.BETAS_KERAS},
        {**_ADAM_DEFAULTS, "eps": 1e-7},
        {"eps_hat": True, **_DECOUPLED},
        "eps is added before the bias is corrected: 32 times torch's on the first step",
    ),
    "optax": Convention("optax.adam", {**spelling.OPTAX, **spelling.BETAS_OPTAX}, {**spelling.BETAS, "eps": 1e-8}),
    "paper": Convention(
        "", {**spelling.PAPER, **spelling.BETAS_OPTAX}, {"lr": 1e-3, **spelling.BETAS, "eps": 1e-8}, note="Algorithm 1"
    ),
}

_AMSGRAD = {
    "torch": Convention(
        "torch.optim.Adam", {**spelling.TORCH, **spelling.BETAS_TORCH}, _ADAM_DEFAULTS, note="amsgrad=True"
    ),
    "keras": Convention(
        "keras.optimizers.Adam",
        {**spelling.KERAS, **spelling.BETAS_KERAS},
        {**_ADAM_DEFAULTS, "eps": 1e-7},
        {"eps_hat": True, **_DECOUPLED},
        "amsgrad=True",
    ),
    "optax": Convention(
        "optax.amsgrad",
        {**spelling.OPTAX, **spelling.BETAS_OPTAX},
        {**spelling.BETAS, "eps": 1e-8},
        {"amsgrad_corrected": True},
        "the maximum is taken over the bias-corrected mean square",
    ),
    "paper": Convention(
        "",
        {**spelling.PAPER, "beta1": "b1", "beta2": "b2"},
        {**spelling.BETAS, "eps": 1e-8},
        {"bias_correction": False},
        "Reddi et al. 2018, Algorithm 2: no bias correction; it has no eps, give eps=0 to follow it into 0/0",
    ),
}

_ADAMW = {
    "torch": Convention(
        "torch.optim.AdamW", {**spelling.TORCH, **spelling.BETAS_TORCH}, {**_ADAM_DEFAULTS, "weight_decay": 1e-2}
    ),
    "keras": Convention(
        "keras.optimizers.AdamW",
        {**spelling.KERAS, **spelling.BETAS_KERAS},
        {**_ADAM_DEFAULTS, "eps": 1e-7, "weight_decay": 4e-3},
        {"eps_hat": True},
    ),
    "optax": Convention(
        "optax.adamw",
        {**spelling.OPTAX, **spelling.BETAS_OPTAX, "weight_decay": "weight_decay"},
        {**spelling.BETAS, "eps": 1e-8, "weight_decay": 1e-4},
    ),
    "paper": Convention(
        "",
        {**spelling.PAPER, **spelling.BETAS_OPTAX, "weight_decay": "λ"},
        {"lr": 1e-3, **spelling.BETAS, "eps": 1e-8},
        {"decay_by_lr": False},
        "Loshchilov & Hutter 2019: decay follows the schedule but is not multiplied by the learning rate",
    ),
}

_ADABOUND = {
    "torch": Convention(
        "",
        {**spelling.TORCH, **spelling.BETAS_TORCH, **_BOUND},
        {**_ADAM_DEFAULTS, **_BOUND_DEFAULTS},
        {"eps_hat": True},
        "torch has none: the authors' code (adabound 0.0.5)",
    ),
    "keras": Convention(
        "",
        {**spelling.KERAS, **spelling.BETAS_KERAS, **_BOUND},
        {**_ADAM_DEFAULTS, "eps": 1e-7, **_BOUND_DEFAULTS},
        {"eps_hat": True, **_DECOUPLED},
        "Keras has none: the authors' formula in Keras's spelling",
    ),
    "optax": Convention(
        "",
        {**spelling.OPTAX, **spelling.BETAS_OPTAX, **_BOUND},
        {**spelling.BETAS, "eps": 1e-8, **_BOUND_DEFAULTS},
        {"eps_hat": True},
        "optax has none: the authors' formula in optax's spelling",
    ),
    "paper": Convention(
        "",
        {**spelling.PAPER, "beta1": "b1", "beta2": "b2", **_BOUND},
        {"lr": 1e-3, **spelling.BETAS, "eps": 1e-8, **_BOUND_DEFAULTS},
        {"bias_correction": False, "sqrt_t": True, "eps_hat": False},
        "Luo et al. 2019, Algorithm 2: no bias correction, rate divided by sqrt(t); eps as in the code",
    ),
}


def _with(table: Mapping[str, Convention], **defaults: float) -> dict[str, Convention]:
    """Return a family's conventions with other defaults, for a variant that is a setting there."""
    return {name: replace(c, defaults={**c.defaults, **defaults}) for name, c in table.items()}


CLASSIC_CONVENTIONS: dict[str, dict[str, Convention]] = {
    "sgd": _SGD,
    "momentum": _with(_SGD, momentum=0.9),
    "nesterov": _with(_SGD, momentum=0.9),
    "adagrad": _ADAGRAD,
    "adadelta": _ADADELTA,
    "rmsprop": _RMSPROP,
    "adam": _ADAM,
    "amsgrad": _AMSGRAD,
    "adamw": _ADAMW,
    "adabound": _ADABOUND,
    "amsbound": _ADABOUND,
}
"""`CLASSIC_CONVENTIONS[rule][framework]`, for torch, keras, optax and the paper."""
