"""Functions of two variables with a known minimum, where an optimizer's path can be drawn.

There is no data: an epoch is `STEPS` steps with the whole gradient, from `STEPS` unused rows. A seed
chooses where the path starts, evenly in a square about the classical starting point, so that one lucky point decides
nothing. The metric is the distance to the minimum: on a valley floor the loss is small long before the minimum is near,
and losses of different seeds lie decades apart, so that their mean is that of the worst.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.store.protocol import Metric
from surefoot.tasks.arrays import Arrays
from surefoot.tasks.builtin import BuiltIn
from surefoot.tasks.task import Splits

STEPS = 50
"""Steps in an epoch, with a batch size of 1."""

REACH = 0.25
"""The largest distance of a start from the classical point, in each coordinate."""


@dataclass(frozen=True)
class Surface:
    """A function of two variables.

    `function` is written in plain arithmetic, for numbers and arrays alike. Its least value is 0, at `minimum` and
    nowhere else; `start` is where it is classically started from. `about` says what makes it hard.
    """

    function: Callable[[Any, Any], Any]
    minimum: tuple[float, float]
    start: tuple[float, float]
    about: str


def rosenbrock(x: Any, y: Any) -> Any:
    """Rosenbrock 1960."""
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def beale(x: Any, y: Any) -> Any:
    """Beale 1958."""
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def booth(x: Any, y: Any) -> Any:
    """Booth's function, as in Jamil & Yang 2013."""
    return (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2


def zakharov(x: Any, y: Any) -> Any:
    """Zakharov's function, as in Jamil & Yang 2013."""
    slope = 0.5 * x + y
    return x**2 + y**2 + slope**2 + slope**4


SURFACES = {
    "rosenbrock": Surface(rosenbrock, (1.0, 1.0), (-1.2, 1.0), "a narrow curved valley with a nearly flat floor"),
    "beale": Surface(beale, (3.0, 0.5), (1.0, 1.0), "a plateau between steep walls, with a saddle beside the path"),
    "booth": Surface(booth, (1.0, 3.0), (-5.0, -5.0), "a convex bowl, nine times as steep one way as the other"),
    "zakharov": Surface(zakharov, (0.0, 0.0), (3.0, 3.0), "convex, of fourth degree: steep far out, gentle within"),
}
"""The surfaces by name. Only beale has a place other than its minimum where the gradient is zero."""

DISTANCE = Metric("distance to minimum", "min", share=False)


def surface_task(name: str) -> BuiltIn:
    """Return the task of finding the minimum of the surface of this name."""
    train, evaluation = (Arrays(np.zeros((rows, 1), np.float32)) for rows in (STEPS, 1))
    splits = Splits(train, evaluation, evaluation)
    return BuiltIn(name, "surefoot.tasks.models.surface_point", "", splits, DISTANCE, arguments=(name,))
