"""The training loop of one trial, the same for every optimizer.

All randomness comes from the seed and the epoch's number, so a run that goes on from a checkpoint equals one that was
never stopped, and every arm with the same seed sees the same initial weights and the same batches. The clock runs
while an optimizer's own work is done, forward pass, backward pass and step; it stands while examples are loaded, a
metric of the user's is computed, and while evaluating, recording rates and saving.

What a training may spend is counted in gradients. A step takes one, and a step with a closure as many as it asks for:
such an optimizer takes fewer steps, over the same batches in the same order.
"""

from __future__ import annotations

import contextlib
import io
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from surefoot.design.trial import Trial
from surefoot.errors import TrialError
from surefoot.store.records import Epoch, Outcome, Rates
from surefoot.tasks.metrics import or_nan
from surefoot.tasks.seeds import seed_everything, seeded
from surefoot.tasks.task import EVALUATION_BATCH, Split, Task, batches, begin, gauge
from surefoot.torch.composite import SurefootOptimizer
from surefoot.training.batch_order import BatchOrder, Parts
from surefoot.training.evaluation_weights import RENEWING, Average, Statistics, has_other_weights
from surefoot.training.events import (
    PROGRESS_SECONDS,
    Diverged,
    DivergedError,
    EpochDone,
    Event,
    Finished,
    Started,
    StepsDone,
)
from surefoot.training.param_groups import rates_of, scale_rates, state_bytes, turn
from surefoot.training.step_records import Stopwatch, record_rates, recording_steps
from surefoot.training.unsaved import Unsaved

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}

COUNTS = ("epoch", "seconds", "step_seconds", "steps_taken", "gradients_taken", "trained")
"""The counters of a training, as a checkpoint keeps them. Older checkpoints may lack some."""


