"""The CPU engine: its kernel equals the rule on NumPy bit for bit, and it takes only what it can step rightly."""

from __future__ import annotations

import copy
import ctypes
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import Parameter

import surefoot.torch
from cached_kernels import run
from settings import ANY_SHAPE
from signed import signed
from summed import OnNumpy, Stepped
from surefoot.compiler.trace import trace
from surefoot.conventions import FRAMEWORKS, resolve, shown
from surefoot.engines import cpu, kernel_choice
from surefoot.engines.all_tensors import joins
from surefoot.engines.cpu import KernelJob, NativeStep, Pace, Work
from surefoot.engines.fits import fit
from surefoot.engines.jobs import Counts
from surefoot.engines.launch_tables import CHUNK, Launch, Tables, chunks_of
from surefoot.errors import SurefootWarning, UsageError
from surefoot.mathops import where
from surefoot.rule import Rule, Slot, Step, rule
from surefoot.rules import RULES, rule_of
from surefoot.torch import RuleOptimizer
from surefoot.update import update
from torch_runs import CASES, IDS, check_equal, check_same, drive, gradients, params_of

pytestmark = pytest.mark.usefixtures("kernel_cache")

TYPES = {"float32": torch.float32, "float64": torch.float64}
EXTREME = (0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, -1e-4, 1e-8, 1e-38, 1e-40, -1e-45, 5e-324, 1e-310, 3e38, 1e300)
"""Zeros of both signs, what is not finite, denormals of both types, and numbers whose square overflows."""


def made(name: str, framework: str, **options) -> tuple[Rule, dict]:
    """A rule and its hyperparameters; all rules under one name, so that equal kernels are compiled once."""
    own = replace(rule_of(name), name="rule")
    return own, own.complete({"base_lr": 1e-2, **shown(name, framework, {"lr": 1e-3, **options})})


