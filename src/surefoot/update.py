"""One whole update of a weight: everything around a rule, written once for all rules and engines.

Order: the gradient's factor (unscaling, clipping by norm), its limit (clipping by value), its sign (`maximize`),
coupled weight decay into it, the rule, decoupled weight decay of the weight, the move, the moving average of the
weight. Decoupled decay uses the weight before the move, as torch, Keras and optax all do, unless a word says otherwise:

    after      of the weight after the move (SOAP)
    proximal   the weight after the move, divided by 1 + lr * decay (Adan)
    corrected  lr * decay, once more times what a schedule has made of the rate (AdamC)
    cautious   only of weights that the step does not draw to zero already
    inside     part of what a combinator of steps sees: of LAMB's norm, of Schedule-Free's steps
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from surefoot.hyperparameters import schedule
from surefoot.mathops import Array, clip, where
from surefoot.rule import WEIGHT, Rule, Step, slot_shape


class Update(NamedTuple):
    """The weight and the whole state after an update, and the step that led there."""

    weight: Array
    state: dict[str, Array]
    step: Step


def begun(rule: Rule, hyper: Mapping[str, Any], weight: Array) -> dict[str, Array]:
    """Return the state before the first step: arrays for one of NumPy, numbers for a number."""
    made: dict[str, Array] = {}
    for slot, start in rule.starts(hyper).items():
        shape, first = slot_shape(rule.per[slot], np.shape(weight)), weight if start is WEIGHT else start
        made[slot] = np.full(shape, first, np.float64) if shape else float(first)
    return made


def take_step(
    rule: Rule, weight: Array, gradient: Array, state: Mapping[str, Array], t: Array, hyper: Mapping[str, Any]
) -> Step:
    """Run the rule on the gradient as all that comes before it leaves it."""
    g = _bounded(gradient, hyper)
    g = -g if hyper["maximize"] else g
    if hyper["weight_decay"] and not hyper["decoupled"]:
        g = g + hyper["weight_decay"] * weight
    return rule(g, SimpleNamespace(**state), t, w=weight, **hyper)


def update(
    rule: Rule, weight: Array, gradient: Array, state: Mapping[str, Array], t: Array, hyper: Mapping[str, Any]
) -> Update:
    """Return the weight after one step of `rule`, and the step itself. Nothing is written to.

    Args:
        rule: which rule.
        weight: the weights, an array.
        gradient: of the weights' shape.
        state: an array of the weights' shape for each active slot.
        t: how many steps this weight has made, this one included: a number, or a float64 tensor.
        hyper: a value for every hyperparameter of the rule.
    """
    step = take_step(rule, weight, gradient, state, t, hyper)
    weight, step = _after(rule, _moved(weight, step, hyper), step, state, t, hyper)
    made = _kept(step, state)
    if hyper["ema"]:
        made["ema"] = state["ema"] + (1 - hyper["ema"]) * (weight - state["ema"])
    return Update(weight, made, step)


def change(
    rule: Rule, weight: Array, gradient: Array, state: Mapping[str, Array], t: Array, hyper: Mapping[str, Any]
) -> Update:
    """Like `update`, but returns what to add to the weight, for frameworks that add it themselves.

    The difference of the new weight and the old would lose the digits of a small change. The weight may be None without
    decay, unless the rule sees it; the moving average is not kept.
    """
    step = take_step(rule, weight, gradient, state, t, hyper)
    move = step.move
    if _decays(hyper):
        share = _share(hyper, step, weight)
        if hyper["decay"] == "after":
            move = move + share * (weight - move)
        else:
            move = (move + share * weight) / (1 + share) if hyper["decay"] == "proximal" else move + share * weight
    if rule.after is None:
        return Update(-move, _kept(step, state), step)
    moved = weight - move
    after, step = _after(rule, moved, step, state, t, hyper)
    return Update(-move + (after - moved), _kept(step, state), step)


def evaluated(rule: Rule, weight: Array, state: Mapping[str, Array], hyper: Mapping[str, Any]) -> Array:
    """Return the weights to evaluate with: their average, the rule's own, or the training weights."""
    if hyper["ema"]:
        return state["ema"]
    return weight if rule.evaluate is None else rule.evaluate(weight, SimpleNamespace(**state), hyper)


def evaluates(rule: Rule, hyper: Mapping[str, Any]) -> bool:
    """Return whether a model is evaluated with other weights than it trains with."""
    return bool(hyper["ema"]) or rule.evaluate is not None


def measures(rule: Rule, hyper: Mapping[str, Any]) -> bool:
    """Return whether an update compares the learning rate with `base_lr`."""
    return "base_lr" in rule.own or not hyper["decay_by_lr"] or hyper["decay"] == "corrected"


def decayed_inside(step: Step, weight: Array, hyper: Mapping[str, Any]) -> Step:
    """Return a step with weight decay in it, where decay comes before what follows the step."""
    if not (hyper["weight_decay"] and hyper["decoupled"] and hyper["decay"] == "inside"):
        return step
    share = hyper["lr"] * hyper["weight_decay"]
    return step.moving(step.move + (share if step.decay is None else step.decay * share) * weight)


def decayed_before(step: Step, weight: Array, hyper: Mapping[str, Any]) -> Array:
    """Return the weight after decay, where decay comes before the move; else as it is."""
    if not _decays(hyper) or hyper["decay"] in ("after", "proximal"):
        return weight
    return weight * (1 - _share(hyper, step, weight))


def _after(
    rule: Rule, weight: Array, step: Step, state: Mapping[str, Array], t: Array, hyper: Mapping[str, Any]
) -> tuple[Array, Step]:
    """Return weight and step as what comes after all else makes them."""
    if rule.after is None:
        return weight, step
    weight, kept = rule.after(weight, SimpleNamespace(**state), t, hyper)
    return weight, step.keeping(**kept)


def _kept(step: Step, state: Mapping[str, Array]) -> dict[str, Array]:
    """Return the state after a step; a slot that it does not return stays."""
    return {**step.state, **{slot: x for slot, x in state.items() if slot not in step.state}}


def _bounded(g: Array, hyper: Mapping[str, Any]) -> Array:
    """Return the gradient times its factor, and within its limit."""
    if hyper["gradient_factor"] is not None:
        g = g * hyper["gradient_factor"]
    limit = hyper["max_grad_value"]
    return g if limit is None else clip(g, -limit, limit)


def _moved(weight: Array, step: Step, hyper: Mapping[str, Any]) -> Array:
    """Return the weight after decoupled decay, if there is any, and the move."""
    if not _decays(hyper):
        return weight - step.move
    share = _share(hyper, step, weight)
    if hyper["decay"] == "after":
        return (weight - step.move) * (1 - share)
    return (weight - step.move) / (1 + share) if hyper["decay"] == "proximal" else weight * (1 - share) - step.move


def _decays(hyper: Mapping[str, Any]) -> bool:
    """Return whether decay stands around the step: decoupled, and not inside it."""
    return bool(hyper["weight_decay"]) and hyper["decoupled"] and hyper["decay"] != "inside"


def _share(hyper: Mapping[str, Any], step: Step, weight: Array) -> Array:
    """Return the share of each weight that decoupled decay takes in one step."""
    scale = hyper["lr"] if hyper["decay_by_lr"] else schedule(hyper["lr"], hyper["base_lr"])
    if hyper["decay"] == "corrected":
        scale = scale * schedule(hyper["lr"], hyper["base_lr"])
    share = scale * hyper["weight_decay"]
    share = share if step.decay is None else step.decay * share
    return where(step.move * weight < 0, 0.0, share) if hyper["decay"] == "cautious" else share
