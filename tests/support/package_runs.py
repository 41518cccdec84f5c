"""Packages' own optimizers on given gradients of several tensors, in float64: what the modern oracles are held to.

Arrays are all weights as one vector, and what a package gets are the tensors of `SHAPES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

SHAPES = ((8, 6), (6, 6))
SIZES = tuple(rows * columns for rows, columns in SHAPES)


def split(vector: np.ndarray) -> list[np.ndarray]:
    """Return each tensor's part of the last axis."""
    return np.split(vector, np.cumsum(SIZES)[:-1], axis=-1)


def torch_path(
    make: Callable[[Any], Any], gradients: np.ndarray, start: np.ndarray, rates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights after each step, and those that evaluation asks for at the end."""
    import torch

    with float64():
        parts = [torch.tensor(part.reshape(shape)) for part, shape in zip(split(start), SHAPES, strict=True)]
        parameters = [part.requires_grad_() for part in parts]
        optimizer, path = make(parameters), []
        for row, rate in zip(gradients, rates, strict=True):
            for parameter, part in zip(parameters, split(row), strict=True):
                parameter.grad = torch.tensor(part.reshape(parameter.shape))
            for group in optimizer.param_groups:
                group["lr"] = float(rate)
            optimizer.step()
            path.append(_joined(parameters))
        getattr(optimizer, "eval", lambda: None)()
        return np.array(path), _joined(parameters)


def _joined(parameters: list[Any]) -> np.ndarray:
    return np.concatenate([parameter.detach().numpy().ravel() for parameter in parameters])


@contextmanager
def float64() -> Iterator[None]:
    """Let torch keep in float64 what it makes itself: NAdam's product of means."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def optax_path(make: Callable[[Any], Any], evaluate: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Return what runs as `torch_path` does, compiled once; `make` is given a schedule."""
    import jax
    import jax.numpy as jnp
    import optax

    def tensors(array: np.ndarray) -> list[Any]:
        return [
            jnp.asarray(part.reshape(*part.shape[:-1], *shape))
            for part, shape in zip(split(array), SHAPES, strict=True)
        ]

    def path(rows: Any, weights: Any, rates: Any) -> Any:
        made = make(lambda count: rates[count])

        def step(carry: Any, row: Any) -> Any:
            weights, state = carry
            moves, state = made.update(row, state, weights)
            weights = optax.apply_updates(weights, moves)
            return (weights, state), weights

        (weights, state), walked = jax.lax.scan(step, (weights, made.init(weights)), rows)
        return walked, evaluate(state, weights)

    compiled = jax.jit(path)

    def run(gradients: np.ndarray, start: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        walked, last = compiled(tensors(gradients), tensors(start), jnp.asarray(rates))
        flat = [np.asarray(part).reshape(len(gradients), -1) for part in walked]
        return np.concatenate(flat, axis=1), np.concatenate([np.asarray(part).ravel() for part in last])

    return run


def synced(inner: Any) -> Any:
    """Return optax's Lookahead as a transformation of plain weights, which it has only in pairs, fast and slow."""
    import jax
    import optax

    def init(weights: Any) -> Any:
        pair = optax.LookaheadParams.init_synced(weights)
        return inner.init(pair), pair

    def update(gradients: Any, state: Any, weights: Any) -> Any:
        inside, pair = state
        moves, inside = inner.update(gradients, inside, pair)
        pair = optax.apply_updates(pair, moves)
        return jax.tree.map(lambda new, old: new - old, pair.fast, weights), (inside, pair)

    return optax.GradientTransformation(init, update)
