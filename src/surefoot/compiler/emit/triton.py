"""A plan as the text of a Triton kernel: one launch for all tensors, which reads each array once and writes each once.

Each program takes one chunk: the tables say of a chunk its tensor, its first weight, how many weights it has, and the
row of its scalars; of a tensor the address of each array. So a step is one launch, however many tensors there are, and
a captured CUDA graph stays valid while the tables stay where they are. Arrays in half precision are computed in
float32. Division and square root are the correctly rounded ones; launched with `enable_fp_fusion=False` the kernel
contracts nothing into fused multiply-adds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from surefoot.compiler.emit.walk import CHOICE, INFIX, PYTHON, SUM, Language, Spelling, lines, write
from surefoot.compiler.plan import Plan

SIZES = {"float32": 4, "float64": 8, "bfloat16": 2, "float16": 2}
"""Bytes of a number of each kind that weights may have."""


def _name(array: str) -> str:
    """Return what an array is called: no slot's name can be that of something else in the text."""
    return array.replace(".", "_")


FLOAT64 = Language(
    "Triton",
    {
        **INFIX,
        "sqrt": Spelling("tl.sqrt({})"),
        "maximum": Spelling("tl.maximum({}, {}, tl.PropagateNan.ALL)"),
        "minimum": Spelling("tl.minimum({}, {}, tl.PropagateNan.ALL)"),
        "where": Spelling("tl.where({} != 0, {}, {})", needs=(SUM, CHOICE, CHOICE)),
    },
    array=_name,
)
"""`maximum` and `minimum` let NaN win, as NumPy's do; a condition may be a number from the host."""

FLOAT32 = Language(
    "Triton",
    {
        **FLOAT64.table,
        "truediv": Spelling("tl.div_rn({}, {})", needs=(CHOICE, CHOICE)),
        "sqrt": Spelling("tl.sqrt_rn({})"),
    },
    array=_name,
)
"""In float32 Triton's own `/` and `sqrt` are approximate."""

_TEXT = '''\
"""One step of {title} in {dtype}: {reads} arrays read and {writes} written, {bytes} bytes a weight."""

import triton
import triton.language as tl


@triton.jit
def step(chunks, pointers, scalars, BLOCK: tl.constexpr):
    chunk = chunks + 4 * tl.program_id(0).to(tl.int64)
    tensor, start, count, row = tl.load(chunk), tl.load(chunk + 1), tl.load(chunk + 2), tl.load(chunk + 3)
    inside = tl.arange(0, BLOCK)
    mask = inside < count
{scalars}
{addresses}
{loads}
{loop}
{stores}
'''


def emit(plan: Plan, title: str, dtype: str) -> str:
    """Return the text of a Python module whose kernel `step` takes one program for each chunk.

    Its arguments: `chunks`, int64, four numbers a chunk (tensor, first weight, number of weights up to `BLOCK`, row);
    `pointers`, int64, the address of each array of each tensor, in the order of `plan.arrays`; `scalars`, float64,
    one row of `plan.host` for each setting; `BLOCK`, a power of two.

    Args:
        plan: what to compute.
        title: the rule's name, for the docstring; any text.
        dtype: `float32`, `float64`, `bfloat16` or `float16`: of weights, gradients and state.
    """
    compute = "float64" if dtype == "float64" else "float32"
    language = FLOAT64 if compute == "float64" else FLOAT32
    arrays, columns = plan.arrays, len(plan.hoisted)
    names = {node: f"c{k}" for k, node in enumerate(plan.hoisted)}
    inner, names = lines(
        plan.loop, {f"new_{_name(name)}": node for name, node in plan.outputs.items()}, names, language
    )
    comments = [write(node, {}, PYTHON) for node in plan.hoisted]
    return _TEXT.format(
        title=re.sub(r"\W", "_", title),
        dtype=dtype,
        reads=len(plan.reads),
        writes=len(plan.outputs),
        bytes=plan.bytes_per_weight(SIZES[dtype]),
        scalars=_indent(
            f"c{k} = tl.load(scalars + {columns} * row + {k}).to(tl.{compute})  # {comment}"
            for k, comment in enumerate(comments)
        ),
        addresses=_indent(
            f"at_{_name(name)} = tl.load(pointers + {len(arrays)} * tensor + {k}).to(tl.pointer_type(tl.{dtype}))"
            " + start + inside"
            for k, name in enumerate(arrays)
        ),
        loads=_indent(f"{_name(name)} = tl.load(at_{_name(name)}, mask).to(tl.{compute})" for name in plan.reads),
        loop=_indent(f"{name} = {text}" for name, text in inner),
        stores=_indent(
            f"tl.store(at_{_name(name)}, {write(node, names, language)}.to(tl.{dtype}), mask)"
            for name, node in plan.outputs.items()
        ),
    )


def _indent(made: Iterable[str]) -> str:
    return "\n".join("    " + line for line in made)
