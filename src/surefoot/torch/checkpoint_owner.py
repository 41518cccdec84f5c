"""The owner of a checkpoint, known by its slots. A rule must not go on with another's numbers.

Adam with the step count of SGD and new moments takes steps three times too long, for thousands of steps, and torch says
nothing. A checkpoint of torch.optim has no name in it, so the slots decide. Rules that keep the same slots, such as
Adam, AdamW and AdaBound, may go on with each other's state. A user's own keys are left alone.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from surefoot.errors import UsageError
from surefoot.rule import SLOTS_AROUND, Rule, Slot
from surefoot.rules import RULES
from surefoot.torch.state import TRAINING, scale_name, steps_so_far


class Owner:
    """An optimizer, described by its state.

    Args:
        label: what it is called.
        rule: which rule it runs.
        names: for each slot of the rule, its name in the state where that is another.
        hyper: its hyperparameters, which tell the slots in use; by default the rule's own.
    """

    def __init__(
        self, label: str, rule: Rule, names: Mapping[str, str], hyper: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self.label = label
        self.needs = {names.get(slot.name, slot.name) for slot in lasting(rule, rule.starts(hyper))}
        own = [slot for slot in rule.slots if slot.per != "optimizer"]  # which lie in the param groups
        slots = {names.get(slot.name, slot.name) for slot in (*own, *SLOTS_AROUND)}
        self.knows = {"step", TRAINING, *slots, *map(scale_name, slots)}

    def fits(self, keys: set[str]) -> bool:
        """Return whether a state with these keys can be its own, and nothing else."""
        return self.needs <= keys <= self.knows


def lasting(rule: Rule, used: Container[str]) -> list[Slot]:
    """Return the slots that a parameter's state must have after a step. `used` says which are in use.

    One that a switch adds may begin later, but for a number: NAdam's product is of the momenta of all steps.
    """
    mine = [slot for slot in rule.slots if slot.per != "optimizer" and slot.name in used]
    return [slot for slot in mine if slot.when is None or slot.per == "tensor"]


def check_owner(optimizer: Any, rule: Rule, own: Mapping[str, Any], hyper: Mapping[str, Any]) -> None:
    """Raise `UsageError` if a parameter's state has another optimizer's slots.

    Args:
        optimizer: which is to go on with it: a `RuleOptimizer`.
        rule: what it steps the parameter with.
        own: the state, with at least a step behind it.
        hyper: the hyperparameters of its group, in the rule's words.
    """
    names, keys = getattr(optimizer, "state_names", {}), {key for key, x in own.items() if x is not None}
    label = type(optimizer).__name__ if hasattr(optimizer, "name") else f"RuleOptimizer(rule={optimizer.rule.name!r})"
    me = Owner(label, rule, names, hyper)
    if me.fits(keys) or not keys or (keys == {"step"} and not steps_so_far(own)):
        return
    others = [other.label for other in _others(type(optimizer)) if other.fits(keys)]
    if others or not me.needs <= keys:
        who = " or ".join(others) or "another optimizer"
        raise UsageError(
            f"the checkpoint has the state of {who} ({_listed(keys)}), and this is {me.label}, which keeps "
            f"{_listed(me.needs) or 'nothing of these'}. Load it into the optimizer that it is of; or start anew: load "
            "the model's weights alone."
        )


def missing(name: str, steps: Any) -> str:
    """Return what to say of a slot that is gone."""
    return f"state has {float(steps):g} steps and no {name!r}; to start anew, delete the parameter's whole state"


def _others(kind: type) -> Iterator[Owner]:
    """Yield torch's optimizers with Surefoot's rules, and `RuleOptimizer` with a built-in rule."""
    family = next(base for base in kind.__mro__ if base.__name__ == "SlotKeeper")
    for made in _below(family):
        if "name" in vars(made):
            yield Owner(made.__name__, RULES[made.name], made.state_names)
    for name, rule in RULES.items():
        yield Owner(f"RuleOptimizer(rule={name!r})", rule, {})


def _below(kind: type) -> Iterator[Any]:
    below: type
    for below in kind.__subclasses__():
        yield below
        yield from _below(below)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