def rows(dtype: str, steps: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of three scales, some always zero, and of every extreme value; one row a step."""
    rng = np.random.default_rng(seed)
    usual = np.concatenate([rng.normal(size=(steps, 13)) * scale for scale in (1.0, 1e-4, 1e-8)], axis=1)
    with np.errstate(over="ignore"):
        extreme = np.stack([rng.permutation(EXTREME) for _ in range(steps)])
        usual = np.concatenate([usual, np.zeros((steps, 2))], axis=1)
        return usual.astype(dtype), extreme.astype(dtype)


def launched(
    own: Rule, hyper: dict, w: Tensor, g: Tensor, state: dict, t: float = 1.0
) -> tuple[kernel_choice.Kernel, Launch]:
    """The kernel of a tensor, and its launch."""
    shown = fit(w, g, state)
    kernel = kernel_choice.kernel(
        "cpu", own, kernel_choice.form(hyper), shown.kinds, stochastic=False, strided=shown.strided
    )
    launch = Launch(kernel, seed=0)
    launch.add(shown.arrays, shown.runs, group=0, t=t, parameter=0)
    return kernel, launch


def check_bits(own: Rule, hyper: dict, dtype: str, steps: int = 6, t: float = 1.0) -> None:
    """Step tensors of usual and of extreme gradients; a sum over all tensors keeps only the usual ones finite."""
    usual, extreme = (torch.tensor(x) for x in rows(dtype, steps))
    draw = np.random.default_rng(1)
    w, beside = (torch.tensor(draw.normal(size=x.shape[1]).astype(dtype)) for x in (usual, extreme))
    check_steps(own, hyper, t, [w, beside], [usual, extreme])
    if joins(own):
        check_steps(own, hyper, t, [w, w[:7].clone()], [usual, usual[:, 7:14]])


def check_steps(own: Rule, hyper: dict, t: float, weights: list[Tensor], gradients: list[Tensor]) -> None:
    stepped = Stepped(own, [w.clone() for w in weights], [hyper])
    stepped.t = [int(t) - 1] * len(weights)
    beside = OnNumpy(stepped)
    for now in zip(*gradients, strict=True):
        stepped.step(now)
        beside.step(now)


# Bit for bit


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", ANY_SHAPE)
def test_every_rule_and_convention(name, framework):
    check_bits(*made(name, framework), "float32")


def with_every_operation(names: Iterable[str]) -> list[str]:
    """The rules that have an operation which none before them has."""
    found, seen = [], set()
    for name in names:
        operations = {node.op for node in trace(*made(name, "torch", weight_decay=0.1)).nodes}
        if not operations <= seen:
            found.append(name)
            seen |= operations
    return found


@pytest.mark.parametrize("name", with_every_operation(ANY_SHAPE))
def test_every_operation_in_double_precision(name):
    check_bits(*made(name, "torch", weight_decay=0.1, maximize=True), "float64")


AROUND = ["mars(adamw)", "grokfast(adam)", "cautious(adamw)", "lookahead(sgd)", "cautious(mars(lamb))"]


@pytest.mark.parametrize("name", AROUND)
def test_what_stands_around_a_rule(name):
    """Combinators of which no rule of `RULES` is made."""
    check_bits(*made(name, "torch", weight_decay=0.1), "float32")


OPTIONS = [
    ("float64", "sgd", "torch", {"momentum": 0.9, "dampening": 0.3}),
    ("float32", "sgd", "torch", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("float32", "sgd", "keras", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("float32", "adagrad", "torch", {"lr_decay": 0.1, "initial_accumulator": 0.5, "weight_decay": 0.1}),
    ("float64", "rmsprop", "torch", {"centered": True}),
    ("float32", "rmsprop", "torch", {"centered": True, "momentum": 0.9}),
    ("float64", "rmsprop", "keras", {"centered": True, "momentum": 0.9}),
    ("float32", "adam", "torch", {"amsgrad": True, "maximize": True}),
    ("float32", "adam", "keras", {"weight_decay": 0.1}),
    ("float64", "adamw", "paper", {"weight_decay": 0.1}),
    ("float32", "adam", "torch", {"eps": 0.0}),
    ("float32", "adam", "torch", {"lr": 0.0, "beta1": 0.0, "beta2": 0.0}),
]


@pytest.mark.parametrize(("dtype", "name", "framework", "options"), OPTIONS, ids=str)
def test_options(dtype, name, framework, options):
    check_bits(*made(name, framework, **options), dtype)


@pytest.mark.parametrize("t", [1.0, 999.0, 1e6])
def test_late_steps(t):
    check_bits(*made("adabound", "torch"), "float32", t=t)


@pytest.mark.parametrize("base_lr", [None, 0.0, 0.5])
def test_schedules(base_lr):
    own, hyper = made("adabound", "torch")
    check_bits(own, {**hyper, "base_lr": base_lr}, "float32")


@rule(slots=("one", "two", Slot("n", start="initial_accumulator")), source="this test")
def remembers(g, state, t, *, lr=0.1, eps=1e-3, initial_accumulator=1.0):  # noqa: ARG001
    """Keeps two gradients, chooses by comparison, has a slot that is only read, and no scalar in one place."""
    big = where(g > eps, g, where(g != state.two, state.two * state.n, -g))
    return Step(rate=lr, direction=big, one=g, two=state.one)


def test_state_that_is_handed_on():
    """A slot's new value may be another slot's old one: everything is read before anything is written."""
    check_bits(remembers, remembers.complete({}), "float32")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_choice_between_numbers_and_a_sign(dtype):
    check_bits(signed, signed.complete({}), dtype)


@rule(slots=("w", "g", "x1", "c0"), source="this test")
def awkward(g, state, _t, *, lr=0.1):
    return Step(rate=lr, direction=g + state.w, w=state.w + g, g=state.g - g, x1=g * g, c0=lr * g)


def test_slots_with_the_names_of_other_things():
    check_bits(awkward, awkward.complete({}), "float32")


@rule(slots=("s",), source="this test")
def unscaled(g, state, _t):
    return Step(rate=state.s, direction=g, s=state.s + g)


def test_a_rule_without_scalars():
    check_bits(unscaled, unscaled.complete({}), "float32")


@rule(slots=("s",), source="this test")
def truth_as_number(g, state, _t, *, lr=0.1):
    return Step(rate=lr, direction=(g > 0) * g - (g < 0) * g * lr, s=(g > state.s) * g)


def test_a_comparison_is_a_number():
    check_bits(truth_as_number, truth_as_number.complete({}), "float32")


# Through the optimizers


def stepper(name: str, params, engine: str = "auto", **options):
    return getattr(surefoot.torch, name)(params, engine=engine, **options)


@pytest.fixture
def kernel_only(monkeypatch):
    """Make the eager engine an error."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("the eager engine was used")

    monkeypatch.setattr("surefoot.torch.stepping.eager.prepare", refuse)


@pytest.fixture
def eager_only(monkeypatch):
    """Make the kernel an error."""

    def refuse(*_args):
        raise AssertionError("the kernel was used")

    monkeypatch.setattr(NativeStep, "run", refuse)


def copies(params) -> list[Parameter]:
    return [Parameter(p.detach().clone()) for p in params]


def ulps(a: Tensor, b: Tensor) -> float:
    """The largest difference, in units of the last digit of 1: weights start there, and steps are smaller."""
    return float((a - b).detach().abs().max()) / torch.finfo(a.dtype).eps if a.numel() else 0.0


@pytest.mark.parametrize(("name", "options"), CASES[::2], ids=IDS[::2])
def test_equals_the_eager_engine(name, options):
    """torch contracts some products into sums: half an ulp in each of about 10 operations a step."""
    start = [Parameter(torch.randn(40, 3)), Parameter(torch.randn(()))]
    ours, theirs = stepper(name, copies(start), **options), stepper(name, copies(start), "eager", **options)
    drive(ours, theirs, steps=5)
    for p, q in zip(params_of(ours), params_of(theirs), strict=True):
        assert ulps(p, q) < 32
        for key in ours.state[p]:
            assert ours.state[p][key].stride() == theirs.state[q][key].stride()


@pytest.mark.usefixtures("kernel_only")
def test_the_kernel_is_used():
    drive(stepper("Adam", [Parameter(torch.ones(3, 2)), Parameter(torch.ones(()))]), steps=2)


@pytest.mark.usefixtures("eager_only")
def test_eager_on_request():
    drive(stepper("Adam", [Parameter(torch.ones(3, 2))], "eager"), steps=2)


def other_class() -> Tensor:
    class Own(Parameter):
        pass

    return Own(torch.ones(4))


TAKEN = {
    "bfloat16": lambda: Parameter(torch.ones(4, dtype=torch.bfloat16)),
    "float16": lambda: Parameter(torch.ones(4, dtype=torch.float16)),
    "transposed": lambda: Parameter(torch.ones(4, 3).t()),
    "strided": lambda: Parameter(torch.ones(8)[::2]),
    "rows of a table": lambda: Parameter(torch.ones(4, 5)[:, :3]),
    "3-D channels last": lambda: Parameter(torch.ones(2, 3, 2, 2, 2).to(memory_format=torch.channels_last_3d)),
    "complex": lambda: Parameter(torch.ones(3, dtype=torch.complex64)),
}


@pytest.mark.parametrize("make", TAKEN.values(), ids=TAKEN)
@pytest.mark.usefixtures("kernel_only")
def test_taken_by_the_kernel(make):
    optimizer = stepper("Adam", [make()], lr=0.1)
    drive(optimizer, steps=3)
    assert optimizer.engine == "cpu"
    assert not torch.equal(params_of(optimizer)[0].detach(), make().detach())


@pytest.mark.usefixtures("eager_only")
def test_a_subclass_is_left_to_the_eager_engine_with_a_word():
    optimizer = stepper("Adam", [other_class()], lr=0.1)
    with pytest.warns(SurefootWarning, match="eager engine.* Own") as said:
        drive(optimizer, steps=2)
    assert len(said) == 1
    assert optimizer.engine == "eager"
    assert not torch.equal(params_of(optimizer)[0].detach(), other_class().detach())


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.usefixtures("eager_only")
def test_a_tensor_learning_rate_is_eager(requires_grad):
    drive(stepper("Adam", [Parameter(torch.ones(4))], lr=torch.tensor(0.1, requires_grad=requires_grad)), steps=2)


def test_expanded_weights_are_refused_as_in_torch():
    for make in (surefoot.torch.SGD, torch.optim.SGD):
        p = Parameter(torch.ones(1).expand(4))
        p.grad = torch.ones(4)
        with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
            make([p], lr=0.1).step()


def test_a_gradient_whose_sign_is_yet_to_flip():
    """A lazy negative of one element lies in memory as its opposite."""
    p = Parameter(torch.ones(1))
    p.grad = torch.tensor([1 + 2j]).conj().imag
    assert p.grad.is_neg()
    stepper("SGD", [p], lr=0.5).step()
    assert p.item() == 2.0


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


shapes = st.lists(st.integers(0, 4), max_size=5).map(tuple)
LAYOUTS = ("plain", "channels_last", "transposed", "strided", "offset")


def laid_out(x: Tensor, layout: str) -> Tensor:
    """The same numbers, lying otherwise in memory."""
    if layout == "channels_last" and x.dim() == 4:
        return x.to(memory_format=torch.channels_last)
    if layout == "transposed" and x.dim() > 1:
        return x.transpose(0, -1).contiguous().transpose(0, -1)
    if layout == "strided" and x.dim():
        return torch.stack([x, x], dim=-1)[..., 0]
    if layout == "offset":
        return torch.cat([torch.zeros(3, dtype=x.dtype), x.flatten(), torch.zeros(3, dtype=x.dtype)])[
            3 : 3 + x.numel()
        ].view(x.shape)
    return x.clone()


ANY_TYPE = (*TYPES.values(), torch.bfloat16, torch.float16)


def computed(x: Tensor) -> np.ndarray:
    """The numbers in the precision in which an update is computed."""
    return (x if x.dtype in TYPES.values() else x.float()).numpy()


tensors = st.tuples(shapes, st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS), st.sampled_from(ANY_TYPE))
groups = st.lists(
    st.tuples(
        st.lists(tensors, min_size=1, max_size=3),
        st.sampled_from([{}, {"weight_decay": 0.1}, {"maximize": True, "lr": 0.5}, {"lr": 0.0}]),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(groups=groups, seed=st.integers(0, 2**31))
def test_any_shapes_layouts_groups_and_step_counts(groups, seed):
    """Each parameter moves as it would alone, flat, on NumPy; each misses steps of its own."""
    rng = np.random.default_rng(seed)
    param_groups, expected = [], []
    for members, options in groups:
        start = [rng.normal(size=shape) for shape, *_ in members]
        params = [Parameter(laid_out(torch.tensor(x, dtype=m[3]), m[1])) for x, m in zip(start, members, strict=True)]
        param_groups.append({"params": params, **options})
        expected += [(p.detach().clone(), dict(options)) for p in params]
    optimizer = surefoot.torch.AdaBound(param_groups, lr=0.01, stochastic_rounding=False)
    steps = [0] * len(expected)
    reference = RULES["adabound"]
    states = [{slot: torch.zeros_like(w) for slot in ("m", "v")} for w, _ in expected]
    for _ in range(4):
        k = 0
        for group, (members, _) in zip(optimizer.param_groups, groups, strict=True):
            for p, (shape, _, layout, dtype) in zip(group["params"], members, strict=True):
                present = rng.random() < 0.7
                p.grad = laid_out(torch.tensor(rng.normal(size=shape), dtype=dtype), layout) if present else None
                if p.grad is not None:
                    steps[k] += 1
                    w, options = expected[k]
                    hyper = reference.complete(resolve("adabound", "torch", {"lr": 0.01, **options}))
                    hyper["base_lr"] = group["base_lr"]
                    arrays = {slot: computed(x) for slot, x in states[k].items()}
                    new, made, _ = update(reference, computed(w), computed(p.grad), arrays, float(steps[k]), hyper)
                    expected[k] = torch.as_tensor(new).to(dtype), options
                    states[k] = {slot: torch.as_tensor(x).to(dtype) for slot, x in made.items()}
                k += 1
        before = [None if p.grad is None else p.grad.clone() for p in params_of(optimizer)]
        optimizer.step()
        for p, gradient in zip(params_of(optimizer), before, strict=True):
            assert gradient is None or torch.equal(p.grad, gradient)
    for p, (w, _) in zip(params_of(optimizer), expected, strict=True):
        assert torch.equal(p.detach(), w)


def test_groups_whose_scalars_come_from_different_formulas():
    """Two groups may share a kernel's text and yet not how its scalars are computed: base_lr 0 and not 0."""
    start = torch.linspace(-1, 1, 50)
    both = surefoot.torch.AdaBound([{"params": Parameter(start.clone()), "lr": 0.0}, {"params": []}], lr=0.5)
    both.param_groups[1]["params"].append(Parameter(start.clone()))
    both.param_groups[0]["lr"], both.param_groups[1]["lr"] = 0.1, 0.05
    apart = copy.deepcopy(both)
    apart.options = replace(apart.options, engine="eager")
    drive(both, apart, steps=3)
    for p, q in zip(params_of(both), params_of(apart), strict=True):
        assert ulps(p, q) < 32


def test_ten_thousand_tensors():
    start = torch.randn(10_000, 2)
    many = stepper("Adam", [Parameter(row.clone()) for row in start])
    one = stepper("Adam", [Parameter(start.clone())])
    gradient = torch.randn_like(start)
    one.param_groups[0]["params"][0].grad = gradient
    for p, row in zip(params_of(many), gradient, strict=True):
        p.grad = row.clone()
    many.step()
    one.step()
    assert torch.equal(torch.stack([p.detach() for p in params_of(many)]), params_of(one)[0].detach())


# Memory


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setattr(cpu, "SPLIT", CHUNK)
    monkeypatch.setattr(Pace, "shared", True)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_threads_do_not_show():
    shapes = [(300, 700), (3,), (CHUNK + 1,), (0,), (2, CHUNK)]
    start = [torch.randn(shape) for shape in shapes]
    ours = [stepper("Adam", copies(start)) for _ in range(2)]
    for optimizer, threads in zip(ours, (2, 1), strict=True):
        torch.set_num_threads(threads)
        drive(optimizer, steps=3)
    check_same(*ours)


NATIVE = 3 * 9 + 9 + 7 + 2
"""Numbers that a kernel is called with in native code: tables of two axes are nine each, the keys seven."""


@pytest.mark.usefixtures("two_threads")
def test_threads_share_the_work():
    """The other thread takes parts of its own, and no part is taken twice."""
    seen, barrier = [], threading.Barrier(2)

    def spy(*arguments):
        barrier.wait(10)
        seen.append((threading.get_ident(), *arguments[-2:]))

    kernel = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * NATIVE)(spy)
    places = [np.zeros((1, 2), np.int64) for _ in range(2)]
    tables = Tables(np.zeros((20, 5), np.int64), *places, np.zeros((1, 1)), np.zeros(1, np.int64))
    work = Work([KernelJob(ctypes.cast(kernel, ctypes.c_void_p).value, tables)], Counts([]))
    work.begin([2])
    work.run()
    assert work.done
    assert len({thread for thread, *_ in seen}) == 2
    assert sorted(part for _, *part in seen) == [[k, k + 1] for k in range(20)]


def test_a_part_that_is_done_is_not_done_again():
    count = torch.tensor(3.0)
    work = Work([], Counts([count]))
    work.begin([])
    work.run()
    work.run()
    assert count == 4


def test_a_shared_step_that_had_to_wait_is_followed_by_steps_of_one_thread(monkeypatch):
    clock, seen = iter([0.0, 0.001, 0.0, 0.004, 0.0, 0.001, 0.0, 0.002]), []
    monkeypatch.setattr(cpu, "clock", lambda: next(clock))
    spy = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * NATIVE)(lambda *_: seen[-1].add(threading.get_ident()))
    places = [np.zeros((1, 2), np.int64) for _ in range(2)]
    tables = Tables(np.zeros((20, 5), np.int64), *places, np.zeros((1, 1)), np.zeros(1, np.int64))
    work = Work([KernelJob(ctypes.cast(spy, ctypes.c_void_p).value, tables)], Counts([]))
    asked = []
    for _ in range(4):
        seen.append(set())
        work.begin([2])
        asked.append(work.threads)
        work.run()
    assert asked == [[1], [2], [1], [1]]
    assert [seen[k] for k in (0, 2, 3)] == [{threading.get_ident()}] * 3


