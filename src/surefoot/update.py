"""One whole update of a weight: what stands around a rule, written once for every rule and engine.

Order: the gradient's factor (unscaling, clipping by norm), its limit (clipping by value), its sign (`maximize`),
coupled weight decay into it, the rule, decoupled weight decay of the weight, the move, the moving average of the
weight. Decoupled decay uses the weight before the move, as torch, Keras and optax all do; the proximal kind divides the
weight after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

from surefoot.mathops import Array, clip
from surefoot.rule import Rule, Step, schedule


class Update(NamedTuple):
    """The weight and the state after an update, and the step that led there."""

    weight: Array
    state: dict[str, Array]
    step: Step


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
    weight = _moved(weight, step, hyper)
    if not hyper["ema"]:
        return Update(weight, step.state, step)
    ema = state["ema"] + (1 - hyper["ema"]) * (weight - state["ema"])
    return Update(weight, {**step.state, "ema": ema}, step)


def change(
    rule: Rule, weight: Array, gradient: Array, state: Mapping[str, Array], t: Array, hyper: Mapping[str, Any]
) -> Update:
    """As `update`, with what is to be added to the weight in the weight's place, for frameworks that add it themselves.

    The difference of the new weight and the old would lose the digits of a small change. The weight may be None without
    decay, unless the rule sees it; the moving average is not kept.
    """
    step = take_step(rule, weight, gradient, state, t, hyper)
    move = step.move
    if hyper["weight_decay"] and hyper["decoupled"]:
        share = _decay(hyper, step)
        move = (move + share * weight) / (1 + share) if hyper.get("proximal") else move + share * weight
    return Update(-move, step.state, step)


def _bounded(g: Array, hyper: Mapping[str, Any]) -> Array:
    """Return the gradient times its factor, and within its limit."""
    if hyper["gradient_factor"] is not None:
        g = g * hyper["gradient_factor"]
    limit = hyper["max_grad_value"]
    return g if limit is None else clip(g, -limit, limit)


def _moved(weight: Array, step: Step, hyper: Mapping[str, Any]) -> Array:
    """Return the weight after decoupled decay, if there is any, and the move."""
    if not (hyper["weight_decay"] and hyper["decoupled"]):
        return weight - step.move
    share = _decay(hyper, step)
    return (weight - step.move) / (1 + share) if hyper.get("proximal") else weight * (1 - share) - step.move


def _decay(hyper: Mapping[str, Any], step: Step) -> Array:
    """Return the share of each weight that decoupled decay takes in one step."""
    scale = hyper["lr"] if hyper["decay_by_lr"] else schedule(hyper["lr"], hyper["base_lr"])
    share = scale * hyper["weight_decay"]
    return share if step.decay is None else step.decay * share
