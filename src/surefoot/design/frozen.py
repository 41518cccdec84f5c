"""The design of a study: everything that is decided before the first trial, hashed and stored by then.

What cannot be changed afterwards cannot be chosen to please: the optimizers with every option, where each is searched
and at which points, the seeds, the protocol, the budget. Running the same command again finds its design in the store
and goes on with it, also on a machine whose arithmetic would propose points that differ in their last digit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from surefoot.arms.arm import Arm, make_arm
from surefoot.arms.other_optimizers import plain_value
from surefoot.store.design import Optimizer, ranges_json


def hash_of(study: str, asked: Mapping[str, Any]) -> str:
    """Return what tells a design from any other: a hash of all that was asked for."""
    return hashlib.sha256(json.dumps({"study": study, **asked}, sort_keys=True).encode()).hexdigest()[:16]


def now() -> str:
    """Return this instant as a design has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def optimizer(arm: Arm) -> Optimizer:
    """Return an optimizer as a design has it."""
    given = {name: plain_value(value) for name, value in arm.given.items()}
    unnamed = make_arm(arm.make or arm.rule, arm.convention, arm.given, ranges=arm.ranges)
    named = arm.label != unnamed.label
    asked = (dict(arm.hyper), given, dict(arm.ranges), named, arm.reference)
    return Optimizer(arm.label, arm.identity, arm.convention, *asked)


def asked_of(arm: Arm) -> dict[str, Any]:
    """Return what an optimizer has in the hash; an option given its default value too, as it is then not searched."""
    one = optimizer(arm)
    asked = {"label": one.label, "rule": one.rule, "convention": one.convention, "hyper": one.hyper}
    plain = make_arm(arm.make or arm.rule, arm.convention, {}, ranges=arm.ranges).hyper
    fixed = {name: value for name, value in one.given.items() if plain.get(name, value) == value}
    return {**asked, "ranges": ranges_json(one.ranges), **({"fixed": fixed} if fixed else {})}
