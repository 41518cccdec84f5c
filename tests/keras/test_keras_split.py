"""Roles by layer, and two optimizers as one, on the backends of this machine."""

from __future__ import annotations

import numpy as np
import pytest

from keras_backends import on
from keras_models import check_same, data, fit, model, weights
from surefoot.errors import UsageError


def network():
    import keras

    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, name="stem"),
            keras.layers.BatchNormalization(name="bn"),
            keras.layers.DepthwiseConv2D(3, name="depth"),
            keras.layers.Conv2D(5, 3, use_bias=False, name="conv"),
            keras.layers.Reshape((4, 5)),
            keras.layers.LSTM(6, use_bias=False, name="lstm"),
            keras.layers.Dense(7, use_bias=False, name="dense"),
            keras.layers.Dense(2, name="out"),
        ]
    )


def dense():
    import keras

    made = keras.Sequential([keras.Input((8,)), *(keras.layers.Dense(n, activation="tanh") for n in (16, 12, 3))])
    rng = np.random.default_rng(1)
    made.set_weights([0.3 * rng.standard_normal(w.shape) for w in made.get_weights()])
    return made


def by_layer(made, **options):
    from surefoot.keras import roles

    return {"/".join(path.split("/")[-2:]): one.role for path, one in roles(made, **options).items()}


def halves(**options):
    import surefoot.keras as ours

    return {"matrices": ours.Lion(0.01, **options), "rest": ours.AdamW(0.1, weight_decay=0.1)}


def compiled(made, optimizer):
    import keras

    made.compile(optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return made


@on("torch")
def test_layers_tell_the_roles():
    assert by_layer(network()) == {
        "stem/kernel": "first conv",
        "stem/bias": "bias",
        "bn/gamma": "norm",
        "bn/beta": "norm",
        "depth/kernel": "other",
        "depth/bias": "bias",
        "conv/kernel": "conv",
        "lstm_cell/kernel": "hidden",
        "lstm_cell/recurrent_kernel": "hidden",
        "dense/kernel": "hidden",
        "out/kernel": "head",
        "out/bias": "bias",
    }


@on("torch")
def test_an_attention_and_embeddings_are_for_the_rest():
    import keras

    codes = keras.Input((5,))
    x = keras.layers.Embedding(9, 8, name="words")(codes)
    x = keras.layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    made = keras.Model(codes, keras.layers.Dense(3, name="head")(keras.layers.Dense(8, name="last")(x)))
    found = by_layer(made)
    assert found["query/kernel"] == "other"
    assert found["last/kernel"] == "hidden"
    assert found["head/kernel"] == "head"
    assert "embedding" in found.values()


@on("torch")
def test_a_head_and_overrides_are_said_and_what_cannot_be_is_refused():
    import keras

    from surefoot.keras import roles, split

    made = network()
    assert by_layer(made, head="dense")["out/kernel"] == "hidden"
    assert by_layer(made, head=())["out/kernel"] == "hidden"
    assert by_layer(made, overrides={"*/depth/kernel": "matrices"})["depth/kernel"] == "hidden"
    cells = by_layer(made, overrides=lambda path, _: "rest" if "lstm" in path else None)
    assert cells["lstm_cell/kernel"] == "other"
    for options, words in (
        ({"head": "outt"}, "Did you mean 'out'"),
        ({"overrides": {"*/depht/kernel": "rest"}}, "unknown parameter in overrides"),
        ({"overrides": {"*/out/bias": "matrices"}}, "is no matrix"),
    ):
        with pytest.raises(UsageError, match=words):
            roles(made, **options)
    with pytest.raises(UsageError, match="has no trainable variable; build it first"):
        roles(keras.Sequential([keras.layers.Dense(2)]))
    with pytest.raises(UsageError, match="is a hidden matrix"):
        split(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]), matrices="lion")
    used = halves()
    used["rest"].build(made.trainable_variables)
    with pytest.raises(UsageError, match="rest: adam_w is in use already"):
        split(made, **used)
    with pytest.raises(UsageError, match="matrices: global_clipnorm is of all variables together"):
        split(made, **halves(global_clipnorm=1.0))


