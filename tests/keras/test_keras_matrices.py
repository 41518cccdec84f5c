"""Rules for matrices in Keras, on each backend: which matrix a variable is, and Muon beside Keras's own."""

from __future__ import annotations

import numpy as np
import pytest

from keras_backends import on, on_each_backend, on_each_backend_with
from keras_cases import in_float64
from keras_models import check_same, data, fit, model, weights
from surefoot.errors import UsageError
from surefoot.mathops import cols, mean, rows, sqrt, transpose
from surefoot.rule import Cols, Left, Number, Right, Rows, Slot, Step, rule, slot_shape
from surefoot.rules import RULES, schedule_free
from surefoot.update import update

STEPS = 4
# five products lose a few units in the last place, at most 20 a step, of numbers near 1
CLOSE = STEPS * 20 * 2.0**-24

SHAPES = {
    "dense/kernel": (12, 4),
    "dense/bias": (4,),
    "Embedding/table": (12, 4),
    "conv/kernel": (3, 2, 2, 4),
    "wide/kernel": (3, 8),
    "row/kernel": (1, 7),
    "head/kernel": (12, 4),
}
"""Of four sizes: JAX compiles every operation for each."""


def variables(names=SHAPES, dtype="float32"):
    import keras

    rng = np.random.default_rng(0)
    made = []
    for path in names:
        layer, _, name = path.partition("/")
        with keras.name_scope(layer):
            made.append(keras.Variable(rng.standard_normal(SHAPES[path]), dtype=dtype, name=name))
    return made


def train(optimizer, steps=STEPS, names=SHAPES, dtype="float32"):
    import keras

    own = variables(names, dtype)
    optimizer.build(own)
    for t in range(steps):
        rng = np.random.default_rng(t + 1)
        optimizer.apply([keras.ops.convert_to_tensor(rng.standard_normal(v.shape), dtype=dtype) for v in own], own)
    return [keras.ops.convert_to_numpy(v) for v in own]


OPTIONS = [
    {},
    {"nesterov": False, "rms_rate": None, "weight_decay": None, "adam_weight_decay": None},
    {"adam_lr_ratio": 0.5, "weight_decay": 0.1, "adam_weight_decay": 0.05, "exclude_embeddings": False},
    {"ns_steps": 3, "muon_a": 2.0, "muon_b": -1.5, "muon_c": 0.5, "momentum": 0.8, "adam_beta_1": 0.8},
    {"adam_beta_2": 0.9, "epsilon": 1e-3, "exclude_layers": ["he.d", "wide"]},
]


@on_each_backend_with("options", OPTIONS, on_jax=[OPTIONS[0], OPTIONS[4]])
def test_muon_is_kerass(options):
    import keras

    import surefoot.keras

    ours, theirs = (home.Muon(0.02, **options) for home in (surefoot.keras, keras.optimizers))
    check_same(train(ours), train(theirs), CLOSE)
    assert [(v.name, tuple(v.shape)) for v in ours.variables] == [(v.name, tuple(v.shape)) for v in theirs.variables]


ADAFACTOR = [
    {},
    {"weight_decay": 0.1, "clip_threshold": 0.5, "epsilon_2": 0.1},
    {"beta_2_decay": -0.5, "epsilon_1": 1e-3},
]
FACTORED = [name for name in SHAPES if name != "conv/kernel"]
"""Keras takes the last two axes of a convolution's kernel for its matrix."""


@on_each_backend_with("options", ADAFACTOR, on_jax=[ADAFACTOR[1]])
def test_adafactor_is_kerass_but_for_convolutions(options):
    import keras

    import surefoot.keras

    ours, theirs = (home.Adafactor(0.02, **options) for home in (surefoot.keras, keras.optimizers))
    check_same(train(ours, names=FACTORED), train(theirs, names=FACTORED), CLOSE)


@on("torch")
@pytest.mark.parametrize("options", [{}, {"nesterov": False, "weight_decay": 0.1}], ids=str)
def test_muon_is_kerass_in_float64_but_for_kerass_norm(options):
    """Which is float32."""
    import keras

    import surefoot.keras

    with in_float64():
        made = [home.Muon(0.01, **options) for home in (surefoot.keras, keras.optimizers)]
        ours, theirs = (train(one, 50, ["dense/kernel", "wide/kernel"], "float64") for one in made)
    assert {x.dtype for x in (*ours, *theirs)} == {np.dtype("float64")}
    assert max(abs(a - b).max() for a, b in zip(ours, theirs, strict=True)) < 1e-8


APART = {
    "NorMuon": {"Embedding/table": "adamw", "conv/kernel": "adamw", "dense/bias": "adamw", "head/kernel": "adamw"},
    "SOAP": {"Embedding/table": "adamw", "dense/bias": "adamw", "head/kernel": "adamw"},
}