@pytest.mark.usefixtures("two_threads")
def test_weights_that_share_memory_move_one_after_the_other(monkeypatch):
    big = torch.zeros(20 * CHUNK)
    parts = [Parameter(big[: 15 * CHUNK]), Parameter(big[5 * CHUNK :])]
    asked = []
    monkeypatch.setattr(
        Work,
        "begin",
        lambda self, threads, begin=Work.begin: begin(self, asked.append(threads) or threads),
    )
    for p in parts:
        p.grad = torch.ones_like(p)
    stepper("SGD", parts, lr=1.0).step()
    assert asked == [[1]]
    assert big.sum() == -30 * CHUNK
    assert big.min() == -2


def test_views_of_a_larger_tensor():
    big = torch.arange(20.0)
    p = Parameter(big[3:10])
    p.grad = torch.arange(7.0)
    stepper("SGD", [p], lr=1.0).step()
    assert big.tolist() == [0, 1, 2, *[3.0] * 7, *range(10, 20)]


def test_a_gradient_that_is_the_weight():
    p = Parameter(torch.tensor([1.0, 2.0, 3.0]))
    p.grad = p.detach()
    stepper("SGD", [p], lr=0.5, momentum=0.9).step()
    assert p.tolist() == [0.5, 1.0, 1.5]


