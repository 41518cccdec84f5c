"""Cases that run in Triton's interpreter, in a process of their own: `python THE_CASES.py OUT`.

The interpreter is chosen by an environment variable when `triton` is first imported, for the whole process. OUT gets a
pickle: for each case what went wrong, if anything.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np


def results(script: str, folder: Path) -> dict[str, str]:
    """What went wrong in each case of a script beside this one."""
    out = folder / "results.pickle"
    command = [sys.executable, str(Path(__file__).with_name(script)), str(out)]
    done = subprocess.run(command, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return pickle.loads(out.read_bytes())


def main(cases: Mapping[str, Callable[[], None]]) -> None:
    """Run every case, by its name."""
    assert os.environ["TRITON_INTERPRET"] == "1"
    warnings.simplefilter("error")
    np.seterr(all="ignore")  # the interpreter computes in NumPy, which warns of what a GPU just does
    found = {}
    for name, check in cases.items():
        found[name] = ""
        try:
            check()
        except Exception:
            found[name] = traceback.format_exc()
    Path(sys.argv[1]).write_bytes(pickle.dumps(found))