@on_each_backend
@pytest.mark.parametrize("name", APART)
def test_each_variable_is_stepped_by_its_rule_on_numpy(name):
    """NorMuon's AdamW has arguments of its own, SOAP's has those of SOAP."""
    import surefoot.keras

    optimizer = getattr(surefoot.keras, name)(0.01, exclude_layers=["head"], weight_decay=0.1)
    paths = [path for path in SHAPES if path not in ("wide/kernel", "row/kernel")]
    found = train(optimizer, names=paths)
    assert dict(optimizer.describe()) == {path: APART[name].get(path, optimizer.rule.name) for path in paths}
    for i, path in enumerate(paths):
        of_adamw = path in APART[name]
        rule = RULES["adamw"] if of_adamw else optimizer.rule
        hyper = optimizer._hyper_of(optimizer._trainable_variables[i])
        hyper = {**hyper, "lr": 0.01 * getattr(optimizer, "adam_lr_ratio", 1.0) if of_adamw else 0.01}
        view = np.asarray if of_adamw else as_matrix
        weight = view(numbers(0, paths)[i])
        kept = {slot: np.zeros(shape) for slot, shape in kept_shapes(rule, weight.shape).items()}
        for t in range(STEPS):
            weight, kept, _ = update(rule, weight, view(numbers(t + 1, paths)[i]), kept, t + 1, hyper)
        np.testing.assert_allclose(view(found[i]), weight, rtol=0, atol=5e-5, err_msg=path)


def numbers(seed, names):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(SHAPES[path]) for path in names]


def kept_shapes(own, shape):
    return {slot.name: slot_shape(slot.per, shape) for slot in own.active(own.complete({}))}


@on("jax")
def test_what_normuons_adamw_is_given_reaches_it():
    import surefoot.keras

    options = {"adam_beta_1": 0.8, "adam_beta_2": 0.9, "epsilon": 1e-3, "adam_weight_decay": 0.1, "adam_lr_ratio": 0.5}
    both = train(surefoot.keras.NorMuon(0.02, **options), names=["dense/bias"])
    alone = surefoot.keras.AdamW(0.01, beta_1=0.8, beta_2=0.9, epsilon=1e-3, weight_decay=0.2)
    check_same(both, train(alone, names=["dense/bias"]), 1e-6)


@on("jax")
def test_a_combinator_around_two_rules_is_refused():
    import surefoot.keras

    with pytest.raises(UsageError, match=r"cautious: nor_muon has another rule.*matrices=cautious\('normuon'\)"):
        surefoot.keras.cautious(surefoot.keras.NorMuon())


@on("jax")
def test_which_rule_steps_what_is_told():
    import surefoot.keras

    optimizer = surefoot.keras.Muon(exclude_layers=["head"])
    optimizer.build(variables())
    told = {path.rpartition("/")[0]: name for path, name in optimizer.describe() if "bias" not in path}
    assert told == {"dense": "muon", "Embedding": "adamw", "conv": "adamw", "wide": "muon", "row": "muon"} | {
        "head": "adamw"
    }
    assert dict(optimizer.describe())["dense/bias"] == "adamw"


@on_each_backend
def test_a_saved_model_trains_on_as_if_never_saved(tmp_path):
    import keras

    import surefoot.keras

    made = model(surefoot.keras.Muon(0.01, exclude_layers=["dense_1"], rms_rate=None, ns_steps=3))
    losses = fit(made, 2)
    assert losses[-1] < losses[0]
    made.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == made.optimizer.get_config()
    fit(made, 1)
    fit(loaded, 1)
    check_same(weights(loaded), weights(made), 1e-6)


@on_each_backend
def test_a_checkpoint_of_kerass_goes_on():
    import keras

    import surefoot.keras

    x, y = data()
    theirs, ours = (model(home.Muon(0.01)) for home in (keras.optimizers, surefoot.keras))
    fit(theirs, 1)
    ours.set_weights(theirs.get_weights())
    ours.optimizer.build(ours.trainable_variables)
    stored = {}
    theirs.optimizer.save_own_variables(stored)
    ours.optimizer.load_own_variables(stored)
    for one in (theirs, ours):
        one.train_on_batch(x, y)
    check_same(weights(ours), weights(theirs), CLOSE)