@pytest.mark.parametrize("order", ["contiguous", "channels_last", "transposed", "strided", "expanded"])
def test_gradients_are_only_read(order):
    shape = (2, 3, 4, 5)
    whole = torch.randn(2, 3, 4, 10)
    gradient = {
        "contiguous": whole[..., :5].contiguous(),
        "channels_last": whole[..., :5].to(memory_format=torch.channels_last),
        "transposed": torch.randn(5, 4, 3, 2).permute(3, 2, 1, 0),
        "strided": whole[..., ::2],
        "expanded": torch.randn(1, 3, 1, 5).expand(shape),
    }[order]
    p = Parameter(torch.randn(shape))
    start, before, version = p.detach().clone(), gradient.clone(), gradient._version
    p.grad = gradient
    stepper("SGD", [p], lr=0.5).step()
    assert p.grad is gradient
    assert gradient._version == version
    assert torch.equal(gradient, before)
    assert torch.equal(p.detach(), start - 0.5 * before)


def test_autograd_is_told():
    """A graph that needs the weights of before the step must fail, as it does with torch's optimizers."""
    messages = []
    for make in (surefoot.torch.Adam, torch.optim.Adam):
        p = Parameter(torch.ones(3))
        loss = (p * p).sum()
        p.grad = torch.ones(3)
        make([p]).step()
        with pytest.raises(RuntimeError, match="modified by an inplace operation") as caught:
            loss.backward()
        messages.append(str(caught.value).split(";")[0])
    assert messages[0] == messages[1]


