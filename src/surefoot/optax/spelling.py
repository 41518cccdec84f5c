"""The spelling of a rule in optax: its factory's signature, from optax's own and our conventions.

What may be given by position is what optax has there, in its order. What optax has beyond a rule, such as `eps_root`,
is taken at optax's default only. A hyperparameter that is 0 by default, as are momentum and weight decay, is None in
the signature: not in use. `inject_hyperparams` passes every number of the signature as an array, and an array would be
in use.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from inspect import Parameter, Signature
from operator import attrgetter
from typing import Any

import optax
import optax.contrib

from surefoot.conventions import convention
from surefoot.hyperparameters import HYPERPARAMETERS
from surefoot.rule import SET_BY_FRONT_END, Rule
from surefoot.rules import RULES, is_built_in

BUILT_IN = "optax"
"""The convention that a built-in rule follows unless another is asked for."""

_SWITCHES = {"rmsprop": {"eps_inside": "eps_in_sqrt"}}
"""Switches that optax has, under another name."""

_MASK = dict.fromkeys(("adadelta", "lars", "muon", "adafactor"), "weight_decay_mask")
"""Optax's name of the mask, where it is not `mask`."""

WITHOUT_RATE = ("adafactor",)
"""Optax's factories without a learning rate, which is then 1. Its adadelta then goes uphill; ours needs one."""

_MOMENTUM = ("accumulator_dtype", "b")
_MEAN = ("mu_dtype", "m")
KEPT = {
    **dict.fromkeys(("sgd", "momentum", "nesterov"), _MOMENTUM),
    "signum": ("accumulator_dtype", "m"),
    **dict.fromkeys(
        ("adam", "amsgrad", "adamw", "adabound", "amsbound", "lion", "adopt", "ademamix", "nadam", "nadamw", "muon"),
        _MEAN,
    ),
}
"""The argument for a slot's dtype, and that slot."""

WRAPPER_DOCS: dict[str, str] = {
    "base_lr": "the learning rate that a schedule is measured against: AdaBound's bounds move with the rate by "
    "lr / base_lr; the rate at the first step if None",
    "mask": "which weights decay: a tree of True and False like the weights', or shorter; or a function of the weights "
    "that returns one; all if None",
    "key": "a key of jax.random, with which steps of bfloat16 weights are rounded at random, in proportion, so that "
    "small steps count; rounded to nearest if None",
    "convention": "whose defaults and form of the rule to use: 'optax', 'torch', 'keras' or 'paper'",
}
"""The arguments of every factory beside hyperparameters, with their meanings."""

MATRICES = {
    "layout": "where the outputs of a matrix are: 'in_out', on the last axis, as JAX's libraries have them, if None; "
    "'out_in', on the first, as torch has them. All other axes are inputs",
    "blocks": "which leaves are several matrices along the outputs, by patterns of paths: `{'*.qkv.kernel': 3}`, or "
    "their heights, (768, 256, 256); none if None",
}
"""The further arguments of a factory for matrices."""


def names(rule: Rule) -> dict[str, str]:
    """Return the spelling of each hyperparameter that a user may set: optax's own first."""
    first = {ours: theirs for ours, theirs in convention(rule, BUILT_IN).names.items() if ours in rule.defaults}
    switches = _SWITCHES.get(inmost(rule), {})
    rest = {ours: switches.get(ours, ours) for ours in rule.defaults if ours not in (*first, *SET_BY_FRONT_END)}
    return {**first, **rest}


def around(rule: Rule) -> dict[str, str]:
    """Return the spelling of each option that is no hyperparameter."""
    inner = inmost(rule)
    kept = KEPT[inner][:1] if is_built_in(rule) and inner in KEPT else ()
    matrices = MATRICES if rule.shape == "matrix" else ()
    return {name: _MASK.get(inner, name) if name == "mask" else name for name in (*kept, *WRAPPER_DOCS, *matrices)}


