"""The cases of the GPU engine, to be run in Triton's interpreter: see `interpreter.py`."""

import gpu_capture  # noqa: F401  adds its cases
import interpreter
from gpu_steps import CASES

if __name__ == "__main__":
    interpreter.main(CASES)
