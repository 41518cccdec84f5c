"""A training that goes on in another framework: the state of an optimizer in torch, optax or Keras, moved to another.

    progress = bridge.from_torch(optimizer)
    state = bridge.to_optax(progress, adam.init(params), adam)

A reader and a writer for each framework meet in one neutral form, `Handover`. Ours and the frameworks' own optimizers
are understood. Each of the six functions loads its framework when it is first asked for.

| file | concept |
| --- | --- |
| `handover.py` | the neutral form, and how it fits the optimizer that goes on |
| `torch.py`, `optax.py`, `keras.py` | each framework's reader and writer |
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from surefoot.bridge.handover import Handover, Meaning

if TYPE_CHECKING:
    from surefoot.bridge.keras import from_keras, to_keras
    from surefoot.bridge.optax import from_optax, to_optax
    from surefoot.bridge.torch import from_torch, to_torch

__all__ = ["Handover", "Meaning", "from_keras", "from_optax", "from_torch", "to_keras", "to_optax", "to_torch"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        framework = name.partition("_")[2]
        import_module(f"surefoot.{framework}")  # without the framework, it says what to install
        return getattr(import_module(f"surefoot.bridge.{framework}"), name)
    raise AttributeError(f"module 'surefoot.bridge' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
