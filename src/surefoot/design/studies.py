"""The built-in studies: which task, which protocol, which optimizers, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from surefoot.errors import unknown
from surefoot.store.protocol import Order, Schedule
from surefoot.tasks import Task
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
    dataset: str
    convention: str
    optimizers: tuple[str, ...]
    epochs: int
    batch_size: int
    validation: float
    seeds: int = 1
    trials: int = 0
    schedule: Schedule = "constant"
    drop_last: bool = False
    order: Order = "shuffled"
    small: bool = False


_ARTICLE = StudyPlan(
    name="article",
    summary="the tutorial's CNN on MNIST: Adagrad, Adadelta, Adam and AdaBound, one untuned learning rate each",
    task="article",
    dataset="mnist",
    convention="keras",
    optimizers=("adagrad", "adadelta", "adam(lr=0.01)", "adabound"),
    epochs=5,
    batch_size=250,
    validation=0.2,
)

_ARTICLE_TUNED = replace(
    _ARTICLE,
    name="article-tuned",
    summary="the same CNN, each optimizer with its defaults and tuned: equal trials, separate seeds, a verdict",
    optimizers=("adagrad", "adadelta", "adam", "adabound", "momentum"),
    seeds=6,
    trials=8,
)

_FMNIST_2C2D = StudyPlan(
    name="fmnist-2c2d",
    summary="DeepOBS's CNN on Fashion-MNIST, of which ten-seed runs are published; slow without a GPU",
    task="fmnist-2c2d",
    dataset="fashion-mnist",
    convention="torch",
    optimizers=("sgd", "momentum", "adam"),
    epochs=5,
    batch_size=128,
    validation=1 / 6,
    seeds=6,
    trials=8,
    drop_last=True,
)

_QUADRATIC_DEEP = StudyPlan(
    name="quadratic-deep",
    summary="DeepOBS's stochastic quadratic in 100 dimensions, with its batches in the same order every epoch",
    task="quadratic-deep",
    dataset="",
    convention="torch",
    optimizers=("sgd", "momentum", "adam", "adabound"),
    epochs=100,
    batch_size=128,
    validation=0.0,
    seeds=10,
    trials=8,
    drop_last=True,
    order="frozen",  # as in the published runs; reshuffled, momentum ends higher and less evenly
    small=True,
)

_LOGREG_DIGITS = StudyPlan(
    name="logreg-digits",
    summary="logistic regression on MNIST's digits: convex, so only speed and stability differ",
    task="logreg-digits",
    dataset="mnist",
    convention="torch",
    optimizers=("sgd", "momentum", "adam", "adabound"),
    epochs=3,
    batch_size=250,
    validation=1 / 6,
    seeds=10,
    trials=8,
    small=True,
)

_MLP_MNIST = replace(
    _LOGREG_DIGITS,
    name="mlp-mnist",
    summary="a multilayer perceptron on MNIST",
    task="mlp-mnist",
)

_VAE_MNIST = replace(
    _LOGREG_DIGITS,
    name="vae-mnist",
    summary="a variational autoencoder on black and white MNIST, judged by its loss; minutes an optimizer",
    task="vae-mnist",
    epochs=5,
    batch_size=128,
    seeds=6,
    small=False,
)

_CHAR_LM = StudyPlan(
    name="char-lm",
    summary="a small transformer that tells Shakespeare's next character, in bits; minutes an optimizer",
    task="char-lm",
    dataset="shakespeare",
    convention="torch",
    optimizers=("momentum", "adam", "adamw", "adabound"),
    epochs=5,
    batch_size=32,
    validation=0.0,
    seeds=6,
    trials=8,
)

_SURFACES = tuple(
    StudyPlan(
        name=name,
        summary=f"a function of two variables: {surface.about}",
        task=name,
        dataset="",
        convention="torch",
        optimizers=("sgd", "momentum", "adam", "adabound"),
        epochs=20,
        batch_size=1,
        validation=0.0,
        seeds=10,
        trials=8,
        small=True,
    )
    for name, surface in SURFACES.items()
)

_IMAGES = (_FMNIST_2C2D, _LOGREG_DIGITS, _MLP_MNIST, _VAE_MNIST)

STUDIES = {study.name: study for study in (_ARTICLE, _ARTICLE_TUNED, *_IMAGES, _CHAR_LM, _QUADRATIC_DEEP, *_SURFACES)}
"""Every built-in study by its name."""


def find_study(name: str) -> StudyPlan:
    """Return a built-in study; `UsageError` with the close matches if there is none of that name."""
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    return STUDIES[name]


def study_of(task: Task) -> StudyPlan:
    """Return the study of a user's own task, as it is before they change an option."""
    return StudyPlan(
        name=task.name,
        summary="a task of your own",
        task=task.name,
        dataset=task.dataset,
        convention="torch",
        optimizers=("momentum", "adam", "adabound"),
        epochs=5,
        batch_size=getattr(task, "batch_size", 64),
        drop_last=getattr(task, "drop_last", False),
        validation=0.1,
        seeds=5,
        trials=8,
    )
