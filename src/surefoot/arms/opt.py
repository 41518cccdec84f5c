"""`Opt`: an optimizer of a comparison in Python, with values, ranges and a name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from surefoot.arms.arm import Arm, make_arm, parse_arms
from surefoot.arms.user_code import referred
from surefoot.errors import Argument, UsageError
from surefoot.rule import Rule
from surefoot.store.ranges import Range


class Opt:
    """One optimizer of a comparison.

    Args:
        optimizer: a rule's name, such as `adam`, a rule of your own or where it stands (`my.py:calm`, `module:calm`),
            or any class that makes a torch optimizer.
        name: what it is called in results; made from the optimizer and its options by default.
        convention: whose defaults and form a rule has: `torch`, `keras`, `optax` or `paper`.
        options: values, which are fixed, and ranges (`surefoot.log(1e-4, 1)`), which tuning searches instead of ours
            and never leaves.

    Raises:
        UsageError: an unknown optimizer or option, a value out of range.

    Example:
        >>> Opt("adam", beta1=0.95, name="slow Adam").arm.label
        'slow Adam'
    """

    def __init__(self, optimizer: Any, *, name: str = "", convention: str = "torch", **options: Any) -> None:
        ranges = {key: value for key, value in options.items() if isinstance(value, Range)}
        given = {key: value for key, value in options.items() if key not in ranges}
        text = optimizer if isinstance(optimizer, str) and ":" in optimizer else ""
        arm = make_arm(referred(text) if text else optimizer, convention, given, ranges=ranges, name=name)
        self.arm = replace(arm, reference=text or arm.reference)


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
