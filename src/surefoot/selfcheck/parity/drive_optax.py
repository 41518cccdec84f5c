"""jax: Surefoot's transformations beside optax's, under jit, where both are at home.

All are compiled as one function, which costs a tenth of compiling each by itself. Weight decay in the gradient, which
most of optax's lack, is its `add_decayed_weights` before them.
"""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib

import surefoot.optax
from surefoot.frontends.contract import Setup
from surefoot.frontends.lookup import find


class Optax:
    """The front-end of jax."""

    name = framework = "optax"

    def drive(self, setups: Sequence[Setup], starts: Sequence[np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
        """Return, for each optimizer, the weights after each step; see `FrontEnd`."""
        made = [_make(setup) for setup in setups]
        weights = [jnp.asarray(start, setup.dtype) for start, setup in zip(starts, setups, strict=True)]
        now = [(weight, one.init(weight)) for weight, one in zip(weights, made, strict=True)]
        step = jax.jit(lambda now, rows: [_step(*job) for job in zip(made, now, rows, strict=True)])
        path = []
        for count, row in enumerate(rows):
            now = [(w, _moved(x, s, w) if count == s.restart else x) for (w, x), s in zip(now, setups, strict=True)]
            now = step(now, [jnp.asarray(row, setup.dtype) for setup in setups])
            path.append([np.asarray(weight.astype("float32")) for weight, _ in now])
        return [np.array(weights) for weights in zip(*path, strict=True)]


def _moved(state: Any, setup: Setup, weight: Any) -> Any:
    """Return a state as a file gives it back: each array by its name, in the place of those of a new state."""
    file = {jax.tree_util.keystr(name): np.asarray(leaf) for name, leaf in jax.tree_util.tree_leaves_with_path(state)}
    fresh = _make(setup).init(weight)
    return jax.tree_util.tree_map_with_path(lambda name, _: jnp.asarray(file[jax.tree_util.keystr(name)]), fresh)


def _rate(setup: Setup) -> Any:
    if not isinstance(setup.lr, tuple):
        return setup.lr
    table = jnp.asarray(setup.lr)
    return lambda count: table[count]


def _make(setup: Setup) -> Any:
    if setup.call:
        return _theirs(setup)
    options: dict[str, Any] = {"weight_decay": setup.weight_decay, **setup.options}
    if setup.dtype == "bfloat16":
        options["key"] = jax.random.key(0)
    return surefoot.optax.factory(find(setup.rule))(_rate(setup), convention=setup.convention, **options)


def _theirs(setup: Setup) -> Any:
    make = getattr(optax, setup.call, None) or getattr(optax.contrib, setup.call)
    decay = {"weight_decay": setup.weight_decay} if "weight_decay" in signature(make).parameters else {}
    made = make(_rate(setup), **setup.options, **decay)
    return made if decay or not setup.weight_decay else optax.chain(optax.add_decayed_weights(setup.weight_decay), made)


def _step(made: Any, now: Any, gradient: Any) -> Any:
    weight, state = now
    moves, state = made.update(gradient, state, weight)
    return optax.apply_updates(weight, moves), state
