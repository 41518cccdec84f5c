"""Sharded weights: state, updates and new weights lie where the weights lie. Two devices need their own process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("jax")
pytest.importorskip("optax")

PROGRAM = """
import jax, jax.numpy as jnp, numpy as np, optax
from jax.sharding import NamedSharding, PartitionSpec
import surefoot.optax as ours

mesh = jax.make_mesh((2,), ("rows",))
rows = NamedSharding(mesh, PartitionSpec("rows"))
for dtype in ("float32", "bfloat16"):
    whole = jnp.linspace(0.5, 1.5, 8).reshape(4, 2).astype(dtype)
    params = jax.device_put(whole, rows)
    optimizer = ours.adabound(1e-2, weight_decay=0.1, key=jax.random.key(0))
    state = optimizer.init(params)
    moves, after = jax.jit(optimizer.update)(params * params, state, params)
    new = optax.apply_updates(params, moves)
    for leaf in (*state.slots.values(), moves, *after.slots.values(), new):
        assert leaf.sharding.is_equivalent_to(rows, 2), (dtype, leaf.sharding)
        assert {shard.data.shape for shard in leaf.addressable_shards} == {(2, 2)}
    alone, _ = jax.jit(optimizer.update)(whole * whole, optimizer.init(whole), whole)
    np.testing.assert_array_equal(np.asarray(moves, np.float32), np.asarray(alone, np.float32))
print(len(jax.devices()), "devices")
"""


def test_sharded_weights_keep_their_sharding_and_step_as_whole_ones():
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "0"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env={**os.environ, **flags}, capture_output=True, text=True)
    assert done.stdout == "2 devices\n", done.stderr
