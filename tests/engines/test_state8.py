"""Optimizers with a byte of state a weight: training ends where it should, engines agree, checkpoints are exact."""

from __future__ import annotations

import copy
import io
import pickle
from collections import Counter
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import Parameter

import surefoot.torch
from eight_bits import decode, encode
from half import check_bits
from kernel_cases import numbers
from settings import setting
from surefoot.engines import cpu
from surefoot.engines.blocks import SMALLEST, Blocks
from surefoot.engines.cpu import Pace
from surefoot.engines.launch_tables import CHUNK
from surefoot.errors import SurefootWarning, UsageError
from surefoot.rule import WEIGHT, Slot, Step, rule
from surefoot.rules import RULES
from surefoot.torch import RuleOptimizer
from surefoot.torch.step_tables import StepTables
from surefoot.training.param_groups import state_bytes
from surefoot.update import take_step
from torch_runs import check_same, drive, params_of

pytestmark = pytest.mark.usefixtures("kernel_cache")

NAMES = ("SGD", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "AdaBound", "AMSBound")
ENGINES = ("cpu", "eager")
on_each_engine = pytest.mark.parametrize("engine", ENGINES)


# Optimizers


def make(name: str, p, **options):
    options = {"lr": 0.1, "momentum": 0.9, **options} if name == "SGD" else options
    return getattr(surefoot.torch, name)([p] if isinstance(p, Tensor) else p, **options)


def weights(n: int = 5000, dtype=torch.float32) -> Parameter:
    torch.manual_seed(0)
    return Parameter(torch.randn(n).to(dtype))


def give(optimizer, k: int) -> None:
    torch.manual_seed(k)
    for p in params_of(optimizer):
        p.grad = (torch.randn(p.shape) * torch.linspace(-8, 0, p.numel()).exp2().view(p.shape)).to(p.dtype)


@pytest.mark.parametrize("name", [*NAMES, "NAdam", "Lamb", "Prodigy", "DoG", "AdamWScheduleFree"])
def test_engines_agree(name):
    """PyTorch rounds some products otherwise, by the last digit of float32: that decides a code in a million."""
    both = [make(name, weights(), state_dtype=torch.uint8, engine=engine, seed=3) for engine in ENGINES]
    for k in range(5):
        for optimizer in both:
            give(optimizer, k)
            optimizer.step()
    assert tuple(optimizer.engine for optimizer in both) == ENGINES
    (p,), (q,) = map(params_of, both)
    apart, of_weights = Counter(), {both[0]._state_name(s.name) for s in both[0].rule.slots if s.start == WEIGHT}
    for slot, x in both[0].state[p].items():
        y = both[1].state[q][slot]
        assert x.dtype == y.dtype
        if x.dtype == torch.uint8:
            apart[slot] = int((x != y).sum())
        elif slot in of_weights:
            apart[slot] = int((~torch.isclose(x, y, rtol=0, atol=1e-6)).sum())
        else:
            torch.testing.assert_close(x, y, rtol=2e-6, atol=0)
    apart["weights"] = int((~torch.isclose(p, q, rtol=0, atol=1e-6)).sum())
    assert apart.total() <= 3  # of the 75,000 numbers that were written


WITH_WEIGHTS = ("dog", "prodigy", "dadapt_sgd", "schedule_free_sgd", "lookahead(sgd)")
"""Rules that keep weights of before, or other weights, among their state."""


@on_each_engine
@pytest.mark.parametrize("kind", [torch.uint8, torch.bfloat16])
@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_slots_that_start_as_the_weights_keep_their_digits(name, kind, engine):
    """They would be moved, or seen from where they never were, by the rounding of 8 bits."""
    p = weights()
    start = p.detach().clone()
    optimizer = RuleOptimizer([p], name, state_dtype=kind, engine=engine)
    p.grad = torch.zeros_like(p)
    optimizer.step()
    torch.testing.assert_close(p.detach(), start, rtol=1e-6, atol=0)
    kept = [slot.name for slot in optimizer.rule.slots if slot.start == WEIGHT]
    assert kept
    for slot in kept:
        torch.testing.assert_close(optimizer.state[p][slot], start, rtol=1e-6, atol=0)
    twin = RuleOptimizer([weights()], name, state_dtype=kind, engine=engine)
    twin.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert all(torch.equal(twin.state[params_of(twin)[0]][slot], optimizer.state[p][slot]) for slot in kept)


