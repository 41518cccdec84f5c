"""Independent implementations: one adapter per outside library, all with one signature.

An oracle takes the name of the thing it runs, its keyword arguments, the gradients (a row a step), the weights before
the first step and, optionally, the learning rate of each step; it returns the weights after each step. Everything is
float64, and each library's own code does the work: torch's and the AdaBound authors' step by step, Keras's and optax's
inside one compiled `jax.lax.scan`. None of them sees anything of Surefoot.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from package_runs import float64
from papers import PAPERS
from papers_modern import MODERN


def run(
    call: str, kwargs: Mapping[str, Any], gradients: np.ndarray, start: np.ndarray, rates: np.ndarray | None = None
) -> np.ndarray:
    """Run `torch.optim.X`, `adabound.AdaBound`, `optimi.X`, `keras.optimizers.X`, `optax.x` or `paper.x`."""
    library, _, name = call.rpartition(".")
    if library == "paper":
        return (PAPERS | MODERN)[name].run(kwargs, gradients, start, rates)
    make = getattr(importlib.import_module(library), name)
    path = _ADAPTERS[library](make, fold(kwargs), gradients, start, rates)
    assert path.dtype == np.float64
    return path


def fold(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Gather `betas[0]` and `betas[1]` into the tuple that torch takes."""
    plain = {name: value for name, value in kwargs.items() if "[" not in name}
    for name in kwargs:
        if found := re.fullmatch(r"(\w+)\[\d\]", name):
            plain[found[1]] = (kwargs[f"{found[1]}[0]"], kwargs[f"{found[1]}[1]"])
    return plain


def _torch(make: Callable[..., Any], kwargs: dict[str, Any], gradients, start, rates) -> np.ndarray:
    import torch

    parameter = torch.tensor(start, requires_grad=True)
    path, rows = np.empty_like(gradients), torch.tensor(gradients)
    with float64(), warnings.catch_warnings():
        optimizer = make([parameter], **kwargs)
        # The official AdaBound package calls add_, addcmul_ and add with their arguments in the order of 2019.
        warnings.filterwarnings("ignore", message="This overload of add", category=UserWarning)
        for i, gradient in enumerate(rows):
            if rates is not None:
                optimizer.param_groups[0]["lr"] = float(rates[i])
            parameter.grad = gradient
            optimizer.step()
            path[i] = parameter.detach().numpy()
    return path


def _torch_loop(make: Callable[..., Any], kwargs: dict[str, Any], *rest: Any) -> np.ndarray:
    return _torch(make, {**kwargs, "foreach": False}, *rest)


def _keras(make: Callable[..., Any], kwargs: dict[str, Any], gradients, start, rates) -> np.ndarray:
    import jax
    import keras

    def step(carry: Any, row: Any) -> Any:
        weight, state = carry
        gradient, rate = row
        state = [rate if i == rate_index else value for i, value in enumerate(state)]
        (weight,), state = optimizer.stateless_apply(state, [gradient], [weight])
        return (weight, state), weight

    with _keras_float64():
        optimizer = make(**kwargs)
        variable = keras.Variable(start, dtype="float64")
        optimizer.build([variable])
        rate_index = [v.path.endswith("learning_rate") for v in optimizer.variables].index(True)
        state = [v.value for v in optimizer.variables]
        if rates is None:
            rates = np.full(len(gradients), float(state[rate_index]))
        return _scan(jax, step, (variable.value, state), (gradients, rates))


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


def _optax(make: Callable[..., Any], kwargs: dict[str, Any], gradients, start, rates) -> np.ndarray:
    import jax
    import jax.numpy as jnp
    import optax

    if rates is not None:
        table = jnp.asarray(rates)
        kwargs = {**kwargs, "learning_rate": lambda count: table[count]}
    transformation = make(**kwargs)

    def step(carry: Any, gradient: Any) -> Any:
        weight, state = carry
        moves, state = transformation.update(gradient, state, weight)
        weight = optax.apply_updates(weight, moves)
        return (weight, state), weight

    weight = jnp.asarray(start)
    return _scan(jax, step, (weight, transformation.init(weight)), gradients)


def _scan(jax: Any, step: Callable[..., Any], carry: Any, rows: Any) -> np.ndarray:
    return np.asarray(jax.jit(lambda c, r: jax.lax.scan(step, c, r)[1])(carry, rows))


_ADAPTERS = {
    "torch.optim": _torch_loop,
    "adabound": _torch,
    "optimi": _torch,
    "keras.optimizers": _keras,
    "optax": _optax,
    "optax.contrib": _optax,
}
