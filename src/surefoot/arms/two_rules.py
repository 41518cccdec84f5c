"""An arm of two rules: one for the hidden matrices, another for the rest, as `lion(lr=1e-4, rest=adamw(lr=3e-4))`.

Any rule takes `rest=`; one that steps nothing but matrices has AdamW there unless another is said. A rest without a
learning rate of its own keeps the proportion to that of the matrices which their defaults have. So one rate is searched
for both, and a search has as many dimensions as any other's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surefoot.conventions import convention
from surefoot.rule import Rule

OPTIONS = ("rest", "head", "overrides", "blocks")
"""The options of a rule that is one of two. The last three are those of `surefoot.torch.split`."""

USUAL = "adamw"


def apart(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of a rule itself, and those of the split."""
    around = {name: value for name, value in given.items() if name in OPTIONS}
    return {name: value for name, value in given.items() if name not in OPTIONS}, around


def rest_of(rule: Rule, given: Mapping[str, Any]) -> str | None:
    """Return what takes the rest, as text; None if the rule steps all parameters."""
    only_matrices = getattr(rule, "shape", "any") == "matrix" and getattr(rule, "vector", None) is None
    return str(given.get("rest", USUAL)) if only_matrices or apart(given)[1] else None


def at_the_rests_rate(rule: Rule, framework: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options under which matrices move as far as with AdamW at the same rate.

    torch leaves the choice to an argument, `adjust_lr_fn`; who asks for another convention gets its rate and its scale.
    """
    return {"scale": "rms", **given} if "scale" in rule.defaults and framework == "torch" else {**given}


def in_proportion(rule: Rule, hyper: Mapping[str, Any], rest: Rule, framework: str) -> dict[str, float]:
    """Return the learning rate of a rest beside that of the matrices, in the convention's spelling.

    Nothing where one of them has no rate. The usual rate of a rule may depend on its form, as Muon's on its scale.
    """
    meant, lr = convention(rest, framework), hyper.get("lr")
    first, other = (convention(one, framework).defaults.get("lr", one.defaults.get("lr")) for one in (rule, rest))
    centre = rule.about.centre(hyper)
    if centre is not None and centre is not rule.about.lr:
        first = round(centre.lr(()), 3)
    return {meant.names.get("lr", "lr"): lr * (other / first)} if lr and first and other else {}


def values(rule: Rule, rest: Rule, hyper: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values of both rules among an arm's hyperparameters. Those of the rest begin with `rest.`."""
    first = {name: value for name, value in hyper.items() if name in rule.defaults}
    return first, {name: hyper[f"rest.{name}"] for name in rest.defaults if f"rest.{name}" in hyper}


def around(hyper: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an arm says of the roles: its head, overrides and blocks."""
    return {name: hyper[name] for name in OPTIONS[1:] if name in hyper}


def build(model: Any, rule: Rule, rest: Rule, hyper: Mapping[str, Any]) -> Any:
    """Make the optimizer of both rules, from the hyperparameters of an arm."""
    from surefoot.torch import split

    first, others = values(rule, rest, hyper)
    return split(model, matrices={"rule": rule, **first}, rest={"rule": rest, **others}, **around(hyper))
