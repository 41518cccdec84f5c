"""Check the GPU engine in Triton's interpreter, in a process of its own: `python gpu_interpreter.py OUT`.

The interpreter is chosen by an environment variable when `triton` is first imported, for the whole process. OUT gets a
pickle: for each case what went wrong, if anything.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np

import gpu_capture  # noqa: F401  adds its cases
from gpu_steps import CASES


def main() -> None:
    out = Path(sys.argv[1])
    assert os.environ["TRITON_INTERPRET"] == "1"
    warnings.simplefilter("error")
    np.seterr(all="ignore")  # the interpreter computes in NumPy, which warns of what a GPU just does
    results = {}
    for name, check in CASES.items():
        results[name] = ""
        try:
            check()
        except Exception:
            results[name] = traceback.format_exc()
    out.write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main()
