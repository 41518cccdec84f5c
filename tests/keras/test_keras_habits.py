"""What a user of Keras does with an optimizer between two steps: saves, edits, freezes; beside Keras's own."""

from __future__ import annotations

import numpy as np
import pytest

from keras_backends import on, on_each_backend
from surefoot.rule import Slot, Step, rule

OPTIONS = {
    "SGD": {},
    "SGD heavy": {"momentum": 0.9},
    "SGD nesterov": {"momentum": 0.9, "nesterov": True},
    "Adagrad": {},
    "Adadelta": {},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "Adam": {},
    "Adam amsgrad": {"amsgrad": True},
    "AdamW": {},
    "AdaBound": {},
    "AMSBound": {},
}


@rule(slots=(Slot("z", start="weight"), Slot("a"), Slot("b")), source="a test")
def lending(g, state, t, *, lr=0.1):  # noqa: ARG001
    """Keep what it was given, twice."""
    return Step(rate=lr, direction=g, z=state.z, a=g, b=g)


def saved(optimizer, variables):
    """Return an optimizer made of the configuration and the saved state."""
    store: dict[str, np.ndarray] = {}
    optimizer.save_own_variables(store)
    other = type(optimizer).from_config(optimizer.get_config())
    other.build(variables)
    other.load_own_variables({key: np.asarray(value) for key, value in store.items()})
    return other


def written_back(optimizer, variables):
    for v in [*optimizer.variables, *variables]:
        v.assign(v.numpy())
    return optimizer


def halved(optimizer, _):
    for v in optimizer.variables[2:]:  # after the count and the learning rate
        v.assign(v.numpy() / 2)
    return optimizer


def slowed(optimizer, _):
    optimizer.learning_rate = 0.01
    return optimizer


def aged(optimizer, _):
    optimizer.iterations.assign(1000)
    return optimizer


def restarted(optimizer, variables):
    for v in variables:
        v.assign(np.full(v.shape, 2.0, "float32"))
    return optimizer


def thawed(optimizer, variables):
    """Steps without the second variable: Keras's own count is one for all, and so is ours."""
    import keras

    for _ in range(3):
        optimizer.apply([keras.ops.ones(3)], variables[:1])
    return optimizer


def set_anew(optimizer, _):
    for name in ("beta_1", "rho", "momentum"):
        if getattr(optimizer, name, None):
            setattr(optimizer, name, 0.5)
    return optimizer


HABITS = [saved, written_back, halved, slowed, aged, restarted, thawed, set_anew]
SAME = [saved, written_back]
"""Those that change no number."""


def gradients(seed, dtype="float32"):
    import keras

    rng = np.random.default_rng(seed)
    draws = [rng.integers(-8, 8, shape) / 8 + 1 / 16 for shape in ((3,), (2, 2))]  # exact in float16
    return [keras.ops.cast(keras.ops.convert_to_tensor(x.astype("float32")), dtype) for x in draws]


def path(home, case, habit=lambda optimizer, _: optimizer, dtype="float32"):
    """Return the weights after two steps, a habit, and two more."""
    import keras

    optimizer = getattr(home, case.split()[0])(0.1, **OPTIONS[case])
    variables = [keras.Variable(np.ones(3, "float32")), keras.Variable(np.ones((2, 2), "float32"))]
    for seed in range(2):
        optimizer.apply(gradients(seed), variables)
    optimizer = habit(optimizer, variables)
    for seed in range(2, 4):
        optimizer.apply(gradients(seed, dtype), variables)
    return np.concatenate([keras.ops.convert_to_numpy(v).ravel() for v in variables])


@on_each_backend
@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("case", OPTIONS)
def test_between_two_steps(case, habit):
    """As by Keras's own, where it has the rule; and what changes no number changes no step."""
    import keras

    import surefoot.keras

    mine = path(surefoot.keras, case, habit)
    if habit in SAME:
        np.testing.assert_array_equal(mine, path(surefoot.keras, case))
    if hasattr(keras.optimizers, case.split()[0]):
        np.testing.assert_allclose(mine, path(keras.optimizers, case, habit), rtol=0, atol=1e-5)
    assert np.isfinite(mine).all()


