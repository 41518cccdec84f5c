"""A comparison's request: every decision between a study's name and its first trial."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import surefoot
from surefoot.arms.arm import Arm
from surefoot.arms.arm_list import arms_of, parse_arms, without_twins
from surefoot.arms.schedule import Scheduled, scheduled
from surefoot.arms.user_code import in_file
from surefoot.comparison.driver import Run
from surefoot.comparison.looks import AT_THE_END, AskedLooks
from surefoot.comparison.try_out import time_arms
from surefoot.design.budget import parse_budget, size
from surefoot.design.rounds import TunedArms
from surefoot.design.studies import StudyPlan, find_study, study_of
from surefoot.design.trial import Trial, hash_of
from surefoot.errors import Argument, SurefootWarning, UsageError
from surefoot.options import Options
from surefoot.rule import Rule
from surefoot.search.proposals import FINALISTS, TUNING_SEEDS, seeds
from surefoot.store import Design, Store
from surefoot.store.design import Budget, Sizing, Timing, TrialPart
from surefoot.store.margin import Margin, read_margin
from surefoot.store.protocol import Protocol, Recipe
from surefoot.tasks import Splits, Trainable, checked_task, make_task
from surefoot.training.function_task import FunctionTask, function_task, is_training_function
from surefoot.workers.executors import capacity, device_for
from surefoot.workers.runner import Runner

EVALUATIONS = 20
"""Evaluations of a trial that is counted in steps, at most, unless the user sets the interval."""


@dataclass(frozen=True)
class Request:
    """A checked request.

    `wanted` holds epochs, trials and seeds unless a time budget decides. `tuned` has the labels of the optimizers to
    tune; None means all. `over` names the study that the price of not tuning is asked of, if it is.
    """

    name: str
    task: Trainable
    arms: tuple[Arm, ...]
    protocol: Protocol
    workers: int
    runner: Runner
    wanted: Sizing
    budget: Budget
    convention: str = "torch"
    margin: Margin | None = None
    tuned: tuple[str, ...] | None = None
    looks: AskedLooks = AT_THE_END
    tune_seeds: int = TUNING_SEEDS
    over: str = ""

    def prepare(self, store: Store) -> Run:
        """Store the run. Returns its plan as it was first stored.

        With a budget in minutes the optimizers are timed first, for a second or two each.

        Raises:
            UsageError: the budget is too small.
            TrialError: no optimizer can be run.
        """
        if self.budget.seconds is None:
            return self.plan(self.wanted).freeze(store)
        kept = store.design(self.hash)
        if kept is not None:
            return self.plan(kept.sizing, kept.timings).freeze(store)
        begun = time.monotonic()
        timings = self.pilot(self.budget.seconds)
        spent = time.monotonic() - begun
        sizing = self.bought(timings, spent)
        return self.plan(sizing, timings, spent).freeze(store)

    def pilot(self, seconds: float) -> dict[str, Timing]:
        """Time every optimizer within this many seconds. The first times may refuse the budget."""
        return time_arms(self.task, self.arms, self.protocol, self.workers, self.runner, seconds, self.bought)

    def bought(self, timings: Mapping[str, Timing], spent: float) -> Sizing:
        """Return what the rest of the time budget buys; `UsageError` if that is too little."""
        left = (self.budget.seconds or 0.0) - spent
        return size(left, self.workers, timings, self.protocol, self.wanted, self.budget, self.tune_seeds)

    def plan(self, sizing: Sizing, timings: Mapping[str, Timing] | None = None, spent: float = 0.0) -> Run:
        """Return the plan of so much; `spent` are seconds that timing took."""
        protocol = replace(self.protocol, epochs=sizing.epochs)
        make = partial(_trial, self.name, protocol)
        measure, tune = seeds(sizing.seeds, self.tune_seeds)
        better, step = self.task.metric.better, protocol.validation_step
        arms = tuple(arm for arm in self.arms if self.tuned is None or arm.label in self.tuned)
        looks = self.looks.plan(sizing.seeds, len(self.arms), at_most=self.budget.seeds is None)
        first = measure[: looks.at[0]] if looks.at else measure
        tuning = TunedArms(arms, sizing.trials, first, tune, make, better, step) if sizing.trials else None
        if tuning:
            _warn_of_untuned(arms)
        design = Design(
            hash=self.hash,
            study=self.name,
            protocol=protocol,
            optimizers=tuple(arm.asked for arm in self.arms),
            sizing=sizing,
            budget=self.budget,
            measure=measure,
            tune=tune if tuning else (),
            searches=tuning.searches if tuning else {},
            timings=timings or {},
            convention=self.convention,
            margin=self.margin,
            over=self.over,
            surefoot=surefoot.__version__,
            frozen=datetime.now(UTC).isoformat(timespec="seconds"),
            looks=looks,
            seconds=spent,
        )
        trials = tuple(make(arm, seed, TrialPart()) for seed in measure for arm in self.arms)
        return Run(design, trials, self.task, self.workers, tuning, self.runner)

    @property
    def without_schedule(self) -> list[str]:
        """Labels of optimizers that run at a constant rate by intention."""
        followed = self.protocol.schedule != "constant" or any(arm.schedule for arm in self.arms)
        return [arm.label for arm in self.arms if followed and arm.is_meant_constant]

    @property
    def hash(self) -> str:
        """The hash that identifies this request. The number of workers is not part of it."""
        asked: dict[str, Any] = {
            "protocol": self.protocol.decides,
            "optimizers": [arm.decides for arm in self.arms],
            "amount": asdict(self.wanted if self.budget.seconds is None else self.budget),
        }
        if self.wanted.trials > 0 if self.budget.seconds is None else self.budget.trials != 0:  # something is tuned
            asked["again"] = {"finalists": FINALISTS, "seeds": self.tune_seeds}
            asked |= {} if self.tuned is None else {"tuned": self.tuned}
        if self.margin:
            asked["margin"] = asdict(self.margin)
        seeds = self.wanted.seeds if self.budget.seconds is None else None
        return hash_of({"study": self.name, **asked, **self.looks.decides(seeds, len(self.arms))})


def ask(study: str | Trainable, options: Options) -> Request:
    """Read every option of a study and load its data.

    Args:
        study: the name of a built-in study, `FILE.py:NAME` of a task or a training function in a file, or a task.
        options: what the user changes about it.

    Raises:
        UsageError: unknown study, optimizer or option; sizes, epochs or seeds that cannot be.
        DataError: the data is missing or damaged.
    """
    described, task = _task(study, options)
    budget = _budget(options)
    wanted = Sizing(
        epochs=budget.epochs or described.epochs,
        trials=described.trials if budget.trials is None else budget.trials,
        seeds=budget.seeds or described.seeds,
    )
    protocol = _protocol(described, task, options, wanted.epochs)
    runner = options.runner
    workers = options.workers or capacity(runner, protocol.device)
    arms = _arms(described, options)
    names = {name.lower(): arm.label for arm in reversed(arms) for name in (arm.rule, arm.label)}
    looks = AskedLooks.read(options.looks, options.spending, options.question, names)
    parts = (described.name, task, arms, protocol, workers, runner, wanted, budget, described.convention)
    margin, tune_seeds = read_margin(options.margin, protocol.metric), options.tune_seeds or TUNING_SEEDS
    return Request(*parts, margin, looks=looks, tune_seeds=tune_seeds)


def plan(study: str | Trainable, options: Options) -> Run:
    """Decide every trial of a study and load its data; nothing is trained yet, and no budget in minutes counts."""
    request = ask(study, options)
    return request.plan(request.wanted)


def _budget(options: Options) -> Budget:
    """Return what the user decided about how much is run, in whichever way they said it."""
    given = options.budget
    text = f"{given.total_seconds()} s" if isinstance(given, timedelta) else given
    said = parse_budget(text) if text else Budget()
    if options.steps is not None:
        if options.epochs is not None or said.epochs is not None:
            raise UsageError("steps and epochs are given; give one or the other.")
        said = replace(said, epochs=options.steps // _evaluate_every(options))
    for name in ("epochs", "trials", "seeds"):
        if getattr(options, name) is not None:
            if getattr(said, name) is not None:
                raise UsageError(f"{name} are given twice, by the budget {text!r} and by themselves.")
            said = replace(said, **{name: getattr(options, name)})
    return said


def _evaluate_every(options: Options) -> int:
    """Return the steps between evaluations that divide a trial; 0: a pass over the data."""
    steps, every = options.steps, options.evaluate_every
    if steps is None:
        if every is not None:
            raise UsageError(Argument("evaluate_every"), " goes with ", Argument("steps"), ", and these are not given.")
        return 0
    if every is None:
        return next(steps // parts for parts in range(EVALUATIONS, 0, -1) if steps % parts == 0)
    if steps % every:
        near = max(1, round(steps / every)) * every
        raise UsageError(
            f"steps is {steps} and evaluate_every {every}: a trial has to end with an evaluation; give steps={near}."
        )
    return every


def _warn_of_untuned(arms: Sequence[Arm]) -> None:
    """Warn of a class without a learning rate, unless the user gave options or ranges."""
    for arm in arms:
        if arm.make is None or isinstance(arm.make, Rule) or "lr" in arm.hyper or arm.own or arm.ranges:
            continue
        name, options = arm.make.__qualname__, [key for key, value in arm.hyper.items() if type(value) is float]
        warnings.warn(
            f"{arm.label} has no option lr, so its learning rate is not tuned, while those of others are. Say what is "
            f"searched, as in surefoot.Opt({name}, {(*options, 'lr')[0]}=surefoot.log(1e-4, 1)).",
            SurefootWarning,
            stacklevel=3,
        )


def _task(study: str | Trainable, options: Options) -> tuple[StudyPlan, Trainable]:
    if isinstance(study, str) and ".py:" not in study and not study.endswith(".py"):
        _refuse(options, ("better",), "is for a metric of yours; a built-in study has its own")
        described = find_study(study)
        dataset = options.dataset or described.dataset
        size, share = options.train_size, described.validation
        return described, make_task(described.task, dataset, size=size, validation=share, data_dir=options.data_dir)
    _refuse(options, ("train_size", "dataset"), "is for the built-in studies; this task brings its own data")
    found = in_file(study) if isinstance(study, str) else study
    if is_training_function(found):
        found = function_task(found, better=options.better)
    if isinstance(found, FunctionTask):
        own = ("batch_size", "steps", "evaluate_every")
        _refuse(options, own, "is for tasks; a training function makes its own batches and epochs")
        return replace(study_of(found), batch_size=0), found
    if isinstance(study, str):
        _refuse(options, ("better",), "is for a training function; a task says it itself")
    return study_of(checked_task(found)), checked_task(found)


def _refuse(options: Options, names: Sequence[str], why: str) -> None:
    """Raise `UsageError` for an option that is given where it says nothing."""
    for name in names:
        if getattr(options, name) is not None:
            raise UsageError(Argument(name), f" {why}; leave it out.")


def _arms(described: StudyPlan, options: Options) -> tuple[Arm, ...]:
    """Return the study's own optimizers, the given ones, or both; texts are read in the study's convention."""
    given = options.optimizers
    own = given is None or not options.only
    arms = list(parse_arms(described.optimizers, described.convention)) if own else []
    if given or not arms:
        arms += arms_of(given or (), described.convention)
    schedule = _schedule(described, options)
    return without_twins([arm.following(schedule) for arm in arms])


def _schedule(described: StudyPlan, options: Options) -> Scheduled:
    """Return the schedule of all optimizers that have none of their own."""
    return scheduled(options.schedule or described.schedule)


def _protocol(described: StudyPlan, task: Trainable, options: Options, epochs: int) -> Protocol:
    schedule = _schedule(described, options).shape
    return Protocol(
        task=task.name,
        dataset=task.dataset,
        epochs=epochs,
        batch_size=options.batch_size or described.batch_size,
        device=device_for(options.runner, options.device),
        schedule="constant" if callable(schedule) else schedule,
        drop_last=described.drop_last,
        order=described.order,
        metric=task.metric,
        fingerprint=task.fingerprint,
        chance=task.chance,
        own_loop=isinstance(task, FunctionTask),
        recipe=getattr(task, "recipe", Recipe()),
        evaluate_every=_evaluate_every(options),
        **_sizes(task),
    )


def _sizes(task: Trainable) -> dict[str, int]:
    """Return the number of examples in each part of a task's data; nothing for a training function."""
    data: Splits | None = getattr(task, "data", None)
    if data is None:
        return {}
    return {
        "train_size": len(data.train),
        "validation_size": len(data.validation),
        "test_size": len(data.test),
    }


def _trial(study: str, protocol: Protocol, arm: Arm, seed: int, part: TrialPart) -> Trial:
    return Trial(study, arm, seed, protocol, "tune" if part.role in ("tuning", "final") else "measure", part)
