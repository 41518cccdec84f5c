"""The try-out of an optimizer in a worker: built on the real model, stepped, saved, loaded, stepped again.

A trial that goes on after an interruption has to end with the numbers of one that was never stopped. So the steps after
loading are held to those without it: an optimizer that keeps something outside its `state_dict` shows here, and not
after a night of training. Where two runs of the same steps differ anyway, as on some GPUs, nothing follows.

A pilot is only timed: the beginning, some steps, some evaluation and a checkpoint, for a second each at most.
"""

from __future__ import annotations

import re
import statistics
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from surefoot.design.trial import Trial
from surefoot.errors import SurefootError, TrialError
from surefoot.store.design import Timing
from surefoot.tasks.seeds import seed_everything
from surefoot.tasks.task import Task
from surefoot.training.events import DivergedError, Event, PilotTimed, Started, TryOutPassed
from surefoot.training.loop import Training

FURTHER = 6
"""Steps after loading. They cover what an optimizer does every fifth or sixth step, as Lookahead does."""

KEEP = "Keep tensors, numbers, texts, lists and dicts of these, in state[parameter] or in the param groups."
CALLED = (
    "It is called as step(), after backward(), without a closure. If it needs one, give surefoot.Opt(its class, "
    "closure=True)."
)
ALONE = "It is an epoch's last batch; give the training data as a DataLoader with drop_last=True to leave it out."

Weights = dict[str, Tensor]

PILOT_SECONDS = 1.0


class DoesNotWork(TrialError):  # noqa: N818  it is what was found
    """An optimizer does not work on this model."""


class TryOut(Training):
    """The try-out of one optimizer; see `Training` for the arguments.

    Raises:
        DoesNotWork: the text says what, and what to do.
    """

    def __init__(self, trial: Trial, task: Task, emit: Callable[[Event], None]) -> None:
        with _named("it cannot be built on this model"):
            super().__init__(trial, task, emit)

    def run(self, checkpoint: bytes | None) -> None:  # noqa: ARG002  there is none
        """Try the optimizer and report that it works. A lost loss is no failure here."""
        self.emit(Started(self.trial.key, 0))
        with suppress(DivergedError):
            self._try()
        self.emit(TryOutPassed(self.trial.key))

    def _try(self) -> None:
        saved = self._beginning()
        straight = self._further()
        with _named("its state cannot be loaded again", KEEP):
            self._start()
            self._restore(saved)
        if _same(straight, self._further()):
            return
        self._start()
        self._beginning()
        if _same(straight, self._further()):
            raise DoesNotWork(
                "it goes on otherwise once it is saved and loaded: something that its step changes is not in "
                f"state_dict(), so an interrupted study would end with other numbers. {KEEP}"
            )

    def _beginning(self) -> bytes:
        """Take a step with the first and with the last batch, which may be shorter; evaluate and save."""
        batches = self.order.of_pass(0)
        self._steps([batches[0], batches[-1]])
        with _named("it cannot be evaluated"):
            self._evaluate(self.validation, limit=self.evaluation_batch)
        with _named("its state cannot be saved", KEEP):
            return self._checkpoint()

    def _further(self) -> Weights:
        """Return the weights after the next steps."""
        self._mode(training=True)
        self._steps(list(islice(cycle(self.order.of_pass(0)), FURTHER)))
        return {name: value.clone() for name, value in self.model.state_dict().items() if isinstance(value, Tensor)}

    def _steps(self, batches: list[Tensor]) -> None:
        seed_everything(self.trial.seed, len(batches))
        for step, parts in enumerate(self._loaded(batches), 1):
            smallest = min(size for size, _ in parts)
            with _named(f"training fails at a batch of {smallest}", ALONE if smallest == 1 else ""):
                self._step(parts, step, [])

    def update(self, closure: Callable[[], Tensor]) -> Any:
        """Let the optimizer take its step, and say so where it fails."""
        with _named("its step fails on this model", "" if self.trial.arm.closure else CALLED):
            return super().update(closure)


def _same(one: Weights, other: Weights) -> bool:
    return all(torch.equal(one[name].nan_to_num(), other[name].nan_to_num()) for name in one)


@contextmanager
def _named(what: str, fix: str = "") -> Iterator[None]:
    """Say what went wrong, where, and what to do about it."""
    try:
        yield
    except (DivergedError, DoesNotWork):
        raise
    except SurefootError as error:  # which says what to do
        raise DoesNotWork(f"{what}: {error}") from error
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}, line {last.lineno}"
        raise DoesNotWork(f"{what}: {type(error).__name__}: {_core(error)} ({where}). {fix}".rstrip()) from error


def _core(error: Exception) -> str:
    """Return an error's text. A refused checkpoint gives only torch's reason."""
    found = re.search(r"WeightsUnpickler error: (.*?)(?: by default)?(?:\. Please|\n|$)", str(error))
    return found[1] if found else str(error)


class Pilot(Training):
    """A trial that is only timed. Its steps include the loading of examples and the metric."""

    def run(self, checkpoint: bytes | None) -> None:  # noqa: ARG002  there is none
        """Time the trial and report the times.

        The beginning is timed twice: only a process's first trial pays for what it loads and compiles.
        """
        self.emit(Started(self.trial.key, 0))
        first, setup = _seconds(self._warm_up), _seconds(self._warm_up)
        step, saving = self._a_step(), _seconds(self._checkpoint) + _seconds(self._turn_to_evaluation)
        example = self._an_example()
        self.emit(PilotTimed(self.trial.key, Timing(setup, step, example, saving, max(0.0, first - setup))))

    def _a_step(self) -> float:
        """Return the seconds of a step. A step with a closure gives those of each gradient."""
        start, found = time.perf_counter(), []
        with suppress(DivergedError):
            begun = start
            for parts in self._loaded(self.order.of_pass(0)):
                self._step(parts, 0, [])
                found.append(time.perf_counter() - begun)
                begun = time.perf_counter()
                if begun - start > PILOT_SECONDS:
                    break
        step = statistics.median(found or [time.perf_counter() - start])
        return step * self.steps_taken / max(1, self.gradients_taken)

    def _turn_to_evaluation(self) -> None:
        with self._evaluating():
            pass  # what is taken again for it, such as BatchNorm's statistics, is taken once an epoch

    def _an_example(self) -> float:
        start, examples = time.perf_counter(), 0
        while time.perf_counter() - start < PILOT_SECONDS and examples < len(self.validation):
            examples += min(self.evaluation_batch, len(self.validation))
            self._evaluate(self.validation, limit=self.evaluation_batch)
        return (time.perf_counter() - start) / examples


def _seconds(what: Callable[[], object]) -> float:
    start = time.perf_counter()
    what()
    return time.perf_counter() - start
