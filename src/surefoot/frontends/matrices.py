"""A parameter as the one matrix that a rule for matrices sees: a row for each output, a column for each input.

Which axis has the outputs is a fact of the framework that made the layer, not of the shape: a square kernel does not
tell. A kernel of a convolution is outputs x all the rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from surefoot.errors import UsageError, unknown
from surefoot.rule import Rule, slot_shape

Layout = Literal["in_out", "out_in"]
"""Whether outputs are the last axis, as JAX's libraries and Keras have it, or the first, as torch has it."""

LAYOUTS: tuple[Layout, ...] = ("in_out", "out_in")


@dataclass(frozen=True)
class View:
    """How arrays of a parameter's shape become its matrix, and back.

    Attributes:
        shape: the parameter's.
        layout: where its outputs are.
    """

    shape: tuple[int, ...]
    layout: Layout

    def of(self, x: Any, ops: Any) -> Any:
        """Return an array of the parameter's shape as a matrix; `ops` has the framework's `transpose` and `reshape`."""
        return ops.reshape(ops.transpose(x, self._axes), self.matrix)

    def back(self, x: Any, ops: Any) -> Any:
        """Return a matrix in the parameter's shape."""
        turned = ops.reshape(x, [self.shape[axis] for axis in self._axes])
        return ops.transpose(turned, [self._axes.index(axis) for axis in range(len(self.shape))])

    @property
    def matrix(self) -> tuple[int, int]:
        """How many rows and columns there are."""
        first, *rest = (self.shape[axis] for axis in self._axes)
        return first, math.prod(rest)

    @property
    def _axes(self) -> list[int]:
        """The axes of the parameter, outputs first."""
        last = len(self.shape) - 1
        return [last, *range(last)] if self.layout == "in_out" else [*range(last + 1)]


def rule_for(rule: Rule, shape: tuple[int, ...]) -> Rule | None:
    """Return what steps a parameter of this shape: the rule, its rule for what is no matrix, or None if it has none."""
    return rule if rule.shape != "matrix" or len(shape) > 1 else rule.vector


def view_for(rule: Rule, shape: tuple[int, ...], layout: Layout) -> View | None:
    """Return how a rule sees a parameter; None if it sees it as it is."""
    return View(shape, layout) if rule.shape == "matrix" else None


def slot_shapes(rule: Rule, hyper: Mapping[str, Any], shape: tuple[int, ...], layout: Layout) -> dict[str, Any]:
    """Return the shape of each slot in use beside a parameter of this shape; `()` of what is one number."""
    view = view_for(rule, shape, layout)
    return {
        slot.name: slot_shape(slot.per, shape if view is None or slot.per == "weight" else view.matrix)
        for slot in rule.active(hyper)
    }


def check_layout(layout: Any) -> None:
    """Raise `UsageError` if this is no layout."""
    if layout not in LAYOUTS:
        raise unknown("layout", layout, LAYOUTS)


def check_matrix(rule: Rule, name: str, shape: tuple[int, ...], advice: str) -> None:
    """Raise `UsageError` if a rule for matrices is given a parameter that is none, and has no other rule for it."""
    if rule_for(rule, shape) is None:
        raise UsageError(
            f"{rule.name} steps matrices, and {name} has shape {shape}; give biases, gains, embeddings and the output "
            f"head another rule: {advice}."
        )