@on_each_engine
def test_a_distance_from_the_start_is_that_of_the_weights(engine):
    """DoG keeps nothing else: its steps are the same with any kind of state."""
    ends = []
    for kind in (None, torch.uint8):
        optimizer = make("DoG", weights(), state_dtype=kind, engine=engine)
        for k in range(5):
            give(optimizer, k)
            optimizer.step()
        ends.append(params_of(optimizer)[0])
    assert torch.equal(*ends)


def test_the_state_is_codes_and_scales():
    p = Parameter(torch.randn(70, 100))
    optimizer = make("Adam", p, state_dtype=torch.uint8)
    drive(optimizer, steps=2)
    own = optimizer.state[p]
    assert set(own) == {"step", "exp_avg", "exp_avg_scale", "exp_avg_sq", "exp_avg_sq_scale"}
    for name in ("exp_avg", "exp_avg_sq"):
        codes, scales = own[name], own[f"{name}_scale"]
        assert (codes.dtype, codes.shape, codes.stride()) == (torch.uint8, p.shape, p.stride())
        assert (scales.dtype, scales.shape) == (torch.float32, (28,))


def test_memory_falls_to_a_quarter():
    n = 1 << 16
    found = {}
    for dtype in (None, torch.bfloat16, torch.uint8):
        optimizer = make("Adam", weights(n), state_dtype=dtype)
        drive(optimizer, steps=1)
        found[dtype] = state_bytes(optimizer) / n
    assert found == {None: 8, torch.bfloat16: 4, torch.uint8: 2 * (1 + 4 / 256)}


@on_each_engine
@pytest.mark.parametrize("name", NAMES)
def test_training_ends_where_float32_state_does(name, engine):
    """A noisy quadratic, its curvature between 0.01 and 1: the loss falls as far, to a twentieth of the way."""
    curvature = torch.logspace(-2, 0, SMALLEST)[torch.randperm(SMALLEST, generator=torch.Generator().manual_seed(1))]
    rates = {"SGD": 0.1, "Adagrad": 0.5, "Adadelta": 20.0}

    def end(**options) -> tuple[float, float]:
        p = Parameter(torch.ones(SMALLEST))
        optimizer = make(name, p, lr=rates.get(name, 0.02), engine=engine, **options)
        noise = torch.Generator().manual_seed(2)
        losses = []
        for _ in range(150):
            losses.append(float((curvature * p.detach() ** 2).sum()))
            p.grad = curvature * (p.detach() + 0.1 * torch.randn(SMALLEST, generator=noise))
            optimizer.step()
        return losses[0], losses[-1]

    start, plain = end()
    _, eight = end(state_dtype=torch.uint8)
    assert plain < 0.3 * start
    assert abs(eight - plain) < 0.05 * (start - plain)


@on_each_engine
def test_a_mean_that_falls_is_followed_only_at_random(engine):
    """The mean of squares forgets a thousandth a step, too little to reach the next code by rounding to nearest."""
    ends = {}
    for stochastic in (False, True):
        p = Parameter(torch.zeros(SMALLEST))
        optimizer = make("Adam", p, lr=0.0, state_dtype=torch.uint8, stochastic_rounding=stochastic, engine=engine)
        for k in range(400):
            p.grad = torch.ones(SMALLEST)
            p.grad[1::2] = 1.0 if k < 50 else 0.0
            optimizer.step()
        own = optimizer.state[p]
        v = Blocks(own["exp_avg_sq"], own["exp_avg_sq_scale"], positive=True).read()
        ends[stochastic] = float(v[1::2].mean())
    exact = (1 - 0.999**50) * 0.999**350
    assert ends[True] == pytest.approx(exact, rel=0.02)
    assert ends[False] > 1.2 * exact


@on_each_engine
def test_seeds_differ_and_repeat(engine):
    def end(seed):
        optimizer = make("Adam", weights(), state_dtype=torch.uint8, seed=seed, engine=engine)
        drive(optimizer, steps=3)
        return optimizer.state[params_of(optimizer)[0]]["exp_avg"]

    assert torch.equal(end(1), end(1))
    assert not torch.equal(end(1), end(2))


