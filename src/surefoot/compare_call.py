"""`surefoot.compare`, and the calls that take the same arguments: `forecast` and `try_out`.

The arguments are written out once, with their types and what each is for. All calls read them by `asked`, so whatever
can be compared can be forecast and tried out by the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import timedelta
from inspect import signature
from os import PathLike
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from surefoot.comparison.ask import ask
from surefoot.comparison.forecast import Forecast, foretell
from surefoot.comparison.request import Request
from surefoot.comparison.try_out import try_arms
from surefoot.errors import TrialError, UsageError
from surefoot.options import STORE, Options
from surefoot.store.protocol import Better, Precision, Recipe
from surefoot.study import Study, run
from surefoot.tasks import Trainable
from surefoot.training.function_task import function_task, is_training_function
from surefoot.workers.runner import Runner

if TYPE_CHECKING:
    from surefoot.training.training_run import TrainingRun

P = ParamSpec("P")
Found = TypeVar("Found")


def compare(
    task: str | Trainable | None = None,
    *,
    train: Callable[[TrainingRun], object] | None = None,
    model: Callable[[], Any] | None = None,
    data: Any = None,
    optimizers: Sequence[Any] | None = None,
    only: bool = True,
    loss: Callable[[Any, Any], Any] | None = None,
    metric: Callable[[Any, Any], Any] | Sequence[Any] | str | None = None,
    better: Better | None = None,
    budget: str | timedelta | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    evaluate_every: int | None = None,
    trials: int | None = None,
    tune_seeds: int | None = None,
    seeds: int | None = None,
    margin: float | str | None = None,
    looks: str | Sequence[int] | None = None,
    spending: str = "obrien-fleming",
    question: str = "best",
    batch_size: int | None = None,
    schedule: str | Callable[[int, int], float] | None = None,
    dataset: str | None = None,
    train_size: int | None = None,
    data_dir: str | PathLike[str] | None = None,
    name: str = "",
    transform: Callable[[Any], Any] | None = None,
    clip: float | None = None,
    accumulate: int = 1,
    precision: Precision = "fp32",
    ema: float | None = None,
    workers: int | None = None,
    device: str = "auto",
    runner: Runner = Runner(),
    logdir: str | PathLike[str] | None = None,
    store: str | PathLike[str] = STORE,
) -> Study:
    """Compare optimizers fairly on your training: each with its defaults and tuned, on seeds that tuning has not seen.

    Every optimizer gets equally many tuning trials in spaces equally wide, the same initial weights and the same
    batches for a seed; the test data is looked at once, for what tuning chose. Everything is stored as it happens, so
    the same call again goes on where it stopped, and returns at once when all is done.

    Args:
        task: a task that `surefoot.task` or you made, the name of a built-in study, or `FILE.py:NAME`; or leave it out
            and give `model` and `data`, or `train`.
        train: function of a `surefoot.TrainingRun` that trains once, in a loop of your own.
        model: function without arguments that makes the model.
        data: `(train, test)` or `(train, validation, test)`; each a pair of tensors, a Dataset or a DataLoader.
        optimizers: optimizers to compare. Rules by name (`"adam"`, `"sgd(lr=0.1, momentum=0.9)"`), torch-like
            classes of any library, and `surefoot.Opt`. Default: the study's own.
        only: true: compare these optimizers alone; false: the study's own too.
        loss: function of outputs and targets; default: cross-entropy.
        metric: function of outputs and targets that judges; default: accuracy, or the loss if that is yours. Of a list
            the first judges. With `train`, the name of the reported value.
        better: direction of your own metric: max if larger is better, min if smaller.
        budget: limit on what is run: 20min, 1.5h, '16 trials' or '5 epochs'. A `timedelta` is a budget too. Minutes
            are kept within a few per cent.
        epochs: passes over the training data in a trial.
        steps: training steps in a trial, instead of epochs.
        evaluate_every: steps between evaluations, with steps; default: about 20 evaluations. All results are then
            counted in steps.
        trials: configurations to try in tuning each optimizer; 0: no tuning. The best 3 are run on 2 more seeds.
        tune_seeds: seeds that tune, 3 by default; from 4 on the best 3 configurations race, and one far behind is
            dropped.
        seeds: seeds that measure each optimizer.
        margin: difference that still counts as equal: points of a share such as accuracy (0.3); of another metric a
            number (0.01), or a part of it (2%).
        looks: planned looks at the verdict: auto, or numbers of seeds, as in 8,12,16. In Python a list too. The run
            stops at a look that decides the question, and what is clearly behind gets no more seeds. The last look is
            at the end, by default the only one; auto plans up to four.
        spending: way to share out the 5 % of false verdicts over looks: obrien-fleming, pocock or linear. With the
            first, early looks take a large difference, and the last loses little power. The others stop earlier, and
            lose more.
        question: question to answer: best, all-pairs, or against and a name: 'against adam'. The last tests fewer
            pairs, and so takes fewer seeds.
        batch_size: examples in a training step.
        schedule: learning-rate schedule for all: constant, cosine, linear, wsd or warmup-cosine. Or a function of the
            step, from 1, and of the number of steps, that returns the factor. An optimizer may have a schedule of its
            own, as in `"adamw(schedule=cosine, warmup=0.1)"`.
        dataset: another data set for a built-in study: mnist, kmnist or fashion-mnist.
        train_size: training images of a built-in study, validation included.
        data_dir: folder to search first for data files.
        name: name of the task.
        transform: function of a training batch, such as mixup.
        clip: largest norm of all gradients together.
        accumulate: batches whose gradients make one step.
        precision: numbers of forward passes: fp32, bf16 or fp16.
        ema: share of a moving average of the weights that each step keeps; all are evaluated with that average.
        workers: trials to run at a time; default: one per core.
        device: device to train on: auto, cpu, cuda or mps.
        runner: place where trials run, and what each may use. Default: worker processes on this machine. Or
            `surefoot.Runner("ray", address="auto", gpus_per_trial=0.25)`.
        logdir: folder for TensorBoard's event files.
        store: file for the results (SQLite).

    Raises:
        UsageError: the comparison cannot run; the message says what to change.
        TrialError: no trial could be run.

    Example:
        >>> study = surefoot.compare(model=make_net, data=(train, test), optimizers=["sgd", "adam"], budget="20min")
        >>> print(study.table())
        >>> optimizer = study.best().build(model)
    """
    study = run(*asked(**locals()))
    failed = [record for record in study.records if record.status == "failed"]
    if failed and len(failed) == len(study.records):
        reasons = dict.fromkeys(f"{record.label}: {record.reason}" for record in failed)
        raise TrialError(f"no trial could be run. {'; '.join(reasons)}.")
    return study


def _as(like: Callable[P, object]) -> Callable[[Callable[..., Found]], Callable[P, Found]]:
    """Give a function the arguments of another one."""

    def typed(function: Callable[..., Found]) -> Callable[P, Found]:
        function.__signature__ = signature(like).replace(return_annotation=signature(function).return_annotation)  # type: ignore[attr-defined]
        return function

    return typed


@_as(compare)
def forecast(task: str | Trainable | None = None, **options: Any) -> Forecast:
    """Say what `compare` would run and cost, and what its seeds can tell.

    Nothing is written. With a budget in minutes each optimizer is timed for a second or two. Earlier trials in the
    store are used where there are any.

    Example:
        >>> print(surefoot.forecast("article-tuned", optimizers=["sgd", "adam"], seeds=5))
    """
    return foretell(*asked(task, **options))


@_as(compare)
def try_out(task: str | Trainable | None = None, **options: Any) -> dict[str, str]:
    """Try every optimizer on your model and train nothing: it takes a few steps, is evaluated, saved and loaded.

    It takes the arguments of `compare`, which does the same before its first trial, and does not begin the trials of
    an optimizer that fails.

    Returns:
        what is wrong with each optimizer and what to do, by its name; an empty text where it works.

    Raises:
        UsageError: something that cannot be compared at all, whatever the optimizer.
    """
    request, _ = asked(task, **options)
    return try_arms(request.task, request.arms, request.protocol, request.workers, request.runner)


PARTS = ("train", "model", "data", "loss", "metric", "name", "better", "transform")
"""The arguments that make a task, besides the parts of its training step."""


def asked(task: str | Trainable | None = None, **given: Any) -> tuple[Request, Options]:
    """Read the arguments of `compare`."""
    step = {one.name: given.pop(one.name) for one in fields(Recipe) if one.name in given}
    parts = {name: given.pop(name, None) for name in PARTS}
    options = Options(better=parts["better"], **given)
    parts["name"] = parts["name"] or None
    if is_training_function(task) or ".py:" in str(task):
        parts["better"] = None
    parts |= Recipe(**step).changes
    return ask(_task(task, batch_size=options.batch_size, **parts), options), options


def _task(task: str | Trainable | None, *, batch_size: int | None, **parts: Any) -> str | Trainable:
    if task is not None:
        given = [part for part, value in parts.items() if value is not None]
        if given:
            raise UsageError(f"a task and {', '.join(given)} are given; a task brings its own: give one or the other.")
        return task
    train = parts.pop("train")
    if train is not None:
        own = ("better", "metric", "name")
        if given := [part for part, value in parts.items() if part not in own and value is not None]:
            raise UsageError(f"train and {', '.join(given)} are given; a training function makes these itself.")
        return function_task(train, better=parts["better"], metric=parts["metric"], name=parts["name"] or "")
    if parts["model"] is None or parts["data"] is None:
        raise UsageError("nothing to train is given; give model= and data=, train=, or a task.")
    from surefoot.tasks.custom import task as make_task  # imports torch

    return make_task(**{**parts, "name": parts["name"] or ""}, batch_size=batch_size)
