"""Surefoot: adaptive optimizers for deep learning, explained, verified and compared fairly.

`surefoot.torch` has the optimizers, `surefoot.rules` the maths, `surefoot.datasets` the data; each is loaded when it is
first used, and so is the framework that it needs.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_ROOMS = ("analysis", "conventions", "datasets", "errors", "report", "rules", "store", "torch")


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"surefoot.{name}")
    raise AttributeError(f"module 'surefoot' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted((*globals(), *_ROOMS))
