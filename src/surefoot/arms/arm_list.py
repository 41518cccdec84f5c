"""The arms of a comparison: what a user lists, as arms of which no two are the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from surefoot.arms.arm import Arm, make_arm
from surefoot.arms.opt import Opt
from surefoot.arms.optimizer_text import named_calls
from surefoot.errors import Argument, UsageError
from surefoot.rule import Rule


def arms_of(optimizers: Any, convention: str = "torch") -> tuple[Arm, ...]:
    """Return the arms of a list that mixes names, texts such as `sgd(lr=0.1)`, rules, classes, `Opt` and arms.

    Raises:
        UsageError: an empty list, or something in it that is no optimizer.
    """
    given = [optimizers] if isinstance(optimizers, str | Opt | Rule | type) else list(optimizers)
    if not given:
        raise UsageError("no optimizer to compare; ", Argument("optimizers"), " needs at least one, such as 'adam'.")
    arms: list[Arm] = []
    for one in given:
        if isinstance(one, str):
            arms += parse_arms([one], convention)
        else:
            arm = one.arm if isinstance(one, Opt) else one
            arms.append(arm if isinstance(arm, Arm) else make_arm(arm, convention, {}))
    return tuple(arms)


def parse_arms(texts: Iterable[str], convention: str) -> tuple[Arm, ...]:
    """Return the arms that the texts describe; one text may hold several, separated by commas.

    Raises:
        UsageError: text that is no such call, an unknown optimizer or option, a bad value, an arm given twice.
    """
    return without_twins([arm for text in texts for arm in _arms_of_text(text, convention)])


def _arms_of_text(text: str, convention: str) -> Iterator[Arm]:
    name, calls = named_calls(text)
    for call in calls:
        arm = make_arm(call.optimizer(), convention, call.given, name=name)
        yield replace(arm, reference=call.reference or arm.reference)


def without_twins(arms: Sequence[Arm]) -> tuple[Arm, ...]:
    """Return the arms; `UsageError` if two share a name, or are the same optimizer with the same settings.

    Two of one name but of different conventions or libraries have these in their names. Two that only differ in their
    ranges share the trials of their untuned settings.
    """
    origins: dict[str, set[str]] = {}
    for arm in arms:
        origins.setdefault(arm.label, set()).add(arm.convention or arm.name)
    arms = [arm if len(origins[arm.label]) == 1 else _with_origin(arm) for arm in arms]
    for arm, other in combinations(arms, 2):
        if arm.label == other.label:
            raise UsageError(f"optimizer {arm.label!r} is given twice; leave one out or give it another name.")
        if (arm.rule, arm.hyper, arm.ranges) == (other.rule, other.hyper, other.ranges):
            raise UsageError(
                f"one optimizer is given twice, as {arm.label!r} and as {other.label!r}, with the same options; leave "
                "one out or change its options."
            )
    return tuple(arms)


def _with_origin(arm: Arm) -> Arm:
    return replace(arm, label=f"{arm.label} ({arm.convention or arm.name})", is_named=True)
