"""A trial: everything that decides the numbers of one training, and its key.

Two trials with the same key give the same numbers on the same machine, so a finished one need not run again. The
user's name for the optimizer is not in the key; the form of the protocol is, so that a changed training loop never
passes for the old one, and so is the code of an optimizer that is not ours (`code_hash.py`). A design has such a hash
too, of all that was asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from surefoot.arms.arm import Arm
from surefoot.arms.schedule import Scheduled, scheduled
from surefoot.store.design import Planned, TrialPart
from surefoot.store.protocol import Protocol
from surefoot.store.records import Purpose, Record


@dataclass(frozen=True)
class Trial:
    """One arm, one seed, one protocol. A trial that is there to `tune` does not see the test examples.

    `part` is what it is in its run; it decides no number.
    """

    study: str
    arm: Arm
    seed: int
    protocol: Protocol
    purpose: Purpose = "measure"
    part: TrialPart = field(default_factory=TrialPart)

    @cached_property
    def key(self) -> str:
        """Sixteen hexadecimal digits that identify the trial."""
        parts = [self.arm.rule, dict(self.arm.hyper), self.seed, self.protocol.decides]
        parts += [self.purpose] if self.purpose != "measure" else []
        parts += ["evaluated with the average"] if self.arm.hyper.get("ema") else []
        parts += ["gradients are charged"] if self.arm.closure and not self.protocol.own_loop else []
        return hash_of(parts)

    @cached_property
    def schedule(self) -> Scheduled:
        """The learning-rate schedule: the optimizer's own, else the study's."""
        return self.arm.schedule or scheduled(self.protocol.schedule)

    def record(self, environment: Mapping[str, Any]) -> Record:
        """Return the trial as the store begins it."""
        return Record(
            key=self.key,
            study=self.study,
            label=self.arm.label,
            rule=self.arm.rule,
            convention=self.arm.convention,
            hyper=self.arm.hyper,
            seed=self.seed,
            protocol=self.protocol,
            purpose=self.purpose,
            environment=environment,
            part=self.part,
        )

    @property
    def optimizer(self) -> str:
        """The label of the optimizer as it was given, with its defaults and tuned alike."""
        return self.part.tuned_from or self.arm.label

    @property
    def planned(self) -> Planned:
        """The trial as a run asks for it."""
        return Planned(self.key, self.arm.label, self.seed, self.part)


def hash_of(parts: Any) -> str:
    """Return sixteen hexadecimal digits that identify a JSON value."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
