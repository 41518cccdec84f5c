"""`Opt`: an optimizer of a comparison in Python, with values, ranges and a name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from surefoot.arms.arm import make_arm
from surefoot.arms.user_code import referred
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
