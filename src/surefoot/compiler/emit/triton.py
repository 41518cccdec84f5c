"""A plan as the text of a Triton kernel: one launch for all tensors, each array read and written once.

Each program takes one chunk, so a step is one launch, however many tensors there are, and a captured CUDA graph stays
valid while the tables stay where they are. bfloat16 numbers are integers to it, converted as `engines/pointers.py`
does: the same bits on every GPU, on the CPU and in Triton's interpreter. Division and square root are the correctly
rounded ones; launched with `enable_fp_fusion=False` the kernel contracts nothing into fused multiply-adds.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from surefoot.compiler.arctan import ABOVE, BELOW, HALF, HALF_REST, KINK
from surefoot.compiler.emit.kernel import commented, converted, indent, parts, rounded, spelled
from surefoot.compiler.emit.walk import CHOICE, INFIX, SUM, Language, Spelling, called
from surefoot.compiler.kernel_plan import BLOCKWISE, Kinds, Plan
from surefoot.errors import UsageError

FLOAT64 = Language(
    "Triton",
    {
        **INFIX,
        **called(sqrt="tl.sqrt", sign="sign", abs="tl.abs", atan2="atan2"),
        "maximum": Spelling("tl.maximum({}, {}, tl.PropagateNan.ALL)"),
        "minimum": Spelling("tl.minimum({}, {}, tl.PropagateNan.ALL)"),
        "where": Spelling("tl.where({} != 0, {}, {})", needs=(SUM, CHOICE, CHOICE)),
    },
    array=spelled,
)
"""`maximum` and `minimum` let NaN win, as NumPy's do. A condition may be a number from the host."""

FLOAT32 = Language(
    "Triton",
    {
        **FLOAT64.table,
        "truediv": Spelling("tl.div_rn({}, {})", needs=(CHOICE, CHOICE)),
        "sqrt": Spelling("tl.sqrt_rn({})"),
    },
    array=spelled,
)
"""In float32 Triton's own `/` and `sqrt` are approximate."""


def _polynomial(factors: Sequence[float]) -> str:
    """Return a polynomial in `q` as text, its highest power first."""
    return functools.reduce(lambda sum_so_far, factor: f"({sum_so_far} * q + {factor})", map(str, factors))


FUNCTIONS = {
    "from_bfloat16": """
@triton.jit
def from_bfloat16(bits):
    return (bits.to(tl.uint32) << 16).to(tl.float32, bitcast=True)
""",
    "to_bfloat16": """
@triton.jit
def to_bfloat16(x):
    bits = x.to(tl.uint32, bitcast=True)
    nearest = bits + 0x7FFF + ((bits >> 16) & 1)
    return (tl.where(x == x, nearest, bits | 0x400000) >> 16).to(tl.uint16)
""",
    "to_bfloat16_at_random": """
@triton.jit
def to_bfloat16_at_random(x, random):
    bits = x.to(tl.uint32, bitcast=True)
    return (tl.where(x == x, bits + (random & 0xFFFF), bits | 0x400000) >> 16).to(tl.uint16)
""",
    "sign": """
@triton.jit
def sign(x):
    return tl.where(x > 0, 1.0, tl.where(x < 0, -1.0, x + 0.0))
""",
    "atan2": f"""
@triton.jit
def atan2(y, x):
    y64, x64 = y.to(tl.float64), x.to(tl.float64)
    high, far = tl.abs(y64), tl.abs(x64)
    low, top = tl.where(high > far, far, high), tl.where(high > far, high, far)
    slope = tl.where(high + far == 0, 0.0, tl.where(low == top, 1.0, low / top))
    z = tl.where(slope > {KINK}, (slope - 1) / (slope + 1), slope)
    q = z * z
    above = {_polynomial(ABOVE)} * q
    below = {_polynomial((1, *BELOW))}
    angle = z * (above / below) + z
    angle = tl.where(slope > {KINK}, {HALF / 2} + (angle + {HALF_REST / 2}), angle)
    steep, left = high > far, x64.to(tl.int64, bitcast=True) < 0
    quarters = tl.where(steep, 1.0, tl.where(left, 2.0, 0.0)).to(tl.float64)
    angle = quarters * {HALF} + (tl.where(steep != left, -angle, angle) + quarters * {HALF_REST})
    return tl.where(y64.to(tl.int64, bitcast=True) < 0, -angle, angle).to(y.dtype)
""",
    "random_bits": """
@triton.jit
def random_bits(number, key, k: tl.constexpr):
    h = number * 0x9E3779B1 + key + (k * 0x85EBCA77 & 0xFFFFFFFF)
    h = (h ^ (h >> 16)) * 0x85EBCA6B
    h = (h ^ (h >> 13)) * 0xC2B2AE35
    return h ^ (h >> 16)
""",
}
"""Functions of a kernel. Rounding keeps a NaN by a bit that survives the loss of its lower half."""

