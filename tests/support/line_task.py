"""A task of the user's own that trains in milliseconds, its trials, and what must be equal between two runs of them."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from surefoot.arms.arm import make_arm
from surefoot.arms.arm_list import parse_arms
from surefoot.design.trial import Trial
from surefoot.store.protocol import LOSS, Metric, Protocol
from surefoot.tasks.arrays import Arrays
from surefoot.tasks.task import Splits
from surefoot.training.events import EpochDone, Finished
from surefoot.training.loop import Training

SIZE = 64


@dataclass(frozen=True)
class Line:
    """A least-squares line, as a task of the user's own; what `disturb` does happens in every forward pass."""

    data: Splits
    disturb: object = None
    name: str = "line"
    dataset: str = ""
    metric: Metric = LOSS
    fingerprint: str = ""
    chance: float | None = None

    def make_model(self, seed):
        generator = torch.Generator().manual_seed(seed)
        model = torch.nn.Linear(4, 1, bias=False)
        with torch.no_grad():
            model.weight.copy_(torch.randn(1, 4, generator=generator))
        return model

    def measure(self, model, batch):
        inputs, targets = batch
        if self.disturb:
            self.disturb()
        loss = ((model(inputs) - targets) ** 2).mean()
        return loss, loss.detach()


def line(disturb=None):
    random = np.random.default_rng(1)
    inputs = random.normal(size=(SIZE, 4)).astype(np.float32)
    rows = Arrays(inputs, inputs.sum(1, keepdims=True))
    return Line(Splits(rows[:32], rows[32:48], rows[48:]), disturb)


def trials(*texts, epochs=3, seeds=1):
    protocol = Protocol("line", "", epochs, 8, 32, 16, 16, "cpu")
    return [Trial("line", arm, seed, protocol) for arm in parse_arms(texts, "torch") for seed in range(seeds)]


def foreign(make, epochs=3):
    """A trial of an optimizer class of the user's own."""
    return Trial("line", make_arm(make, "torch", {"lr": 0.1}), 0, trials("sgd", epochs=epochs)[0].protocol)


def numbers(events):
    """What must be equal between two runs: all but times and checkpoints."""
    found = {}
    for event in events:
        if isinstance(event, EpochDone):
            curve = replace(event.epoch, seconds=0.0)
            found.setdefault(event.key, {})[curve.epoch] = curve, event.rates
        if isinstance(event, Finished):
            found[event.key]["end"] = replace(event.outcome, step_seconds=0.0)
    return found


def serial(planned):
    """The events of the trials, trained in this process."""
    before, heard = torch.get_num_threads(), []
    torch.set_num_threads(1)
    for trial in planned:
        Training(trial, line(), heard.append).run(None)
    torch.set_num_threads(before)
    return heard


def pause():
    time.sleep(0.01)


@dataclass
class Hold:
    """Lets so many forward passes of a worker go by, five an epoch, and holds the next until a file is there."""

    released: Path
    passes: int

    def __call__(self):
        self.passes -= 1
        while self.passes < 0 and not self.released.exists():
            pause()