def test_versions_of_everything_written():
    optimizer = stepper("Adam", [Parameter(torch.ones(3))])
    drive(optimizer, steps=1)
    (p,) = params_of(optimizer)
    tensors = [p, optimizer.state[p]["exp_avg"], optimizer.state[p]["exp_avg_sq"]]
    before = [x._version for x in tensors]
    drive(optimizer, steps=1)
    assert all(x._version > version for x, version in zip(tensors, before, strict=True))


def test_inference_mode():
    with torch.inference_mode():
        p = Parameter(torch.ones(3), requires_grad=False)
        p.grad = torch.ones(3)
        stepper("Adam", [p], lr=0.5).step()
        assert torch.allclose(p, torch.full((3,), 0.5))


def test_index_arithmetic_of_a_huge_tensor():
    """2^31 + 1 weights: neither planned with 32-bit numbers, nor with a large table."""
    size = 2**31 + 1
    chunks = chunks_of([(size, 0, 0), (3, 1, 0)])
    assert chunks.dtype == np.int64
    assert chunks.nbytes < 8e6
    assert chunks[-2].tolist() == [0, 2**31, 1, 0, 2**31]
    assert chunks[-1].tolist() == [1, 0, 3, 1, 0]
    assert (chunks[:-2, 2] == CHUNK).all()
    assert np.array_equal(chunks[:-1, 1], np.arange(len(chunks) - 1) * CHUNK)


