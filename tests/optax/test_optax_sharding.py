"""Sharded weights: state, updates and new weights lie where the weights lie. Two devices need their own process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("jax")
pytest.importorskip("optax")

PROGRAM = """
import jax, jax.numpy as jnp, numpy as np, optax
from jax.sharding import NamedSharding, PartitionSpec
import surefoot.optax as ours
from surefoot.frontends.lookup import find

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

import sys
sys.path.insert(0, SUPPORT)
from together import counting, distant

params = {"w": jax.device_put(jnp.linspace(0.5, 1.5, 8).reshape(4, 2), rows), "b": jnp.ones(3)}
whole = {key: jnp.asarray(np.asarray(leaf)) for key, leaf in params.items()}
for rule in (counting, distant, "lookahead(adam)", "cautious(adamw)"):
    optimizer = ours.factory(find(rule))(1e-2)
    step = jax.jit(optimizer.update)
    ends = []
    for now in (params, whole):
        state = optimizer.init(now)
        for _ in range(6):
            moves, state = step(now, state, now)
            now = optax.apply_updates(now, moves)
        ends.append((now, state))
    assert ends[0][0]["w"].sharding.is_equivalent_to(rows, 2), rule
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), *ends)
print(len(jax.devices()), "devices")
"""


def test_sharded_weights_keep_their_sharding_and_step_as_whole_ones():
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "0"}
    program = f"SUPPORT = {str(Path(__file__).parents[1] / 'support')!r}\n{PROGRAM}"
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, **flags}, capture_output=True, text=True)
    assert done.stdout == "2 devices\n", done.stderr
