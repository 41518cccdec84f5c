"""Conventions: the spelling, defaults and formula of a rule's name in each framework and paper, as data.

"Adam(eps=1e-7)" is three different optimizers in torch, Keras and optax. A `Convention` says how one of them spells
our hyperparameters (`names`), what they are if the user says nothing (`defaults`), and which form of the formula it
computes (`switches`). `resolve` turns a name, a convention and the user's options into a complete set of values.
A rule that a framework lacks is given the form that its family has there, and `call` is empty. A rule says it with the
rest that is said of it (`About.conventions`), or it stands here; of a rule of which nothing stands anywhere, names and
defaults are its own in every convention, and only the learning rate is called as the framework calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from surefoot.about import Convention
from surefoot.errors import UsageError, unknown
from surefoot.hyperparameters import HYPERPARAMETERS
from surefoot.rule import SET_BY_FRONT_END, Rule
from surefoot.rules import RULES, is_built_in, rule_of, spelling

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


CONVENTIONS: dict[str, dict[str, Convention]] = {
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
    **{name: dict(rule.about.conventions) for name, rule in RULES.items() if rule.about.conventions},
}
"""`CONVENTIONS[rule][framework]`, for built-in rules and torch, keras, optax, paper and others of the rule's."""

FRAMEWORKS = ("torch", "keras", "optax", "paper")
"""The conventions that every rule has."""


def forms(rule: Rule | str) -> tuple[str, ...]:
    """Return the names of a rule's conventions: those of every rule, and further ones of its own."""
    own = rule_of(rule)
    further = _table(own) or (forms(own.parent) if own.combinator is not None and own.parent is not None else ())
    return tuple(dict.fromkeys((*FRAMEWORKS, *further)))


def _table(rule: Rule) -> Mapping[str, Convention]:
    return rule.about.conventions or (CONVENTIONS.get(rule.name, {}) if is_built_in(rule) else {})


def convention(rule: Rule | str, framework: str) -> Convention:
    """Return what `framework` means by a rule, which is given as itself or by the name of a built-in one.

    Raises:
        UsageError: no such rule, or it has no such convention.
    """
    own = rule_of(rule)
    if framework not in forms(own):
        raise unknown("convention", framework, forms(own))
    table = _table(own)
    if own.combinator is not None and own.parent is not None and not table:
        return _around(own, convention(own.parent, framework))
    return table.get(framework) or _as_it_is(own, framework)


def _around(rule: Rule, inner: Convention) -> Convention:
    """Return a framework's convention for a combinator's rule, from the rule inside and the combinator's names."""
    made = rule.combinator
    names = {name: theirs for name, theirs in inner.names.items() if name in rule.defaults}
    numbers = {name: float(value) for name, value in made.own.items() if _is_number(value)}
    others = {name: float(value) for name, value in made.defaults.items() if _is_number(value)}
    defaults = {name: x for name, x in {**inner.defaults, **others, **numbers}.items() if name in rule.defaults}
    note = f"The form of {inner.call}, with {made.title} around it" if inner.call else inner.note
    return replace(inner, call="", names={**names, **{name: name for name in numbers}}, defaults=defaults, note=note)


def _as_it_is(rule: Rule, framework: str) -> Convention:
    """Return what any framework means by a rule of which it knows nothing."""
    lr = {name: "learning_rate" if framework in ("keras", "optax") else name for name in rule.own & {"lr"}}
    numbers = {name: float(value) for name, value in rule.defaults.items() if name in rule.own and _is_number(value)}
    return Convention("", lr, numbers)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def resolve(rule: Rule | str, framework: str, given: Mapping[str, Any], *, idle: bool = False) -> dict[str, Any]:
    """Return a value for every hyperparameter of `rule`: the user's, else the convention's, else the rule's own.

    Args:
        rule: a rule, or the name of a built-in one.
        framework: one of `forms(rule)`: `torch`, `keras`, `optax`, `paper`, or what else the rule names.
        given: the user's options, in our spelling or the framework's.
        idle: take a switch that has nothing to act on, as is `nesterov` without momentum.

    Raises:
        UsageError: an unknown name (close matches are named), a value out of range, one hyperparameter given under
            two names, or none given for one that the framework requires.
    """
    meaning, ours = convention(rule, framework), rule_of(rule)
    options = _translate(ours, meaning, given)
    known = {**meaning.switches, **meaning.defaults, **options}
    missing = [name for name in required(rule, framework) if name not in known]
    if missing:
        names = " or ".join(missing).replace("lr", "learning rate")
        raise UsageError(
            f"{ours.name}: the {framework} convention has no default {names}; "
            f"give one: {ours.name}({', '.join(f'{name}=...' for name in missing)})."
        )
    hyper = {name: value for name, value in known.items() if name in ours.defaults}
    ours.check(hyper)
    values = ours.complete(hyper)
    meaning.check(ours.name, values)
    if values.get("nesterov") and not values["momentum"] and not idle:
        raise UsageError(f"{ours.name}: nesterov=True needs momentum above 0; given momentum={values['momentum']!r}.")
    return values


def shown(rule: Rule | str, framework: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Resolve a convention for display. A missing required value becomes the rule's own default.

    Raises:
        UsageError: as there, but for what is missing.
    """
    meaning, ours = convention(rule, framework), rule_of(rule)
    own = {name: ours.defaults[name] for name in required(ours, framework)}
    return resolve(ours, framework, {**own, **_translate(ours, meaning, given)})


def required(rule: Rule | str, framework: str) -> list[str]:
    """Return what the framework has a name for and no default.

    `eps` is not asked for: where a paper leaves it open it only guards a division, and the rule's own does.
    """
    meaning, ours = convention(rule, framework), rule_of(rule)
    names = dict.fromkeys(["lr", *meaning.names])
    return [name for name in names if name in ours.defaults and name not in meaning.defaults and name != "eps"]


def _translate(rule: Rule, meaning: Convention, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the user's options under our names."""
    ours = {theirs: name for name, theirs in meaning.names.items()}
    options: dict[str, Any] = {}
    for name, value in given.items():
        own = ours.get(name, name)
        if own not in rule.defaults or own in SET_BY_FRONT_END:
            raise unknown(f"option of {rule.name}", name, _writable(rule, ours))
        if own in options:
            raise UsageError(f"{rule.name}: {own} is given twice, under two names; give it once.")
        options[own] = float(value) if type(value) is int and not HYPERPARAMETERS[own].switch else value
    return options


def _writable(rule: Rule, ours: Mapping[str, str]) -> list[str]:
    """Return every option that a user can write, for messages: `betas[0]` cannot be."""
    return [name for name in {*rule.defaults, *ours} if "[" not in name and name not in SET_BY_FRONT_END]
