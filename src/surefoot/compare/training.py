"""One trial, trained: the same loop for every optimizer, with nothing in it that depends on which one it is.

All randomness comes from the seed and the epoch's number, so a run that goes on from a checkpoint equals one that was
never stopped, and every arm with the same seed sees the same initial weights and the same batches. The clock runs
while training and stands while evaluating, recording rates and saving.
"""

from __future__ import annotations

import contextlib
import io
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surefoot.compare.events import Diverged, EpochDone, Event, Finished, Progress, Started
from surefoot.compare.rates import record_rates, recording_steps
from surefoot.compare.trial import Trial
from surefoot.datasets import Dataset
from surefoot.rules import RULES
from surefoot.store.records import Epoch, Outcome, Rates
from surefoot.tasks import find_task
from surefoot.torch import RuleOptimizer

PROGRESS_SECONDS = 0.2
EVALUATION_BATCH = 500


class Split:
    """Images with their labels on the device that trains."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.uint8], device: str) -> None:
        self.images = torch.from_numpy(images).to(device)
        self.labels = torch.from_numpy(labels).to(device)

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Return the images as stored and the labels as int64."""
        return self.images[index], self.labels[index].long()


class DivergedError(Exception):
    """Ends the training of a trial whose loss is no longer finite."""


class Training:
    """The state of one trial while it trains.

    Args:
        trial: what to train.
        data: the data set's arrays; shared memory is fine, they are only read.
        emit: called with each event.
    """

    def __init__(self, trial: Trial, data: Dataset, emit: Callable[[Event], None]) -> None:
        self.trial, self.emit = trial, emit
        end = trial.train_size + trial.validation_size
        self.train = Split(data.train_images[: trial.train_size], data.train_labels[: trial.train_size], trial.device)
        held_out = slice(trial.train_size, end)
        self.validation = Split(data.train_images[held_out], data.train_labels[held_out], trial.device)
        self.test = Split(data.test_images[: trial.test_size], data.test_labels[: trial.test_size], trial.device)
        self.task = find_task(trial.task)
        self.recording = recording_steps(trial.epochs * trial.steps_per_epoch)
        self._start()

    def _start(self) -> None:
        """Make the model with its initial weights, its optimizer, and a clock at zero."""
        self.model = self.task.make_model(self.trial.seed).to(self.trial.device)
        rule = RULES[self.trial.arm.rule]
        hyper = {name: value for name, value in self.trial.arm.hyper.items() if name in rule.defaults}
        self.optimizer = RuleOptimizer(self.model.parameters(), rule, **hyper)
        self.epoch, self.seconds = 0, 0.0
        self.step_seconds: list[float] = []

    def run(self, checkpoint: bytes | None) -> None:
        """Train to the end, from a checkpoint if there is one, and emit what happens."""
        self._warm_up()
        if checkpoint is not None:
            self._restore(checkpoint)
        self.emit(Started(self.trial.key, self.epoch))
        try:
            while self.epoch < self.trial.epochs:
                self._run_epoch()
            self.emit(Finished(self.trial.key, self._outcome()))
        except DivergedError as reason:
            self.emit(Diverged(self.trial.key, str(reason)))

    def _warm_up(self) -> None:
        """Take a step and start anew: what a process compiles at its first step is no optimizer's own time."""
        with contextlib.suppress(DivergedError):
            self._step(torch.arange(min(self.trial.batch_size, len(self.train)), device=self.trial.device), 0, [])
        self._start()

    def _run_epoch(self) -> None:
        self.epoch += 1
        torch.manual_seed(_mixed_seed(self.trial.seed, self.epoch))
        train_loss, train_metric, rates = self._train_epoch()
        validation_loss, validation_metric = self._evaluate(self.validation)
        if not math.isfinite(validation_loss):
            raise DivergedError(f"validation loss became {validation_loss} after epoch {self.epoch}")
        done = Epoch(self.epoch, self.seconds, train_loss, train_metric, validation_loss, validation_metric)
        self.emit(EpochDone(self.trial.key, done, tuple(rates), self._checkpoint()))

    def _train_epoch(self) -> tuple[float, float, list[Rates]]:
        self.model.train()
        rates: list[Rates] = []
        losses, correct, seen = 0.0, 0, 0
        order = torch.from_numpy(np.random.default_rng([self.trial.seed, self.epoch]).permutation(len(self.train)))
        first = (self.epoch - 1) * self.trial.steps_per_epoch
        told = time.perf_counter()
        for step, index in enumerate(torch.split(order.to(self.trial.device), self.trial.batch_size), first + 1):
            loss, hits = self._step(index, step, rates)
            losses, correct, seen = losses + loss * len(index), correct + hits, seen + len(index)
            if time.perf_counter() - told > PROGRESS_SECONDS:
                told = time.perf_counter()
                self._tell(step, losses / seen)
        return losses / seen, correct / seen, rates

    def _step(self, index: Tensor, step: int, rates: list[Rates]) -> tuple[float, int]:
        """Take one training step; returns the batch's mean loss and the number of its images that were right."""
        start = time.perf_counter()
        images, labels = self.train.batch(index)
        self.optimizer.zero_grad()
        outputs = self.model(self.task.prepare(images))
        loss = self.task.loss(outputs, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        paused = time.perf_counter()
        if step in self.recording:
            rates.append(record_rates(self.optimizer, step))
        resumed = time.perf_counter()
        self.optimizer.step()
        value, hits = loss.item(), int((outputs.argmax(1) == labels).sum())
        spent = time.perf_counter() - start - (resumed - paused)
        self.seconds += spent
        self.step_seconds.append(spent)
        if not math.isfinite(value):
            raise DivergedError(f"training loss became {value} at step {step} (epoch {self.epoch})")
        return value, hits

    def _tell(self, step: int, loss: float) -> None:
        steps = self.trial.epochs * self.trial.steps_per_epoch
        self.emit(Progress(self.trial.key, self.epoch, step, steps, loss))

    @torch.no_grad()
    def _evaluate(self, split: Split, limit: int | None = None) -> tuple[float, float]:
        """Return mean loss and accuracy in evaluation mode over the split, or over its first `limit` images."""
        self.model.eval()
        size = min(limit or len(split), len(split))
        losses, correct = 0.0, 0
        for start in range(0, size, EVALUATION_BATCH):
            images, labels = split.batch(slice(start, min(start + EVALUATION_BATCH, size)))
            outputs = self.model(self.task.prepare(images))
            losses += self.task.loss(outputs, labels).item() * len(labels)
            correct += int((outputs.argmax(1) == labels).sum())
        return losses / size, correct / size

    def _outcome(self) -> Outcome:
        unseen = math.nan, math.nan
        test_loss, test_metric = unseen if self.trial.purpose == "tune" else self._evaluate(self.test)
        train_loss, train_metric = self._evaluate(self.train, limit=len(self.validation))
        return Outcome(
            test_loss=test_loss,
            test_metric=test_metric,
            train_loss=train_loss,
            train_metric=train_metric,
            step_seconds=statistics.median(self.step_seconds),
            optimizer_bytes=_state_bytes(self.optimizer),
            parameters=sum(p.numel() for p in self.model.parameters()),
            engine=self.optimizer.engine,
        )

    def _checkpoint(self) -> bytes:
        buffer = io.BytesIO()
        torch.save(
            {
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "epoch": self.epoch,
                "seconds": self.seconds,
                "step_seconds": self.step_seconds,
            },
            buffer,
        )
        return buffer.getvalue()

    def _restore(self, checkpoint: bytes) -> None:
        saved: dict[str, Any] = torch.load(io.BytesIO(checkpoint), map_location=self.trial.device, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.epoch, self.seconds, self.step_seconds = saved["epoch"], saved["seconds"], saved["step_seconds"]


def _mixed_seed(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


def _state_bytes(optimizer: torch.optim.Optimizer) -> int:
    """Return the bytes of the optimizer's state: what it needs besides the weights and their gradients."""
    tensors = [value for state in optimizer.state.values() for name, value in state.items() if name != "step"]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
