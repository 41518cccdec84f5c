"""The cost of matrix products in an update: multiplications and additions, which grow with the sides.

A pass over memory costs the same for each weight of any tensor; a product does not. Of a square matrix of n rows each
weight takes part in a multiple of n operations.
"""

from __future__ import annotations

from surefoot.compiler.graph import COLS, ONE, ROWS, Graph, Node, needed


def operations(graph: Graph, rows: int, cols: int) -> float:
    """Return the multiplications and additions of an update's products per weight of a matrix.

    Decompositions (`eigenbasis`) are not counted, which are due at some steps only.
    """
    sides = {ROWS: rows, COLS: cols, ONE: 1}
    return sum(_of(node, sides) for node in needed(graph.results)) / (rows * cols)


def decomposes(graph: Graph) -> bool:
    """Return whether an update finds eigenvectors, at some steps."""
    return any(node.op == "eigenbasis" for node in needed(graph.results))


def _of(node: Node, sides: dict[str, int]) -> int:
    if node.op == "matmul":
        high, between, wide = (sides[side] for side in (*node.args[0].sides, node.args[1].sides[1]))
        return 2 * high * between * wide
    if node.op == "orthogonalize":  # of each polynomial x x', its square, and that times x
        small, large = sorted(sides[side] for side in node.sides)
        steps: int = node.value.steps
        return steps * 2 * small * small * (2 * large + small)
    return 0
