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

import surefoot
from surefoot.comparison.arm import Arm
from surefoot.comparison.tuned import TunedArms
from surefoot.store import Design


def design(study: str, content: Mapping[str, Any], asked: Mapping[str, Any], seconds: float = 0.0) -> Design:
    """Return the design of a study, as of now.

    Args:
        study: its name.
        content: all that was decided.
        asked: what it was decided from: the same again finds the same design.
        seconds: that deciding took.
    """
    hash_ = hashlib.sha256(json.dumps({"study": study, **asked}, sort_keys=True).encode()).hexdigest()[:16]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Design(hash_, study, {**content, "surefoot": surefoot.__version__}, now, seconds)


def optimizer(arm: Arm) -> dict[str, Any]:
    """Return an optimizer as a design has it."""
    return {"label": arm.label, "rule": arm.identity, "convention": arm.convention, "hyper": dict(arm.hyper)}


def search(tuning: TunedArms) -> dict[str, Any]:
    """Return how a design's optimizers are tuned: where each is searched, whence each range, and at which points."""
    return {
        label: {
            "ranges": {name: dimension.text for name, dimension in space.dimensions.items()},
            "sources": dict(space.sources),
            "configurations": [dict(config) for config in tuning.configurations[label]],
        }
        for label, space in tuning.spaces.items()
    }