@on_each_engine
def test_a_gradient_that_is_nan_makes_its_block_nan(engine):
    """Its weight is NaN at once, the others of its block from the next step on, and no weight besides."""
    p = weights()
    optimizer = make("Adam", p, state_dtype=torch.uint8, engine=engine)
    for k in range(2):
        p.grad = torch.ones_like(p)
        p.grad[300] = float("nan") if k == 0 else 1.0
        optimizer.step()
        bad = torch.isnan(p).nonzero().flatten().tolist()
        assert bad == ([300] if k == 0 else [*range(256, 512)])


def test_many_threads_give_the_same(monkeypatch):
    monkeypatch.setattr(Pace, "shared", True)
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(cpu, "_threads", lambda *_, threads=threads: threads)
        optimizer = make("Adam", weights(10 * CHUNK + 77), state_dtype=torch.uint8)
        drive(optimizer, steps=2)
        found.append(optimizer)
    check_same(*found)


def test_effective_lr_reads_the_codes():
    optimizer = make("Adam", p := weights(), state_dtype=torch.uint8)
    drive(optimizer, steps=3)
    own = optimizer.state[p]
    names = {"m": "exp_avg", "v": "exp_avg_sq"}
    state = {slot: decode(own[x].numpy(), own[f"{x}_scale"].numpy(), slot == "v") for slot, x in names.items()}
    expected = take_step(RULES["adam"], numbers(p.detach()), p.grad.numpy(), state, 4, setting("adam", lr=1e-3).hyper)
    np.testing.assert_allclose(optimizer.effective_lr()[p].numpy(), expected.rate, rtol=1e-6)


def test_tables_serve_again_until_the_state_is_another():
    optimizer = make("Adam", weights(), state_dtype=torch.uint8)
    with mock.patch("surefoot.torch.stepping.StepTables", side_effect=StepTables) as made:
        drive(optimizer, steps=3)
        assert made.call_count == 1
        own = optimizer.state[params_of(optimizer)[0]]
        own["exp_avg_scale"] = own["exp_avg_scale"].clone()
        drive(optimizer, steps=1)
        assert made.call_count == 2
    versions = [x._version for x in own.values()]
    drive(optimizer, steps=1)
    assert all(x._version > version for x, version in zip(own.values(), versions, strict=True))


# What keeps its state as it is


KEEPS = {
    "few weights": lambda dtype: Parameter(torch.ones(SMALLEST - 1, dtype=dtype)),
    "strided": lambda dtype: Parameter(torch.ones(2 * SMALLEST, dtype=dtype)[::2]),
    "a subclass": lambda dtype: type("OwnParameter", (Parameter,), {})(torch.ones(SMALLEST, dtype=dtype)),
}


@pytest.mark.parametrize("make_p", KEEPS.values(), ids=KEEPS)
@pytest.mark.filterwarnings("ignore:a parameter runs on the eager engine")
def test_state_that_stays_float32(make_p):
    for dtype in (torch.float32, torch.bfloat16):
        p = make_p(dtype)
        optimizer = make("Adam", p, state_dtype=torch.uint8)
        drive(optimizer, steps=1)
        assert {x.dtype for name, x in optimizer.state[p].items() if name != "step"} == {torch.float32}


def test_complex_state_and_moving_averages_stay_as_they_are():
    p, q = Parameter(torch.ones(5000, dtype=torch.complex64)), weights(dtype=torch.bfloat16)
    optimizer = make("Adam", [p, q], state_dtype=torch.uint8, ema=0.9)
    drive(make("Adam", [q], state_dtype=torch.uint8, ema=0.9), steps=1)
    p.grad, q.grad = torch.ones_like(p), torch.ones_like(q)
    optimizer.step()
    assert optimizer.state[p]["exp_avg"].dtype == torch.complex64
    assert optimizer.state[q]["exp_avg"].dtype == torch.uint8
    assert optimizer.state[q]["ema"].dtype == torch.float32


