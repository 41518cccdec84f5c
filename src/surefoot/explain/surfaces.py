"""The landscapes of the playground: functions of two weights, and what each shows.

A function is written once, in plain arithmetic; `gradient.py` derives the rest. Two weights show mechanisms (a valley,
a saddle, a plateau, noise) and nothing about which optimizer is best for a network: the page says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from surefoot.compiler.graph import Graph
from surefoot.explain.gradient import Point, differentiate, exp, log, to_javascript, to_python
from surefoot.mathops import maximum
from surefoot.tasks.models.surfaces import beale, rosenbrock

Window = tuple[float, float, float, float]


@dataclass(frozen=True)
class Knob:
    """An adjustable number of a surface: meaning, range and first value; `log` if decades count."""

    name: str
    meaning: str
    low: float
    high: float
    value: float
    log: bool = False


@dataclass(frozen=True)
class Landscape:
    """A function of two weights.

    Attributes:
        name, title: what it is called in addresses, and by people.
        about: what it shows.
        function: `(x, y, **knobs)`, on numbers and symbols.
        start: where walks begin.
        window: the part that is drawn: least and largest x, least and largest y.
        minima: where its least value is, as far as that is known.
        knobs: what can be turned.
        noisy: whether the knob `noise` is added to each gradient, times a random number (`path.noise`).
    """

    name: str
    title: str
    about: str
    function: Callable[..., Any]
    start: tuple[float, float]
    window: Window
    minima: tuple[tuple[float, float], ...]
    knobs: tuple[Knob, ...] = ()
    noisy: bool = False

    @cached_property
    def _graph(self) -> Graph:
        return differentiate(self.function, [knob.name for knob in self.knobs if knob.name != "noise"])

    @cached_property
    def evaluate(self) -> Callable[..., Point]:
        """The function `(x, y, knobs)` of the value and both derivatives at a point, without noise."""
        return to_python(self._graph)

    @property
    def javascript(self) -> str:
        """The same as JavaScript."""
        return to_javascript(self._graph)

    @property
    def settings(self) -> dict[str, float]:
        """The first value of each knob."""
        return {knob.name: knob.value for knob in self.knobs}


def heights(surface: Landscape, columns: int, rows: int) -> list[list[float]]:
    """Return the value in the middle of each grid cell of the picture, from the top down."""
    x0, x1, y0, y1 = surface.window
    across = [x0 + (x1 - x0) * (column + 0.5) / columns for column in range(columns)]
    down = [y1 - (y1 - y0) * (row + 0.5) / rows for row in range(rows)]
    return [[surface.evaluate(x, y, surface.settings)[0] for x in across] for y in down]


def valley(x: Any, y: Any, condition: Any, turn: Any) -> Any:
    """A quadratic whose curvatures are 1 and `condition`, turned by an angle whose half has the tangent `turn`."""
    scale = 1 + turn * turn
    cosine, sine = (1 - turn * turn) / scale, 2 * turn / scale
    along, across = cosine * x + sine * y, cosine * y - sine * x
    return (along * along + condition * across * across) / 2


def saddle(x: Any, y: Any) -> Any:
    """A saddle at (0, 0), minima at (0, 1) and (0, -1)."""
    rise = y * y - 1
    return x * x + rise * rise / 2


def plateau(x: Any, y: Any) -> Any:
    """A hole in a plain: the farther away, the smaller the gradient (Geman and McClure 1987)."""
    square = x * x + 4 * y * y
    return square / (1 + square)


EXAMPLES = (
    (0.9, 0.10, 1),
    (1.4, -0.06, 1),
    (0.3, 0.12, 1),
    (2.1, 0.02, 1),
    (1.7, 0.15, 1),
    (-0.4, 0.11, 1),
    (0.8, -0.03, 1),
    (1.2, 0.09, 1),
    (-1.1, -0.08, -1),
    (-0.6, -0.13, -1),
    (0.5, -0.10, -1),
    (-1.8, 0.04, -1),
    (-1.3, -0.16, -1),
    (-0.2, 0.05, -1),
    (-2.0, -0.01, -1),
    (-0.9, -0.09, -1),
)
"""Sixteen examples of two classes: two features, the second about ten times smaller, and the class."""

PENALTY = 0.001
"""Keeps the best weights finite where a line separates the classes."""


def logistic(x: Any, y: Any) -> Any:
    """The mean loss of logistic regression with the weights x and y, and a little weight decay."""
    loss: Any = PENALTY * (x * x + y * y)
    for first, second, label in EXAMPLES:
        margin = label * first * x + label * second * y
        size = maximum(margin, -margin)
        loss = loss + ((size - margin) / 2 + log(1 + exp(-size))) / len(EXAMPLES)
    return loss


_CONDITION = Knob("condition", "condition number: steepest over gentlest curvature", 1.0, 1000.0, 30.0, log=True)
_TURN = Knob("turn", "turn of the axes: tangent of half the angle, 0.41 is 45°", 0.0, 0.41, 0.0)
_NOISE = Knob("noise", "noise: standard deviation of what is added to each gradient", 0.0, 3.0, 1.0)

SURFACES: dict[str, Landscape] = {
    surface.name: surface
    for surface in (
        Landscape(
            "valley",
            "Quadratic valley",
            "One rate must serve a steep and a gentle direction, unless each weight has its own. Turn the axes, and "
            "rates per weight stop helping.",
            valley,
            (-2.0, 1.2),
            (-2.6, 1.4, -1.6, 1.6),
            ((0.0, 0.0),),
            (_CONDITION, _TURN),
        ),
        Landscape(
            "rosenbrock",
            "Rosenbrock",
            "A narrow curved valley with a nearly flat floor: reaching it is easy, following it is slow.",
            rosenbrock,
            (-1.2, 1.0),
            (-1.9, 1.9, -0.9, 2.3),
            ((1.0, 1.0),),
        ),
        Landscape(
            "beale",
            "Beale",
            "A plateau between steep walls: gradients differ by many decades from place to place.",
            beale,
            (1.0, 1.4),
            (-0.6, 4.2, -1.4, 2.0),
            ((3.0, 0.5),),
        ),
        Landscape(
            "saddle",
            "Saddle",
            "Started almost on the ridge: along y the gradient is tiny, although the way down is there.",
            saddle,
            (-1.6, 0.01),
            (-2.0, 1.2, -1.4, 1.4),
            ((0.0, 1.0), (0.0, -1.0)),
        ),
        Landscape(
            "plateau",
            "Plateau",
            "Far from the hole the ground is almost flat. Steps in proportion to the gradient hardly move.",
            plateau,
            (-5.0, 2.0),
            (-6.0, 3.0, -3.4, 3.4),
            ((0.0, 0.0),),
        ),
        Landscape(
            "noisy",
            "Noisy quadratic",
            "Every gradient is off by a random amount, the same for all racers. What a rule averages, and whether its "
            "rate falls, decides how close it gets.",
            lambda x, y, condition: (x * x + condition * y * y) / 2,
            (-2.0, 1.2),
            (-2.6, 1.4, -1.6, 1.6),
            ((0.0, 0.0),),
            (Knob("condition", _CONDITION.meaning, 1.0, 1000.0, 10.0, log=True), _NOISE),
            noisy=True,
        ),
        Landscape(
            "logistic",
            "Logistic regression",
            "Two weights fitted to sixteen examples. The second feature is ten times smaller, so its weight has far to "
            "go on small gradients.",
            logistic,
            (-1.0, -3.0),
            (-2.5, 6.0, -6.0, 14.0),
            (),
        ),
    )
}
"""The surfaces by name."""
