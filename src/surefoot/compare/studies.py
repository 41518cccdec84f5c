"""The built-in studies: which task, which protocol, which optimizers, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from surefoot.errors import unknown


@dataclass(frozen=True)
class StudyPlan:
    """A study as it is before anybody changes an option.

    `optimizers` are texts for `parse_arms` in the study's `convention`; `validation` is the share of the training
    images, at their end, that is kept for validation. With `trials` every optimizer is also tuned, in so many trials.
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

STUDIES = {study.name: study for study in (_ARTICLE, _ARTICLE_TUNED)}
"""Every built-in study by its name."""


def find_study(name: str) -> StudyPlan:
    """Return a built-in study; `UsageError` with the close matches if there is none of that name."""
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    return STUDIES[name]
