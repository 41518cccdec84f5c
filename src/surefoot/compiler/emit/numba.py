"""A plan as the text of a Numba kernel: one loop that reads and writes each array once.

The kernel goes through chunks of tensors, all tensors of a step in one call. Arrays in half precision are 16-bit
integers to it, and conversions of `engines/pointers.py` at their borders. State in 8 bits can be written only when the
largest value of its block is known: such a kernel goes block by block and keeps new state in between, in the first
cache. Numba contracts nothing into fused multiply-adds unless told to, so the kernel equals NumPy to the
last bit, but for `atan2` (see `compiler/arctan.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap

from surefoot.compiler.emit.kernel import commented, converted, indent, parts, rounded, spelled
from surefoot.compiler.emit.walk import CHOICE, COMPARISON, INFIX, Language, Spelling, called
from surefoot.compiler.kernel_plan import BLOCK, BLOCKWISE, HALF, Kinds, Plan

LANGUAGE = Language(
    "Numba",
    {
        **INFIX,
        **called(sqrt="sqrt", maximum="maximum", minimum="minimum", sign="sign", abs="abs", atan2="atan2"),
        "where": Spelling("{1} if {0} else {2}", CHOICE, (COMPARISON, COMPARISON, CHOICE)),
    },
    array=spelled,
)
"""Each operation in Python for Numba. `maximum` and `minimum` let NaN win, as NumPy's do."""

IMPORTS = {
    "math": ("sqrt",),
    "numba": ("float32", "float64"),
    "numpy": ("empty",),
    "surefoot.engines.pointers": (
        "array_codes",
        "array_float32",
        "array_float64",
        "array_half",
        "atan2",
        "from_bfloat16",
        "from_float16",
        "from_positive8",
        "from_signed8",
        "largest",
        "maximum",
        "minimum",
        "random_bits",
        "sign",
        "to_bfloat16",
        "to_bfloat16_at_random",
        "to_float16",
        "to_positive8",
        "to_signed8",
    ),
}
"""The names that a kernel may use, by module."""

LANES = 64
"""Independent partial sums of neighbours. They allow as many additions at a time, in a fixed order."""

WIDTH = 100

_TEXT = '''\
"""{doc}"""

{imports}


def step(chunks, pointers, strides, scalars, keys, first, last):
{body}
'''


def emit(plan: Plan, title: str, kinds: Kinds, *, stochastic: bool = False, strided: bool = False) -> str:
    """Return the text of a Python module whose function `step` Numba can compile.

    Its arguments: `chunks`, int64, five numbers a chunk (tensor, first weight, number of weights, row of scalars, and
    the first weight's number for random rounding); `pointers`, int64, the address of each array of each tensor, in the
    order of `plan.arrays`, then of the scales of those in 8 bits; `strides`, int64, how many numbers apart neighbours
    are in each of them; `scalars`, float64, one row of `plan.host` for each setting; `keys`, int64, each tensor's key
    of random rounding, 32 bits; `first` and `last`, the chunks to go through. A tensor with state in 8 bits is a dense
    run, and its chunks start at blocks.

    Args:
        plan: what to compute.
        title: the rule's name, for the docstring; any text.
        kinds: of the arrays.
        stochastic: round what is written in bfloat16 or 8 bits at random, in proportion; else `keys` is not read.
        strided: neighbours may be apart; else `strides` is not read.
    """
    made, each = parts(plan, title, kinds, LANGUAGE), plan.kinds(kinds)
    compute = plan.compute(kinds)
    at = {name: f"at_{spelled(name)}[i{_stride(name, strided)}]" for name in each}
    random = "random_bits(number, i, key, {})" if stochastic else ""
    found = [line for k, (name, kind) in enumerate(each.items()) for line in _found(k, name, kind, strided)]
    once = [
        line
        for k, meaning in enumerate(made.scalars)
        for line in commented(f"c{k} = {compute}(scalars[row, {k}])", meaning)
    ]
    once += ["key = keys[tensor]"] if stochastic else []
    loop = [f"{spelled(name)} = {_read(at[name], name, each[name], compute)}" for name in plan.reads]
    loop += made.loop
    encoded: dict[str, str] = {}
    for k, (name, value) in enumerate(made.results.items()):
        if each[name] in BLOCKWISE:
            loop.append(f"kept_{spelled(name)}[i] = {converted(value, compute, 'float32', _spell)}")
            encoded[name] = f"{at[name]} = {_encoded(name, each[name], random.format(k))}"
        else:
            loop.append(f"{at[name]} = {rounded(value, compute, each[name], _spell, random.format(k))}")
    blockwise = [name for name, kind in each.items() if kind in BLOCKWISE]
    loop += [f"lanes{k}[j] += float64({value})" for k, value in enumerate(made.sums)]
    if blockwise:
        names = "begin, weights, row, number_of_first"
        chunk = _by_block(found, once, _each(loop, made.sums), blockwise, encoded, len(each))
    else:
        names, chunk = "start, count, row, number", [*found, *once, *_each(loop, made.sums)]
    body = [
        *(f"kept_{spelled(name)} = empty({BLOCK}, float32)" for name in encoded),
        *(f"lanes{k} = empty({LANES}, float64)" for k in range(len(made.sums))),
        "for c in range(first, last):",
        f"    tensor, {names} = chunks[c]",
        *_inside(1, _added_up(chunk, len(made.sums))),
    ]
    return _TEXT.format(doc=made.doc, imports=_imports("\n".join(body)), body=indent(4, body))


