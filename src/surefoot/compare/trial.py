"""A trial: everything that decides the numbers of one training run, and the key that says so.

Two trials with the same key give the same numbers on the same machine, so a finished one need not run again. The
user's name for the optimizer is not in the key; the form of the protocol is (`PROTOCOL`), so that a changed
training loop never passes for the old one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from surefoot.compare.arm import Arm
from surefoot.store.records import Purpose, Record

PROTOCOL = 1
"""Raised when the training loop changes in a way that changes its numbers."""


@dataclass(frozen=True)
class Trial:
    """One arm, one seed, one protocol.

    `train_size` and `validation_size` are numbers of images; training images come first, validation images after them.
    A trial that is there to `tune` does not see the test images.
    """

    study: str
    task: str
    dataset: str
    arm: Arm
    seed: int
    epochs: int
    batch_size: int
    train_size: int
    validation_size: int
    test_size: int
    device: str
    purpose: Purpose = "measure"

    @property
    def protocol(self) -> dict[str, Any]:
        """What decides the numbers besides the optimizer and the seed."""
        return {
            "version": PROTOCOL,
            "task": self.task,
            "dataset": self.dataset,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "train_size": self.train_size,
            "validation_size": self.validation_size,
            "test_size": self.test_size,
            "device": self.device,
        }

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits that tell this trial from any other."""
        decides = [self.arm.rule, dict(self.arm.hyper), self.seed, self.protocol]
        decides += [self.purpose] if self.purpose != "measure" else []
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch; the last one may be smaller."""
        return -(-self.train_size // self.batch_size)

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
        )