@pytest.mark.parametrize("switch", ["differentiable", "capturable"])
def test_state_becomes_float32_where_it_must(switch):
    """Autograd cannot follow codes, and a captured step has no new seed: what there was is decoded, for good."""
    p = weights()
    optimizer = make("Adam", p, state_dtype=torch.uint8, engine="eager")
    drive(optimizer, steps=2)
    own = optimizer.state[p]
    before = Blocks(own["exp_avg"], own["exp_avg_scale"], positive=False).read()
    optimizer.param_groups[0][switch] = True
    p.grad = torch.zeros_like(p)
    with torch.no_grad():
        optimizer.step()
    assert set(own) == {"step", "exp_avg", "exp_avg_sq"}
    assert torch.equal(own["exp_avg"], 0.9 * before)
    fresh = make("Adam", q := weights(), state_dtype=torch.uint8, **{switch: True})
    with torch.no_grad():
        drive(fresh, steps=1)
    assert fresh.state[q]["exp_avg"].dtype == torch.float32


def test_a_sparse_gradient_leaves_other_weights_alone():
    embedding = torch.nn.Embedding(100, 64, sparse=True)
    optimizer = make("Adagrad", embedding.weight, state_dtype=torch.uint8, initial_accumulator_value=0.25)
    assert optimizer.state[embedding.weight]["sum"].dtype == torch.uint8
    embedding(torch.tensor([3, 5])).sum().backward()
    optimizer.step()
    total = optimizer.state[embedding.weight]["sum"]
    assert total.dtype == torch.float32
    touched = torch.zeros(100, dtype=torch.bool)
    touched[[3, 5]] = True
    assert (total[touched] == 1.25).all()
    assert (total[~touched] == 0.25).all()


def test_state_in_another_order_is_left_to_the_eager_engine_with_a_word():
    p = Parameter(torch.randn(8, 16, 8, 8))
    optimizer = make("Adam", p, state_dtype=torch.uint8)
    drive(optimizer, steps=1)
    p.data = p.data.to(memory_format=torch.channels_last)
    with pytest.warns(SurefootWarning, match="8-bit state does not lie in one piece"):
        drive(optimizer, steps=1)
    assert optimizer.engine == "eager"


def test_channels_last_is_one_piece():
    p = Parameter(torch.randn(8, 16, 8, 8).to(memory_format=torch.channels_last))
    optimizer = make("Adam", p, state_dtype=torch.uint8)
    for like in (torch.contiguous_format, torch.channels_last):
        p.grad = torch.randn_like(p).contiguous(memory_format=like)
        optimizer.step()
        assert optimizer.engine == "cpu"
    assert optimizer.state[p]["exp_avg"].stride() == p.stride()


@pytest.mark.parametrize("gradient", [torch.randn(64, 99)[:, :64], torch.ones(1, 1).expand(64, 64)], ids=["cut", "one"])
def test_a_gradient_that_lies_otherwise_is_laid_out_like_the_weights(gradient):
    pair = [make("Adam", Parameter(torch.zeros(64, 64)), state_dtype=torch.uint8) for _ in range(2)]
    for optimizer, given in zip(pair, (gradient, gradient.contiguous()), strict=True):
        params_of(optimizer)[0].grad = given
        optimizer.step()
        assert optimizer.engine == "cpu"
    check_same(*pair)


# Checkpoints


def resumed(optimizer, **options):
    """A new optimizer on the same weights, which has loaded the state from a file."""
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    twin = type(optimizer)([Parameter(p.detach().clone()) for p in params_of(optimizer)], **options)
    twin.load_state_dict(torch.load(file, weights_only=True))
    return twin


@on_each_engine
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_a_checkpoint_is_exact(dtype, engine):
    """Scales too, which torch would round to the weights' kind of numbers."""
    options = {"state_dtype": torch.uint8, "engine": engine}
    first = make("AdamW", [weights(dtype=dtype), weights(10, dtype)], **options)
    drive(first, steps=3)
    second = resumed(first, **options)
    check_same(first, second)
    drive(first, second, steps=3)
    check_same(first, second)


@pytest.mark.parametrize("through", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))], ids=["copy", "pickle"])
def test_copies_go_on_alike(through):
    first = make("Adam", weights(), state_dtype=torch.uint8)
    drive(first, steps=2)
    second = through(first)
    drive(first, second, steps=2)
    check_same(first, second)
    assert second.state[params_of(second)[0]]["exp_avg"].dtype == torch.uint8


