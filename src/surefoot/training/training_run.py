"""The argument of a user's training function: the optimizer, the epochs, and the reports.

A function is called once for each trial. What it does between two calls of ours is its own: here is only what every
training has, whatever its framework. Random numbers come from the seed and the epoch's number, as in the loop of tasks,
so that a training that goes on from a checkpoint equals one that was never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from statistics import fmean, median
from typing import Any

from torch import nn

from surefoot.design.trial import Trial
from surefoot.errors import TrialError
from surefoot.store.records import Epoch, Outcome
from surefoot.tasks.seeds import seed_everything
from surefoot.torch.composite import SurefootOptimizer
from surefoot.training.events import PROGRESS_SECONDS, DivergedError, EpochDone, Event, StepsDone
from surefoot.training.function_optimizers import FunctionOptimizers
from surefoot.training.kept import KeptParts, Progress
from surefoot.training.open_epoch import OpenEpoch, number
from surefoot.training.step_records import record_rates, recording_steps

NOT_REPORTED = math.nan
"""A figure that a training function does not report."""

RECORDED = recording_steps(10**9)
"""The steps at which step sizes are recorded; how many there will be is not known."""


class Enough(BaseException):
    """Ends a training that is only tried out; no error, so that what handles errors lets it pass."""


class TrainingRun:
    """One training, as a function of yours sees it: `def train(run)`.

    The function is called once a trial, in a worker process. torch's, NumPy's and Python's random numbers are seeded by
    `run.seed`, and again at each epoch's start. The clock runs from an epoch's start to its end. It stands while
    `report` and `test` call what they are given, and inside `run.evaluating()` and `run.untimed()`. All else counts,
    loading data too.

    Attributes:
        seed: of this trial. Seed other libraries with it, such as JAX: `jax.random.key(run.seed)`.
        device: `cpu`, `cuda` or `mps`: where the model should be.
        hyper: the hyperparameters of the optimizer that is compared, such as `run.hyper["lr"]`.

    Example:
        >>> def train(run):
        ...     model = make_net().to(run.device)
        ...     optimizer = run.optimizer(model)
        ...     run.save(model=model)
        ...     for epoch in run.epochs():
        ...         for inputs, targets in batches():
        ...             optimizer.zero_grad()
        ...             loss = cross_entropy(model(inputs), targets)
        ...             loss.backward()
        ...             optimizer.step()
        ...             run.step(loss)
        ...         run.report(lambda: accuracy(model, validation))
        ...     run.test(lambda: accuracy(model, test))
    """

    def __init__(
        self, trial: Trial, emit: Callable[[Event], None], checkpoint: bytes | None = None, steps: int | None = None
    ) -> None:
        self.seed, self.device = trial.seed, trial.protocol.device
        self.hyper: Mapping[str, Any] = dict(trial.arm.hyper)
        self._trial, self._emit, self._most = trial, emit, steps
        self._protocol = trial.protocol
        self._last = 1 if trial.purpose == "pilot" else self._protocol.epochs
        self._kept = KeptParts(checkpoint, self.device)
        self._now: Progress = self._kept.progress
        self._made = FunctionOptimizers(trial)
        self._steps_per_epoch: int | None = None
        self._epoch: OpenEpoch | None = None
        self._tested: tuple[float, float] | None = None
        self._over: DivergedError | None = None
        self._begun = 0.0
        self.wall = 0.0

    @property
    def epoch(self) -> int:
        """The last epoch that has ended; 0 before."""
        return self._now.epoch

    def optimizer(self, model: nn.Module | Iterable[Any], name: str = "", **options: Any) -> Any:
        """Return the optimizer that is compared, made for a model.

        Args:
            model: a module, its parameters, or param groups. Call it once for each optimizer, before the epochs.
            name: of the optimizer, where a training has several: "generator" and "discriminator".
            options: what this optimizer has in its own way, such as `lr=4 * run.hyper["lr"]`.

        Raises:
            TrialError: it was made before.
        """
        made = self._made.torch(name, options, model)
        if len(self._made) == 1:
            made.before_steps(self._record)
        return made.optimizer

    def optax(self, name: str = "", steps: int | None = None, **options: Any) -> Any:
        """Return the optimizer that is compared as an optax transformation, for JAX.

        Evaluate with `surefoot.optax.evaluation_params(state, params, optimizer=...)`, which some rules need.

        Args:
            name: as for `optimizer`.
            steps: calls of `run.step` in an epoch, which a schedule needs.
            options: as for `optimizer`.

        Raises:
            TrialError: it is no rule but a class, which JAX does not have.
        """
        return self._made.optax(name, options, steps)

    def keras(self, name: str = "", model: Any = None, **options: Any) -> Any:
        """Return the optimizer that is compared as a Keras optimizer.

        Args:
            name: as for `optimizer`.
            model: what it is for, built; an optimizer of two rules, such as Muon with AdamW, needs it.
            options: as for `optimizer`.

        Raises:
            TrialError: it is no rule but a class, which Keras does not have.
        """
        return self._made.keras(name, options, model)

    def epochs(self, steps: int | None = None) -> Epochs:
        """Return the epochs that are left, from 1: `for epoch in run.epochs()`; `len` tells how many.

        A training that was stopped goes on after the last epoch that was saved, with what `save` was given as it was.

        Args:
            steps: calls of `run.step` in an epoch. A schedule needs it, and progress shows it.
        """
        self._steps_per_epoch = steps
        self._made.begin(steps)
        self._go_on(wholly=False)
        return Epochs(self)

    def step(self, loss: Any) -> None:
        """Report that the optimizer has taken a step; call it after each.

        Args:
            loss: the training loss of this step, a number or a tensor of one. One that is not finite ends the trial.
        """
        epoch = self._within("step")
        if not self._made:
            raise TrialError(
                "the training has no optimizer from run, so every optimizer would train alike: make it with "
                "run.optimizer(model), run.optax() or run.keras()."
            )
        value = number(loss, "run.step")
        self._now.steps += 1
        self._now.further += self._made.further()
        self._now.step_seconds.append(epoch.lap())
        epoch.losses.append(value)
        if not math.isfinite(value):
            self._end(f"training loss became {value} at step {self._now.steps} (epoch {self._now.epoch + 1})")
        if self._now.steps == self._most:
            raise Enough
        self._made.follow(self._now.steps)
        if time.perf_counter() - epoch.shown > PROGRESS_SECONDS:
            epoch.shown = time.perf_counter()
            steps = (self._steps_per_epoch or 0) * self._protocol.epochs
            mean = fmean(epoch.losses)
            self._emit(StepsDone(self._trial.key, self._now.epoch + 1, self._now.steps, steps, mean))

    def report(self, value: Any, loss: Any = None) -> None:
        """Report the validation of an epoch: it chooses configurations, draws curves and times targets.

        Args:
            value: what the optimizers are judged by, or better a function that computes it: the clock then stands, and
                an optimizer that keeps other weights for evaluation, such as Schedule-Free, has put them in place. It
                may return a pair, the value and the loss.
            loss: the validation loss, to be shown beside it; not needed.
        """
        epoch = self._within("report")
        epoch.reported = self._measured(value, loss, "report")
        self._check_evaluated(epoch)
        if self._most is not None:
            raise Enough

    def test(self, function: Callable[[], Any]) -> None:
        """Measure on the test data, after the last epoch. Trials that tune never call the function.

        Args:
            function: returns the value, or a pair, the value and the loss.
        """
        if not callable(function):
            raise TrialError(
                "run.test is given a value; give a function, as in run.test(lambda: accuracy(model, test)): it is "
                "called only where a trial measures, so that tuning never sees the test data."
            )
        if self._trial.purpose == "measure":
            self._go_on(wholly=True)
            self._tested = self._measured(function, None, "test")

    def save(self, **parts: Any) -> None:
        """Name what is saved, so that an interrupted training can go on. Without it, it starts again.

        It is kept at the end of each epoch, and the optimizers with it.

        Args:
            parts: by name, what has `state_dict()`, such as models and schedulers, and generators of random numbers:
                given before the epochs, they are restored by `run.epochs()`. Any other value, such as a number or an
                array, is kept as it was given last, and is in `run.saved` when the training goes on.
        """
        self._kept.add(parts, started=self._epoch is not None)

    @property
    def saved(self) -> Mapping[str, Any]:
        """The values last saved before an interruption, by name. Empty at a start."""
        return self._kept.values

    @contextmanager
    def untimed(self) -> Iterator[None]:
        """Let the clock stand while the block runs."""
        if self._epoch is None:
            yield
        else:
            with self._epoch.standing():
                yield

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Stop the clock, and put the weights for evaluation in place."""
        with self.untimed():
            self._made.turn(training=False)
            try:
                yield
            finally:
                self._made.turn(training=True)
        if self._epoch is not None:
            self._epoch.evaluated = True

    def _outcome(self) -> Outcome:
        """End the training after its function has returned. Returns its outcome."""
        self._end_epoch()
        if self._now.epoch == 0:
            raise TrialError("the training has no epoch: write `for epoch in run.epochs():` around its steps.")
        if self._trial.purpose == "measure" and self._tested is None:
            raise TrialError("the training is never tested: call run.test(function) after the last epoch.")
        metric, loss = self._tested or (NOT_REPORTED, NOT_REPORTED)
        return Outcome(
            test_loss=loss,
            test_metric=metric,
            train_loss=NOT_REPORTED,
            train_metric=NOT_REPORTED,
            step_seconds=median(self._now.step_seconds),
            gradients=1 + self._now.further / self._now.steps,
            **self._made.sizes,
        )

    def _try_keeping(self) -> None:
        """See that what is to be kept can be, and comes back."""
        self._kept.try_out(self._made.by_name, self.device)

    def _within(self, what: str) -> OpenEpoch:
        """Return the epoch that runs, if one does."""
        if self._over is not None:  # the function has caught what ended its training
            raise self._over
        if self._epoch is None:
            raise TrialError(f"run.{what} is called outside the epochs: write `for epoch in run.epochs():` around it.")
        return self._epoch

    def _go_on(self, *, wholly: bool) -> None:
        """Restore everything from before the interruption, as far as it exists by now."""
        self._kept.restore(self._made.by_name, wholly=wholly)
        self._made.follow(self._now.steps)

    def _begin_epoch(self) -> int:
        self._go_on(wholly=True)
        seed_everything(self.seed, self._now.epoch + 1)
        self._epoch, self._begun = OpenEpoch(self.device), time.perf_counter()
        return self._now.epoch + 1

    def _end_epoch(self) -> None:
        """Report the running epoch, if there is one, with a checkpoint."""
        if self._over is not None:
            raise self._over
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            return
        self._now.epoch += 1
        self._now.seconds += epoch.clock.seconds
        count = self._now.epoch
        if epoch.reported is None:
            raise TrialError(f"epoch {count} ends without a report: call run.report(value) in each epoch.")
        if not self._now.steps:
            raise TrialError(f"epoch {count} ends without a step: call run.step(loss) after each optimizer step.")
        metric, loss = epoch.reported
        trained = fmean(epoch.losses) if epoch.losses else NOT_REPORTED
        judged = trained if self._protocol.metric.is_loss else NOT_REPORTED
        done = Epoch(count, self._now.seconds, trained, judged, loss, metric)
        checkpoint = None if self._made.has_unsaved() else self._kept.checkpoint(self._made.by_name)
        self._emit(EpochDone(self._trial.key, done, tuple(epoch.rates), checkpoint))
        self.wall += time.perf_counter() - self._begun

    def _measured(self, value: Any, loss: Any, what: str) -> tuple[float, float]:
        """Return a value and its loss, from numbers or from what computes them."""
        if callable(value):
            with self.evaluating():
                value = value()
        if isinstance(value, tuple) and len(value) == 2:
            value, loss = value
        metric = number(value, f"run.{what}")
        figures = {self._protocol.metric.title: metric}
        if loss is not None and not self._protocol.metric.is_loss:
            figures["loss"] = number(loss, f"run.{what}")
        when = f"after epoch {self._now.epoch + (self._epoch is not None)}"
        for name, figure in figures.items():
            if not math.isfinite(figure):
                self._end(f"run.{what} was given a {name} of {figure} {when}; see what it divides by, or is the log of")
        return metric, metric if self._protocol.metric.is_loss else figures.get("loss", NOT_REPORTED)

    def _end(self, reason: str) -> None:
        self._over = DivergedError(reason)
        raise self._over

    def _check_evaluated(self, epoch: OpenEpoch) -> None:
        """Raise `TrialError` if a report was computed with the training weights in place of the evaluation weights."""
        if self._made.is_forgotten(evaluated=epoch.evaluated):
            raise TrialError(
                f"{self._trial.arm.label} is evaluated with other weights than it trains with, and run.report is given "
                "a value of those that it trains with. Give it a function, run.report(lambda: accuracy(model, part)), "
                "which is called with the others in place; in JAX use surefoot.optax.evaluation_params in it."
            )

    def _record(self, optimizer: SurefootOptimizer) -> None:
        """Record the step sizes of the coming step, if it is due."""
        step = self._now.steps + 1
        if self._epoch is not None and step in RECORDED and step > self._now.recorded:
            self._now.recorded = step
            with self._epoch.standing():
                self._epoch.rates.append(record_rates(optimizer, step))


class Epochs:
    """The epochs that a training has left, in their order."""

    def __init__(self, run: TrainingRun) -> None:
        self._run = run

    def __len__(self) -> int:
        return self._run._last - self._run._now.epoch - (self._run._epoch is not None)

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        self._run._end_epoch()
        if self._run._now.epoch >= self._run._last:
            raise StopIteration
        return self._run._begin_epoch()
