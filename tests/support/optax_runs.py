"""Transformations run over given gradients inside one compiled scan, as `reference.run` runs a rule on NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax
from optax._src import factorized


def adafactor_in_all_digits() -> Any:
    """Return a context in which optax's Adafactor takes the power of its count in float64; its own is float32's."""
    exact = partial(factorized.scale_by_factored_rms, decay_rate_fn=lambda i, x: 1 - jnp.asarray(i + 1.0) ** -x)
    return mock.patch.object(factorized, "scale_by_factored_rms", exact)


def run(jobs: Sequence[tuple[optax.GradientTransformation, Any]], gradients: Any) -> list[np.ndarray]:
    """Return the weights after each step of every job, an optimizer and the weights that it starts from.

    All see the same gradients, one row a step; one compilation serves all. Weights and gradients that are a list of
    tensors come back in one row.
    """
    return run_apart([(optimizer, start, gradients) for optimizer, start in jobs])


def run_apart(jobs: Sequence[tuple[optax.GradientTransformation, Any, Any]]) -> list[np.ndarray]:
    """Return the same of jobs that see gradients of their own, as many steps each."""
    optimizers = [optimizer for optimizer, _, _ in jobs]

    def step(carry: Any, rows: Any) -> Any:
        made = [_step(optimizer, *own, row) for optimizer, own, row in zip(optimizers, carry, rows, strict=True)]
        return made, [weight for weight, _ in made]

    starts, rows = (jax.tree.map(jnp.asarray, [job[i] for job in jobs]) for i in (1, 2))
    carry = [(start, optimizer.init(start)) for optimizer, start in zip(optimizers, starts, strict=True)]
    paths = jax.jit(lambda c, rows: jax.lax.scan(step, c, rows)[1])(carry, rows)
    made = [np.concatenate([np.asarray(x) for x in jax.tree.leaves(path)], axis=1) for path in paths]
    assert all(path.dtype == np.float64 for path in made)
    return made


def _step(optimizer: optax.GradientTransformation, weight: Any, state: Any, gradient: Any) -> Any:
    moves, state = optimizer.update(gradient, state, weight)
    return optax.apply_updates(weight, moves), state


def tree_run(optimizer: optax.GradientTransformation, params: Any, gradients: Sequence[Any]) -> tuple[Any, Any]:
    """Return the weights and the state after a step for each tree of gradients.

    Compiling takes longer than a few steps do, so that it is traced once, as a compiler does, and stepped without.
    """
    state = optimizer.init(params)
    _, traced = jax.eval_shape(optimizer.update, gradients[0], state, params)
    jax.tree.map(_same_kind, state, traced)
    for gradient in gradients:
        params, state = _step(optimizer, params, state, gradient)
    jax.tree.map(_same_kind, state, traced)
    return params, state


def _same_kind(state: Any, traced: Any) -> None:
    assert (state.shape, state.dtype) == (traced.shape, traced.dtype)


def compiled_run(optimizer: optax.GradientTransformation, params: Any, gradients: Sequence[Any]) -> tuple[Any, Any]:
    """Return the same, step by step under one compilation."""
    state, update = optimizer.init(params), jax.jit(optimizer.update)
    for gradient in gradients:
        moves, state = update(gradient, state, params)
        params = optax.apply_updates(params, moves)
    assert update._cache_size() == 1
    return params, state


def tree_runs(jobs: Sequence[tuple[optax.GradientTransformation, Any, Sequence[Any]]]) -> list[Any]:
    """Return the weights of each job, an optimizer, weights and trees of gradients, after all of its steps.

    One compilation serves all, which costs a fraction of one for each.
    """

    def step(carry: Any, rows: Any) -> Any:
        return [_step(job[0], *own, row) for job, own, row in zip(jobs, carry, rows, strict=True)]

    carry, compiled = [(params, optimizer.init(params)) for optimizer, params, _ in jobs], jax.jit(step)
    for rows in zip(*(gradients for _, _, gradients in jobs), strict=True):
        carry = compiled(carry, rows)
    assert compiled._cache_size() == 1
    return [params for params, _ in carry]


def schedule(rates: np.ndarray) -> Any:
    """Return the schedule that has these learning rates."""
    table = jnp.asarray(rates)
    return lambda count: table[count]
