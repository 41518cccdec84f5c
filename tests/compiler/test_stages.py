"""Rules that sum over whole tensors: planned as stages, equal to the rule on NumPy, on each engine."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch.nn import Parameter

from summed import joined
from surefoot.compiler.emit.targets import emit
from surefoot.compiler.kernel_plan import stages
from surefoot.compiler.trace import trace
from surefoot.errors import UsageError
from surefoot.mathops import sqrt, total
from surefoot.rule import Rule, Step, rule
from surefoot.rules import RULES
from surefoot.torch import RuleOptimizer
from surefoot.update import update

pytestmark = pytest.mark.usefixtures("kernel_cache")


@rule(slots=("m",), source="this test")
def normalized(g, state, _t, *, lr=0.1, beta1=0.9, eps=1e-8):
    """Momentum of gradients, each divided by the norm of its tensor; the mean divided by its own."""
    m = beta1 * state.m + (1 - beta1) * (g / (sqrt(total(g * g)) + eps))
    return Step(rate=lr / (sqrt(total(m * m)) + eps), direction=m, m=m)


SHAPES = [(5, 3), (7,), (), (2, 3, 4, 4), (0,)]


def params(dtype=torch.float64) -> list[Parameter]:
    torch.manual_seed(0)
    return [Parameter(torch.randn(shape, dtype=torch.float64).to(dtype)) for shape in SHAPES]


def train(optimizer, steps: int = 5) -> list[np.ndarray]:
    ps = optimizer.param_groups[0]["params"]
    for k in range(steps):
        torch.manual_seed(k)
        for p in ps:
            p.grad = torch.randn(p.shape, dtype=torch.float64).to(p.dtype)
        optimizer.step()
    return [p.detach().double().numpy() for p in ps]


def on_numpy(own: Rule, steps: int = 5) -> list[np.ndarray]:
    weights = [p.detach().numpy() for p in params()]
    states = [{"m": np.zeros_like(w)} for w in weights]
    hyper = own.complete({})
    for k in range(steps):
        torch.manual_seed(k)
        gradients = [torch.randn(shape, dtype=torch.float64).numpy() for shape in SHAPES]
        for i, g in enumerate(gradients):
            weights[i], states[i], _ = update(own, weights[i], g, states[i], k + 1, hyper)
    return weights


def test_each_sum_is_a_stage():
    first, second, last = stages(trace(normalized, normalized.complete({})))
    assert [list(stage.sums) for stage in (first, second, last)] == [["total0"], ["total1"], []]
    assert [list(stage.outputs) for stage in (first, second, last)] == [[], [], ["w", "state.m"]]
    assert first.reads == ("g",)
    assert second.reads == ("g", "state.m")


def test_a_rule_without_sums_is_one_stage():
    assert len(stages(trace(RULES["adam"], RULES["adam"].complete({})))) == 1


@pytest.mark.parametrize("engine", ["auto", "eager"])
def test_equals_the_rule_on_numpy(engine):
    optimizer = RuleOptimizer(params(), normalized, engine=engine)
    for ours, theirs in zip(train(optimizer), on_numpy(normalized), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)
    assert optimizer.engine == ("cpu" if engine == "auto" else "eager")


def test_the_norm_is_that_of_each_tensor():
    """One step of unit length for each tensor, whatever its gradient."""
    before = [p.detach().numpy() for p in params()]
    after = train(RuleOptimizer(params(), normalized), steps=1)
    lengths = [np.linalg.norm(b - a) for b, a in zip(before, after, strict=True) if a.size]
    np.testing.assert_allclose(lengths, 0.1, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_other_numbers(dtype):
    ours = train(RuleOptimizer(params(dtype), normalized))
    for a, b in zip(ours, on_numpy(normalized), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=20 * torch.finfo(dtype).eps)


def test_steps_are_laid_out_once_and_copies_go_on():
    optimizer = RuleOptimizer(params(), normalized)
    train(optimizer, steps=2)
    assert optimizer._tables is not None
    twin = copy.deepcopy(optimizer)
    for a, b in zip(train(optimizer), train(twin), strict=True):
        np.testing.assert_array_equal(a, b)


def test_channels_last_is_one_run():
    ps = [Parameter(torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last))]
    optimizer = RuleOptimizer(ps, normalized)
    train(optimizer, steps=1)
    assert optimizer.engine == "cpu"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_parameter_in_pieces(dtype):
    """It has several runs, some of neighbours that are apart; the sum is over all of them."""
    memory = torch.randn(6, 8, 5, dtype=torch.float64).to(dtype)
    pieces = [memory[:4, :3], memory[4:, ::2, 1], memory[4, 1::2, 3]]
    ps, whole = [Parameter(x) for x in pieces], [Parameter(x.clone().contiguous()) for x in pieces]
    optimizer = RuleOptimizer(ps, normalized)
    for a, b in zip(train(optimizer), train(RuleOptimizer(whole, normalized)), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6 if dtype == torch.float32 else 1e-2)
    assert optimizer.engine == "cpu"


@pytest.mark.parametrize("engine", ["auto", "eager"])
def test_sums_over_all_tensors_of_every_kind(engine):
    """Each kind of numbers has a launch of its own, and one norm is that of all."""
    ps = [*params(torch.float32), *params(torch.float64)]
    check_joined(RuleOptimizer(ps, joined, lr=1.0, engine=engine), "cpu" if engine == "auto" else "eager")


def check_joined(optimizer: RuleOptimizer, engine: str) -> None:
    """Step once, and compare with the formula of `joined`."""
    ps = [p for group in optimizer.param_groups for p in group["params"]]
    torch.manual_seed(0)
    for p in ps:
        p.grad = torch.randn_like(p)
    before = [p.detach().double().numpy().copy() for p in ps]
    optimizer.step()
    gradients = [p.grad.double().numpy() for p in ps]
    norm = max(1.0, np.sqrt(sum((g**2).sum() for g in gradients)))
    for p, b, g in zip(ps, before, gradients, strict=True):
        expected = b - (g - (g.mean() if g.size else 0)) / norm
        np.testing.assert_allclose(p.detach().double().numpy(), expected, rtol=1e-5, atol=1e-6)
    assert optimizer.engine == engine


def test_sums_over_all_tensors_where_one_group_asks_for_the_eager_engine():
    """All of them then step on it: the norm is still that of all."""
    optimizer = RuleOptimizer(params(), joined, lr=1.0)
    optimizer.param_groups[0]["fused"] = False
    optimizer.add_param_group({"params": params()})
    check_joined(optimizer, "eager")


@pytest.mark.parametrize("how", ["differentiable", "capturable"])
def test_sums_over_all_tensors_are_read_by_the_host(how):
    with pytest.raises(UsageError, match=f"joined cannot be {how}"):
        RuleOptimizer([{"params": params(), how: True}], joined)


def test_printed_as_kernels_and_formulas():
    hyper = normalized.complete({})
    assert emit(normalized, hyper, "numba").text.count("def step(") == 3
    assert r"\sum" in emit(normalized, hyper, "latex").text
    assert emit(normalized, hyper, "js").text.count("for (let i") == 2
