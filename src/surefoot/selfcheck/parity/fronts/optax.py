"""jax: Surefoot's transformations beside optax's, under jit, where both are at home.

All cases are compiled as one function, which costs a tenth of compiling each by itself. Weight decay in the gradient,
which most of optax's lack, is its `add_decayed_weights` before them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import surefoot.optax
from surefoot.selfcheck.parity.cases import Case

_OWN_DECAY = ("adadelta", "adamw")
"""Transformations of optax's that take weight decay."""


class Optax:
    """The front-end of jax."""

    name = framework = "optax"

    def drive(
        self, cases: Sequence[Case], starts: Sequence[np.ndarray], rows: np.ndarray, dtype: str = "float32"
    ) -> list[np.ndarray]:
        """Return, for each case, the weights after each step; see `FrontEnd`."""
        made = [_their(case) if case.own else _ours(case, dtype) for case in cases]
        weights = [jnp.asarray(start, dtype) for start in starts]
        now = [(weight, one.init(weight)) for weight, one in zip(weights, made, strict=True)]
        step = jax.jit(lambda now, row: [_step(one, own, row) for one, own in zip(made, now, strict=True)])
        path = []
        for row in rows:
            now = step(now, jnp.asarray(row, dtype))
            path.append([np.asarray(weight.astype("float32")) for weight, _ in now])
        return [np.array(weights) for weights in zip(*path, strict=True)]


def _ours(case: Case, dtype: str) -> Any:
    options: dict[str, Any] = {"weight_decay": case.weight_decay} if case.decay or case.rule == "adamw" else {}
    if dtype == "bfloat16":
        options["key"] = jax.random.key(0)
    return getattr(surefoot.optax, case.rule)(case.lr, convention=case.convention, **options)


def _their(case: Case) -> Any:
    decay = {"weight_decay": case.weight_decay} if case.call in _OWN_DECAY else {}
    made = getattr(optax, case.call)(case.lr, **case.their_form, **decay)
    return optax.chain(optax.add_decayed_weights(case.weight_decay), made) if case.decay and not decay else made


def _step(made: Any, now: Any, gradient: Any) -> Any:
    weight, state = now
    moves, state = made.update(gradient, state, weight)
    return optax.apply_updates(weight, moves), state
