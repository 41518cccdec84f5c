"""The built-in studies: which task, which protocol, which optimizers, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from surefoot.errors import unknown
from surefoot.store.protocol import Order, Schedule
from surefoot.tasks import Trainable
from surefoot.tasks.models.surfaces import SURFACES


@dataclass(frozen=True)
class StudyPlan:
    """A study as it is before anybody changes an option.

    `optimizers` are texts for `parse_arms` in the study's `convention`; `validation` is the share of the training
    images, at their end, that is kept for validation; a task that brings its own data has its own split. With `trials`
    every optimizer is also tuned, in so many trials. A `small` study takes under a minute for each optimizer on two
    cores; all of these make the suite.
    """

    name: str
    summary: str
    task: str
    dataset: str = "mnist"
    convention: str = "torch"
    optimizers: tuple[str, ...] = ("sgd", "momentum", "adam", "adabound")
    epochs: int = 5
    batch_size: int = 128
    validation: float = 0.0
    seeds: int = 6
    trials: int = 8
    schedule: Schedule = "constant"
    drop_last: bool = False
    order: Order = "shuffled"
    small: bool = False


_ARTICLE = StudyPlan(
    "article",
    "the tutorial's CNN on MNIST, with four untuned optimizers",
    task="article",
    convention="keras",
    optimizers=("adagrad", "adadelta", "adam(lr=0.01)", "adabound"),
    batch_size=250,
    validation=0.2,
    seeds=1,
    trials=0,
)

_TWO = "two weights: "

_ALL = (
    _ARTICLE,
    replace(
        _ARTICLE,
        name="article-tuned",
        summary="the same CNN, with five optimizers, each untuned and tuned",
        optimizers=("adagrad", "adadelta", "adam", "adabound", "momentum"),
        seeds=6,
        trials=8,
    ),
    StudyPlan(
        "fmnist-2c2d",
        "DeepOBS's CNN on Fashion-MNIST; slow without a GPU; ten-seed runs are published",
        task="fmnist-2c2d",
        dataset="fashion-mnist",
        optimizers=("sgd", "momentum", "adam"),
        validation=1 / 6,
        drop_last=True,
    ),
    *(
        StudyPlan(name, summary, task=name, epochs=3, batch_size=250, validation=1 / 6, seeds=10, small=True)
        for name, summary in (
            ("logreg-digits", "logistic regression on MNIST's digits: convex, so only speed and stability differ"),
            ("mlp-mnist", "a multilayer perceptron on MNIST"),
        )
    ),
    StudyPlan(
        "vae-mnist",
        "a variational autoencoder on black and white MNIST, judged by its loss; minutes an optimizer",
        task="vae-mnist",
        validation=1 / 6,
    ),
    StudyPlan(
        "char-lm",
        "a small transformer that predicts Shakespeare's next character, in bits; minutes an optimizer",
        task="char-lm",
        dataset="shakespeare",
        optimizers=("momentum", "adam", "adamw", "adabound"),
        batch_size=32,
    ),
    StudyPlan(
        "quadratic-deep",
        "DeepOBS's stochastic quadratic in 100 dimensions, with its batches in the same order every epoch",
        task="quadratic-deep",
        dataset="",
        epochs=100,
        seeds=10,
        drop_last=True,
        order="frozen",  # as in the published runs; reshuffled, momentum ends higher and less evenly
        small=True,
    ),
    *(
        StudyPlan(name, _TWO + one.about, task=name, dataset="", epochs=20, batch_size=1, seeds=10, small=True)
        for name, one in SURFACES.items()
    ),
)


@dataclass(frozen=True)
class Overlay:
    """A study over any task: optimizers with roles, in the task's convention and protocol.

    Attributes:
        name: what it is called.
        summary: one line about it.
        untuned: optimizers that are measured as they are given, as texts for `parse_arms`.
        tuned: the one that is tuned, with which all are compared.
        centre: what that one is called at the rate that a range test finds.
        sweep_seeds: runs of that range test.
        sweep_steps: training steps in each of these runs.
        trials: configurations that tuning tries.
    """

    name: str
    summary: str
    untuned: tuple[str, ...]
    tuned: str
    centre: str
    sweep_seeds: int
    sweep_steps: int
    trials: int


RATE_FREE = Overlay(
    "rate-free",
    "the price of not tuning, on any task: surefoot compare rate-free my.py:task",
    untuned=(
        "adadelta(lr=1)",
        "adabound",
        "adam",
        "prodigy",
        "prodigy(schedule=cosine)",
        "dadapt_adam",
        "dadapt_adam(schedule=cosine)",
        "dog",
        "surefoot.torch.DoG(ema=0.99)",
        "schedule_free_adamw",
    ),
    tuned="adamw(schedule=cosine)",
    centre="AdamW(schedule=cosine) at lr-find's centre",
    sweep_seeds=5,
    sweep_steps=200,
    trials=16,
)
"""The rate-free rules. Prodigy, D-Adaptation and DoG come plain and as their authors use them."""

STUDIES = {study.name: study for study in _ALL}
"""Every built-in study by its name."""


def find_study(name: str) -> StudyPlan:
    """Return a built-in study. `UsageError` names close matches if none has that name."""
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    return STUDIES[name]


def study_of(task: Trainable) -> StudyPlan:
    """Return the study of a user's own task, before any option changes it."""
    return StudyPlan(
        task.name,
        "a task of your own",
        task=task.name,
        dataset=task.dataset,
        optimizers=("momentum", "adam", "adabound"),
        batch_size=getattr(task, "batch_size", 64),
        drop_last=getattr(task, "drop_last", False),
        validation=0.1,
        seeds=5,
    )
