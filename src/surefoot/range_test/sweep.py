"""The sweep of a range test: a short training whose rate rises until the loss diverges.

It is the training loop of every trial with another schedule, so what it sees is what a comparison would train. One
run says little, as the suggestion of a single run changes from run to run: each optimizer is run on several seeds, and
these are seeds for tuning, so that nothing is measured on a seed that has placed its window. The rate is set as a
search would set it: what follows a schedule (AdaBound's bounds) stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, count

import numpy as np

from surefoot.arms.arm import Arm
from surefoot.comparison.request import Request
from surefoot.design.trial import Trial
from surefoot.errors import Argument, UsageError
from surefoot.frontends.roles import part_of
from surefoot.search.proposals import FIRST_TUNING_SEED
from surefoot.tasks import Task, checked_task
from surefoot.tasks.seeds import seed_everything
from surefoot.training.batch_order import Parts
from surefoot.training.events import DivergedError
from surefoot.training.loop import Training

LOWEST, HIGHEST = 1e-7, 100.0
FEWEST_STEPS, FEWEST_SEEDS = 100, 3

LOST = 10.0
"""A seed has diverged if its loss exceeds this multiple of its highest in the first tenth of the test."""

OWN_STEPS = (
    "a range test takes the steps itself, and a training function takes its own; give a task, or compare the "
    "function with ranges of yours, as in surefoot.Opt('adam', lr=surefoot.log(1e-4, 1e-1))."
)

Losses = tuple[float, ...]
"""The training loss at each rate, before the step at that rate, until the seed diverged."""


def learning_rates(steps: int) -> tuple[float, ...]:
    """Return the rate of each step, from `LOWEST` to `HIGHEST` by equal factors.

    Raises:
        UsageError: fewer steps than `FEWEST_STEPS`.
    """
    _check("steps", steps, FEWEST_STEPS)
    return tuple(float(rate) for rate in np.geomspace(LOWEST, HIGHEST, steps))


def sweeps(
    request: Request, seeds: int, rates: Sequence[float], heard: Callable[[Arm, int, Losses], None]
) -> dict[str, dict[int, Losses]]:
    """Run the test of every optimizer in this process. Returns the losses by label and seed.

    Args:
        request: the task and the optimizers, as `ask` reads them; a learning rate that is given is not used.
        seeds: how many, from `FEWEST_SEEDS`; the first is `FIRST_TUNING_SEED`.
        rates: of each step, as `learning_rates` makes them.
        heard: called at the end of each seed.

    Raises:
        UsageError: too few seeds; an optimizer without a learning rate.
        TrialError: an optimizer of another library refuses its options.
    """
    _check("seeds", seeds, FEWEST_SEEDS)
    if request.protocol.own_loop:
        raise UsageError(OWN_STEPS)
    task = checked_task(request.task)
    for arm in request.arms:
        if "lr" not in arm.hyper:
            raise UsageError(f"optimizer {arm.label} has no option lr; there is nothing to find.")
    found: dict[str, dict[int, Losses]] = {arm.label: {} for arm in request.arms}
    for arm in request.arms:
        for seed in range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + seeds):
            trial = Trial(request.name, arm, seed, request.protocol, "tune")
            found[arm.label][seed] = Sweep(trial, task, rates).losses()
            heard(arm, seed, found[arm.label][seed])
    return found


class Sweep(Training):
    """The training of one seed, a step at each rate.

    Args:
        trial: which optimizer, seed and protocol; its epochs and its schedule do not count.
        task: what to train.
        rates: the learning rate of each step.
    """

    def __init__(self, trial: Trial, task: Task, rates: Sequence[float]) -> None:
        super().__init__(trial, task, lambda _: None)
        self.sweep, self.recording = rates, frozenset()

    def losses(self) -> Losses:
        """Train until the rates end or the loss is lost."""
        found: list[float] = []
        steps = chain.from_iterable(self._epochs())
        try:
            for step in range(1, len(self.sweep) + 1):
                loss = self._step(next(steps), step, [])
                if lost(found, loss, len(self.sweep)):
                    break
                found.append(loss)
        except DivergedError:  # as this: a result, which the shorter list tells
            pass
        return tuple(found)

    def set_rates(self, step: int) -> None:
        """Set the rate of this step of the sweep. With two rules, the second follows as in a search."""
        rate, arm = self.sweep[step - 1], self.trial.arm
        rest = rate if arm.rest is None else arm.with_options({"lr": rate}).hyper.get("rest.lr")
        for group in self.optimizer.param_groups:
            group["lr"] = rest if part_of(group.get("role", "hidden")) == "rest" else rate
            if "base_lr" in group:
                group["base_lr"] = group["lr"]

    def _epochs(self) -> Iterator[Iterator[Parts]]:
        """Yield the steps of one epoch after the other, in the order of a trial."""
        for self.epoch in count(1):
            seed_everything(self.trial.seed, self.epoch)
            self._mode(training=True)
            yield self._loaded(self.order.of_pass(self.epoch))


def lost(before: Sequence[float], loss: float, steps: int) -> bool:
    """Return whether a seed's latest loss shows divergence."""
    first = before[: steps // 10]
    return len(before) >= steps // 10 and abs(loss) > LOST * max(map(abs, first))


def _check(name: str, value: int, fewest: int) -> None:
    if value < fewest:
        raise UsageError(Argument(name), f" is {value}; give at least {fewest}: fewer cannot tell a window from noise.")
