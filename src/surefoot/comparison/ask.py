"""From the options of a user to a checked request, with the data of its task loaded.

A study is a built-in one, a task or a training function. An option that says nothing for its kind is refused, not
ignored. The command line and Python both come through here, so that the same words ask for the same run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from surefoot.arms.arm import Arm
from surefoot.arms.arm_list import arms_of, parse_arms, without_twins
from surefoot.arms.schedule import Scheduled, scheduled
from surefoot.arms.user_code import in_file
from surefoot.comparison.looks import AskedLooks
from surefoot.comparison.request import Request
from surefoot.design.budget import read_budget
from surefoot.design.studies import StudyPlan, find_study, study_of
from surefoot.errors import Argument, UsageError
from surefoot.options import Options
from surefoot.search.proposals import TUNING_SEEDS
from surefoot.store.design import Budget, Sizing
from surefoot.store.margin import read_margin
from surefoot.store.protocol import Protocol, Recipe
from surefoot.tasks import Splits, Trainable, checked_task, make_task
from surefoot.training.function_task import FunctionTask, function_task, is_training_function
from surefoot.workers.executors import capacity, device_for

EVALUATIONS = 20
"""Evaluations of a trial that is counted in steps, at most, unless the user sets the interval."""


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
    rules = {arm.label: arm.short_name for arm in arms}
    looks = AskedLooks.read(options.looks, options.spending, options.question, rules)
    parts = (described.name, task, arms, protocol, workers, runner, wanted, budget, described.convention)
    margin, tune_seeds = read_margin(options.margin, protocol.metric), options.tune_seeds or TUNING_SEEDS
    return Request(*parts, margin, looks=looks, tune_seeds=tune_seeds)


def _budget(options: Options) -> Budget:
    """Return what the user decided about how much is run, in whichever way they said it."""
    given = options.budget
    said = Budget() if given is None else read_budget(given)
    if options.steps is not None:
        if options.epochs is not None or said.epochs is not None:
            raise UsageError(Argument("steps"), " and ", Argument("epochs"), " are given; give one or the other.")
        said = replace(said, epochs=options.steps // _evaluate_every(options))
    for name in ("epochs", "trials", "seeds"):
        if getattr(options, name) is not None:
            if getattr(said, name) is not None:
                raise UsageError(Argument(name), f" are given twice, by the budget {given!r} and by themselves.")
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
        given = (Argument("steps"), f" is {steps} and ", Argument("evaluate_every"), f" {every}")
        raise UsageError(*given, f": a trial has to end with an evaluation; give {near} steps.")
    return every


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
