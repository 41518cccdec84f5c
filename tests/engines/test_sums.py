"""Sums over whole tensors: exact, the same for any number of threads, in one stage where one will do."""

from __future__ import annotations

import math
import re
from unittest import mock

import numba
import numpy as np
import pytest
import torch
from torch.nn import Parameter

from half import check_bits
from kernel_cases import numbers
from summed import OnNumpy, Stepped, chained, check_run, tensors, trusted
from surefoot.compiler.emit import numba as numba_text
from surefoot.compiler.emit.numba import LANES
from surefoot.compiler.kernel_plan import stages
from surefoot.compiler.trace import trace
from surefoot.engines import cpu, kernels, pointers
from surefoot.engines.launch_tables import CHUNK, Launch
from surefoot.rules import RULES
from surefoot.torch import RuleOptimizer

pytestmark = pytest.mark.usefixtures("kernel_cache")

KINDS = [torch.float32, torch.float64, torch.bfloat16] + [torch.float16] * pointers.has_float16()


def test_sums_that_do_not_depend_on_each_other_share_a_stage():
    """LAMB's two norms are one pass over memory; `chained` needs its three one after the other."""
    assert [[*stage.sums] for stage in stages(trace(trusted, trusted.complete({})))] == [["total0", "total1"], []]
    names = [[*stage.sums] for stage in stages(trace(chained, chained.complete({})))]
    assert names == [["total0"], ["total1"], ["total2"], []]


@pytest.mark.parametrize(("own", "dtype"), [*((trusted, kind) for kind in KINDS), (chained, torch.float32)])
def test_bit_for_bit_the_rule_given_the_same_sums(own, dtype):
    stepped = check_run(own, dtype)
    assert stepped.launches == 2  # dense, and with neighbours that are apart


def test_groups_of_other_numbers_and_forms():
    """A group without weight decay has another kernel; what depends on settings and counts is computed for each."""
    hypers = [{"lr": 0.1}, {"lr": 0.01, "weight_decay": 0.1}, {"beta1": 0.5, "maximize": True}]
    assert check_run(trusted, torch.float32, hypers=hypers).launches > 3


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_any_number_of_threads_gives_the_same_bits(threads, monkeypatch):
    monkeypatch.setattr(cpu.Pace, "shared", True)
    before, found = torch.get_num_threads(), []
    try:
        for count in (1, threads):
            torch.set_num_threads(count)
            torch.manual_seed(0)
            stepped = Stepped(trusted, [torch.randn(9 * CHUNK + 5), torch.randn(3), torch.randn(4 * CHUNK)])
            for _ in range(3):
                stepped.step([torch.randn_like(w) for w in stepped.weights])
            found.append(stepped)
    finally:
        torch.set_num_threads(before)
    one, many = found
    assert one.sums == many.sums
    for a, b in zip(one.weights, many.weights, strict=True):
        check_bits(numbers(a), numbers(b))


def test_a_chunk_s_end_and_numbers_that_are_not_finite():
    """Around multiples of the lanes and of the chunks; an infinity or NaN in one tensor stays there."""
    sizes = [1, 63, 64, 65, 127, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 63]
    torch.manual_seed(1)
    stepped = Stepped(trusted, [torch.randn(n, dtype=torch.float64) for n in sizes])
    beside = OnNumpy(stepped)
    gradients = [torch.randn_like(w) for w in stepped.weights]
    gradients[3][5], gradients[5][-1] = float("nan"), float("inf")
    stepped.step(gradients)
    beside.step(gradients)
    assert [k for k, w in enumerate(stepped.weights) if not w.isfinite().all()] == [3, 5]


def test_large_and_small_numbers_add_up_in_double_precision():
    """In float32 the small ones would be lost; in float64 a lane rounds each of its additions."""
    w = torch.full((1 << 16,), 1e-4)
    w[0] = 1e4
    stepped = Stepped(trusted, [w])
    exact = math.fsum((w * w).tolist())
    stepped.step([torch.ones_like(w)])
    assert exact > 1e8 + 6e-4
    assert abs(stepped.sums[0]["total0"] - exact) <= CHUNK // LANES * 2.0**-53 * exact


def test_a_program_serves_again_and_follows():
    """Tables are laid out once; of each further step sums, counts and gradients' places are taken anew."""
    ps = [Parameter(w) for w in tensors(torch.float32)]
    twin = Stepped(trusted, tensors(torch.float32))
    optimizer = RuleOptimizer(ps, trusted)
    with mock.patch.object(cpu, "NativeStep", side_effect=cpu.NativeStep) as made:
        for k in range(4):
            gradients = tensors(torch.float32, seed=50 + k)
            for p, g in zip(ps, gradients, strict=True):
                p.grad = g
            optimizer.param_groups[0]["lr"] = twin.hypers[0]["lr"] = 0.01 * (k + 1)
            optimizer.step()
            twin.step(gradients)
    assert made.call_count == 1
    for p, w in zip(ps, twin.weights, strict=True):
        check_bits(numbers(p), numbers(w))


def test_8_bit_state():
    """Its kernels decode block by block, those of sums too."""
    torch.manual_seed(0)
    w, gs = torch.randn(5000), torch.randn(6, 5000)
    ends = []
    for engine in ("auto", "eager"):
        p = Parameter(w.clone())
        optimizer = RuleOptimizer([p], trusted, state_dtype=torch.uint8, engine=engine)
        for g in gs:
            p.grad = g.clone()
            optimizer.step()
        assert optimizer.engine == ("cpu" if engine == "auto" else "eager")
        ends.append(p.detach())
    moved = (ends[1] - w).norm()
    assert (ends[0] - ends[1]).norm() <= 1e-5 * moved


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_the_loop_is_vectorized(dtype):
    names: dict = {}
    exec(numba_text.emit(stages(trace(trusted, trusted.complete({})))[0], "trusted", dtype), names)
    kernel = numba.njit(nogil=True, error_model="numpy")(names["step"])
    kernel.compile(kernels.SIGNATURE)
    (made,) = kernel.inspect_llvm().values()
    number = "double" if dtype == "float64" else "float"
    assert re.search(r"fadd <\d+ x double>", made)
    assert re.search(rf"fdiv <\d+ x {number}>", made)


def test_rules_without_sums_have_none():
    assert len(stages(trace(RULES["adam"], RULES["adam"].complete({})))) == 1


_by_parameter = Launch.by_parameter

FAULTS = {
    "only the first chunk": lambda stage, chunks: _by_parameter(stage, np.concatenate([chunks[:1], 0 * chunks[1:]])),
    "chunks of another tensor": lambda stage, chunks: _by_parameter(stage, chunks[::-1]),
    "sums swapped": lambda stage, chunks: _by_parameter(stage, chunks)[:, ::-1],
    "single precision": lambda stage, chunks: _by_parameter(stage, chunks.astype(np.float32).astype(float)),
    "mean in place of sum": lambda stage, chunks: _by_parameter(stage, chunks) / stage.size,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_the_comparison_catches_a_fault(fault):
    with mock.patch.object(Launch, "by_parameter", fault), pytest.raises(AssertionError):
        check_run(trusted, torch.float32, steps=2)
