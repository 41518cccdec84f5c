"""The first step of a fresh process: a user's wait before training moves.

Each contender gets two processes, on the article's parameters: one whose caches of compiled code are empty, and one
that finds there what the first has left. Imports are not counted, making the optimizer and its first step are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from surefoot.bench.contenders import Contender
from surefoot.bench.result import FirstStep
from surefoot.errors import SurefootError

CACHES = ("XDG_CACHE_HOME", "TORCHINDUCTOR_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR")
"""The variables that name folders of compiled code: Surefoot's own, torch's and jax's."""

SET = "cnn"


def first_steps(case: str, contenders: Sequence[Contender], dtype: str, threads: int) -> list[FirstStep]:
    """Return the first step of each contender of a case, in processes of their own."""
    made = []
    for contender in contenders:
        with tempfile.TemporaryDirectory() as folder:
            empty, cached = (_process(case, contender.name, dtype, threads, Path(folder)) for _ in range(2))
        made.append(FirstStep(case, contender.name, contender.library, empty, cached))
    return made


def _process(case: str, name: str, dtype: str, threads: int, folder: Path) -> float:
    surroundings = {**os.environ, **{variable: str(folder / variable.lower()) for variable in CACHES}}
    arguments = json.dumps([case, name, dtype, threads])
    command = [sys.executable, "-m", "surefoot.bench.first_step", arguments]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SurefootError(f"the first step of {name} ({case}) could not be timed: {done.stderr.strip()}")
    return float(done.stdout.splitlines()[-1])


def _time_here(case: str, name: str, dtype: str, threads: int) -> float:
    import torch

    from surefoot.bench.arena import DTYPES, Arena
    from surefoot.bench.line_up import contenders
    from surefoot.bench.shapes import find_set

    torch.set_num_threads(threads)
    contender = next(one for one in contenders(case, compiled=True) if one.name == name)
    for module in contender.needs:
        import_module(module)
    arena = Arena(find_set(SET).shapes, DTYPES[dtype])
    start = time.perf_counter()
    contender.make(arena).step()
    return time.perf_counter() - start


if __name__ == "__main__":
    print(_time_here(*json.loads(sys.argv[1])))