@pytest.mark.parametrize("dtype", TYPES)
def test_addresses_beyond_32_bits(dtype):
    """The last chunk of 2^31 + 1 weights, of which only that chunk exists: the tensors begin 2^31 weights earlier."""
    from surefoot.engines.kernels import compiled

    own, hyper = made("sgd", "torch")
    w, g = torch.ones(3, dtype=TYPES[dtype]), torch.ones(3, dtype=TYPES[dtype])
    kernel, _ = launched(own, hyper, w, g, {})
    far = 2**31 * w.element_size()
    pointers = np.array([[w.data_ptr() + w.element_size() - far, g.data_ptr() + g.element_size() - far]])
    scalars = np.array([kernel.plan.host({**hyper, "lr": 0.25, "t": 1.0})])
    chunk, keys = np.array([[0, 2**31, 1, 0, 2**31]]), np.zeros(1, np.int64)
    run(compiled(kernel.text), chunk, pointers, np.ones_like(pointers), scalars, keys, 0, 1)
    assert w.tolist() == [1.0, 0.75, 1.0]


# Processes and threads


def test_several_python_threads_at_once():
    from surefoot.engines import kernels

    kernels.compiled.cache_clear()
    start = torch.randn(5, 100)
    ours = [stepper("AdaBound", [Parameter(start.clone())]) for _ in range(6)]
    threads = [threading.Thread(target=drive, args=(optimizer,), kwargs={"steps": 20}) for optimizer in ours]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for optimizer in ours[1:]:
        check_same(ours[0], optimizer)


