"""A training goes on in another framework as it would have gone on in its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from keras_backends import on, on_each_backend
from surefoot import bridge
from surefoot.errors import UsageError
from surefoot.frontends.lookup import find
from surefoot.rules import lookahead
from together import counting, distant

# Each of two implementations rounds a weight once a step, and twice with decay: as in test_keras_equal.
ULPS_PER_STEP = 4
STEPS = 6
SHAPES = ((3, 2), (4,))

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "adagrad": ("Adagrad", {}),
    "adadelta": ("Adadelta", {}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop-heavy": ("RMSprop", {"momentum": 0.9, "centered": True}),
    "adam": ("Adam", {}),
    "amsgrad": ("Adam", {"amsgrad": True}),
    "adamw": ("AdamW", {}),
    "adabound": ("AdaBound", {}),
    "amsbound": ("AMSBound", {}),
}
EVERY = {**CASES, "sgd": ("SGD", {})}
"""With the one that keeps nothing but its count."""
THEIRS = [case for case in CASES if "bound" not in case]
LR = 0.01


def start() -> list[np.ndarray]:
    return [np.linspace(-1.5, 1.5, int(np.prod(shape)), dtype="float32").reshape(shape) for shape in SHAPES]


def gradients(steps: int = 2 * STEPS) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(0)
    return [[rng.standard_normal(shape).astype("float32") for shape in SHAPES] for _ in range(steps)]


class Torch:
    """A training on torch that can stop anywhere."""

    def __init__(self, case: str, weights: list[np.ndarray], *, own: bool = False, **more: Any) -> None:
        import torch

        import surefoot.torch

        name, options = EVERY[case]
        self.params = [torch.nn.Parameter(torch.from_numpy(w.copy())) for w in weights]
        home = torch.optim if own else surefoot.torch
        self.optimizer = getattr(home, name)(self.params, **{"lr": LR, **options, **more})

    def train(self, rows: list[list[np.ndarray]]) -> list[np.ndarray]:
        import torch

        for row in rows:
            for p, g in zip(self.params, row, strict=True):
                p.grad = torch.from_numpy(g.copy())
            self.optimizer.step()
        return [p.detach().numpy().copy() for p in self.params]

    def read(self) -> bridge.Handover:
        return bridge.from_torch(self.optimizer, steps=STEPS)

    def write(self, progress: bridge.Handover) -> None:
        bridge.to_torch(progress, self.optimizer)


class Optax:
    """The same on jax."""

    def __init__(self, case: str, weights: list[np.ndarray], *, own: bool = False, **more: Any) -> None:
        import jax.numpy as jnp
        import optax

        import surefoot.optax

        name, options = EVERY[case]
        rule = "amsgrad" if case == "amsgrad" else name.lower()
        options = {key: value for key, value in options.items() if key != "amsgrad"}
        self.weights = [jnp.asarray(w) for w in weights]
        self.made = getattr(optax if own else surefoot.optax, rule)(LR, **{**options, **more})
        self.ours = None if own else self.made
        self.state = self.made.init(self.weights)

    def train(self, rows: list[list[np.ndarray]]) -> list[np.ndarray]:
        import optax

        for row in rows:
            moves, self.state = self.made.update(row, self.state, self.weights)
            self.weights = optax.apply_updates(self.weights, moves)
        return [np.asarray(w) for w in self.weights]

    def read(self) -> bridge.Handover:
        return bridge.from_optax(self.state, self.ours, steps=STEPS)

    def write(self, progress: bridge.Handover) -> None:
        self.state = bridge.to_optax(progress, self.state, self.ours)


class Keras:
    """The same on Keras."""

    def __init__(self, case: str, weights: list[np.ndarray], *, own: bool = False, **more: Any) -> None:
        import keras

        import surefoot.keras

        name, options = EVERY[case]
        home = keras.optimizers if own else surefoot.keras
        self.optimizer = getattr(home, name)(LR, **{**options, **more})
        self.weights = [keras.Variable(w) for w in weights]
        self.optimizer.build(self.weights)

    def train(self, rows: list[list[np.ndarray]]) -> list[np.ndarray]:
        import keras

        for row in rows:
            self.optimizer.apply([keras.ops.convert_to_tensor(g) for g in row], self.weights)
        return [np.array(keras.ops.convert_to_numpy(w)) for w in self.weights]

    def read(self) -> bridge.Handover:
        return bridge.from_keras(self.optimizer)

    def write(self, progress: bridge.Handover) -> None:
        bridge.to_keras(progress, self.optimizer)


def goes_on(first: Any, make: Callable[[list[np.ndarray]], Any]) -> None:
    """Train, move the state, train on in both, and compare."""
    rows = gradients()
    second = make(first.train(rows[:STEPS]))
    second.write(first.read())
    for moved, stayed in zip(second.train(rows[STEPS:]), first.train(rows[STEPS:]), strict=True):
        ulp = np.spacing(np.maximum(np.abs(stayed), 1).astype("float32"))
        assert np.all(np.abs(moved - stayed) <= ULPS_PER_STEP * STEPS * ulp)


def means(convention: str) -> dict[str, Any]:
    """What a source of our own is made with, to mean what a target in a convention does."""
    return {"convention": convention}


@pytest.mark.parametrize("case", CASES)
def test_without_its_state_it_would_not(case):
    """The comparison sees a state that was left behind."""
    with pytest.raises(AssertionError):
        goes_on(Torch(case, start()), lambda w: Forgetful(case, w))


class Forgetful(Torch):
    def write(self, progress: bridge.Handover) -> None:
        """Leave the progress behind."""


def check_counts(*makers: type) -> None:
    """The count of steps goes on in all of these, whichever had it."""
    for source in makers:
        for target in makers:
            first, second = source("sgd", start()), target("sgd", start())
            first.train(gradients(STEPS))
            second.write(first.read().rearranged(range(len(first.read().slots))))
            assert set(second.read().counts()) == {STEPS}, (source, target)
            second.train(gradients(STEPS))
            assert set(bridge_count(second)) == {2 * STEPS}, (source, target)


# Keras is beside torch on torch and beside optax on jax, where neither has to be imported for the test alone


def test_of_sgd_without_momentum_the_count_goes_on():
    """A schedule asks for it, and nothing else is kept."""
    pytest.importorskip("jax")
    check_counts(Torch, Optax)


@on("jax")
def test_of_sgd_without_momentum_the_count_goes_on_in_keras_and_optax():
    check_counts(Keras, Optax)


@on("torch")
def test_of_sgd_without_momentum_the_count_goes_on_in_keras_and_torch():
    check_counts(Keras, Torch)


def bridge_count(one: Any) -> tuple[int | None, ...]:
    """Return the steps that the optimizer itself counts."""
    return bridge.from_torch(one.optimizer).steps if isinstance(one, Torch) else one.read().steps


@pytest.mark.parametrize("case", CASES)
def test_torch_goes_on_in_optax_and_back(case):
    pytest.importorskip("jax")
    goes_on(Torch(case, start()), lambda w: Optax(case, w, **means("torch")))
    goes_on(Optax(case, start()), lambda w: Torch(case, w, **means("optax"), lr=LR))


@pytest.mark.parametrize("case", THEIRS)
def test_torch_optim_goes_on_in_optax_and_back(case):
    pytest.importorskip("jax")
    goes_on(Torch(case, start(), own=True), lambda w: Optax(case, w, **means("torch")))
    goes_on(Optax(case, start(), **means("torch")), lambda w: Torch(case, w, own=True))


@pytest.mark.parametrize("case", THEIRS)
def test_optax_s_own_goes_on_in_torch_and_back(case):
    pytest.importorskip("jax")
    goes_on(Optax(case, start(), own=True), lambda w: Torch(case, w, **means("optax"), lr=LR))
    goes_on(Torch(case, start(), **means("optax"), lr=LR), lambda w: Optax(case, w, own=True))


@on("torch")
@pytest.mark.parametrize("case", CASES)
def test_torch_goes_on_in_keras_and_back(case):
    goes_on(Torch(case, start()), lambda w: Keras(case, w, **means("torch")))
    goes_on(Keras(case, start()), lambda w: Torch(case, w, **means("keras"), lr=LR))


@on("torch")
@pytest.mark.parametrize("case", THEIRS)
def test_keras_s_own_goes_on_in_torch_and_back(case):
    goes_on(Keras(case, start(), own=True), lambda w: Torch(case, w, **means("keras"), lr=LR))
    goes_on(Torch(case, start(), **means("keras"), lr=LR), lambda w: Keras(case, w, own=True))


@on_each_backend
@pytest.mark.parametrize("case", THEIRS)
def test_keras_s_own_goes_on_in_ours_and_back(case):
    """On TensorFlow too, which no process needs to share with torch."""
    goes_on(Keras(case, start(), own=True), lambda w: Keras(case, w))
    goes_on(Keras(case, start()), lambda w: Keras(case, w, own=True))


@on("torch")
@pytest.mark.parametrize("case", ["momentum", "nesterov", "rmsprop-heavy"])
def test_a_buffer_of_gradients_becomes_one_of_steps(case):
    """torch.optim's buffer times the rate is Keras's; forms with the same eps go on equal."""
    more = {"eps_inside": True} if case == "rmsprop-heavy" else {}
    source = Torch(case, start())
    if more:
        import surefoot.torch

        source.optimizer = surefoot.torch.RuleOptimizer(
            source.params, "rmsprop", lr=LR, alpha=0.9, eps=1e-7, momentum=0.9, centered=True, **more
        )
    goes_on(source, lambda w: Keras(case, w, own=True))
    goes_on(Keras(case, start(), own=True), lambda w: _again(case, w, more))


def _again(case: str, weights: list[np.ndarray], more: dict[str, Any]) -> Torch:
    made = Torch(case, weights)
    if more:
        import surefoot.torch

        made.optimizer = surefoot.torch.RuleOptimizer(
            made.params, "rmsprop", lr=LR, alpha=0.9, eps=1e-7, momentum=0.9, centered=True, **more
        )
    return made


class RuleInTorch(Torch):
    """Any rule, in its own form; the eager engine keeps the same, and nothing has to be compiled."""

    def __init__(self, rule: Any, weights: list[np.ndarray]) -> None:
        import torch

        import surefoot.torch

        self.params = [torch.nn.Parameter(torch.from_numpy(w.copy())) for w in weights]
        self.optimizer = surefoot.torch.RuleOptimizer(self.params, rule, engine="eager", **RULED)


class RuleInOptax(Optax):
    """The same on jax."""

    def __init__(self, rule: Any, weights: list[np.ndarray]) -> None:
        import jax.numpy as jnp

        import surefoot.optax

        self.weights = [jnp.asarray(w) for w in weights]
        self.made = self.ours = surefoot.optax.factory(find(rule))(**RULED)
        self.state = self.made.init(self.weights)


class RuleInKeras(Keras):
    """The same on Keras."""

    def __init__(self, rule: Any, weights: list[np.ndarray]) -> None:
        import keras

        import surefoot.keras

        self.optimizer = surefoot.keras.RuleOptimizer(rule, **RULED)
        self.weights = [keras.Variable(w) for w in weights]
        self.optimizer.build(self.weights)


RULED = {"lr": LR, "eps": 1e-8, "weight_decay": 0.0}
MODERN = {
    "counting": counting,
    "distant": distant,
    "lookahead(distant)": lookahead(distant),
    "lookahead(adam)": "lookahead(adam)",
    "cautious(adam)": "cautious(adam)",
}


@pytest.mark.parametrize("case", MODERN)
def test_numbers_and_rules_around_rules_go_on_from_torch_to_optax(case):
    pytest.importorskip("jax")
    goes_on(RuleInTorch(MODERN[case], start()), lambda w: RuleInOptax(MODERN[case], w))


@on("jax")
@pytest.mark.parametrize("case", MODERN)
def test_numbers_and_rules_around_rules_go_on_from_optax_to_keras(case):
    goes_on(RuleInOptax(MODERN[case], start()), lambda w: RuleInKeras(MODERN[case], w))


@on("torch")
@pytest.mark.parametrize("case", MODERN)
def test_numbers_and_rules_around_rules_go_on_from_keras_to_torch(case):
    goes_on(RuleInKeras(MODERN[case], start()), lambda w: RuleInTorch(MODERN[case], w))


def turned(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The kernel as the other frameworks have it."""
    return [arrays[0].T.copy(), arrays[1]]


