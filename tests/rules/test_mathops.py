"""The functions that rules are written in: a number keeps the precision of what stands beside it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from keras_backends import on_each_backend
from signed import signed, with_sign, worded
from surefoot.bundle import Bundle
from surefoot.compiler.emit import latex, mathml, unicode
from surefoot.compiler.emit.targets import emit
from surefoot.compiler.trace import trace
from surefoot.errors import UsageError
from surefoot.frontends.number import Count
from surefoot.mathops import clip, freedom, maximum, minimum, of_length_one, precision_of, sign, where
from surefoot.rule import Rule, Step, rule
from surefoot.update import update

X = [-2.0, -0.0, 0.0, np.nan, np.inf, -np.inf, 1e-30]
SIGNS = [-1.0, 0.0, 0.0, np.nan, 1.0, -1.0, 1.0]

WEIGHT = np.array([1.0, -0.5, 0.0, 2.0])
GRADIENTS = np.array([[0.0, 0.3, -0.2, 1.0], [0.0, -0.3, np.nan, 1e-9], [1.0, 0.0, 0.0, -2.0]])


def by_hand(dtype: type) -> np.ndarray:
    """The rule `signed` as a loop over numbers, each result rounded to the type."""
    w, m = WEIGHT.astype(dtype), np.zeros(4, dtype)
    for t, row in enumerate(GRADIENTS.astype(dtype), start=1):
        for i, g in enumerate(row):
            m[i] = dtype(0.9) * m[i] + dtype(1 - 0.9) * g
            rate = dtype(0.1) * dtype(0.7 if m[i] > 0 else 0.9)
            signed = m[i] if np.isnan(m[i]) else dtype((m[i] > 0) * 1.0 - (m[i] < 0) * 1.0)
            w[i] = w[i] - rate * (signed * dtype(0.3 if t == 1 else 1.1))
    return w


def worded_by_hand(dtype: type) -> np.ndarray:
    """The rule `worded`, with weight decay, as a loop over numbers, each result rounded to the type."""
    w, m = WEIGHT.astype(dtype), np.zeros(4, dtype)
    for t, row in enumerate(GRADIENTS.astype(dtype), start=1):
        for i, g in enumerate(row):
            m[i] = dtype(0.9) * m[i] + dtype(1 - 0.9) * g
            size = m[i] if np.isnan(m[i]) else min(abs(m[i]), abs(w[i]) + dtype(0.01))
            signed = m[i] if np.isnan(m[i]) else dtype((m[i] > 0) * 1.0 - (m[i] < 0) * 1.0)
            direction = signed + dtype(0.1) * w[i]
            if t == 3:
                w[i] = w[i] - dtype(0.1) * size * dtype(-0.5) * direction
            else:
                w[i] = w[i] * dtype(1 - 0.1 * 0.2) - dtype(0.1) * size * direction
    return w


def run(make, rule: Rule = signed, **options):
    """The weights after three steps on the arrays that `make` makes."""
    w, state = make(WEIGHT), {"m": make(np.zeros(4))}
    for t, g in enumerate(GRADIENTS, start=1):
        w, state, step = update(rule, w, make(g), state, t, rule.complete(options))
        assert {x.dtype for x in (w, state["m"], step.rate, step.direction)} == {make(WEIGHT).dtype}
    return w


MAKE = {
    "numpy": lambda dtype: lambda x: np.array(x, dtype),
    "torch": lambda dtype: lambda x: torch.tensor(x, dtype=getattr(torch, dtype.__name__)),
}


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_choice_between_two_numbers_has_the_precision_of_the_gradient(make, dtype):
    np.testing.assert_array_equal(np.asarray(run(make(dtype))), by_hand(dtype))


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_other_word(make, dtype):
    np.testing.assert_array_equal(np.asarray(run(make(dtype), worded, weight_decay=0.2)), worded_by_hand(dtype))


def test_on_python_s_own_numbers():
    w, m = 1.0, 0.0
    for t, g in enumerate(GRADIENTS[:, 0], start=1):
        w, state, _ = update(signed, w, float(g), {"m": m}, t, signed.complete({}))
        m = state["m"]
    assert type(w) is float
    assert w == by_hand(np.float64)[0]


def test_a_count_that_is_a_tensor():
    t = torch.tensor(1.0, dtype=torch.float64)
    w, g = torch.ones(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    made = update(signed, w, g, {"m": torch.zeros_like(w)}, t, signed.complete({})).weight
    assert made.tolist() == [1 - 0.1 * 0.7 * 0.3] * 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_choice_outside_a_rule_takes_what_the_framework_gives(dtype):
    at = torch.tensor([1.0, -1.0], dtype=dtype) > 0
    assert where(at, 1.0, 2.0).tolist() == [1.0, 2.0]
    with precision_of(torch.ones(2, dtype=dtype)):
        assert where(at, 0.1, 0.2).dtype == dtype


def test_numbers_stay_python_s():
    """NumPy's float64 would make float64 of a float32 array beside it."""
    for number in (
        maximum(0.1, 0.2),
        clip(0.3, None, 0.2),
        clip(0.1, 0.2, 0.5),
        sign(0.2),
        where(True, 0.2, 1.0),
        minimum(0.1, 0.2),
    ):
        assert type(number) is float
    assert maximum(0.1, 0.2) == clip(0.3, None, 0.2) == clip(0.1, 0.2, 0.5) == 0.2
    assert np.isnan([maximum(np.nan, 1.0), maximum(1.0, float("nan")), minimum(1.0, np.nan), sign(float("nan"))]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("word", [maximum, minimum])
def test_a_number_and_an_array(word, dtype):
    expected = {maximum: np.maximum, minimum: np.minimum}[word](np.array(X, dtype), np.array(0.5, dtype))
    for array in (np.array(X, dtype), torch.tensor(X, dtype=getattr(torch, dtype))):
        for one in (word(array, 0.5), word(0.5, array)):
            assert one.dtype == array.dtype
            np.testing.assert_array_equal(np.asarray(one), expected)


@pytest.mark.parametrize("beta", [0.9, 0.999, 0.9999])
def test_degrees_of_freedom_keep_their_digits(beta):
    """In float32 the difference that the formula takes would leave three of them."""
    import jax.numpy as jnp

    exact = Fraction(beta)
    for t in (1, 2, 5, 6, 20, 100, 700, 1100):
        right = float(2 / (1 - exact) - 1 - 2 * t * exact**t / (1 - exact**t))
        assert abs(freedom(t, beta) - right) <= 2.0**-52 * 2 / (1 - beta) ** 2
        assert abs(float(freedom(Count(jnp.asarray(t, "float32")), beta)) - right) <= right * 4 * 2.0**-24


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sign(dtype):
    found = [
        sign(np.array(X, dtype)),
        sign(torch.tensor(X, dtype=getattr(torch, dtype))).numpy(),
        np.array([sign(x) for x in X], dtype),
    ]
    for one in found:
        assert one.dtype == dtype
        np.testing.assert_array_equal(one, np.array(SIGNS, dtype))


@on_each_backend
def test_choices_and_signs_on_keras_s_backends():
    import keras

    def tensor(x):
        return keras.ops.convert_to_tensor(np.asarray(x, "float32"))

    np.testing.assert_array_equal(keras.ops.convert_to_numpy(sign(tensor(X))), SIGNS)
    last = np.spacing(np.float32(2))  # jax may contract a product and a difference
    np.testing.assert_allclose(keras.ops.convert_to_numpy(run(tensor)), by_hand(np.float32), rtol=0, atol=2 * last)
    decayed = run(tensor, worded, weight_decay=0.2)
    expected = worded_by_hand(np.float32)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(decayed), expected, rtol=0, atol=2 * last)


