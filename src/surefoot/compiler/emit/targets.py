"""The targets of the compiler: the text of a rule as a kernel, a function or a formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from surefoot.compiler.emit import javascript, latex, numba, triton
from surefoot.compiler.graph import WHOLE, Graph, needed
from surefoot.compiler.kernel_plan import SIZES, stages
from surefoot.compiler.trace import trace
from surefoot.errors import UsageError, unknown
from surefoot.rule import Rule

_EMIT: dict[str, Callable[..., str]] = {
    "numba": lambda graph, title, _, dtype: _kernels(numba.emit, graph, title, dtype),
    "triton": lambda graph, title, _, dtype: _kernels(triton.emit, graph, title, dtype),
    "latex": lambda graph, _, hyper, __: latex.emit(graph, hyper),
    "js": lambda graph, title, _, __: javascript.emit(graph, title),
}

TARGETS = tuple(_EMIT)


@dataclass(frozen=True)
class Emitted:
    """A rule's text for one target, and the bytes per weight that its kernel moves."""

    text: str
    bytes_per_weight: int


def emit(rule: Rule, hyper: Mapping[str, Any], target: str, dtype: str = "float32") -> Emitted:
    """Return the rule as text.

    Args:
        rule: which rule.
        hyper: a value for every hyperparameter, as `conventions.resolve` returns them.
        target: `numba`, `triton`, `latex` or `js`.
        dtype: the kind of a kernel's numbers, one of `plan.SIZES`. Formulas have none, JavaScript is float64.

    Raises:
        UsageError: no such target or dtype, or the rule cannot be written for it.
    """
    if target not in TARGETS:
        raise unknown("target", target, TARGETS)
    if dtype not in SIZES:
        raise unknown("dtype", dtype, SIZES)
    graph = trace(rule, hyper)
    return Emitted(_EMIT[target](graph, rule.name, hyper, dtype), moved(graph, dtype))


def moved(graph: Graph, dtype: str) -> int:
    """Return the bytes that one update moves per weight. Without a kernel, those of one pass."""
    try:
        return sum(int(stage.bytes_per_weight(dtype)) for stage in stages(graph))
    except UsageError:
        reads = [node for node in needed(graph.results) if node.op == "array"]
        return SIZES[dtype] * sum(node.sides == WHOLE for node in (*reads, *graph.outputs.values()))


def _kernels(write: Callable[..., str], graph: Graph, title: str, dtype: str) -> str:
    return "\n\n".join(write(stage, title, dtype) for stage in stages(graph))