@rule(
    slots=("m", "old", Rows("v"), Cols("c"), Left("a"), Right("b"), Number("n", start=1.0)),
    source="this test",
    shape="matrix",
    vector=RULES["adamw"],
)
def every_slot(g, state, _t, *, lr=0.1, beta1=0.9, eps=1e-1):
    """One slot of each shape, none of them symmetric; one takes another's old value. TensorFlow has no .T."""
    m = beta1 * state.m + g
    v = state.v + mean(m * m, axis=1)
    c = state.c + mean(g, axis=0)
    a, b = state.a + g @ transpose(m), state.b + transpose(m) @ g
    n = state.n * rows(g) / cols(g)
    rate = lr / (100 * (sqrt(v) + eps))
    return Step(
        rate=rate, direction=a @ g @ transpose(b) + c + n + state.old, m=m, old=state.m, v=v, c=c, a=a, b=b, n=n
    )


def as_matrix(x):
    return np.moveaxis(x, -1, 0).reshape(x.shape[-1], -1)


@on_each_backend_with("path", ["dense/kernel", "wide/kernel", "row/kernel", "conv/kernel"], on_jax=["conv/kernel"])
def test_slots_of_other_shapes_are_the_rules_on_numpy(path):
    import surefoot.keras

    optimizer = surefoot.keras.RuleOptimizer(every_slot, learning_rate=0.1)
    (found,) = train(optimizer, 3, [path])
    shape, hyper = SHAPES[path], every_slot.complete({})
    high, wide = shape[-1], int(np.prod(shape[:-1]))
    expected = as_matrix(np.random.default_rng(0).standard_normal(shape))
    shapes = {"v": (high, 1), "c": (1, wide), "a": (high, high), "b": (wide, wide), "n": ()}
    kept = {slot: np.full(shapes.get(slot, (high, wide)), float(slot == "n")) for slot in every_slot.starts({})}
    for t in range(3):
        gradient = as_matrix(np.random.default_rng(t + 1).standard_normal(shape))
        expected, kept, _ = update(every_slot, expected, gradient, kept, t + 1, hyper)
    bound = 1e-5 * abs(expected).max()
    np.testing.assert_allclose(as_matrix(found), expected, rtol=0, atol=bound)
    for slot, value in kept.items():
        got = getattr(optimizer, f"_slot_{slot}")[0].numpy()
        got = as_matrix(got) if slot in ("m", "old") else got
        np.testing.assert_allclose(got, value, rtol=0, atol=1e-5 * abs(value).max(), err_msg=slot)


@on_each_backend_with("blocks", [2, (1, 3)], on_jax=[(1, 3)])
def test_each_block_is_a_matrix_by_itself(blocks):
    """The rule on NumPy, block by block; beside them a matrix that is one."""
    import keras

    import surefoot.keras

    names, cut = ["dense/kernel", "conv/kernel", "wide/kernel"], 2 if blocks == 2 else 1
    given = {"dense/*": blocks, "conv/kernel": blocks}
    optimizer = surefoot.keras.RuleOptimizer(every_slot, learning_rate=0.1, blocks=given)
    found = dict(zip(names, train(optimizer, 3, names), strict=True))
    hyper = every_slot.complete({})
    for i, path in enumerate(names):
        weights, kept = parts(numbers(0, names)[i], cut if path != "wide/kernel" else 0), []
        for w in weights:
            shapes = kept_shapes(every_slot, w.shape)
            kept.append({slot: np.full(shape, float(slot == "n")) for slot, shape in shapes.items()})
        for t in range(3):
            gradients = parts(numbers(t + 1, names)[i], cut if path != "wide/kernel" else 0)
            made = [update(every_slot, *each, t + 1, hyper) for each in zip(weights, gradients, kept, strict=True)]
            weights, kept = [one.weight for one in made], [one.state for one in made]
        expected = np.concatenate(weights)
        np.testing.assert_allclose(as_matrix(found[path]), expected, rtol=0, atol=1e-5 * abs(expected).max())
        got = keras.ops.convert_to_numpy(optimizer._slot_n[i])
        np.testing.assert_allclose(np.ravel(got), [one["n"] for one in kept], rtol=1e-6)


def parts(x, cut):
    return np.split(as_matrix(x), [cut]) if cut else [as_matrix(x)]


@on_each_backend
def test_a_model_with_blocks_is_saved_and_trains_on(tmp_path):
    import keras

    import surefoot.keras

    made = model(surefoot.keras.NorMuon(0.02, exclude_layers=["dense_1"], blocks={"*dense/kernel": (4, 12)}))
    fit(made, 1)
    made.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == made.optimizer.get_config()
    fit(made, 1)
    fit(loaded, 1)
    check_same(weights(loaded), weights(made), 1e-6)