FAULTS = {
    "a zero is positive": lambda m: where(m >= 0, 1.0, -1.0),
    "a zero is negative": lambda m: where(m > 0, 1.0, -1.0),
    "turned round": lambda m: -sign(m),
    "not a number has none": lambda m: where(m > 0, 1.0, where(m < 0, -1.0, 0.0)),
    "single precision": lambda m: where(m > 0, np.float64(np.float32(1.1)) / 1.1, 1.0) * sign(m),
}


@pytest.mark.parametrize("faulty", FAULTS.values(), ids=FAULTS)
def test_the_comparison_catches_a_fault(faulty):
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(run(np.array, with_sign(faulty)), by_hand(np.float64))
    np.testing.assert_array_equal(run(np.array, with_sign(sign)), by_hand(np.float64))


OTHER_FAULTS = {
    "the larger": {"minimum": maximum},
    "a size with a sign": {"absolute": lambda x: x},
    "decay in every step": {"where": lambda c, a, b: 1.0 if (a, b) == (0.0, 1.0) else where(c, a, b)},
}


@pytest.mark.parametrize("faulty", OTHER_FAULTS.values(), ids=OTHER_FAULTS)
def test_the_comparison_catches_a_fault_in_another_word(faulty, monkeypatch):
    for word, wrong in faulty.items():
        monkeypatch.setitem(worded.function.__globals__, word, wrong)
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(run(np.array, worded, weight_decay=0.2), worded_by_hand(np.float64))