@pytest.mark.parametrize("engine", ["auto", "eager"])
def test_a_step_that_raises_has_not_happened(engine):
    """A parameter that cannot be stepped leaves those before it where they were, and without state."""
    fine, sparse = Parameter(torch.ones(3)), Parameter(torch.ones(3))
    fine.grad, sparse.grad = torch.ones(3), torch.ones(3).to_sparse()
    optimizer = stepper("Adam", [fine, sparse], engine=engine)
    with pytest.raises(RuntimeError, match="sparse"):
        optimizer.step()
    assert not optimizer.state
    assert (fine == 1).all()


FORK = """
import multiprocessing, warnings, torch, surefoot.torch
from surefoot.engines import kernel_choice, cpu, engine_choice
from surefoot.engines.fits import fit
from surefoot.engines.launch_tables import CHUNK, Launch, Tables, chunks_of
from surefoot.engines.cpu import parallel
torch.set_num_threads(2)
warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on: a fork beside threads may hang

def step_in_child(pipe, optimizer, p):
    torch.set_num_threads(1)  # torch itself hangs in a child whose parent had OpenMP's threads
    torch.get_num_threads = lambda: 2
    assert not parallel()
    optimizer.step()
    pipe.send(p.detach().numpy())

p = torch.nn.Parameter(torch.zeros(2 * cpu.SPLIT))
optimizer = surefoot.torch.Adam([p])
p.grad = torch.linspace(-1, 1, p.numel())
optimizer.step()
context = multiprocessing.get_context("fork")
here, there = context.Pipe()
child = context.Process(target=step_in_child, args=(there, optimizer, p), daemon=True)
child.start()
found = here.recv() if here.poll(600) else None
child.join(600)
optimizer.step()
print("hangs" if found is None else bool((p.detach().numpy() == found).all()), child.exitcode)
"""


