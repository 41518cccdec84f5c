"""Published figures, as data; `selfcheck.published` compares runs of Surefoot with them.

They come from the raw logs of DeepOBS's baselines (Schneider, Balles & Hennig, ICLR 2019): ten seeds for each
optimizer, tuned by the authors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SEEDS = 10
"""Runs behind every published figure."""

INITIAL_LOSS = 353.447
"""The loss on quadratic-deep's test examples before the first step, to the last digit published."""

Quantity = Literal["test metric", "train loss"]


@dataclass(frozen=True)
class PublishedFigure:
    """A published mean over `SEEDS` seeds after an epoch, with its standard deviation if known."""

    optimizer: str
    quantity: Quantity
    epoch: int
    mean: float
    deviation: float | None = None


@dataclass(frozen=True)
class Publication:
    """The publication on one task: the setting of each optimizer, in torch's spelling, and the figures."""

    study: str
    optimizers: Mapping[str, str]
    figures: tuple[PublishedFigure, ...]
    digits: int

    @property
    def epochs(self) -> int:
        """The epochs that a run needs to have every figure."""
        return max(figure.epoch for figure in self.figures)


def _curve(optimizer: str, *values: tuple[int, float, float | None]) -> tuple[PublishedFigure, ...]:
    return tuple(PublishedFigure(optimizer, "test metric", *value) for value in values)


QUADRATIC_DEEP = Publication(
    study="quadratic-deep",
    optimizers={
        "SGD": "sgd(lr=0.0158489)",
        "Momentum": "momentum(lr=0.00251189, momentum=0.99)",
        "Adam": "adam(lr=0.0398107)",
    },
    figures=(
        *_curve("SGD", (5, 97.70, None), (10, 92.98, None), (50, 87.67, None), (100, 87.397, 0.17)),
        *_curve("Momentum", (5, 217.38, None), (10, 134.26, None), (50, 92.818, None), (100, 87.045, 0.025)),
        *_curve("Adam", (5, 101.35, None), (10, 94.73, None), (50, 87.394, None), (100, 87.112, 0.024)),
    ),
    digits=3,
)

FMNIST_2C2D = Publication(
    study="fmnist-2c2d",
    optimizers={"SGD": "sgd(lr=0.158489)", "Momentum": "momentum(lr=0.00251189, momentum=0.99)"},
    figures=(
        *_curve("SGD", (1, 0.8545, 0.012), (5, 0.8956, 0.007)),
        PublishedFigure("SGD", "train loss", 5, 0.231, 0.015),
        *_curve("Momentum", (1, 0.8517, 0.008), (5, 0.8988, 0.006)),
        PublishedFigure("Momentum", "train loss", 5, 0.218, 0.016),
    ),
    digits=4,
)