def test_the_comparison_catches_a_rule_that_is_given_the_wrong_weight():
    wrong = replace(worded, function=lambda g, w, *rest, **own: worded.function(g, -w, *rest, **own))
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(run(np.array, wrong, weight_decay=0.2), worded_by_hand(np.float64))


def test_a_rule_s_arguments_are_named():
    with pytest.raises(UsageError, match=r"takes \(g, state\); write \(g, state, t"):

        @rule(source="these tests")
        def hasty(g, state, *, lr=0.1): ...


def test_a_remainder_is_the_host_s():
    @rule(source="these tests")
    def odd(g, state, t, *, lr=0.1):  # noqa: ARG001
        return Step(rate=lr, direction=g % 2)

    with pytest.raises(UsageError, match="remainder of a value per weight"):
        emit(odd, odd.complete({}), "numba")


def test_every_text_has_a_word_for_the_others():
    hyper = worded.complete({})
    graph = trace(worded, hyper)
    assert "minimum(abs(new_state_m), abs(w) + c" in emit(worded, hyper, "numba").text
    assert "# -0.5 if t % 3 == 0 else 1" in emit(worded, hyper, "numba").text
    assert "tl.minimum(tl.abs(new_state_m), tl.abs(w) + c" in emit(worded, hyper, "triton").text
    assert "Math.min(Math.abs(state_m), Math.abs(w) + 0.01)" in emit(worded, hyper, "js").text
    assert "t % 3 === 0 ? -0.5 : 1" in emit(worded, hyper, "js").text
    assert r"\min\left( \left| m_t \right|, \left| w_{t-1} \right| + 0.01 \right)" in latex.emit(graph, hyper)
    assert r"t \bmod 3 = 0" in latex.emit(graph, hyper)
    assert "min(|mₜ|, |wₜ₋₁| + 0.01)" in unicode.emit(graph, hyper, 78)
    assert any("<mo>mod</mo>" in line for line in mathml.emit(graph))
    assert any("<mo>|</mo>" in line for line in mathml.emit(graph))


def test_every_text_has_a_word_for_it():
    hyper = signed.complete({})
    graph = trace(signed, hyper)
    assert "sign(new_state_m)" in emit(signed, hyper, "numba").text
    assert "from surefoot.engines.pointers import array_float32, sign\n" in emit(signed, hyper, "numba").text
    assert "def sign(x):" in emit(signed, hyper, "triton").text
    assert "Math.sign(state_m) + 0" in emit(signed, hyper, "js").text
    assert r"\operatorname{sign}\left( m_t \right)" in latex.emit(graph, hyper)
    assert "sign(mₜ)" in unicode.emit(graph, hyper, 78)
    assert any("<mi>sign</mi>" in line for line in mathml.emit(graph))


@pytest.mark.parametrize("number", [float, np.float32, np.float64])
def test_the_sign_of_a_number(number):
    assert [sign(number(x)) for x in (-2.0, 0.0, 3.0)] == [-1.0, 0.0, 1.0]


def test_where_between_numbers_of_all_tensors_is_a_number():
    with precision_of(Bundle([np.ones(3), np.ones((2, 2))])):
        made = [where(np.bool_(condition), 0.1, 0.2) for condition in (True, False)]
    assert [np.shape(x) for x in made] == [(), ()]
    assert made == [0.1, 0.2]


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
@pytest.mark.parametrize("shape", [(40, 30), (3, 20_000)])
def test_a_matrix_of_float32_is_divided_by_its_length(scale, shape):
    """Also where its squares leave the range of float32, or a row is so long that it would add them up badly."""
    x = scale * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for one in (x, x.T):
        made = of_length_one(one, 0.0, floor=False, products=None)
        assert float(torch.linalg.vector_norm(made, dtype=torch.float64)) == pytest.approx(1.0, rel=1e-6)
