"""The common parts of CPU and GPU kernels: Python text that reads, computes and writes in one order.

An array `state.m` is `state_m` where it was read, `new_state_m` where it is computed and `at_state_m` in memory, so no
slot's name can be that of something else in the text. All arrays are read before anything is written: a rule may give
one slot another's old value. Half precision goes through float32, in which every number of it has its place. The kernel
of a stage of sums writes, for each chunk, what its weights add up to, in float64, to the address that stands in the
place of the first key. That of a stage before products of matrices writes the matrix, an array like the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap

from surefoot.compiler.emit.walk import PYTHON, Language, lines, write
from surefoot.compiler.kernel_plan import HALF, Kinds, Plan

LINE = 108
"""Columns of a line of code with its comment, without its indentation."""


@dataclass(frozen=True)
class Parts:
    """The text of a kernel except for its memory access.

    Attributes:
        doc: what it does, in a line.
        scalars: of each scalar argument `c0`, `c1`, ... what the host has computed.
        loop: the lines that compute.
        results: the new value of each output.
        sums: what is added up for each sum.
    """

    doc: str
    scalars: tuple[str, ...]
    loop: tuple[str, ...]
    results: dict[str, str]
    sums: tuple[str, ...]


def spelled(array: str) -> str:
    """Return what an array's value is called in the text."""
    return array.replace(".", "_")


def parts(plan: Plan, title: str, kinds: Kinds, language: Language) -> Parts:
    """Write what a plan computes.

    Args:
        plan: what to compute.
        title: the rule's name; any text.
        kinds: of the arrays.
        language: how; its arrays are spelled as `spelled` does.
    """
    known = {node: f"c{k}" for k, node in enumerate(plan.hoisted)}
    new = {f"new_{spelled(name)}": node for name, node in plan.outputs.items()}
    made, names = lines(plan.loop, new, known, language)
    return Parts(
        doc=_doc(plan, title, kinds),
        scalars=tuple(write(node, {}, PYTHON) for node in plan.hoisted),
        loop=tuple(f"{name} = {text}" for name, text in made),
        results={name: write(node, names, language) for name, node in plan.outputs.items()},
        sums=tuple(write(node, names, language) for node in plan.sums.values()),
    )


def _doc(plan: Plan, title: str, kinds: Kinds) -> str:
    each, name = plan.kinds(kinds), re.sub(r"\W", "_", title)
    main = kinds if isinstance(kinds, str) else kinds["w"]
    others = ", ".join(f"{spelled(array)}: {kind}" for array, kind in each.items() if kind != main)
    what = "Sums for one" if plan.sums else "Matrices for one" if plan.opaque else "One"
    return (
        f"{what} step of {name} in {main}{f' ({others})' if others else ''}: "
        f"{len(plan.reads)} arrays read and {len(plan.outputs)} written, {plan.bytes_per_weight(kinds)} bytes a weight."
    )


Spell = Callable[[str, str, str], str]
"""The conversion of a number in a target: from its text, its kind and the wanted kind."""


def converted(text: str, given: str, wanted: str, spell: Spell) -> str:
    """Return a number of one kind as another."""
    steps = [given, *("float32" for kind in (given, wanted) if kind in HALF), wanted]
    for old, new in pairwise(steps):
        text = text if old == new else spell(text, old, new)
    return text


def rounded(text: str, given: str, wanted: str, spell: Spell, random: str) -> str:
    """Return the same, rounded at random if there are random bits and bfloat16 is wanted."""
    if wanted != "bfloat16" or not random:
        return converted(text, given, wanted, spell)
    return f"to_bfloat16_at_random({converted(text, given, 'float32', spell)}, {random})"


def commented(code: str, meaning: str) -> list[str]:
    """Return a line of code with a comment behind it, or above it where that is long."""
    line = f"{code}  # {meaning}"
    return [line] if len(line) <= LINE else [*(f"# {part}" for part in wrap(meaning, LINE - 2)), code]


def indent(spaces: int, made: Iterable[str]) -> str:
    """Return lines of text, moved to the right."""
    return "\n".join(" " * spaces + line for line in made)
