"""The matrix of a parameter, or several: a row for each output, a column for each input.

Which axis has the outputs is a fact of the framework that made the layer, not of the shape: a square kernel does not
tell. A kernel of a convolution is outputs x all the rest.

A layer that computes queries, keys and values at once has three matrices in one parameter, one below the other. The
rule sees each by itself. What is kept for rows, columns or pairs of them lies block by block, as wide as the widest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from surefoot.errors import UsageError, unknown
from surefoot.rule import Rule, slot_shape

Layout = Literal["in_out", "out_in"]
"""Whether outputs are the last axis (JAX's libraries, Keras) or the first (torch)."""

LAYOUTS: tuple[Layout, ...] = ("in_out", "out_in")

Blocks = int | Sequence[int]
"""The count of equal matrices in a parameter, or the height of each."""


@dataclass(frozen=True)
class MatrixView:
    """The conversion of a parameter's arrays to its matrix and back.

    Attributes:
        shape: the parameter's.
        layout: where its outputs are.
        blocks: the matrices in it, along the outputs.
    """

    shape: tuple[int, ...]
    layout: Layout
    blocks: Blocks = 1

    def of(self, x: Any, ops: Any) -> Any:
        """Return an array of the parameter's shape as a matrix. `ops` has `transpose` and `reshape`."""
        return ops.reshape(ops.transpose(x, self._axes), self.matrix)

    def back(self, x: Any, ops: Any) -> Any:
        """Return a matrix in the parameter's shape."""
        turned = ops.reshape(x, [self.shape[axis] for axis in self._axes])
        return ops.transpose(turned, [self._axes.index(axis) for axis in range(len(self.shape))])

    @property
    def matrix(self) -> tuple[int, int]:
        """The rows and columns."""
        first, *rest = (self.shape[axis] for axis in self._axes)
        return first, math.prod(rest)

    @cached_property
    def heights(self) -> tuple[int, ...]:
        """The rows of each of its matrices."""
        return heights(self.blocks, self.matrix[0], "a parameter", self.shape)

    @property
    def _axes(self) -> list[int]:
        """The axes of the parameter, outputs first."""
        last = len(self.shape) - 1
        return [last, *range(last)] if self.layout == "in_out" else [*range(last + 1)]


def rule_for(rule: Rule, shape: tuple[int, ...]) -> Rule | None:
    """Return the rule for a parameter of this shape: itself, its rule for other parameters, or None."""
    return rule if rule.shape != "matrix" or len(shape) > 1 else rule.vector


def view_for(rule: Rule, shape: tuple[int, ...], layout: Layout, blocks: Blocks = 1) -> MatrixView | None:
    """Return how a rule sees a parameter; None if it sees it as it is."""
    return MatrixView(shape, layout, blocks) if rule.shape == "matrix" else None


def slot_shapes(
    rule: Rule, hyper: Mapping[str, Any], shape: tuple[int, ...], layout: Layout, blocks: Blocks = 1
) -> dict[str, Any]:
    """Return the shape of each slot in use for a parameter of this shape; `()` for a single number."""
    view = view_for(rule, shape, layout, blocks)
    return {
        slot.name: slot_shape(slot.per, shape)
        if view is None or slot.per == "weight"
        else joined_shape(slot.per, view.heights, view.matrix[1])
        for slot in rule.active(hyper)
    }


def joined_shape(per: str, tall: Sequence[int], columns: int) -> tuple[int, ...]:
    """Return the shape in which a slot beside matrices of these heights lies; see `slot_shape`."""
    if per == "optimizer" or (per == "tensor" and len(tall) == 1):
        return ()
    if per == "tensor":
        return (len(tall),)
    shapes = [slot_shape(per, (height, columns)) for height in tall]
    return sum(rows for rows, _ in shapes), max(width for _, width in shapes)


def heights(blocks: Blocks, rows: int, said: str, shape: Sequence[int], lines: str = "outputs") -> tuple[int, ...]:
    """Return how many rows each of a parameter's matrices has.

    Args:
        blocks: how many matrices, or their heights.
        rows: the rows of all together.
        said: what the parameter is called in an error.
        shape: the parameter's, for an error.
        lines: what its rows are called there.

    Raises:
        UsageError: they do not add up to its rows.
    """
    if isinstance(blocks, int):
        if type(blocks) is int and blocks > 0 and rows % blocks == 0:
            return (rows // blocks,) * blocks
    elif _are_heights(blocks) and sum(blocks) == rows:
        return tuple(blocks)
    raise UsageError(
        f"blocks={blocks!r} does not fit {said} of shape {[*shape]}: give a number that divides its {rows} {lines}, "
        f"or heights above 0 that add up to {rows}."
    )


def _are_heights(blocks: Any) -> bool:
    return isinstance(blocks, list | tuple) and all(type(height) is int and height > 0 for height in blocks)


def check_layout(layout: Any) -> None:
    """Raise `UsageError` if this is no layout."""
    if layout not in LAYOUTS:
        raise unknown("layout", layout, LAYOUTS)


def check_matrix(rule: Rule, name: str, shape: tuple[int, ...], advice: str) -> None:
    """Raise `UsageError` if a parameter is no matrix and the rule has no other rule for it."""
    if rule_for(rule, shape) is None:
        raise UsageError(
            f"{rule.name} steps matrices, and {name} has shape {shape}; give biases, gains, embeddings and the output "
            f"head another rule: {advice}."
        )
