"""Run every setting's Triton kernel in Triton's interpreter, in its own process: `python triton_interpreter.py OUT`.

The interpreter is chosen by an environment variable when `triton` is first imported, for the whole process. OUT gets
a pickle: for each dtype and setting the arrays after each step, with the memory around them.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from settings import SETTINGS, Setting

BLOCK = 32
SIZES = (1, 37, 32)
"""Weights in each tensor: less than a block, more, and exactly one."""

AROUND = 5
"""Numbers before and after each tensor, which no kernel may touch."""

STEPS = 3
LATE = 2
"""Steps that the last tensor has made before the others begin: it has a row of scalars of its own."""

LAST = len(SIZES) - 1

JOBS = [("float32", setting) for setting in SETTINGS] + [
    (dtype, setting)
    for dtype in ("float64", "bfloat16", "float16")
    for setting in SETTINGS
    if setting.framework == "torch" and not setting.options
]
"""Every setting in float32, and every rule in the other kinds of numbers."""


def inputs(slots: dict[str, float]) -> tuple[dict[str, list[np.ndarray]], list[np.ndarray]]:
    """Return weight and slots of each tensor before the first step, and each step's gradients of all tensors."""
    rng = np.random.default_rng(11)
    sizes = [size + 2 * AROUND for size in SIZES]
    start = {"w": [rng.standard_normal(n) for n in sizes]}
    start.update({f"state.{slot}": [np.full(n, value) for n in sizes] for slot, value in slots.items()})
    gradients = [rng.standard_normal(sum(sizes)) * rng.choice([0, 1e-4, 1], sum(sizes)) for _ in range(STEPS)]
    gradients[1][AROUND + 8 :: 17] = np.nan
    return start, [np.split(row, np.cumsum(sizes)[:-1]) for row in gradients]


def run(setting: Setting, dtype: str, folder: Path) -> list[dict[str, list[Any]]]:
    """Return the arrays of all tensors after each step, as float64."""
    import torch

    from surefoot.compiler.emit.triton import emit
    from surefoot.compiler.plan import plan
    from surefoot.compiler.trace import trace

    made = plan(trace(setting.rule, setting.hyper))
    path = folder / f"kernel_{SETTINGS.index(setting)}_{dtype}.py"
    path.write_text(emit(made, setting.rule.name, dtype), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    start, gradients = inputs(setting.rule.starts(setting.hyper))
    kind = getattr(torch, dtype)
    arrays = {name: [torch.tensor(a, dtype=kind) for a in values] for name, values in start.items()}
    chunks = torch.tensor(
        [(k, i, min(BLOCK, n - i), k == LAST) for k, n in enumerate(SIZES) for i in range(0, n, BLOCK)]
    )
    results = []
    for t, row in enumerate(gradients, start=1):
        arrays["g"] = [torch.tensor(g, dtype=kind) for g in row]
        tensors = [[arrays[name][k] for name in made.arrays] for k in range(len(SIZES))]
        pointers = torch.tensor([[a[AROUND:].data_ptr() for a in each] for each in tensors])
        scalars = [made.host({**setting.hyper, "t": t + late}) for late in (0, LATE)]
        module.step[(len(chunks),)](chunks, pointers, torch.tensor(scalars, dtype=torch.float64), BLOCK=BLOCK)
        results.append({name: [a.double().numpy().copy() for a in values] for name, values in arrays.items()})
    return results


def main() -> None:
    out = Path(sys.argv[1])
    assert os.environ["TRITON_INTERPRET"] == "1"
    warnings.simplefilter("error")
    np.seterr(all="ignore")
    results = {(dtype, str(setting)): run(setting, dtype, out.parent) for dtype, setting in JOBS}
    out.write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main()