class Training:
    """One trial while it trains. What is not a plain trial replaces `run`, `set_rates` or `update`, and nothing else.

    Args:
        trial: which arm, seed and protocol.
        task: what to train; its data is only read.
        emit: called with each event.
    """

    def __init__(self, trial: Trial, task: Task, emit: Callable[[Event], None]) -> None:
        self.trial, self.task, self.emit = trial, task, emit
        self.protocol = trial.protocol
        parts = (task.data.train, task.data.validation, task.data.test)
        self.train, self.validation, self.test = (part.to(self.protocol.device) for part in parts)
        self.recording = recording_steps(self.protocol.steps)
        self.evaluation_batch: int = getattr(task, "evaluation_batch", EVALUATION_BATCH)
        self.transform: Callable[[Any], Any] | None = getattr(task, "transform", None)
        self.order = BatchOrder(self.train, trial, self.transform)
        self._start()

    def _start(self) -> None:
        """Make the model with its initial weights, its optimizer, and a clock at zero."""
        self.model = self.task.make_model(self.trial.seed).to(self.protocol.device)
        self.optimizer = self.trial.arm.build(self.model)
        self.rates = rates_of(self.optimizer)
        recipe = self.protocol.recipe
        self.scaler = torch.amp.GradScaler(self.protocol.device, enabled=recipe.precision == "fp16")
        self.average = Average(self.model, recipe.ema) if recipe.ema else None
        if self.average and has_other_weights(self.optimizer):
            raise TrialError(
                f"it is evaluated with weights of its own, which the task's average, ema={recipe.ema}, would replace. "
                "Leave ema out of the task, and give it to the others, as in surefoot.torch.AdamW(ema=0.999)."
            )
        self.statistics, self.gauge = Statistics(self.model), gauge(self.task)
        self.epoch, self.seconds, self.steps_taken, self.gradients_taken = 0, 0.0, 0, 0
        if self.trial.arm.closure and self.scaler.is_enabled():
            raise TrialError("its step takes a closure, which a GradScaler cannot follow; use bf16 and not fp16.")
        self.step_seconds: list[float] = []
        self.trained = (math.nan, math.nan)
        self._mode(training=True)
        self.unsaved = Unsaved(self.optimizer)

    def run(self, checkpoint: bytes | None) -> None:
        """Train to the end, from a checkpoint if there is one, and emit what happens."""
        self._warm_up()
        if checkpoint is not None:
            self._restore(checkpoint)
        self.emit(Started(self.trial.key, self.epoch))
        try:
            while self.epoch < self.protocol.epochs:
                self._run_epoch()
            self.emit(Finished(self.trial.key, self._outcome()))
        except DivergedError as reason:
            self.emit(Diverged(self.trial.key, str(reason)))

    def _warm_up(self) -> None:
        """Take a step and start anew, so that the compiling of a first step is not timed."""
        with contextlib.suppress(DivergedError):
            self._step(next(self._loaded(self.order.of_pass(0)[:1])), 0, [])
        self._start()

    def _run_epoch(self) -> None:
        self.epoch += 1
        seed_everything(self.trial.seed, self.epoch)
        rates = self._train_epoch()
        keeps = not self.unsaved.changed()
        validation_loss, validation_metric = self._evaluate(self.validation)
        if not math.isfinite(validation_loss):
            raise DivergedError(f"validation loss became {validation_loss} after {self.protocol.unit.at(self.epoch)}")
        done = Epoch(self.epoch, self.seconds, *self.trained, validation_loss, validation_metric)
        self.emit(EpochDone(self.trial.key, done, tuple(rates), self._checkpoint() if keeps else None))
        if self.trial.purpose == "tune" and self.epoch == self.protocol.epochs:
            self._check_metric(validation_loss, validation_metric, "validation")

    def _train_epoch(self) -> list[Rates]:
        """Take the steps of an epoch; none where the last closure has used up its gradients."""
        self._mode(training=True)
        rates: list[Rates] = []
        losses, seen = 0.0, 0
        self.gauge = gauge(self.task)
        reported = time.perf_counter()
        for parts in self._loaded(self._batches()):
            examples = sum(size for size, _ in parts)
            losses += self._step(parts, self.gradients_taken + 1, rates) * examples
            seen += examples
            if time.perf_counter() - reported > PROGRESS_SECONDS:
                reported = time.perf_counter()
                spent = min(self.gradients_taken, self.protocol.steps)
                self.emit(StepsDone(self.trial.key, self.epoch, spent, self.protocol.steps, losses / seen))
            if self._left() <= 0:
                break
        if seen:
            self.trained = losses / seen, or_nan(self.gauge)
        return rates

    def _left(self) -> int:
        """Return the gradients that are left of this epoch."""
        return max(1, self.epoch) * self.protocol.steps_per_epoch - self.gradients_taken

    def _batches(self) -> tuple[Tensor, ...]:
        """Return the steps that are left of this epoch, as indices of examples."""
        return self.order.steps(self.steps_taken, self.steps_taken + max(0, self._left()))

    def _loaded(self, steps: Sequence[Tensor]) -> Iterator[Parts]:
        return self.order.loaded(steps, self.epoch)

    def _step(self, parts: Parts, step: int, rates: list[Rates]) -> float:
        """Take one training step; returns the mean loss of its examples."""
        clock = Stopwatch(self.protocol.device)
        self.set_rates(step)
        closure = self._closure(parts, clock)
        loss = closure() if self.trial.arm.closure != "first" else None
        with clock.stopped():
            if step in self.recording and isinstance(self.optimizer, SurefootOptimizer):
                rates.append(record_rates(self.optimizer, step))
        if self.average:
            self.average.begin()
        found = self.update(closure)
        if self.average:
            self.average.follow()
        value = float(found if loss is None else loss)
        self.steps_taken += 1
        self.step_seconds.append(clock.seconds)
        self.seconds += self.step_seconds[-1]
        if not math.isfinite(value):
            epoch = "" if self.protocol.evaluate_every else f" (epoch {self.epoch})"
            raise DivergedError(f"training loss became {value} at step {self.steps_taken}{epoch}")
        return value

    def _closure(self, parts: Parts, clock: Stopwatch) -> Callable[[], Tensor]:
        """Return the closure of a step, which computes its loss and gradients. The metric is from its first call."""
        first = True

        @torch.enable_grad()
        def closure() -> Tensor:
            nonlocal first
            self.optimizer.zero_grad()
            loss = self._gradients(parts, clock, measuring=first)
            first = False
            self.gradients_taken += 1
            return loss

        return closure

    def _gradients(self, parts: Parts, clock: Stopwatch, *, measuring: bool) -> Tensor:
        """Add up and clip the gradients of a step's batches. Returns the mean loss."""
        examples = sum(size for size, _ in parts)
        losses = []
        for size, batch in parts:
            loss, metric = self._begun(batch)
            share = loss if len(parts) == 1 else loss * (size / examples)
            self.scaler.scale(share).backward()  # type: ignore[no-untyped-call]
            with clock.stopped():
                if (
                    measuring and self.transform is None
                ):  # else these are other targets than those that the metric is of
                    self.gauge.add(metric() if callable(metric) else metric, size)
            losses.append(share.detach())
        self.scaler.unscale_(self.optimizer)
        if self.protocol.recipe.clip:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.protocol.recipe.clip)
        return torch.stack(losses).sum()

    def _begun(self, batch: Any) -> tuple[Tensor, Any]:
        """Return the loss of a batch in the recipe's precision, and its metric or a function that computes it."""
        dtype = AUTOCAST.get(self.protocol.recipe.precision)
        with torch.autocast(self.protocol.device, dtype, enabled=dtype is not None):
            return begin(self.task, self.model, batch)

    def update(self, closure: Callable[[], Tensor]) -> Any:
        """Let the optimizer take its step. With a closure it returns the first loss."""
        if self.trial.arm.closure:
            return self.optimizer.step(closure)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return None

    def set_rates(self, step: int) -> None:
        """Set the learning rates of a step by the schedule. Constant rates are left alone."""
        schedule = self.trial.schedule
        if schedule.is_constant:
            return
        factor = schedule.factor(max(1, step), self.protocol.steps)
        scale_rates(self.optimizer, self.rates, factor, self.trial.arm.label)

    def _mode(self, *, training: bool) -> None:
        """Switch the model, and an optimizer with two sets of weights, to training or evaluation."""
        self.model.train(training)
        turn(self.optimizer, training=training)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Evaluate with the optimizer's evaluation weights, its moving average, or the training weights."""
        self._mode(training=False)
        with ExitStack() as stack:
            if self.average and self.average.weights:
                stack.enter_context(self.average.in_place())
            stack.enter_context(torch.no_grad())
            if self.statistics.exist and (self.average or has_other_weights(self.optimizer)):
                stack.enter_context(self.statistics.of_weights(self.steps_taken, self._passes))
            yield
        if isinstance(self.optimizer, SurefootOptimizer):
            self.optimizer.train()  # to the last bit; checkpoints and the state's bytes are those of training

    def _passes(self) -> Iterator[Any]:
        """Make forward passes of batches of the training examples, the same ones each time."""
        with seeded(self.trial.seed):
            for ((_, batch),) in self._loaded(self.order.sample(RENEWING)):
                yield self._begun(batch)

    def _evaluate(self, split: Split, limit: int | None = None) -> tuple[float, float]:
        """Return mean loss and metric in evaluation mode over the split, or over its first `limit` examples."""
        size = min(limit or len(split), len(split))
        losses, self.gauge = 0.0, gauge(self.task)
        with self._evaluating():
            each = self.evaluation_batch
            places = [slice(start, min(start + each, size)) for start in range(0, size, each)]
            for place, batch in zip(places, batches(split, places, (0,)), strict=True):
                loss, metric = self._begun(batch)
                self.gauge.add(metric() if callable(metric) else metric, place.stop - place.start)
                losses += loss.item() * (place.stop - place.start)
        return losses / size, or_nan(self.gauge) if limit or not math.isfinite(losses) else self.gauge.value()

    def _check_metric(self, loss: float, metric: float, part: str) -> None:
        """End a trial whose metric is not a number, though its loss may be fine."""
        if math.isfinite(loss) and math.isnan(metric):
            name = self.task.metric.name
            raise DivergedError(
                f"the metric {name!r} is nan on the {part} data, while the loss is {loss:.4g}; see what it divides by"
            )

    def _outcome(self) -> Outcome:
        test_loss, test_metric = math.nan, math.nan
        others: dict[str, float] = {}
        if self.trial.purpose != "tune":
            test_loss, test_metric = self._evaluate(self.test)
            others = getattr(self.gauge, "others", dict)()
            self._check_metric(test_loss, test_metric, "test")
        train_loss, train_metric = self._evaluate(self.train, limit=len(self.validation))
        self._mode(training=True)  # what is put by for an evaluation is no state of the training
        return Outcome(
            test_loss=test_loss,
            test_metric=test_metric,
            train_loss=train_loss,
            train_metric=train_metric,
            step_seconds=statistics.median(self.step_seconds),
            optimizer_bytes=state_bytes(self.optimizer),
            parameters=sum(p.numel() for p in self.model.parameters()),
            engine=getattr(self.optimizer, "engine", "torch"),
            gradients=self.gradients_taken / self.steps_taken,
            others=others,
        )

    def _checkpoint(self) -> bytes:
        buffer = io.BytesIO()
        counts = {name: getattr(self, name) for name in COUNTS}
        saved = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), **counts}
        if self.average:
            saved["average"] = self.average.weights
        if self.scaler.is_enabled():
            saved["scaler"] = self.scaler.state_dict()
        torch.save(saved, buffer)
        return buffer.getvalue()

    def _restore(self, checkpoint: bytes) -> None:
        saved: dict[str, Any] = torch.load(io.BytesIO(checkpoint), map_location=self.protocol.device, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.average:
            self.average.weights = saved["average"]
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(saved["scaler"])
        for name in COUNTS:
            setattr(self, name, saved.get(name, getattr(self, name)))
