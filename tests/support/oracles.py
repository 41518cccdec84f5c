"""Independent implementations: one adapter per outside library, all with one signature.

An oracle takes the name of the thing it runs, its keyword arguments, the gradients (a row a step), the weights before
the first step and, optionally, the learning rate of each step, and which weights are a tensor; it returns the weights
after each step. Everything is float64, and each library's own code does the work: torch's and the AdaBound authors'
step by step, Keras's and optax's inside one compiled `jax.lax.scan`, which the next run with the same arguments takes
again. None of them sees anything of Surefoot.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np

from package_runs import float64
from papers import PAPERS
from papers_modern import MODERN


def run(
    call: str,
    kwargs: Mapping[str, Any],
    gradients: np.ndarray,
    start: np.ndarray,
    rates: np.ndarray | None = None,
    tensors: Sequence[slice] = (slice(None),),
) -> np.ndarray:
    """Run `torch.optim.X`, `adabound.AdaBound`, `optimi.X`, `keras.optimizers.X`, `optax.x` or `paper.x`."""
    library, _, name = call.rpartition(".")
    rows, starts = [gradients[:, part] for part in tensors], [start[part] for part in tensors]
    if library == "paper":
        paths = [(PAPERS | MODERN)[name].run(kwargs, *each, rates) for each in zip(rows, starts, strict=True)]
    else:
        make = getattr(importlib.import_module(library), name)
        paths = _ADAPTERS[library](make, fold(kwargs), rows, starts, rates)
    path = np.concatenate(paths, axis=1)
    assert path.dtype == np.float64
    return path


def fold(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Gather `betas[0]` and `betas[1]` into the tuple that torch takes."""
    plain = {name: value for name, value in kwargs.items() if "[" not in name}
    for name in kwargs:
        if found := re.fullmatch(r"(\w+)\[\d\]", name):
            plain[found[1]] = (kwargs[f"{found[1]}[0]"], kwargs[f"{found[1]}[1]"])
    return plain


def _torch(make: Callable[..., Any], kwargs: dict[str, Any], gradients, starts, rates) -> list[np.ndarray]:
    import torch

    parameters = [torch.tensor(start, requires_grad=True) for start in starts]
    paths, rows = [np.empty_like(part) for part in gradients], [torch.tensor(part) for part in gradients]
    with float64(), warnings.catch_warnings():
        optimizer = make(parameters, **kwargs)
        # The official AdaBound package calls add_, addcmul_ and add with their arguments in the order of 2019.
        warnings.filterwarnings("ignore", message="This overload of add", category=UserWarning)
        for i in range(len(gradients[0])):
            if rates is not None:
                optimizer.param_groups[0]["lr"] = float(rates[i])
            for parameter, row in zip(parameters, rows, strict=True):
                parameter.grad = row[i]
            optimizer.step()
            for parameter, path in zip(parameters, paths, strict=True):
                path[i] = parameter.detach().numpy()
    return paths


def _torch_loop(make: Callable[..., Any], kwargs: dict[str, Any], *rest: Any) -> list[np.ndarray]:
    return _torch(make, {**kwargs, "foreach": False}, *rest)


def _keras(make: Callable[..., Any], kwargs: dict[str, Any], gradients, starts, rates) -> list[np.ndarray]:
    with _keras_float64():
        program, state, rate = _keras_program(make, tuple(kwargs.items()), tuple(start.shape for start in starts))
        return program(starts, state, gradients, np.full(len(gradients[0]), rate) if rates is None else rates)


@lru_cache(maxsize=1)
def _keras_program(make: Callable[..., Any], kwargs: tuple, shapes: tuple) -> tuple[Callable[..., Any], list, float]:
    """Return what runs an optimizer, its state before the first step, and its learning rate."""
    import jax
    import keras

    optimizer = make(**dict(kwargs))
    optimizer.build([keras.Variable(np.zeros(shape), dtype="float64") for shape in shapes])
    rate_index = [v.path.endswith("learning_rate") for v in optimizer.variables].index(True)
    first = [v.value for v in optimizer.variables]

    def step(carry: Any, row: Any) -> Any:
        weights, state = carry
        gradients, rate = row
        state = [rate if i == rate_index else value for i, value in enumerate(state)]
        weights, state = optimizer.stateless_apply(state, gradients, weights)
        return (weights, state), weights

    def path(starts: Any, state: Any, gradients: Any, rates: Any) -> Any:
        return jax.lax.scan(step, (starts, state), (gradients, rates))[1]

    return jax.jit(path), first, float(first[rate_index])


@contextmanager
def _keras_float64() -> Iterator[None]:
    """Make Keras keep its learning rate and its constants in float64; other tests see the float they had."""
    import keras

    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def _optax(make: Callable[..., Any], kwargs: dict[str, Any], gradients, starts, rates) -> list[np.ndarray]:
    return _optax_program(make, tuple(kwargs.items()), rates is not None)(starts, gradients, rates)


@lru_cache(maxsize=1)
def _optax_program(make: Callable[..., Any], kwargs: tuple, scheduled: bool) -> Callable[..., Any]:
    import jax
    import optax

    def path(starts: Any, gradients: Any, rates: Any) -> Any:
        schedule = {"learning_rate": lambda count: rates[count]} if scheduled else {}
        transformation = make(**{**dict(kwargs), **schedule})

        def step(carry: Any, row: Any) -> Any:
            weights, state = carry
            moves, state = transformation.update(row, state, weights)
            weights = optax.apply_updates(weights, moves)
            return (weights, state), weights

        return jax.lax.scan(step, (starts, transformation.init(starts)), gradients)[1]

    return jax.jit(path)


_ADAPTERS = {
    "torch.optim": _torch_loop,
    "adabound": _torch,
    "optimi": _torch,
    "keras.optimizers": _keras,
    "optax": _optax,
    "optax.contrib": _optax,
}