def _each(loop: Sequence[str], sums: Sequence[str]) -> list[str]:
    """Return the loop over weights. Sums take several neighbours at a time."""
    if not sums:
        return ["for i in range(count):", *_inside(1, loop)]
    return [
        f"whole = count // {LANES} * {LANES}",
        f"for k in range(0, whole, {LANES}):",
        f"    for j in range({LANES}):",
        "        i = k + j",
        *_inside(2, loop),
        "for i in range(whole, count):",
        "    j = i - whole",
        *_inside(1, loop),
    ]


def _added_up(chunk: Sequence[str], sums: int) -> list[str]:
    """Return the lines for a chunk. Sums need lanes that start at 0 and are added one by one."""
    if not sums:
        return [*chunk]
    return [
        f"for j in range({LANES}):",
        *(f"    lanes{k}[j] = 0.0" for k in range(sums)),
        *chunk,
        f"sums = array_float64(keys[0], {sums} * c, {sums})",
        *(f"sums[{k}] = 0.0" for k in range(sums)),
        f"for j in range({LANES}):",
        *(f"    sums[{k}] += lanes{k}[j]" for k in range(sums)),
    ]


def _by_block(
    found: Sequence[str],
    once: Sequence[str],
    loop: Sequence[str],
    blockwise: Sequence[str],
    encoded: Mapping[str, str],
    columns: int,
) -> list[str]:
    """Return the lines that process a chunk block by block: compute, find the scales, encode.

    `loop` goes through a block's weights; `encoded` has for each array in 8 bits that is written the line that does it;
    `columns` of the table of pointers come before the scales.
    """
    names = {name: spelled(name) for name in blockwise}
    return [
        *once,
        f"for start in range(begin, begin + weights, {BLOCK}):",
        f"    count, number = min({BLOCK}, begin + weights - start), number_of_first + start - begin",
        *_inside(1, found),
        *(
            f"    scales_{name} = array_float32(pointers[tensor, {columns + k}], start // {BLOCK}, 1)"
            for k, name in enumerate(names.values())
        ),
        *(f"    scale_{name} = scales_{name}[0]" for name in names.values()),
        *_inside(1, loop),
        *(f"    scale_{names[name]} = largest(kept_{names[name]}, count)" for name in encoded),
        *(f"    scales_{names[name]}[0] = scale_{names[name]}" for name in encoded),
        *(["    for i in range(count):", *_inside(2, encoded.values())] if encoded else []),
    ]


def _inside(depth: int, made: Iterable[str]) -> list[str]:
    return ["    " * depth + line for line in made]


def _read(text: str, name: str, kind: str, compute: str) -> str:
    if kind in BLOCKWISE:
        text, kind = f"from_{kind}({text}, scale_{spelled(name)})", "float32"
    return converted(text, kind, compute, _spell)


def _encoded(name: str, kind: str, random: str) -> str:
    return f"to_{kind}(kept_{spelled(name)}[i], scale_{spelled(name)}{random and ', '}{random})"


def _found(column: int, name: str, kind: str, strided: bool) -> list[str]:
    stride = [f"stride_{spelled(name)} = strides[tensor, {column}]"] if strided else []
    array = "array_half" if kind in HALF else "array_codes" if kind in BLOCKWISE else f"array_{kind}"
    return [*stride, f"at_{spelled(name)} = {array}(pointers[tensor, {column}], start{_stride(name, strided)}, count)"]


def _stride(name: str, strided: bool) -> str:
    return f" * stride_{spelled(name)}" if strided else ""


def _spell(text: str, old: str, new: str) -> str:
    if old in HALF:
        return f"from_{old}({text})"
    return f"to_{new}({text})" if new in HALF else f"{new}({text})"


def _imports(text: str) -> str:
    words = set(re.findall(r"\w+", re.sub("#.*", "", text)))  # comments tell of the host's functions
    used = {module: [name for name in names if name in words] for module, names in IMPORTS.items()}
    return "\n".join(_wrapped(f"from {module} import {', '.join(names)}") for module, names in used.items() if names)


def _wrapped(line: str) -> str:
    """Break an import that is too long for a line."""
    if len(line) <= WIDTH:
        return line
    start, _, names = line.partition("import ")
    return f"{start}import (\n{indent(4, wrap(names, WIDTH - 4))}\n)"
