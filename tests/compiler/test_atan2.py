"""The angle of a point: what each target makes of `atan2`, beside the C library's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import Parameter

from keras_backends import on_each_backend
from kernel_cases import _angles, angles
from surefoot.compiler.emit import latex, mathml, unicode
from surefoot.compiler.emit.targets import emit
from surefoot.compiler.trace import trace
from surefoot.frontends.number import Number
from surefoot.mathops import atan2, sqrt
from surefoot.rule import Step, rule
from surefoot.torch import RuleOptimizer
from surefoot.update import update

pytestmark = pytest.mark.usefixtures("kernel_cache")

SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-40, -3e38]

ULPS = {"float32": 0.5, "float64": 2.0}
"""How far a kernel may be from the right angle: in float32 it is the nearest number, computed in float64."""

LIBRARY = 4.0
"""The same of frameworks: Intel's short vector functions, which NumPy takes, promise this much."""


@rule(slots=("m", "v"), source="this test")
def angular(g, state, t, *, lr=0.1, beta1=0.9, beta2=0.99):
    """Adam without eps: as far as the angle between mean and deviation."""
    m = beta1 * state.m + (1 - beta1) * g
    v = beta2 * state.v + (1 - beta2) * g * g
    direction = atan2(m / (1 - beta1**t), sqrt(v / (1 - beta2**t)))
    return Step(rate=lr * atan2(t, 1.0), direction=direction, m=m, v=v)


def points(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Many points: near, of every size, and all pairs of what is special."""
    rng = np.random.default_rng(0)
    near, far = rng.normal(size=(2, 20_000)), rng.normal(size=(2, 20_000)) * 10.0 ** rng.integers(-30, 30, (2, 20_000))
    special = np.stack([x.ravel() for x in np.meshgrid(SPECIAL, SPECIAL)])
    y, x = np.concatenate([near, far, special], axis=1).astype(dtype)
    return y, x


def check(found: np.ndarray, y: np.ndarray, x: np.ndarray, ulps: float) -> None:
    right = np.array([math.atan2(*each) for each in zip(y.tolist(), x.tolist(), strict=True)])
    there = ~np.isnan(right)
    assert found.dtype == y.dtype
    assert (np.isnan(found) == ~there).all()
    assert (np.signbit(found) == np.signbit(right))[there].all()
    off = np.abs(found.astype(float) - right) / np.spacing(np.abs(right).astype(y.dtype))
    assert off[there].max() <= ulps


@pytest.mark.parametrize("dtype", ULPS)
def test_the_kernel_s(dtype):
    y, x = points(dtype)
    check(angles(y, x), y, x, ULPS[dtype] + 2.0**-20)


@pytest.mark.parametrize("dtype", ULPS)
def test_the_frameworks(dtype):
    y, x = points(dtype)
    check(atan2(y, x), y, x, LIBRARY)
    check(atan2(torch.tensor(y), torch.tensor(x)).numpy(), y, x, LIBRARY)
    for number in (0.5, -0.0):
        check(atan2(torch.tensor(y), number).numpy(), y, np.full_like(x, number), LIBRARY)
        check(atan2(number, torch.tensor(x)).numpy(), np.full_like(y, number), x, LIBRARY)
        check(atan2(number, x), np.full_like(y, number), x, LIBRARY)


@on_each_backend
def test_on_keras_s_backends():
    import keras

    tensor = keras.ops.convert_to_tensor(np.array([1.0, -2.0], "float32"))
    for other in (0.5, tensor, Number(keras.ops.convert_to_tensor(np.float32(0.5)))):
        found = keras.ops.convert_to_numpy(atan2(tensor, other))
        size = np.array([1.0, -2.0]) if other is tensor else 0.5
        np.testing.assert_allclose(found, np.arctan2([1.0, -2.0], size), rtol=1e-6)


def test_numbers_stay_python_s():
    assert type(atan2(1.0, 2.0)) is float
    assert atan2(0.0, 0.0) == 0.0


def test_the_loop_is_vectorized():
    angles(*points("float32"))
    text = _angles.inspect_llvm()[_angles.signatures[-1]]
    assert "fdiv <" in text


@pytest.mark.parametrize("dtype", ULPS)
def test_a_rule_equals_itself_on_numpy(dtype):
    rng, hyper = np.random.default_rng(1), angular.complete({})
    w, state = rng.normal(size=300).astype(dtype), {"m": np.zeros(300, dtype), "v": np.zeros(300, dtype)}
    p = Parameter(torch.tensor(w))
    optimizer = RuleOptimizer([p], angular)
    for t in range(1, 6):
        g = rng.normal(size=300).astype(dtype)
        g[:20] = 0.0
        w, state, _ = update(angular, w, g, state, t, hyper)
        p.grad = torch.tensor(g)
        optimizer.step()
    assert optimizer.engine == "cpu"
    np.testing.assert_allclose(p.detach().numpy(), w, rtol=0, atol=5 * (LIBRARY + 2) * np.finfo(dtype).eps)


def test_every_text_has_a_word_for_it():
    hyper = angular.complete({})
    graph = trace(angular, hyper)
    assert "atan2(new_state_m / c" in emit(angular, hyper, "numba").text
    assert "# lr * atan2(t, 1)" in emit(angular, hyper, "numba").text
    assert "def atan2(y, x):" in emit(angular, hyper, "triton").text
    assert "Math.atan2(state_m / " in emit(angular, hyper, "js").text
    assert r"\operatorname{atan2}\left( " in latex.emit(graph, hyper)
    assert "atan2(" in unicode.emit(graph, hyper, 78)
    assert any("<mi>atan2</mi>" in line for line in mathml.emit(graph))


FAULTS = {
    "arguments swapped": lambda y, x: angles(x, y),
    "a quotient's": lambda y, x: np.arctan(y / x),
    "the sign of zero is lost": lambda y, x: angles(y, x + 0.0),
    "the last digits": lambda y, x: angles(y, x) * (1 + 4 * np.finfo(y.dtype).eps),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_the_comparison_catches_a_fault(fault):
    y, x = points("float64")
    with np.errstate(all="ignore"), pytest.raises(AssertionError):
        check(fault(y, x), y, x, ULPS["float64"])
