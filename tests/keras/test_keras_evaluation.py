"""The weights to evaluate with: put in for evaluation and files, and back for training, on each backend."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from keras_backends import on, on_each_backend, on_each_backend_with
from keras_models import check_same, data, fit, model, weights
from keras_numbers import free, on_keras, on_numpy
from surefoot.errors import UsageError
from surefoot.update import evaluated

KINDS = ("free", "lookahead", "ema")


def made(kind, **options):
    import surefoot.keras as ours

    if kind == "free":
        return ours.RuleOptimizer(free, **{"learning_rate": 0.1, **options})
    if kind == "lookahead":
        return ours.lookahead(ours.SGD(**{"learning_rate": 0.1, **options}), sync_period=5)
    return ours.SGD(**{"learning_rate": 0.1, "use_ema": True, "ema_momentum": 0.5, **options})


def exact(model):
    return [np.array(w) for w in model.get_weights()]


def same(ours, theirs):
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def evaluation(model):
    """Return the weights that a model is evaluated with, computed on NumPy, and its loss with them."""
    optimizer, before = model.optimizer, exact(model)
    averages = optimizer._model_variables_moving_average if optimizer.use_ema else ()
    shown = [np.array(v.numpy()) for v in averages] or [
        evaluated(
            optimizer.rule,
            weight,
            {slot: np.array(getattr(optimizer, f"_slot_{slot}")[i].numpy()) for slot in optimizer.rule.starts({})},
            optimizer._hyper(),
        )
        for i, weight in enumerate(before)
    ]
    model.set_weights(shown)
    loss = model.evaluate(*data(), verbose=0)
    model.set_weights(before)
    return shown, loss


@on_each_backend
@pytest.mark.parametrize("kind", ["free", "lookahead"])
def test_the_context_has_the_rule_s_weights_and_gives_the_others_back(kind):
    optimizer = made(kind)
    hyper = {**optimizer._hyper(), "lr": 0.1}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Gradients do not exist")
        variables = on_keras(optimizer)
    before = [np.array(v.numpy()) for v in variables]
    ends, state = on_numpy(optimizer.rule, [0.0] * 3, hyper)
    expected = [
        evaluated(optimizer.rule, w, {slot: values[i] for slot, values in state.items()}, hyper)
        for i, w in enumerate(ends)
    ]
    with optimizer.averaged():
        check_same([v.numpy() for v in variables], expected, 12 * 16 * 2.0**-24)
        with optimizer.averaged():  # they are there already
            check_same([v.numpy() for v in variables], expected, 12 * 16 * 2.0**-24)
        assert optimizer.evaluating
        assert not np.allclose(variables[0].numpy(), before[0], atol=1e-3)
    assert same([v.numpy() for v in variables], before)
    assert not optimizer.evaluating


@on_each_backend_with("kind", KINDS, on_jax=["free", "ema"])
def test_validation_and_what_follows_have_evaluation_weights_and_training_never_has(kind, tmp_path):
    import keras

    import surefoot.keras as ours

    alone, watched = model(made(kind)), model(made(kind))
    seen = {}

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen[epoch] = (exact(self.model), logs["val_loss"])

    path = tmp_path / "last.keras"
    callbacks = [ours.EvaluationWeights(), Look(), keras.callbacks.ModelCheckpoint(path)]
    fit(watched, 3, validation_data=data(), callbacks=callbacks)
    if kind != "ema":  # Keras ends a fit with the averages in place
        fit(alone, 3)
        shown, loss = evaluation(alone)
        for found in (seen[2][0], exact(watched), exact(keras.models.load_model(path))):
            check_same(found, shown, 1e-6)
        assert watched.evaluate(*data(), verbose=0) == pytest.approx(loss, rel=1e-5) == seen[2][1]
        assert not np.allclose(loss, alone.evaluate(*data(), verbose=0), rtol=1e-4)
        watched.optimizer.train()
        check_same(exact(watched), exact(alone), 1e-6)
    loaded = keras.models.load_model(path)
    assert loaded.optimizer.evaluating
    for each in (watched, loaded):
        fit(each, 1, callbacks=[ours.EvaluationWeights()])
    check_same(exact(loaded), exact(watched), 1e-6)


@on_each_backend_with("kind", KINDS, on_jax=["free"])
def test_a_later_fit_goes_on_with_the_training_weights(kind):
    import surefoot.keras as ours

    callbacks = [ours.EvaluationWeights()]
    straight, again, without = (model(made(kind)) for _ in range(3))
    fit(straight, 3, callbacks=callbacks)
    for each, later in ((again, callbacks), (without, None)):
        fit(each, 1, callbacks=callbacks)
        assert each.optimizer.evaluating
        fit(each, 2, callbacks=later)
    check_same(exact(again), exact(straight), 1e-6)
    straight.optimizer.train()
    assert not without.optimizer.evaluating
    if kind != "ema":  # Keras ends a fit with the averages in place
        check_same(exact(without), exact(straight), 1e-6)


@on_each_backend
def test_a_batch_after_a_fit_has_the_training_weights():
    import surefoot.keras as ours

    straight, watched = model(made("free")), model(made("free"))
    fit(straight, 1)
    fit(watched, 1, callbacks=[ours.EvaluationWeights()])
    for each in (straight, watched):
        each.train_on_batch(*data())
    check_same(exact(watched), exact(straight), 1e-6)


@on_each_backend
def test_a_step_with_evaluation_weights_in_place_is_refused(tmp_path):
    import keras

    import surefoot.keras as ours

    trained = model(made("free"))
    fit(trained, 1, callbacks=[ours.EvaluationWeights()])
    trained.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    with pytest.raises(UsageError, match="EvaluationWeights"):
        fit(loaded, 1)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    loaded.optimizer.train()
    for each in (loaded, trained):
        fit(each, 1)
    check_same(exact(loaded), exact(trained), 1e-6)


@on_each_backend_with("kind", KINDS, on_jax=["lookahead"])
def test_evaluate_and_predict_outside_of_fit(kind):
    import surefoot.keras as ours

    trained = model(made(kind))
    x, y = data()
    for _ in range(7):
        trained.train_on_batch(x, y)
    before, (shown, loss) = exact(trained), evaluation(trained)
    callback = ours.EvaluationWeights()
    assert trained.evaluate(x, y, verbose=0, callbacks=[callback]) == pytest.approx(loss, rel=1e-5)
    predicted = trained.predict(x, verbose=0, callbacks=[callback])
    assert same(exact(trained), before)
    with trained.optimizer.averaged():
        check_same(exact(trained), shown, 1e-6)
        np.testing.assert_allclose(trained.predict(x, verbose=0), predicted, rtol=1e-5, atol=1e-6)
    assert same(exact(trained), before)
    assert not np.allclose(trained.predict(x, verbose=0), predicted, rtol=1e-3, atol=1e-3)


@on_each_backend
def test_an_evaluation_by_another_callback_leaves_what_it_finds():
    import keras

    import surefoot.keras as ours

    class Evaluate(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):  # noqa: ARG002
            before = exact(self.model)
            self.model.evaluate(*data(), verbose=0, callbacks=[first])
            assert self.model.optimizer.evaluating
            assert same(exact(self.model), before)

    first = ours.EvaluationWeights()
    fit(model(made("free")), 2, callbacks=[first, Evaluate()])


HALF = [(kind, policy) for kind in ("free", "lookahead") for policy in ("bfloat16", "mixed_float16")]


@on_each_backend_with("case", HALF, on_jax=[("free", "mixed_float16"), ("lookahead", "bfloat16")])
def test_weights_in_16_bits_come_back_with_all_that_their_steps_have_added_up(case):
    import keras

    import surefoot.keras as ours

    kind, policy = case
    keras.config.set_dtype_policy(policy)
    straight, watched = model(made(kind, learning_rate=0.01)), model(made(kind, learning_rate=0.01))
    fit(straight, 2)
    fit(watched, 2, validation_data=data(), callbacks=[ours.EvaluationWeights()])
    assert not same(exact(watched), exact(straight))
    optimizer = getattr(watched.optimizer, "inner_optimizer", watched.optimizer)
    optimizer.train()
    check_same(weights(watched), weights(straight), 0)


@on_each_backend
def test_weights_that_are_set_meanwhile_stay():
    import surefoot.keras as ours

    trained = model(made("free"))
    fit(trained, 1, callbacks=[ours.EvaluationWeights()])
    other = [w + 1.0 for w in exact(trained)]
    trained.set_weights(other)
    trained.optimizer.train()
    assert same(exact(trained), other)
    fit(trained, 1)


@on_each_backend
def test_the_best_weights_of_early_stopping_are_those_that_were_best():
    import keras

    import surefoot.keras as ours

    kept = {}

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):  # noqa: ARG002
            kept[epoch] = exact(self.model)

    stopping = keras.callbacks.EarlyStopping("loss", mode="max", patience=1, restore_best_weights=True)
    trained = model(made("free"))
    fit(trained, 5, callbacks=[ours.EvaluationWeights(), Look(), stopping])
    assert len(kept) == 2
    assert same(exact(trained), kept[0])


@on_each_backend
def test_other_optimizers_are_left_alone_or_refused():
    import keras

    import surefoot.keras as ours

    plain = model(ours.Adam(0.01))
    fit(plain, 1, callbacks=[ours.EvaluationWeights()])
    fit(plain, 1)
    with pytest.raises(UsageError, match="use_ema"), plain.optimizer.averaged():
        pass
    with pytest.raises(UsageError, match="SwapEMAWeights"):
        fit(model(keras.optimizers.Adam()), 1, callbacks=[ours.EvaluationWeights()])


@on("jax")
def test_before_the_first_step_nothing_changes():
    import keras

    optimizer, variable = made("ema"), keras.Variable(np.ones(3))
    optimizer.build([variable])
    with optimizer.averaged():
        np.testing.assert_array_equal(variable.numpy(), 1.0)
    assert not optimizer.evaluating