@on("jax", "torch")
def test_each_steps_its_own_as_if_alone():
    from surefoot.keras import split

    made = dense()
    optimizer = split(made, **halves())
    rng = np.random.default_rng(0)
    before, alone = weights(made), halves()
    variables = made.trainable_variables
    matrices, still, rest = variables[0:3:2], variables[1::2], [variables[4]]
    grads = [[rng.standard_normal(v.shape).astype("float32") for v in variables] for _ in range(3)]
    from keras import ops

    grads = [[ops.convert_to_tensor(g) for g in step] for step in grads]
    for step in grads:
        optimizer.apply(step, variables)
    together = weights(made)
    made.set_weights(before)
    alone["rest"].exclude_from_weight_decay(var_list=still)
    for step in grads:
        alone["matrices"].apply([step[0], step[2]], matrices)
        alone["rest"].apply([step[4], step[1], step[3], step[5]], [*rest, *still])
    check_same(together, weights(made), 1e-6)
    assert int(optimizer.iterations.numpy()) == 3


@on("jax", "torch")
def test_it_trains_is_saved_and_trains_on(tmp_path):
    import keras

    from surefoot.keras import split

    made = dense()
    made = compiled(made, split(made, **halves(), global_clipnorm=0.5))
    losses = fit(made, 3)
    assert losses[-1] < losses[0]
    made.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == made.optimizer.get_config()
    check_same([v.numpy() for v in loaded.optimizer.variables], [v.numpy() for v in made.optimizer.variables], 0)
    assert fit(loaded, 2) == pytest.approx(fit(made, 2), rel=1e-5)


@on("jax", "torch")
def test_a_callback_sets_both_rates_in_proportion():
    import keras

    from surefoot.keras import split

    made = dense()
    made = compiled(made, split(made, **halves()))
    made.fit(*data(), epochs=1, verbose=0, callbacks=[keras.callbacks.LearningRateScheduler(lambda _: 0.002)])
    rates = [float(child.learning_rate.numpy()) for child in made.optimizer.children.values()]
    assert rates == pytest.approx([0.002, 0.02])


@on("jax")
def test_gradients_are_clipped_over_all_variables():
    from keras import ops

    from surefoot.keras import SGD, split

    made = dense()
    optimizer = split(made, matrices=SGD(1.0), rest=SGD(1.0), global_clipnorm=1.0)
    before = weights(made)
    optimizer.apply([ops.ones(v.shape) for v in made.trainable_variables], made.trainable_variables)
    moved = np.concatenate([(a - b).ravel() for a, b in zip(before, weights(made), strict=True)])
    assert np.linalg.norm(moved) == pytest.approx(1.0, rel=1e-5)


@on("jax")
def test_variables_of_another_model_are_refused():
    from surefoot.keras import split

    optimizer = split(dense(), **halves())
    with pytest.raises(UsageError, match="not the variables of the model that was split"):
        optimizer.build(model("sgd").trainable_variables)


@on("torch")
def test_blocks_reach_the_matrices_and_are_saved(tmp_path):
    """Also after loading, where paths may be others; the first kernel is two matrices, the second one."""
    import keras

    import surefoot.keras as ours

    def net(*blocks):
        made = dense()
        paths = {v.path: n for v, n in zip(made.trainable_variables[0:3:2], blocks, strict=False)}
        return compiled(made, ours.split(made, matrices="muon", rest="adamw", blocks=paths))

    parted, whole = net(2), net()
    for one in (parted, whole):
        fit(one, 1)
    parted.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert [one[3] for one in loaded.optimizer.placed] == [2, 1, 1, 1, 1, 1]
    for one in (parted, loaded):
        fit(one, 1)
    check_same(weights(loaded), weights(parted), 1e-6)
    assert abs(weights(parted)[0] - weights(whole)[0]).max() > 1e-3


@on("jax")
def test_blocks_that_cannot_be_are_refused():
    import keras

    import surefoot.keras as ours

    made = dense()
    with pytest.raises(UsageError, match="unknown parameter in blocks 'qkv'"):
        ours.split(made, matrices="muon", blocks={"qkv": 3})
    with pytest.raises(UsageError, match="blocks=5 does not fit"):
        ours.split(made, matrices="muon", blocks={made.trainable_variables[0].path: 5})
    with pytest.raises(UsageError, match="blocks are for rules of Surefoot's, and muon is none"):
        ours.split(made, matrices=keras.optimizers.Muon(), blocks={"*": 2})