def inmost(rule: Rule) -> str:
    """Return the name of the rule inside all combinators, such as `adamw`. Its spelling is optax's own."""
    while rule.combinator is not None and rule.parent is not None and rule.name not in RULES:
        rule = rule.parent
    return rule.name


def beyond(rule: Rule) -> dict[str, Any]:
    """Return what optax's own function takes and the rule has not, with optax's defaults."""
    ours = {*names(rule).values(), *around(rule).values(), *rule.pinned}
    return {name: p.default for name, p in peer(rule).items() if name not in ours}


def peer(rule: Rule) -> Mapping[str, Parameter]:
    """Return the parameters of optax's own function; none if it has no such rule."""
    call = convention(rule, BUILT_IN).call if is_built_in(rule) else ""
    return inspect.signature(attrgetter(call.removeprefix("optax."))(optax)).parameters if call else {}


def defaults(rule: Rule, framework: str) -> dict[str, Any]:
    """Return the default of each hyperparameter in the signature; None where the rule's form decides."""
    known = dict(convention(rule, framework).defaults) if is_built_in(rule) else dict(rule.defaults)
    known |= {"lr": None} if framework == BUILT_IN and inmost(rule) in WITHOUT_RATE else {}
    shown = {ours: None if HYPERPARAMETERS[ours].switch else known.get(ours) or None for ours in names(rule)}
    return shown if "lr" in known else {ours: value for ours, value in shown.items() if ours != "lr"}


def signature(rule: Rule, framework: str) -> Signature:
    """Return the signature of a rule's factory under a convention."""
    known, first = defaults(rule, framework), list(_positional(rule))
    hyper = {theirs: known.get(ours, Parameter.empty) for ours, theirs in names(rule).items()}
    rest = dict.fromkeys((*around(rule).values(), *beyond(rule)))
    offered = {**hyper, **rest, "convention": framework}
    kinds = dict.fromkeys(first, Parameter.POSITIONAL_OR_KEYWORD)
    return Signature(
        [
            Parameter(name, kinds.get(name, Parameter.KEYWORD_ONLY), default=offered[name])
            for name in dict.fromkeys((*first, *offered))
        ]
    )


def _positional(rule: Rule) -> Iterator[str]:
    """Yield the positional arguments: optax's up to those that the rule fixes, or the numbers of a rule that optax
    lacks.
    """
    if not (theirs := peer(rule)):
        yield from (name for ours, name in convention(rule, BUILT_IN).names.items() if ours in rule.defaults)
    for name, parameter in theirs.items():
        if name in rule.pinned or parameter.kind is Parameter.KEYWORD_ONLY:
            return
        yield name


def document(rule: Rule, framework: str) -> str:
    """Return the docstring of a rule's factory."""
    lines = [rule.doc, "", _counterpart(rule, framework), "", "Args:"]
    for ours, theirs in names(rule).items():
        about = rule.hyperparameter(ours)
        lines.append(f"    {theirs}: {about.meaning}; {about.range}.")
    known = {**WRAPPER_DOCS, **MATRICES}
    lines += [f"    {theirs}: {known.get(name, _KEPT)}." for name, theirs in around(rule).items()]
    lines += [f"    {name}: optax's; this rule has none, and takes {value!r}." for name, value in beyond(rule).items()]
    lines += ["", _VALUES, "", f"Source: {rule.source}."]
    return "\n".join(lines)


_VALUES = """\
Each number may also be a schedule, a function of the count of steps so far, or a scalar array. None means what
the convention says. Weights are real or complex; those in fewer than 32 bits are computed and their state is kept in
float32. Integers stay as they are."""

_KEPT = "the kind of numbers in which the mean or sum of gradients is kept; float32 or the weights' if None"


def _counterpart(rule: Rule, framework: str) -> str:
    if not is_built_in(rule):
        return "A rule as an optax transformation."
    meant = convention(rule, framework)
    call = f", {meant.call}" if meant.call else ""
    note = f" Note: {meant.note}." if meant.note else ""
    return f"The convention is {framework}'s{call}.{note}"
