"""Which leaf of a tree is what, by its path, and labels that `optax.multi_transform` takes."""

import jax
import jax.numpy as jnp
import optax
import pytest

import surefoot.optax
from surefoot.errors import UsageError
from surefoot.optax import labels, roles

FLAX = {
    "params": {
        "Embed_0": {"embedding": jnp.ones((9, 4))},
        "pos_embedding": jnp.ones((1, 5, 4)),
        "stem": {"kernel": jnp.ones((3, 3, 1, 4)), "bias": jnp.ones(4)},
        "block_0": {
            "LayerNorm_0": {"scale": jnp.ones(4), "bias": jnp.ones(4)},
            "qkv": {"kernel": jnp.ones((4, 12))},
            "Dense_0": {"kernel": jnp.ones((4, 4)), "bias": jnp.ones(4)},
            "Conv_0": {"kernel": jnp.ones((3, 3, 8, 4))},
            "attention": {"query": {"kernel": jnp.ones((4, 2, 2))}},
            "gamma": jnp.ones(4),
        },
        "head": {"kernel": jnp.ones((4, 9)), "bias": jnp.ones(9)},
        "count": jnp.ones((), jnp.int32),
    }
}
EXPECTED = {
    "Embed_0.embedding": "embedding",
    "pos_embedding": "embedding",
    "stem.kernel": "first conv",
    "stem.bias": "bias",
    "block_0.LayerNorm_0.scale": "norm",
    "block_0.LayerNorm_0.bias": "norm",
    "block_0.qkv.kernel": "qkv",
    "block_0.Dense_0.kernel": "hidden",
    "block_0.Dense_0.bias": "bias",
    "block_0.Conv_0.kernel": "conv",
    "block_0.attention.query.kernel": "other",
    "block_0.gamma": "gain",
    "head.kernel": "head",
    "head.bias": "bias",
    "count": "other",
}
PLAIN = {"Dense_0": {"kernel": jnp.ones((3, 4)), "bias": jnp.ones(4)}, "Dense_1": {"kernel": jnp.ones((4, 2))}}


def test_every_leaf_has_a_role_and_a_reason():
    found = roles(FLAX)
    assert {path: one.role for path, one in found.items()} == {f"params.{path}": x for path, x in EXPECTED.items()}
    assert all(one.reason for one in found.values())
    shapes = jax.eval_shape(lambda: FLAX)
    assert roles(shapes) == found


def test_a_head_that_no_name_tells_is_asked_for():
    with pytest.raises(UsageError, match=r"name it, as in head='Dense_1', or say head=\(\)"):
        labels(PLAIN)
    assert labels(PLAIN, head="Dense_1")["Dense_1"]["kernel"] == "rest"
    assert labels({"params": PLAIN}, head="Dense_1")["params"]["Dense_1"]["kernel"] == "rest"
    assert labels(PLAIN, head=())["Dense_1"]["kernel"] == "matrices"
    with pytest.raises(UsageError, match="unknown layer in head 'Dense_3'"):
        labels(PLAIN, head="Dense_3")


def test_overrides_are_by_path_or_by_a_function():
    made = roles(FLAX, overrides={"*.query.kernel": "hidden"})["params.block_0.attention.query.kernel"]
    assert made.role == "hidden"
    assert made.reason.startswith("overrides say so ('*.query.kernel'), and not other; three axes")
    made = roles(PLAIN, head=(), overrides={"*": "rest", "Dense_0.*": "norm"})["Dense_0.kernel"]
    assert made == ("norm", "overrides say so ('Dense_0.*'), and not hidden; by its name and two axes")
    made = labels(PLAIN, head=(), overrides=lambda path, _: "rest" if "Dense_0" in path else None)
    assert made == {"Dense_0": {"kernel": "rest", "bias": "rest"}, "Dense_1": {"kernel": "matrices"}}
    with pytest.raises(UsageError, match="unknown parameter in overrides"):
        roles(PLAIN, head=(), overrides={"Dense_7.kernel": "rest"})
    with pytest.raises(UsageError, match="and its shape, 4, is no matrix"):
        roles(PLAIN, head=(), overrides={"Dense_0.bias": "matrices"})
    with pytest.raises(UsageError, match="and its shape, 4, is no matrix"):
        roles(PLAIN, head=(), overrides={"Dense_0.*": "matrices", "Dense_0.bias": "rest"})


def test_multi_transform_steps_each_by_its_rule():
    rules = {"matrices": surefoot.optax.lion(1e-2, weight_decay=0.0), "rest": surefoot.optax.sgd(1.0)}
    optimizer = optax.multi_transform(rules, labels(PLAIN, head="Dense_1"))
    grads = jax.tree.map(lambda x: 3 * jnp.ones_like(x), PLAIN)
    updates, _ = optimizer.update(grads, optimizer.init(PLAIN), PLAIN)
    assert jnp.allclose(updates["Dense_0"]["kernel"], -0.01)
    assert jnp.allclose(updates["Dense_0"]["bias"], -3.0)
    assert jnp.allclose(updates["Dense_1"]["kernel"], -3.0)
