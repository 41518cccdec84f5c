"""Random rounding to bfloat16: up or down, with the odds of the distance to either, so that small steps count.

optax adds what we return to the weight and rounds the sum to nearest. So the sum is rounded here first, and the
difference of two bfloat16 numbers is returned, which that addition makes good: exactly, unless the weight more than
doubles or halves in one step, or changes its sign, where the difference itself is rounded.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from surefoot.errors import UsageError


def check(key: Any) -> None:
    """Raise `UsageError` if `key` is no key of jax.random."""
    dtype = getattr(key, "dtype", None)
    if dtype is None or not (jnp.issubdtype(dtype, jax.dtypes.prng_key) or dtype == jnp.uint32):
        raise UsageError(f"key={key!r} is not a key; give jax.random.key(0), say.")


def rounded_change(change: Any, weight: Any, key: Any) -> Any:
    """Return the change, in bfloat16, that makes of a bfloat16 weight one of the neighbours of where it should be."""
    before = weight.astype(jnp.float32)
    return (stochastic(before + change, key) - before).astype(jnp.bfloat16)


def stochastic(x: Any, key: Any) -> Any:
    """Return float32 numbers that bfloat16 holds: what it holds stays, and so does what is not finite.

    Derivatives are those of a plain conversion.
    """
    random = jax.random.bits(key, x.shape, jnp.uint16).astype(jnp.uint32)
    bits = (lax.bitcast_convert_type(x, jnp.uint32) + random) & jnp.uint32(0xFFFF0000)
    rounded = lax.bitcast_convert_type(bits, jnp.float32)
    return jnp.where(jnp.isfinite(x), x + lax.stop_gradient(rounded - x), x)
