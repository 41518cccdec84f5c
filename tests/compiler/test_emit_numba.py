"""Each Numba kernel equals the rule on NumPy, rounded as its arrays are, bit for bit; and it is vectorized."""

import re
from collections import Counter

import numba
import numpy as np
import pytest
import torch

from cached_kernels import run
from half import check_bits
from kernel_cases import Case
from settings import ANY_SHAPE, FORMS, SURROUNDED, Setting, setting
from surefoot.compiler.emit.numba import emit
from surefoot.compiler.kernel_plan import SIZES as BYTES
from surefoot.engines import kernels, pointers
from surefoot.engines.rounding import key
from surefoot.rule import Slot, Step, rule

pytestmark = pytest.mark.usefixtures("kernel_cache")

HALF = pytest.mark.parametrize(
    "kind",
    [
        "bfloat16",
        pytest.param(
            "float16",
            marks=pytest.mark.skipif(not pointers.has_float16(), reason="this processor does not convert float16"),
        ),
    ],
)


def check(case: Case) -> None:
    def stage(text):
        kernel = kernels.compiled(text)

        def step(chunks, *tables):
            half = len(chunks) // 2
            run(kernel, chunks, *tables, half, len(chunks))
            run(kernel, chunks, *tables, 0, half)

        return step

    case.check([stage(text) for text in case.texts(emit)], chunk=8)


@pytest.mark.parametrize("name", ANY_SHAPE)
def test_every_rule_rounded_at_random(name):
    check(Case(setting(name, weight_decay=0.1), "bfloat16", stochastic=True))


@HALF
@pytest.mark.parametrize("name", FORMS)
def test_every_operation_rounded_to_nearest(name, kind):
    check(Case(setting(name, weight_decay=0.1), kind))


def test_the_forms_have_every_operation():
    operations = {
        name: {node.op for stage in Case(setting(name), "float32").stages for node in stage.loop} for name in ANY_SHAPE
    }
    assert set.union(*(operations[name] for name in FORMS)) == set.union(*operations.values())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sgd", "adamw", "amsbound"])
def test_everything_around_a_rule(name, dtype):
    check(Case(setting(name, **SURROUNDED), dtype))


@pytest.mark.parametrize("factor", [0.0, -2.0, np.inf, np.nan])
def test_any_factor(factor):
    check(Case(setting("adam", gradient_factor=factor), "float32"))


MIXED = [
    ("adamw", {}, {"w": "float32", "g": "float32", "state.m": "bfloat16", "state.v": "bfloat16"}),
    ("adam", {"ema": 0.9}, dict.fromkeys(("w", "g", "state.m", "state.v"), "bfloat16") | {"state.ema": "float32"}),
    ("adabound", {}, {"w": "float32", "g": "bfloat16", "state.m": "float32", "state.v": "float16"}),
    ("momentum", {}, {"w": "bfloat16", "g": "float32", "state.b": "bfloat16"}),
    ("adagrad", {}, {"w": "float16", "g": "float32", "state.s": "float32"}),
    ("rmsprop", {}, {"w": "float64", "g": "float32", "state.v": "bfloat16"}),
    ("momentum", {}, {"w": "float32", "g": "float64", "state.b": "float64"}),
    ("momentum", {}, {"w": "float64", "g": "float16", "state.b": "float16"}),
]


@pytest.mark.skipif(not pointers.has_float16(), reason="this processor does not convert float16")
@pytest.mark.parametrize(("name", "options", "kinds"), MIXED, ids=str)
def test_arrays_of_different_kinds(name, options, kinds):
    check(Case(setting(name, **options), kinds, stochastic=True))


STRIDES = [
    ("float32", {"w": 2, "g": 2, "state.m": 2, "state.v": 2}),
    ("float64", {"w": 3, "g": 1, "state.m": 2, "state.v": 1}),
    ("float32", {"w": 1, "g": 0, "state.m": 1, "state.v": 3}),
    ("bfloat16", {"w": 3, "g": 0, "state.m": 2, "state.v": 1}),
]


@pytest.mark.parametrize(("kind", "strides"), STRIDES, ids=str)
def test_neighbours_that_are_apart(kind, strides):
    check(Case(setting("adamw"), kind, kind == "bfloat16", strides))


class Own(Setting):
    """A rule that no convention knows."""

    @property
    def hyper(self):
        return self.rule.complete({})


@rule(slots=("one", "two", Slot("n", start="initial_accumulator")), source="this test")
def shuffles(g, state, _t, *, lr=0.1, initial_accumulator=1.0):  # noqa: ARG001
    """Gives one slot the gradient and one another's old value; one is only read."""
    return Step(rate=lr, direction=g * state.n, one=g, two=state.one)


@pytest.mark.parametrize("stochastic", [False, True])
def test_slots_that_take_others_values(stochastic):
    check(Case(Own(shuffles, "torch", {}), "bfloat16", stochastic))


def adamw_steps(starts: list[int], steps: int, size: int = 4096) -> np.ndarray:
    """Weights in bfloat16 after steps of 1e-3 from 1.0, each row of the tables a part of them."""
    case = Case(setting("adamw", lr=1e-3), "bfloat16", stochastic=True)
    kernel = kernels.compiled(case.text(emit))
    arrays = torch.tensor([[1.0], [1.0], [0.0], [0.0]]).repeat(1, size).bfloat16()
    lengths = np.diff([*starts, size])
    chunks = np.array([(k, 0, n, 0, start) for k, (start, n) in enumerate(zip(starts, lengths, strict=True))])
    at = np.array([[a.data_ptr() + 2 * start for a in arrays] for start in starts])
    for t in range(1, steps + 1):
        scalars = np.array([case.plan.host({**case.setting.hyper, "t": t})])
        run(kernel, chunks, at, np.ones_like(at), scalars, np.full(len(starts), key(0, 0, t)), 0, len(chunks))
    return arrays[0].float().numpy()


def test_a_tensor_may_be_several_rows_of_the_tables():
    """What is random depends on a weight's number, not on the row or chunk that it lies in."""
    whole = adamw_steps([0], 3)
    assert len(set(whole)) > 1
    check_bits(adamw_steps([0, 1, 6, 700, 4095], 3), whole)


def test_small_steps_are_taken_on_average():
    """To nearest, not one of these steps is taken: the weights stay 1.0."""
    weights = adamw_steps([0], 200)
    assert 0.79 <= weights.mean() <= 0.81
    assert weights.std() < 0.05


@pytest.mark.parametrize("kind", BYTES)
def test_the_loop_is_vectorized(kind):
    """The random bits too, and in 32-bit numbers, as many at once as weights."""
    if kind == "float16" and not pointers.has_float16():
        pytest.skip("this processor does not convert float16")
    names: dict = {}
    exec(Case(setting("adamw"), kind, stochastic=True).text(emit), names)
    kernel = numba.njit(nogil=True, error_model="numpy")(names["step"])
    kernel.compile(kernels.SIGNATURE)
    (text,) = kernel.inspect_llvm().values()
    number = "double" if kind == "float64" else "float"
    assert re.search(rf"fdiv <\d+ x {number}>", text)
    assert re.search(rf"call <\d+ x {number}> @llvm.sqrt", text)
    wide = Counter(re.findall(r"mul <\d+ x (i\d+)>", text))
    assert ("i32" in wide) is (kind == "bfloat16")
    assert "i64" not in wide