_TEXT = '''\
"""{doc}"""

import triton
import triton.language as tl
{functions}

@triton.jit
def step(chunks, pointers, strides, scalars, keys, BLOCK: tl.constexpr):
    chunk = chunks + 5 * tl.program_id(0).to(tl.int64)
    tensor, start, count, row = tl.load(chunk), tl.load(chunk + 1), tl.load(chunk + 2), tl.load(chunk + 3)
    inside = tl.arange(0, BLOCK)
    mask = inside < count
{body}
'''


def emit(plan: Plan, title: str, kinds: Kinds, *, stochastic: bool = False, strided: bool = False) -> str:
    """Return the text of a Python module whose kernel `step` takes one program for each chunk.

    Its arguments: `chunks`, int64, five numbers a chunk (tensor, first weight, number of weights up to `BLOCK`, row of
    scalars, and the first weight's number for random rounding); `pointers`, int64, the address of each array of each
    tensor, in the order of `plan.arrays`; `strides`, int64, how many numbers apart neighbours are in each of them;
    `scalars`, float64, one row of `plan.host` for each setting; `keys`, int64, each tensor's key of random rounding, 32
    bits; `BLOCK`, a power of two.

    Args:
        plan: what to compute.
        title: the rule's name, for the docstring; any text.
        kinds: of the arrays.
        stochastic: round every bfloat16 array that is written at random, in proportion; else `keys` is not read.
        strided: neighbours may be apart; else `strides` is not read.

    Raises:
        UsageError: an array is in 8 bits.
    """
    each = plan.kinds(kinds)
    if any(kind in BLOCKWISE for kind in each.values()):
        raise UsageError("there is no Triton kernel yet for state in 8 bits; take engine='eager', or other state.")
    compute = plan.compute(kinds)
    made = parts(plan, title, kinds, FLOAT64 if compute == "float64" else FLOAT32)
    body = [
        line
        for k, meaning in enumerate(made.scalars)
        for line in commented(f"c{k} = tl.load(scalars + {len(made.scalars)} * row + {k}).to(tl.{compute})", meaning)
    ]
    random = "random_bits(number, key, {})" if stochastic else ""
    if stochastic:
        body.append("number = (tl.load(chunk + 4) + inside).to(tl.uint32)")
        body.append("key = tl.load(keys + tensor).to(tl.uint32)")
    columns = len(each)
    body += [line for k, (name, kind) in enumerate(each.items()) for line in _found(k, columns, name, kind, strided)]
    body += [
        f"{spelled(name)} = {converted(f'tl.load(at_{spelled(name)}, mask)', each[name], compute, _spell)}"
        for name in plan.reads
    ]
    body += made.loop
    body += [
        f"tl.store(at_{spelled(name)}, {rounded(value, compute, each[name], _spell, random.format(k))}, mask)"
        for k, (name, value) in enumerate(made.results.items())
    ]
    if made.sums:
        body.append(f"sums = tl.load(keys).to(tl.pointer_type(tl.float64)) + {len(made.sums)} * tl.program_id(0)")
    body += [
        f"tl.store(sums + {k}, tl.sum(tl.where(mask, ({value}).to(tl.float64), 0.0)))"
        for k, value in enumerate(made.sums)
    ]
    text = indent(4, body)
    called = set(re.findall(r"(\w+)\(", text))
    functions = "".join(f"\n{function}" for name, function in FUNCTIONS.items() if name in called)
    return _TEXT.format(doc=made.doc, functions=functions, body=text)


def _found(column: int, columns: int, name: str, kind: str, strided: bool) -> list[str]:
    name, number, cell = spelled(name), "uint16" if kind == "bfloat16" else kind, f"{columns} * tensor + {column}"
    start = f"at_{name} = tl.load(pointers + {cell}).to(tl.pointer_type(tl.{number}))"
    if not strided:
        return [f"{start} + start + inside"]
    return [f"stride_{name} = tl.load(strides + {cell})", f"{start} + (start + inside) * stride_{name}"]


def _spell(text: str, old: str, new: str) -> str:
    if old == "bfloat16":
        return f"from_bfloat16({text})"
    return f"to_bfloat16({text})" if new == "bfloat16" else f"{text}.to(tl.{new})"
