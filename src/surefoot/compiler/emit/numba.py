"""A plan as the text of a Numba kernel: one loop over memory that reads each array once and writes each once.

The kernel goes through chunks of tensors, all tensors of a step in one call. Arrays in half precision are 16-bit
integers to it, and conversions of `engines/pointers.py` at their borders. Numba contracts nothing into fused
multiply-adds unless told to, so the kernel equals NumPy to the last bit.
"""

from __future__ import annotations

import re
from textwrap import wrap

from surefoot.compiler.emit.kernel import converted, indent, parts, rounded, spelled
from surefoot.compiler.emit.walk import CHOICE, COMPARISON, INFIX, Language, Spelling
from surefoot.compiler.plan import COMPUTE, HALF, Kinds, Plan

LANGUAGE = Language(
    "Numba",
    {
        **INFIX,
        "sqrt": Spelling("sqrt({})"),
        "maximum": Spelling("maximum({}, {})"),
        "minimum": Spelling("minimum({}, {})"),
        "where": Spelling("{1} if {0} else {2}", CHOICE, (COMPARISON, COMPARISON, CHOICE)),
    },
    array=spelled,
)
"""Each operation in Python as Numba compiles it; `maximum` and `minimum` let NaN win, as NumPy's do."""

IMPORTS = {
    "math": ("sqrt",),
    "numba": ("float32", "float64"),
    "surefoot.engines.pointers": (
        "array_float32",
        "array_float64",
        "array_half",
        "from_bfloat16",
        "from_float16",
        "maximum",
        "minimum",
        "random_bits",
        "to_bfloat16",
        "to_bfloat16_at_random",
        "to_float16",
    ),
}
"""What a kernel may call, and where it is."""

WIDTH = 100

_TEXT = '''\
"""{doc}"""

{imports}


def step(chunks, pointers, strides, scalars, keys, first, last):
    for c in range(first, last):
        tensor, start, count, row, number = chunks[c]
{before}
        for i in range(count):
{loop}
'''


def emit(plan: Plan, title: str, kinds: Kinds, *, stochastic: bool = False, strided: bool = False) -> str:
    """Return the text of a Python module whose function `step` Numba can compile.

    Its arguments: `chunks`, int64, five numbers a chunk (tensor, first weight, number of weights, row of scalars, and
    the first weight's number for random rounding); `pointers`, int64, the address of each array of each tensor, in the
    order of `plan.arrays`; `strides`, int64, how many numbers apart neighbours are in each of them; `scalars`, float64,
    one row of `plan.host` for each setting; `keys`, int64, each tensor's key of random rounding, 32 bits; `first` and
    `last`, the chunks to go through.

    Args:
        plan: what to compute.
        title: the rule's name, for the docstring; any text.
        kinds: of the arrays.
        stochastic: round every bfloat16 array that is written at random, in proportion; else `keys` is not read.
        strided: neighbours may be apart; else `strides` is not read.
    """
    made, each = parts(plan, title, kinds, LANGUAGE), plan.kinds(kinds)
    compute = COMPUTE[each["w"]]
    at = {name: f"at_{spelled(name)}[i{_stride(name, strided)}]" for name in each}
    random = "random_bits(number, i, key, {})" if stochastic else ""
    before = [line for k, (name, kind) in enumerate(each.items()) for line in _found(k, name, kind, strided)]
    before += [f"c{k} = {compute}(scalars[row, {k}])  # {comment}" for k, comment in enumerate(made.scalars)]
    before += ["key = keys[tensor]"] if stochastic else []
    loop = [f"{spelled(name)} = {converted(at[name], each[name], compute, _spell)}" for name in plan.reads]
    loop += made.loop
    loop += [
        f"{at[name]} = {rounded(value, compute, each[name], _spell, random.format(k))}"
        for k, (name, value) in enumerate(made.results.items())
    ]
    imports = _imports("\n".join(before + loop))
    return _TEXT.format(doc=made.doc, imports=imports, before=indent(8, before), loop=indent(12, loop))


def _found(column: int, name: str, kind: str, strided: bool) -> list[str]:
    """Return the lines that find an array in memory."""
    stride = [f"stride_{spelled(name)} = strides[tensor, {column}]"] if strided else []
    array = "array_half" if kind in HALF else f"array_{kind}"
    return [*stride, f"at_{spelled(name)} = {array}(pointers[tensor, {column}], start{_stride(name, strided)}, count)"]


def _stride(name: str, strided: bool) -> str:
    return f" * stride_{spelled(name)}" if strided else ""


def _spell(text: str, old: str, new: str) -> str:
    if old in HALF:
        return f"from_{old}({text})"
    return f"to_{new}({text})" if new in HALF else f"{new}({text})"


def _imports(text: str) -> str:
    """Return the imports that the text needs."""
    called = set(re.findall(r"(\w+)\(", re.sub("#.*", "", text)))  # comments tell of the host's functions
    used = {module: [name for name in names if name in called] for module, names in IMPORTS.items()}
    return "\n".join(_wrapped(f"from {module} import {', '.join(names)}") for module, names in used.items() if names)


def _wrapped(line: str) -> str:
    """Break an import that is too long for a line."""
    if len(line) <= WIDTH:
        return line
    start, _, names = line.partition("import ")
    return f"{start}import (\n{indent(4, wrap(names, WIDTH - 4))}\n)"