def test_torchs_checkpoint_is_encoded():
    p = weights()
    theirs = torch.optim.Adam([p])
    drive(theirs, steps=3)
    ours = make("Adam", q := Parameter(p.detach().clone()), state_dtype=torch.uint8)
    ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
    own, expected = ours.state[q], theirs.state[p]
    for name, positive in (("exp_avg", False), ("exp_avg_sq", True)):
        codes, scales = encode(expected[name].numpy(), positive)
        check_bits(own[name].numpy(), codes)
        check_bits(own[f"{name}_scale"].numpy(), scales)
    assert float(own["step"]) == 3
    drive(ours, steps=1)


def test_torchs_checkpoint_is_not_encoded_where_autograd_looks_on():
    theirs = torch.optim.Adam([weights()])
    drive(theirs, steps=1)
    ours = make("Adam", q := weights(), state_dtype=torch.uint8, differentiable=True)
    checkpoint = copy.deepcopy(theirs.state_dict())
    checkpoint["param_groups"][0]["differentiable"] = True
    ours.load_state_dict(checkpoint)
    assert torch.equal(ours.state[q]["exp_avg"], theirs.state[params_of(theirs)[0]]["exp_avg"])


@pytest.mark.parametrize("name", ["Adam", "SGD"])
def test_a_checkpoint_in_another_order_comes_back_to_the_kernel(name):
    """Blocks are neighbours in memory, so the codes are made anew: the numbers are nearly the same."""
    first = make(name, Parameter(torch.randn(8, 16, 8, 8)), state_dtype=torch.uint8)
    drive(first, steps=2)
    turned = Parameter(params_of(first)[0].detach().clone(memory_format=torch.channels_last))
    second = make(name, turned, state_dtype=torch.uint8)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    old, new = (optimizer.state[params_of(optimizer)[0]] for optimizer in (first, second))
    for key in [key for key in old if f"{key}_scale" in old]:
        positive = key == "exp_avg_sq"
        expected, found = (Blocks(own[key], own[f"{key}_scale"], positive).read() for own in (old, new))
        torch.testing.assert_close(found, expected, rtol=2**-4, atol=1e-4 * float(expected.abs().max()))
        assert new[key].stride() == turned.stride()
    drive(second, steps=1)
    assert second.engine == "cpu"


@pytest.mark.parametrize("wanted", [None, torch.bfloat16])
def test_a_checkpoint_in_8_bits_is_decoded_where_another_is_wanted(wanted):
    first = make("Adam", weights(), state_dtype=torch.uint8)
    drive(first, steps=3)
    second = resumed(first, state_dtype=wanted)
    (p,), (q,) = params_of(first), params_of(second)
    own, found = first.state[p], second.state[q]
    assert set(found) == {"step", "exp_avg", "exp_avg_sq"}
    for name, positive in (("exp_avg", False), ("exp_avg_sq", True)):
        expected = decode(own[name].numpy(), own[f"{name}_scale"].numpy(), positive)
        assert torch.equal(found[name], torch.tensor(expected).to(wanted or torch.float32))
    drive(second, steps=1)


def test_broken_checkpoints_are_refused():
    first = make("Adam", weights(), state_dtype=torch.uint8)
    drive(first, steps=1)
    for change, message in (
        (lambda own: own.pop("exp_avg_scale"), "'exp_avg_scale' is missing"),
        (lambda own: own.update(exp_avg_scale=torch.zeros(3)), r"\(3,\).*same checkpoint"),
    ):
        broken = copy.deepcopy(first.state_dict())
        change(broken["state"][0])
        with pytest.raises(UsageError, match=message):
            make("Adam", weights(), state_dtype=torch.uint8).load_state_dict(broken)


def test_sums_of_adagrad_are_shared_with_their_scales():
    optimizer = make("Adagrad", weights(), state_dtype=torch.uint8)
    optimizer.share_memory()
    (own,) = optimizer.state.values()
    assert own["sum"].is_shared()
    assert own["sum_scale"].is_shared()


@rule(slots=(Slot("s", positive=True),), source="this test")
def own(g, state, _t, *, lr=0.1):
    return Step(rate=lr, direction=g, s=state.s + g * g)


def test_a_rule_of_ones_own():
    p = weights()
    optimizer = RuleOptimizer([p], own, state_dtype=torch.uint8)
    drive(optimizer, steps=2)
    assert optimizer.engine == "cpu"
    assert optimizer.state[p]["s"].dtype == torch.uint8