@on("jax")
def test_blocks_are_evaluated_each_with_its_own_numbers():
    import keras

    import surefoot.keras

    rng, own = np.random.default_rng(0), schedule_free(RULES["muon"])
    whole = surefoot.keras.RuleOptimizer(own, 0.1, blocks={"w": 2})
    apart = surefoot.keras.RuleOptimizer(own, 0.1)
    start = rng.standard_normal((3, 4))
    w = keras.Variable(start, name="w")
    halves = [keras.Variable(half, name="half") for half in np.split(start, 2, axis=1)]
    for _ in range(3):
        g = rng.standard_normal((3, 4))
        whole.apply([keras.ops.convert_to_tensor(g, "float32")], [w])
        apart.apply([keras.ops.convert_to_tensor(half, "float32") for half in np.split(g, 2, axis=1)], halves)
    trained = w.numpy()
    for one in (whole, apart):
        one.eval()
    np.testing.assert_allclose(w.numpy(), np.concatenate([half.numpy() for half in halves], 1), rtol=1e-5, atol=1e-6)
    assert abs(trained - w.numpy()).max() > 1e-4


@on("jax")
@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ({"dense/kernal": 2}, r"unknown parameter in blocks 'dense/kernal'\. Did you mean 'dense/kernel'"),
        (
            {"dense/kernel": 3},
            r"blocks=3 does not fit dense/kernel of shape \[12, 4\]: give a number that divides its 4",
        ),
        ({"dense/bias": 2}, "blocks are given of dense/bias, which adamw steps, not as a matrix"),
    ],
)
def test_blocks_that_cannot_be_are_refused(blocks, words):
    import surefoot.keras

    with pytest.raises(UsageError, match=words):
        surefoot.keras.RuleOptimizer(every_slot, blocks=blocks).build(variables(["dense/kernel", "dense/bias"]))


@on("jax")
def test_a_rule_for_any_weights_has_no_blocks():
    import surefoot.keras

    with pytest.raises(UsageError, match=r"adam has blocks=.*, and steps any weights alike"):
        surefoot.keras.Adam(blocks={"*": 2})


@on_each_backend
def test_what_is_no_matrix_its_rule_for_vectors_steps():
    import surefoot.keras

    both = surefoot.keras.RuleOptimizer(every_slot, learning_rate=0.1)
    alone = surefoot.keras.RuleOptimizer("adamw", learning_rate=0.1, eps=0.1, eps_hat=False, weight_decay=0.0)
    check_same(train(both, 3, ["dense/bias"]), train(alone, 3, ["dense/bias"]), 1e-6)


@on("jax")
def test_a_variable_that_is_no_matrix_is_refused_by_its_path():
    import surefoot.keras

    with pytest.raises(UsageError, match=r"muon steps matrices, and the variable 'dense/bias' has shape \(4,\).*Muon"):
        surefoot.keras.RuleOptimizer("muon").build(variables())


@on_each_backend
def test_rates_are_those_of_the_weights():
    import keras

    import surefoot.keras

    optimizer = surefoot.keras.RuleOptimizer(every_slot, learning_rate=0.1)
    own = variables(["dense/kernel"])
    optimizer.build(own)
    gradient = np.broadcast_to([1.0, 2.0, 3.0, 4.0], (12, 4)).astype("float32")
    (rate,) = optimizer.effective_lr([keras.ops.convert_to_tensor(gradient)])
    expected = 0.1 / (100 * (gradient + 0.1))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(rate), expected, rtol=1e-5)


@on_each_backend
def test_weights_in_16_bits_have_a_copy():
    import keras

    import surefoot.keras

    optimizer = surefoot.keras.Muon(1e-3)
    weight = keras.Variable(np.ones((4, 6)), dtype="bfloat16")
    for t in range(20):
        gradient = np.random.default_rng(t).standard_normal((4, 6)) + 1
        optimizer.apply([keras.ops.convert_to_tensor(gradient, dtype="bfloat16")], [weight])
    assert keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32")).mean() < 0.999


@rule(slots=(Slot("m"),), source="this test", shape="matrix")
def by_columns(g, state, _t, *, lr=0.1):
    """A slot that a step leaves, and one that does not ask for the shape of a row."""
    return Step(rate=lr, direction=g / (1 + mean(g * g, axis=0)) + state.m)


@on("torch")
def test_a_slot_that_stays_is_not_written():
    import surefoot.keras

    optimizer = surefoot.keras.RuleOptimizer(by_columns)
    train(optimizer, 2, ["dense/kernel"])
    assert not optimizer._slot_m[0].numpy().any()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"coefficients": "keller", "ns_steps": 3}, "coefficients are given beside muon_a to ns_steps"),
        ({"adam_lr_ratio": 0.0}, "adam_lr_ratio=0.0 is not allowed"),
        ({"adam_beta_1": 2.0}, "beta1=2.0 is not allowed"),
    ],
)
@on("jax")
def test_what_does_not_go_together_is_told(options, told):
    import surefoot.keras

    with pytest.raises(UsageError, match=told):
        surefoot.keras.Muon(**options)