@on_each_backend
@pytest.mark.parametrize("case", OPTIONS)
def test_gradients_in_16_bits(case):
    import surefoot.keras

    np.testing.assert_array_equal(*(path(surefoot.keras, case, dtype=dtype) for dtype in ("float16", "float32")))


@on_each_backend
@pytest.mark.parametrize("case", OPTIONS)
def test_what_cannot_be_meant_is_refused_as_by_keras(case):
    """A variable that the optimizer was not built with; fewer gradients than variables; none at all."""
    import keras

    import surefoot.keras

    for home in (surefoot.keras, keras.optimizers):
        if hasattr(home, case.split()[0]):
            optimizer = getattr(home, case.split()[0])(0.1, **OPTIONS[case])
            one, other = (keras.Variable(np.ones(3, "float32")) for _ in range(2))
            optimizer.build([one])
            for grads, variables in (([gradients(0)[0]], [other]), (gradients(0), None), ([None], [one])):
                with pytest.raises(ValueError, match=r"Unknown variable|must match|No gradients"):
                    optimizer.apply(grads, variables)


@on_each_backend
@pytest.mark.parametrize("other", ["SGD", "Adagrad"])
@pytest.mark.parametrize("case", ["RMSprop", "Adam", "AdaBound"])
def test_a_state_with_other_slots_is_left_out_with_keras_s_warning(case, other):
    import keras

    import surefoot.keras

    for home in (surefoot.keras, keras.optimizers):
        if not hasattr(home, case.split()[0]):
            continue
        made, kept = (getattr(home, c.split()[0])(0.1, **OPTIONS[c]) for c in (case, other))
        for optimizer in (made, kept):
            optimizer.build([keras.Variable(np.ones(3, "float32"))])
        store: dict[str, np.ndarray] = {}
        kept.save_own_variables(store)
        with pytest.warns(UserWarning, match="Skipping variable loading"):
            made.load_own_variables(store)


EVERYTHING = [
    *((case.split()[0], options) for case, options in OPTIONS.items()),
    ("RuleOptimizer", {"rule": "test_keras_habits:lending"}),
]
PLAIN, FULL = ({}, "float32"), ({"use_ema": True, "ema_overwrite_frequency": 2}, "bfloat16")
BETWEEN = [({}, "bfloat16"), ({"use_ema": True}, "float32"), ({"use_ema": True}, "bfloat16"), (FULL[0], "float32")]
DONATED = [
    *((*one, *with_it) for one in EVERYTHING for with_it in (PLAIN, FULL)),
    *((*EVERYTHING[k], *with_it) for k in (6, -1) for with_it in BETWEEN),
]
"""Every rule with the fewest arrays and with the most; Adam and the one that lends them with all in between."""


@on("jax")
@pytest.mark.parametrize(("name", "options", "around", "dtype"), DONATED)
def test_no_array_of_a_state_is_another_s(name, options, around, dtype):
    """So that a compiled training, which donates its state, goes on after steps by hand and after a whole `fit`."""
    import jax
    import keras

    import surefoot.keras

    variable, gradient = keras.Variable(np.ones(3), dtype=dtype), keras.ops.ones(3, dtype=dtype)
    optimizer = getattr(surefoot.keras, name)(learning_rate=0.1, **options, **around)
    optimizer.build([variable])
    step = jax.jit(lambda *state: optimizer.stateless_apply(state[0], [gradient], [state[1]]), donate_argnums=(0, 1))

    def end():
        optimizer.finalize_variable_values([variable])

    for change in (lambda: None, lambda: optimizer.apply([gradient]), end):
        change()
        kept = [*optimizer.variables, variable]
        found = [v.value.unsafe_buffer_pointer() for v in kept] + [gradient.unsafe_buffer_pointer()]
        assert len(set(found)) == len(found)
        (new,), state = step([v.value for v in optimizer.variables], variable.value)
        for v, value in zip(kept, [*state, new], strict=True):
            v.assign(value)
