"""Check every Triton kernel in Triton's interpreter, in its own process: `python triton_interpreter.py OUT`.

The interpreter is chosen by an environment variable when `triton` is first imported, for the whole process. OUT gets
a pickle: for each case what went wrong, if anything.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np

import interpreter
from kernel_cases import STEPS, Case, Kernel
from settings import FORMS, FUSED, Setting, setting
from signed import signed, worded
from surefoot.compiler.emit.triton import emit

BLOCK = 32
"""Weights in a chunk: some tensors have fewer, one has more."""

PLAIN = [setting(name) for name in FORMS]
ADAMW = setting("adamw")


def one_of_each_text(cases: Iterable[Case]) -> list[Case]:
    """Leave out a kernel that is there already: its text names every scalar's formula, so only numbers differ."""
    found: dict[tuple[str, ...], Case] = {}
    for case in cases:
        found.setdefault(tuple(case.texts(emit)), case)
    return [*found.values()]


CASES = [
    *one_of_each_text(Case(each, "float32") for each in FUSED if each.framework == "torch" or each.rule.name in FORMS),
    *(Case(Setting(rule, "torch", {}), kind) for rule in (signed, worded) for kind in ("float32", "float64")),
    *(Case(setting, kind) for kind in ("float64", "bfloat16", "float16") for setting in PLAIN),
    *(Case(setting, "bfloat16", stochastic=True) for setting in PLAIN),
    Case(ADAMW, {"w": "float32", "g": "float32", "state.m": "bfloat16", "state.v": "float16"}, stochastic=True),
    Case(ADAMW, {"w": "bfloat16", "g": "float32", "state.m": "bfloat16", "state.v": "float32"}, stochastic=True),
    Case(ADAMW, {"w": "float64", "g": "float32", "state.m": "bfloat16", "state.v": "float16"}),
    Case(ADAMW, {"w": "float16", "g": "float64", "state.m": "float64", "state.v": "bfloat16"}, stochastic=True),
    Case(ADAMW, "float32", strides={"w": 2, "g": 0, "state.m": 1, "state.v": 3}),
    Case(ADAMW, "bfloat16", stochastic=True, strides={"w": 3, "g": 2, "state.m": 1, "state.v": 2}),
]
"""Every text of torch's convention in float32, of some rules that of all conventions; every operation in the other
kinds of numbers, arrays of different kinds, neighbours apart."""


def check(case: Case, path: Path) -> None:
    """Compare a case's kernels with the rule, in the steps that the interpreter has time for."""
    kernels = [stage(text, path.with_stem(f"{path.stem}_{k}")) for k, text in enumerate(case.texts(emit))]
    case.check(kernels, BLOCK, (1, STEPS))


def stage(text: str, path: Path) -> Kernel:
    """Return the kernel of a text, which Triton reads from a file."""
    import torch

    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def step(*tables: np.ndarray) -> None:
        module.step[(len(tables[0]),)](*map(torch.tensor, tables), BLOCK=BLOCK)

    return step


if __name__ == "__main__":
    folder = Path(sys.argv[1]).parent
    interpreter.main({str(case): partial(check, case, folder / f"kernel_{k}.py") for k, case in enumerate(CASES)})
