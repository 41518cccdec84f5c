"""The same rule on NumPy, on torch and on Python floats: same values, same dtype, inputs untouched, differentiable."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from surefoot.bundle import Bundle
from surefoot.compiler.emit import latex
from surefoot.compiler.trace import trace
from surefoot.conventions import FRAMEWORKS, resolve
from surefoot.rule import slot_shape
from surefoot.rules import RULES
from surefoot.update import begun, update

# A step is a chain of fewer than 16 roundings of relative size 2^-53, which the smallest difference taken in it,
# 1 - 0.9 of a bias correction or a centred variance after few steps, makes ten times as large.
FEW_ULP = 16 * 10 * 2.0**-53
FEW_ULP_FLOAT32 = 16 * 10 * 2.0**-24

# A power that two libraries round differently in its last digit is wrong by 2^-53 / (1 - 0.999) in 1 - 0.999^1.
POWER_ULP = 2.0**-53 / (1 - 0.999)

MATRIX = (2, 4)
WEIGHT, GRADIENTS = np.linspace(-1, 1, 8), np.random.default_rng(0).standard_normal((6, 8))


def _hyper(name: str, framework: str) -> dict:
    """Return hyperparameters under which every part of the rule is at work."""
    options: dict = {"lr": 0.01, "weight_decay": 0.1}
    if name == "sgd":
        options["momentum"] = 0.9
    if name in ("sgd", "momentum"):
        options["dampening"] = 0.3
    if name == "rmsprop":
        options |= {"momentum": 0.9, "centered": True}
    if name == "adagrad":
        options["lr_decay"] = 0.1
    return resolve(name, framework, options) | {"base_lr": 0.02}


def _formula(name: str, framework: str) -> str:
    hyper = _hyper(name, framework)
    return latex.emit(trace(RULES[name], hyper), hyper)


RULE_CASES = {(name, _formula(name, form)): (name, form) for name in RULES for form in FRAMEWORKS}.values()
"""A rule in one convention for each formula that it has: the others only have other numbers."""


def _run(name, framework, make, t_of=int):
    """Return the weights after six steps on the arrays that `make` makes."""
    rule, hyper = RULES[name], _hyper(name, framework)
    weight, state = _tensors(rule, WEIGHT, make), _begin(rule, hyper, make)
    for i, gradient in enumerate(GRADIENTS):
        weight, state, _ = update(rule, weight, _tensors(rule, gradient, make), state, t_of(i + 1), hyper)
        kept = [x for slot, x in state.items() if slot not in rule.numbers(hyper)]
        assert {array.dtype for array in _flat(weight, *kept)} == {make(WEIGHT).dtype}
    return np.concatenate([np.asarray(array, dtype=np.float64).ravel() for array in _flat(weight)])


def _tensors(rule, array, make):
    """Return an array as the rule sees it: whole, a matrix, or two tensors to a rule that looks at all of them."""
    if rule.shape == "matrix":
        return make(array.reshape(MATRIX) if array.size == WEIGHT.size else array)
    return Bundle([make(array[:4]), make(array[4:])]) if rule.shared else make(array)


def _flat(*values):
    return [array for x in values for array in (x.members if isinstance(x, Bundle) else [x])]


def _begin(rule, hyper, make, value=None):
    """Return the state before the first step, or one where every slot has this value."""
    numbers, starts = rule.numbers(hyper), rule.starts(hyper)
    starts = starts if value is None else dict.fromkeys(starts, value)
    per = {slot.name: slot.per for slot in rule.active(hyper)}
    number = partial(torch.tensor, dtype=torch.float64) if isinstance(make(WEIGHT), torch.Tensor) else float
    return {
        slot: number(x)
        if slot in numbers
        else _tensors(rule, WEIGHT if x == "weight" else _full(rule, per[slot], x), make)
        for slot, x in starts.items()
    }


def _full(rule, per, value):
    return np.full(slot_shape(per, MATRIX if rule.shape == "matrix" else WEIGHT.shape), value)


def _close(ours, theirs, tolerance):
    gap, way = np.abs(ours - theirs).max(), np.abs(theirs - WEIGHT).max()
    assert gap <= tolerance * (way + np.abs(WEIGHT).max())


@pytest.mark.parametrize(("name", "framework"), RULE_CASES)
def test_torch_equals_numpy(name, framework):
    _close(_run(name, framework, torch.tensor), _run(name, framework, np.array), FEW_ULP)


@pytest.mark.parametrize(("name", "framework"), RULE_CASES)
@pytest.mark.parametrize("make", [np.float32, lambda x: torch.tensor(x, dtype=torch.float32)], ids=["numpy", "torch"])
def test_float32_stays_float32_and_near_float64(name, framework, make):
    _close(_run(name, framework, make), _run(name, framework, np.array), FEW_ULP_FLOAT32)


@pytest.mark.parametrize(("name", "framework"), RULE_CASES)
def test_step_count_as_float64_tensor_equals_int(name, framework):
    def tensor(t):
        return torch.tensor(t, dtype=torch.float64)

    _close(_run(name, framework, torch.tensor, tensor), _run(name, framework, torch.tensor), POWER_ULP)


@pytest.mark.parametrize(("name", "framework"), [case for case in RULE_CASES if RULES[case[0]].shape == "any"])
def test_python_floats_equal_numpy(name, framework):
    rule, hyper = RULES[name], _hyper(name, framework)
    floats = dict.fromkeys(rule.starts(hyper), 0.25)
    arrays = {slot: x if slot in rule.numbers(hyper) else np.full(1, x) for slot, x in floats.items()}

    one = update(rule, 0.5, 0.75, floats, 3, hyper).weight
    array = update(rule, np.array([0.5]), np.array([0.75]), arrays, 3, hyper).weight

    assert isinstance(one, float)
    np.testing.assert_allclose(one, array[0], rtol=FEW_ULP)


@pytest.mark.parametrize(("name", "framework"), RULE_CASES)
def test_update_leaves_its_inputs_alone(name, framework):
    rule, hyper = RULES[name], _hyper(name, framework)
    state = _begin(rule, hyper, torch.tensor, 0.25)
    weight, gradient = (_tensors(rule, x, torch.tensor) for x in (WEIGHT, GRADIENTS[0]))
    given = [x for x in _flat(weight, gradient, *state.values()) if isinstance(x, torch.Tensor)]
    before = [array.clone() for array in given]

    new = update(rule, weight, gradient, state, 3, hyper)

    assert all(torch.equal(a, b) for a, b in zip(given, before, strict=True))
    assert all(array._version == 0 for array in given)
    per = {slot.name: slot.per for slot in rule.active(hyper)}
    stay = [slot for slot, x in state.items() if per[slot] in ("left", "right") and new.state[slot] is x]  # not due
    made = (x for slot, x in new.state.items() if slot in new.step.state and slot not in stay)  # the others stay too
    assert not {id(array) for array in _flat(new.weight, *made)} & {id(array) for array in given}


@pytest.mark.parametrize("name", RULES)
def test_gradients_flow_through_an_update(name):
    """For learning rates learnt by descent and the like: autograd agrees with finite differences."""
    rule, hyper = RULES[name], _hyper(name, "torch")
    hyper |= {"growth_rate": 2.0} if "growth_rate" in hyper else {}  # infinity has no slope
    slots = tuple(rule.starts(hyper))

    def step(*arrays):
        split = [Bundle([x[:4], x[4:]]) if rule.shared and x.dim() else x for x in arrays]
        made = update(rule, *split[:2], dict(zip(slots, split[2:], strict=True)), 3, hyper).weight
        return torch.cat(_flat(made)) if rule.shared else made

    numbers = rule.numbers(hyper)
    inputs = [WEIGHT, GRADIENTS[0], *(0.35 if slot in numbers else np.linspace(0.3, 0.4, 8) for slot in slots)]
    if "a" in slots:
        inputs[2 + slots.index("a")] = np.linspace(0.1, 0.2, 8)  # a mean whose square is below the mean square
    if rule.shape == "matrix":
        per = ["weight", "weight", *(slot.per for slot in rule.active(hyper))]
        inputs = [np.resize(x, slot_shape(one, MATRIX)) for one, x in zip(per, inputs, strict=True)]

    assert torch.autograd.gradcheck(step, [torch.tensor(x, requires_grad=True, dtype=torch.float64) for x in inputs])


def test_the_state_before_the_first_step_is_of_arrays_or_of_numbers():
    rule, weights = RULES["schedule_free_adamw"], np.array([2.0, 3.0])
    hyper = rule.complete({})
    made = begun(rule, hyper, weights)
    assert {slot: np.shape(x) for slot, x in made.items()} == {"v": (2,), "z": (2,), "h": (), "W": ()}
    assert made["z"].tolist() == [2.0, 3.0]
    assert not np.shares_memory(made["z"], weights)
    assert begun(rule, hyper, 2.0) == {"v": 0.0, "z": 2.0, "h": 0.0, "W": 0.0}
