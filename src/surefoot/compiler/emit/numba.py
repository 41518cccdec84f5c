"""A plan as the text of a Numba kernel: one loop over memory that reads each array once and writes each once.

The kernel goes through chunks of tensors, all tensors of a step in one call. Of a tensor it needs the address of each
array; of a chunk its tensor, its first weight, how many weights it has, and the row of its scalars. Numba contracts
nothing into fused multiply-adds unless told to, so the kernel equals NumPy to the last bit.
"""

from __future__ import annotations

import re

from surefoot.compiler.graph import Node
from surefoot.compiler.plan import Plan

SPELLING = {
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "truediv": "{} / {}",
    "neg": "-{}",
    "sqrt": "sqrt({})",
    "maximum": "maximum({}, {})",
    "minimum": "minimum({}, {})",
    "where": "{1} if {0} else {2}",
    "eq": "{} == {}",
    "ne": "{} != {}",
    "lt": "{} < {}",
    "gt": "{} > {}",
    "le": "{} <= {}",
    "ge": "{} >= {}",
}
"""Each operation in Python as Numba compiles it; `maximum` and `minimum` let NaN win, as NumPy's do."""

_TEXT = '''\
"""One step of {title} in {dtype}: {reads} arrays read and {writes} written, {bytes} bytes a weight."""

from math import sqrt

from numba import {dtype}
from surefoot.engines.pointers import array_{dtype} as array
from surefoot.engines.pointers import maximum, minimum


def step(chunks, pointers, scalars, first, last):
    for c in range(first, last):
        tensor, start, count, row = chunks[c]
{arrays}
{scalars}
        for i in range(count):
{loop}
'''


def emit(plan: Plan, title: str, dtype: str) -> str:
    """Return the text of a Python module whose function `step` Numba can compile.

    Args:
        plan: what to compute.
        title: the rule's name, for the docstring; any text.
        dtype: `float32` or `float64`: of weights, gradients, state and the computation.
    """
    names = _names(plan)
    inner = [f"{names[node]} = {_expression(node, names)}" for node in (*_kept(plan), *plan.loop)]
    inner += [f"{_array(name)}[i] = {names[node]}" for name, node in plan.outputs.items() if node.value != name]
    return _TEXT.format(
        title=re.sub(r"\W", "_", title),
        dtype=dtype,
        reads=len(plan.reads),
        writes=len(plan.outputs),
        bytes=plan.bytes_per_weight(4 if dtype == "float32" else 8),
        arrays=_lines(
            8, [f"{_array(name)} = array(pointers[tensor, {k}], start, count)" for k, name in enumerate(plan.arrays)]
        ),
        scalars=_lines(8, [f"{names[node]} = {dtype}(scalars[row, {k}])" for k, node in enumerate(plan.hoisted)]),
        loop=_lines(12, inner),
    )


def _array(name: str) -> str:
    """Return what an array is called: no slot's name can be that of something else in the text."""
    return name.replace(".", "_")


def _kept(plan: Plan) -> tuple[Node, ...]:
    """Return the inputs that become another array's new value: read before anything is written."""
    return tuple(
        dict.fromkeys(node for name, node in plan.outputs.items() if node.op == "array" and node.value != name)
    )


def _names(plan: Plan) -> dict[Node, str]:
    """Return what each node is called in the text."""
    inputs = {arg for node in plan.loop for arg in node.args if arg.op == "array"}
    return {
        **{node: f"c{k}" for k, node in enumerate(plan.hoisted)},
        **{node: f"{_array(node.value)}[i]" for node in inputs},
        **{node: f"x{k}" for k, node in enumerate((*_kept(plan), *plan.loop))},
    }


def _expression(node: Node, names: dict[Node, str]) -> str:
    if node.op == "array":
        return f"{_array(node.value)}[i]"
    return SPELLING[node.op].format(*(names[arg] for arg in node.args))


def _lines(indent: int, lines: list[str]) -> str:
    return "\n".join(" " * indent + line for line in lines)