def test_a_rule_for_matrices_goes_on_in_optax():
    """SOAP, whose square matrices are not turned with the kernel, and which steps the bias by AdamW; there and back."""
    pytest.importorskip("jax")
    check_matrices(RuleInOptax)


@on("torch")
def test_a_rule_for_matrices_goes_on_in_keras():
    check_matrices(RuleInKeras)


def check_matrices(target: type) -> None:
    first = RuleInTorch("soap", start())
    weights = first.train(gradients(STEPS))
    second = target("soap", turned(weights))
    second.write(first.read().rearranged([0, 1], {0: np.transpose}))
    rows = gradients()[STEPS:]
    third = RuleInTorch("soap", weights)
    third.write(second.read().rearranged([0, 1], {0: np.transpose}))
    whole = first.train(rows)
    for again in (turned(second.train([turned(row) for row in rows])), third.train(rows)):
        for found, right in zip(again, whole, strict=True):
            np.testing.assert_allclose(found, right, rtol=0, atol=1e-5)


def test_each_rule_of_a_split_goes_on_and_the_split_has_its_groups():
    import copy

    import torch

    from surefoot.torch import split

    def trained(model, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            model(torch.ones(2, 4)).square().sum().backward()
            optimizer.step()
        return [p.detach().clone() for p in model.parameters()]

    torch.manual_seed(0)
    model = torch.nn.Sequential(*(torch.nn.Linear(a, b) for a, b in ((4, 5), (5, 5), (5, 2))))
    first = split(model, matrices="normuon")
    trained(model, first, 3)
    other = copy.deepcopy(model)
    second = split(other, matrices="normuon")
    for name, child in first.children.items():
        bridge.to_torch(bridge.from_torch(child), second.children[name])
    own = [group for child in second.children.values() for group in child.param_groups]
    assert all(a is b for a, b in zip(second.param_groups, own, strict=True))
    for found, right in zip(trained(other, second, 3), trained(model, first, 3), strict=True):
        torch.testing.assert_close(found, right, rtol=0, atol=0)
    with pytest.raises(UsageError, match=r"has two rules.*move optimizer.children\['matrices'\] and .*\['rest'\]"):
        bridge.from_torch(first)


@on("torch")
def test_each_rule_of_a_split_in_keras_is_one_optimizer():
    import keras

    import surefoot.keras

    def made():
        model = keras.Sequential([keras.Input((4,)), *(keras.layers.Dense(n) for n in (5, 5, 2))])
        optimizer = surefoot.keras.split(model, matrices="normuon")
        optimizer.build(model.trainable_variables)
        return model, optimizer

    def trained(model, optimizer, steps):
        for t in range(steps):
            rng = np.random.default_rng(t)
            grads = [keras.ops.convert_to_tensor(rng.standard_normal(v.shape), "float32") for v in model.variables]
            optimizer.apply(grads, model.trainable_variables)
        return model.get_weights()

    (model, first), (other, second) = made(), made()
    other.set_weights(trained(model, first, 3))
    for name, child in first.children.items():
        bridge.to_keras(bridge.from_keras(child), second.children[name])
    for found, right in zip(trained(other, second, 3), trained(model, first, 3), strict=True):
        np.testing.assert_allclose(found, right, rtol=0, atol=1e-6)
    with pytest.raises(UsageError, match=r"has two rules.*move optimizer.children\['matrices'\] and .*\['rest'\]"):
        bridge.from_keras(first)


@pytest.mark.parametrize("home", [RuleInTorch, RuleInOptax])
def test_what_goes_on_has_its_numbers_by_name(home):
    check_numbers(home)


@on("torch")
def test_what_goes_on_has_its_numbers_by_name_in_keras():
    check_numbers(RuleInKeras)


def check_numbers(home: type) -> None:
    """One for each parameter, whatever the layout."""
    first = home(lookahead(counting), start())
    first.train(gradients(STEPS))
    progress = first.read()
    assert progress.numbers == {"product", "norm"}
    assert [own["product"].shape for own in progress.slots] == [(), ()]
    moved = progress.rearranged([1, 0], {0: np.transpose, 1: lambda x: x.reshape(2, 2)})
    assert [own["m"].shape for own in moved.slots] == [(2, 2), (2, 3)]
    assert moved.slots[1]["norm"] == progress.slots[0]["norm"]


def test_numbers_of_the_whole_optimizer_are_one_for_all():
    """Another rule's are refused."""
    pytest.importorskip("jax")
    second = RuleInOptax(distant, start())
    second.train(gradients(STEPS))
    assert second.read().shared == {slot: float(x) for slot, x in second.state.shared.items()}
    with pytest.raises(UsageError, match="has none for the whole optimizer, and the optimizer keeps d and r"):
        second.write(replace(second.read(), shared={}))


@pytest.fixture
def adam() -> Torch:
    made = Torch("adam", start())
    made.train(gradients(STEPS))
    return made


def test_the_neutral_form(adam):
    progress = adam.read()
    assert progress.rule == "adam"
    assert progress.steps == (STEPS, STEPS)
    assert [{name: x.shape for name, x in slots.items()} for slots in progress.slots] == [
        {"m": shape, "v": shape} for shape in SHAPES
    ]
    assert np.array_equal(progress.slots[1]["m"], adam.optimizer.state[adam.params[1]]["exp_avg"].numpy())


def test_state_in_other_kinds_of_numbers(adam):
    """8 bits and bfloat16 are read as float32, and written in what the optimizer keeps."""
    import torch

    short = Torch("adam", start(), state_dtype=torch.bfloat16)
    short.write(adam.read())
    kept = short.optimizer.state[short.params[0]]["exp_avg"]
    assert kept.dtype == torch.bfloat16
    assert short.read().slots[0]["m"].dtype == np.float32
    np.testing.assert_allclose(short.read().slots[0]["m"], adam.read().slots[0]["m"], rtol=2.0**-8)


def test_order_and_layout(adam):
    progress = adam.read()
    moved = progress.rearranged([1, 0], {0: np.transpose})
    assert np.array_equal(moved.slots[1]["v"], progress.slots[0]["v"].T)
    assert np.array_equal(moved.slots[0]["v"], progress.slots[1]["v"])
    with pytest.raises(UsageError, match="does not name each of the 2 parameters once"):
        progress.rearranged([0, 0])


def test_the_rate_that_a_schedule_is_measured_against_moves():
    """AdaBound's bounds follow lr / base_lr."""
    source = Torch("adabound", start())
    for group in source.optimizer.param_groups:
        group["lr"] = LR / 4
    target = Torch("adabound", start(), lr=LR / 4)
    goes_on(source, lambda w: target.__init__("adabound", w, lr=LR / 4) or target)
    assert target.optimizer.param_groups[0]["base_lr"] == LR


def test_a_chain_and_injected_hyperparameters():
    pytest.importorskip("jax")
    import optax

    import surefoot.optax

    source = Torch("adam", start())
    source.train(gradients(STEPS))
    target = Optax("adam", start())
    whole = optax.chain(optax.clip_by_global_norm(1.0), target.made)
    state = bridge.to_optax(source.read(), whole.init(target.weights), target.made)
    assert int(state[1].count) == STEPS
    injected = optax.inject_hyperparams(surefoot.optax.adam)(1e-3)
    state = bridge.to_optax(source.read(), injected.init(target.weights), target.made)
    assert (int(state.count), int(state.inner_state.count)) == (STEPS, STEPS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Torch("adagrad", start()), "that of adam, and the optimizer runs adagrad"),
        (lambda: Torch("amsgrad", start()), "has m and v, and the optimizer keeps m and v and vmax"),
        (lambda: Torch("adam", start()[:1]), "of 2 parameters; the optimizer has 1"),
        (lambda: Torch("adam", [w.T for w in start()]), r"shape \(3, 2\), and the optimizer expects \(2, 3\)"),
    ],
)
def test_refused(adam, make, message):
    with pytest.raises(UsageError, match=message):
        make().write(adam.read())