def test_after_fork():
    """A child has the parent's compiled kernels, but not its threads, and steps alone.

    In a process of its own: the suite's has JAX in it, which does not allow a fork.
    """
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True, timeout=900)
    assert done.stdout == "True 0\n", done.stderr


def test_where_numba_is_switched_off_the_eager_engine_steps():
    code = "import torch, surefoot.torch as st; o = st.SGD([torch.nn.Parameter(torch.ones(3))]); print(o.engine)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )
    assert done.stdout == "eager\n"
    assert "NUMBA_DISABLE_JIT is set; unset it" in done.stderr


SCRIPT = """
import sys, threading, time, torch, surefoot.torch
torch.set_num_threads(2)
p = torch.nn.Parameter(torch.zeros(1_200_000))
optimizer = surefoot.torch.SGD([p], lr=1.0)
optimizer.step()
print("numba" in sys.modules)
p.grad = torch.ones_like(p)
def train():
    threading.main_thread().join()
    time.sleep(0.2)
    optimizer.step()
    print("numba" in sys.modules)
    print("trained", bool((p == -1).all()))
threading.Thread(target=train).start()
"""


@pytest.fixture(scope="module")
def script_lines():
    done = subprocess.run([sys.executable, "-W", "error", "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout.splitlines()


def test_numba_is_loaded_only_when_something_moves(script_lines):
    assert script_lines[:2] == ["False", "True"]


def test_a_thread_that_outlives_the_main_thread(script_lines):
    """When Python ends, no thread can be started any more; training goes on to its end all the same."""
    assert script_lines[2:] == ["trained True"]


# What is kept


@pytest.mark.parametrize("through", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))], ids=["copy", "pickle"])
def test_a_copy_goes_on_alike(through):
    optimizer = stepper("AMSBound", [Parameter(torch.ones(5, 3))])
    drive(optimizer, steps=3)
    twin = through(optimizer)
    drive(optimizer, twin, steps=3)
    check_same(optimizer, twin)


def test_a_checkpoint_of_the_eager_engine_goes_on():
    first = stepper("Adam", [Parameter(torch.ones(5, 3, dtype=torch.float64))], "eager")
    drive(first, steps=3)
    second = stepper("Adam", copies(params_of(first)))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    drive(first, second, steps=3, seed=5)
    check_equal(second, first)


# Rules that cannot be compiled


def test_a_rule_that_cannot_be_compiled_is_eager_and_says_so_once():
    @rule(source="this test")
    def unplannable(g, _state, _t, *, lr=0.1):
        return Step(rate=lr, direction=g.sign())

    optimizer = RuleOptimizer([Parameter(torch.ones(3))], unplannable_on_numpy(unplannable))
    with pytest.warns(SurefootWarning, match=r"unplannable runs on the eager engine.*no attribute 'sign'") as caught:
        drive(optimizer, steps=3)
    assert len(caught) == 1
    (row,) = (gradients(params_of(optimizer), 1),)
    assert torch.allclose(params_of(optimizer)[0], 1 - 0.1 * sum(r[0].sign() for r in gradients(row[0], 3)))


def unplannable_on_numpy(own: Rule) -> Rule:
    """The rule without the check on NumPy, which a torch method fails."""
    return _Unchecked(**{name: getattr(own, name) for name in own.__dataclass_fields__})


class _Unchecked(Rule):
    def check(self, hyper):
        pass


def test_there_is_no_kernel_of_such_a_rule():
    @rule(source="this test")
    def power(g, _state, _t, *, lr=0.1):
        return Step(rate=lr, direction=g**3)

    hyper = power.complete({})
    with pytest.warns(SurefootWarning, match="power"):
        assert not kernel_choice.compiles(power, kernel_choice.form(hyper))
    with pytest.raises(UsageError, match="no kernel for the rule power"):
        launched(power, hyper, torch.ones(2), torch.ones(2), {})