def test_meanings_that_cannot_be_converted():
    source, heavy = Torch("amsgrad", start()), Torch("momentum", start())
    with pytest.raises(UsageError, match="which it does not determine"):
        Torch("amsgrad", start(), convention="optax", lr=LR).write(source.read())
    stopped = Torch("momentum", start(), convention="keras", lr=0.0)
    with pytest.raises(UsageError, match=r"the learning rate between them is 0\.0"):
        stopped.write(heavy.read())


def test_counts(adam):
    pytest.importorskip("jax")
    progress = replace(adam.read(), steps=(3, 5))
    with pytest.raises(UsageError, match="different numbers of steps, 3 to 5"):
        Optax("adam", start()).write(progress)
    other = Torch("adam", start())
    other.write(progress)
    assert [int(other.optimizer.state[p]["step"]) for p in other.params] == [3, 5]
    own = Torch("momentum", start(), own=True)
    own.train(gradients(1))
    with pytest.raises(UsageError, match="does not count its steps; say how many"):
        Optax("momentum", start()).write(bridge.from_torch(own.optimizer))


def test_unknown_optimizers():
    import torch

    with pytest.raises(UsageError, match=r"LBFGS is not known; give one of surefoot\.torch's"):
        bridge.from_torch(torch.optim.LBFGS([torch.zeros(1)]))
    pytest.importorskip("jax")
    import optax

    with pytest.raises(UsageError, match="has parts of 0 rules"):
        bridge.from_optax(optax.lion(1e-3).init(np.zeros(2)))
    made = Optax("adam", start())
    with pytest.raises(UsageError, match="give the transformation itself too, not a chain"):
        bridge.from_optax(made.state)


@on_each_backend
def test_keras_is_built_first():
    import surefoot.keras

    with pytest.raises(UsageError, match=r"call optimizer\.build\(model\.trainable_variables\) first"):
        bridge.from_keras(surefoot.keras.Adam())
