"""Muon beside torch.optim.Muon: arguments, steps, checkpoints both ways, and what torch's does not take."""

from __future__ import annotations

import gc
import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import _muon

import surefoot.torch
from near import assert_near
from surefoot.errors import UsageError
from surefoot.torch import Muon, RuleOptimizer
from torch_small import F64, params, same, through_file, train

SHAPES = ((6, 10), (10, 6), (8, 8), (1, 7), (7, 1))
OPTIONS = [
    {"lr": 0.02},
    {"lr": 0.02, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0},
    {"lr": 0.02, "adjust_lr_fn": "match_rms_adamw", "ns_steps": 3},
    {"lr": 0.02, "adjust_lr_fn": "original", "ns_coefficients": (2.0, -1.5, 0.5), "ns_steps": 8, "eps": 1e-3},
]


def exactly(grad: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """What torch's Muon computes, in the matrix's own kind of numbers."""
    a, b, c = coefficients
    x = grad.T if grad.size(0) > grad.size(1) else grad
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if grad.size(0) > grad.size(1) else x


@contextmanager
def exact() -> Iterator[None]:
    """Let torch's Muon compute its products in the weights' kind of numbers."""
    with mock.patch.object(_muon, "_zeropower_via_newtonschulz", exactly):
        yield


@pytest.mark.parametrize("options", OPTIONS)
def test_is_torchs_but_for_bfloat16(options):
    ps, qs = params(shapes=SHAPES), params(shapes=SHAPES)
    train(Muon(ps, **options), ps, range(20))
    with exact():
        train(torch.optim.Muon(qs, **options), qs, range(20))
    for p, q in zip(ps, qs, strict=True):
        assert_near(p, q, 1e-12)


@pytest.mark.parametrize("options", OPTIONS)
def test_is_torchs_with_products_in_bfloat16(options):
    """Both round to two digits in each of many products: their difference is a few of these roundings of a step."""
    ps, qs = params(torch.float32, shapes=SHAPES), params(torch.float32, shapes=SHAPES)
    starts = [p.detach().clone() for p in ps]
    train(Muon(ps, products="bfloat16", **options), ps, range(1))
    train(torch.optim.Muon(qs, **options), qs, range(1))
    for p, q, start in zip(ps, qs, starts, strict=True):
        shrunk = start * (1 - options["lr"] * options.get("weight_decay", 0.1))
        assert (p - q).norm() < 16 * 2**-8 * (q - shrunk).norm()
        assert (p - q).norm() > 0 or p.numel() < 10


LAYOUTS = [
    {},
    {"blocks": 3},
    {"transposed": True},
    {"blocks": 3, "transposed": True},
    {"adjust_lr_fn": "match_rms_adamw", "nesterov": False},
    {"convention": "optax", "learning_rate": 0.1, "weight_decay": 0.1},
]


@pytest.mark.parametrize("options", LAYOUTS, ids=str)
def test_kernels_around_the_products_make_the_same_step(options):
    """Conventions, blocks, and how a parameter lies: in order, its columns first, with its channels last."""
    made = []
    for engine in ("cpu", "eager"):
        ps = params(shapes=[(6, 9), (9, 6), (9, 3, 2, 2), (9, 6)])
        ps[2].data = ps[2].data.contiguous(memory_format=torch.channels_last)
        ps[3].data = ps[3].data.T.contiguous().T
        convention, own = options.get("convention"), {k: x for k, x in options.items() if k in ("blocks", "transposed")}
        rest = {k: x for k, x in options.items() if k not in own}
        kept = ps[:2] + ps[3:] if options.get("transposed") else ps  # a transposed convolution has no kernel
        groups = [{"params": kept, **own}]
        make = partial(RuleOptimizer, rule="muon") if convention else Muon
        optimizer = make(groups, engine=engine, **rest)
        train(optimizer, kept, range(4))
        assert optimizer.engine == engine
        made.append(kept)
    for p, q in zip(*made, strict=True):
        assert_near(p, q, 1e-13)


@pytest.mark.parametrize("engine", ["cpu", "eager"])
def test_products_in_bfloat16_are_as_good_on_either_engine(engine):
    """What is made orthogonal is rounded once, and what is above .003 of its length ends between .68 and 1.21."""
    (p,) = params(torch.float32, shapes=[(48, 96)])
    p.data.zero_()
    p.grad = 1e-3 * torch.randn(48, 96, generator=torch.Generator().manual_seed(0))
    optimizer = Muon([p], lr=1.0, weight_decay=0.0, products="bfloat16", engine=engine)
    optimizer.step()
    assert optimizer.engine == engine
    singular = torch.linalg.svdvals(p.detach().double())
    assert singular.min() > 0.67
    assert singular.max() < 1.22


def test_what_kernels_leave_for_the_products_is_gone_after_the_step():
    (p,) = params(shapes=[(60, 90)])
    optimizer = Muon([p], lr=0.02)
    train(optimizer, [p], range(2))
    assert optimizer.engine == "cpu"
    everything = [x for x in gc.get_objects() if type(x) in (Tensor, Parameter)]
    large = {x.data_ptr() for x in everything if x.dtype == F64 and x.numel() >= p.numel()}
    assert large <= {p.data_ptr(), p.grad.data_ptr(), optimizer.state[p]["momentum_buffer"].data_ptr()}


@pytest.mark.parametrize("blocks", [(2, 4), 2])
def test_blocks_of_unequal_heights_take_the_eager_engine(blocks):
    ps = params(shapes=[(6, 4)])
    optimizer = Muon([{"params": ps, "blocks": blocks}], lr=0.02)
    train(optimizer, ps, range(1))
    assert optimizer.engine == ("cpu" if blocks == 2 else "eager")


@pytest.mark.parametrize("engine", ["auto", "gpu"])
def test_on_a_gpu_the_rule_itself_makes_the_step_and_who_asked_for_kernels_is_told(engine, monkeypatch):
    monkeypatch.setattr("surefoot.engines.engine_choice.engine", lambda *_, **__: "gpu")
    ps, qs = params(shapes=SHAPES), params(shapes=SHAPES)
    optimizer = Muon(ps, lr=0.02, engine=engine)
    assert optimizer.engine == "eager"
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        train(optimizer, ps, range(2))
    assert any("no kernel on a GPU" in str(one.message) for one in said) is (engine == "gpu")
    train(Muon(qs, lr=0.02, engine="eager"), qs, range(2))
    assert same(ps, qs)


def test_takes_torchs_arguments():
    theirs = inspect.signature(torch.optim.Muon).parameters
    ours = inspect.signature(Muon).parameters
    assert [(p.name, p.default) for p in theirs.values()] == [(p.name, p.default) for p in ours.values()][: len(theirs)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lr": -1.0}, "Invalid learning rate: -1.0"),
        ({"adjust_lr_fn": "rms"}, "Adjust learning rate function rms is not supported"),
        ({"ns_steps": 100}, "Number of steps must be above 0, and less than 100"),
        ({"ns_steps": 0}, "Number of steps must be above 0"),
        ({"ns_coefficients": (1.0, 2.0)}, "Coefficients must be a tuple of exactly 3 values"),
        ({"products": "int8"}, "products='int8' is not allowed"),
    ],
)
def test_refuses_what_torch_refuses(given, said):
    with pytest.raises((ValueError, UsageError), match=said):
        Muon(params(shapes=SHAPES), **given)


@pytest.mark.parametrize("dtype", [F64, torch.bfloat16])
def test_torchs_checkpoint_goes_on_here_and_back(dtype):
    """Weights in bfloat16 are rounded to nearest, as torch does."""
    ps, qs = params(dtype, shapes=SHAPES), params(dtype, shapes=SHAPES)
    first, theirs = torch.optim.Muon(ps, lr=0.02), torch.optim.Muon(qs, lr=0.02)
    with exact():
        train(first, ps, range(3))
        train(theirs, qs, range(9))
    rs = [Parameter(p.detach().clone()) for p in ps]
    ours = Muon(rs, lr=0.5, stochastic_rounding=False)
    ours.load_state_dict(through_file(first.state_dict()))
    assert ours.param_groups[0]["lr"] == 0.02
    train(ours, rs, range(3, 6))
    back = torch.optim.Muon(rs, lr=0.5)
    back.load_state_dict(through_file(ours.state_dict()))
    assert {*back.state[rs[0]]} == {"momentum_buffer", "step"}
    with exact():
        train(back, rs, range(6, 9))
    for r, q in zip(rs, qs, strict=True):
        assert_near(r, q, 1e-12 if dtype == F64 else 0.05)


def test_a_convolution_is_a_matrix_and_its_scale_is_that_of_the_matrix():
    """Keller Jordan's own code reads the scale off the kernel's sides: 64 x 3 x 3 x 3 moves 1/1.54 of what is meant."""
    (kernel,), (matrix,) = params(shapes=[(64, 3, 3, 3)]), params(shapes=[(64, 3, 3, 3)])
    matrix = Parameter(matrix.detach().reshape(64, 27))
    for p, gradient in zip((kernel, matrix), (torch.randn(64, 3, 3, 3, dtype=F64),) * 2, strict=True):
        p.grad = gradient.reshape(p.shape)
    Muon([kernel], lr=0.02).step()
    with exact():
        torch.optim.Muon([matrix], lr=0.02).step()
    assert_near(kernel.detach().reshape(64, 27), matrix.detach(), 1e-12)


@pytest.mark.parametrize("dtype", [F64, torch.float32])
def test_singular_values_after_a_step(dtype):
    """What is above .003 of the matrix's length ends between .68 and 1.21, in every kind of number and shape."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(32, 48), (48, 32), (16, 8, 3, 1)]
    ps = [Parameter(torch.zeros(shape, dtype=dtype)) for shape in shapes]
    for p in ps:
        rows, columns = p.flatten(1).shape
        u, _, v = torch.linalg.svd(torch.randn(rows, columns, generator=generator, dtype=F64), full_matrices=False)
        values = torch.logspace(-2.5, -0.3, u.shape[1], dtype=F64)
        p.grad = (u * (values / values.norm()).clamp(min=0.003) @ v).reshape(p.shape).to(dtype)
    Muon(ps, lr=1.0, adjust_lr_fn="original", weight_decay=0.0).step()
    for p in ps:
        rows, columns = p.flatten(1).shape
        values = torch.linalg.svdvals(p.detach().flatten(1).to(F64)) / max(1, rows / columns) ** 0.5
        assert values.min() > 0.68
        assert values.max() < 1.21


def test_a_zero_matrix_stays_and_one_row_is_moved_by_its_length():
    zero, row = Parameter(torch.zeros(4, 3, dtype=F64)), Parameter(torch.zeros(1, 5, dtype=F64))
    zero.grad, row.grad = torch.zeros_like(zero), torch.ones_like(row)
    Muon([zero, row], lr=1.0).step()
    assert not zero.any()
    assert 0.68 < row.norm() < 1.21


def test_another_convention():
    ps, qs = params(shapes=SHAPES), params(shapes=SHAPES)
    keras = Muon(ps, convention="keras")
    assert keras.param_groups[0]["weight_decay"] == 4e-3
    train(keras, ps, range(3))
    rule = surefoot.torch.RuleOptimizer(qs, "muon", convention="keras")
    train(rule, qs, range(3))
    assert same(ps, qs)


def test_what_is_no_matrix_is_refused_at_construction():
    with pytest.raises(UsageError, match=r"parameter 'bias' has the shape \[3\], and muon steps matrices alone"):
        Muon(nn.Linear(4, 3).named_parameters())


# What every optimizer can: one grid over the ways in which steps are taken


def loss_of(ps: list[Parameter], k: int) -> Tensor:
    """A loss whose gradients are random numbers, others at each step."""
    generator = torch.Generator().manual_seed(k)
    return sum((p * torch.randn(p.shape, generator=generator, dtype=F64)).sum() for p in ps)


def by_closure(optimizer: Any, ps: list[Parameter], k: int) -> None:
    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(ps, k)
        loss.backward()
        return loss

    assert optimizer.step(closure).requires_grad


def by_scaler(optimizer: Any, ps: list[Parameter], k: int) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    optimizer.zero_grad()
    scaler.scale(loss_of(ps, k)).backward()
    scaler.step(optimizer)
    scaler.update()


def by_hand(change: Callable[[list[Parameter]], object]) -> Callable[[Any, list[Parameter], int], None]:
    """A plain step whose gradients are changed before it."""

    def take(optimizer: Any, ps: list[Parameter], k: int) -> None:
        optimizer.zero_grad()
        loss_of(ps, k).backward()
        change(ps)
        optimizer.step()

    return take


def turn(ps: list[Parameter]) -> None:
    for p in ps:
        p.grad.neg_()


def steps(how: Callable[[Any, list[Parameter], int], None], **options: Any) -> list[Tensor]:
    """Return the weights to evaluate with after three steps."""
    ps = params(shapes=SHAPES)
    optimizer = Muon(ps, lr=0.02, eps=0.1, **options)  # at which the gradients' size counts
    for k in range(3):
        how(optimizer, ps, k)
    with optimizer.averaged() if "ema" in options else nullcontext():
        return [p.detach().clone() for p in ps]


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ({}, lambda _: None),
        ({"ema": 0.9}, None),
        ({"maximize": True}, turn),
        ({"max_grad_norm": 0.1}, lambda ps: nn.utils.clip_grad_norm_(ps, 0.1)),
        ({"max_grad_value": 0.1}, lambda ps: nn.utils.clip_grad_value_(ps, 0.1)),
    ],
)
def test_closures_and_scalers_take_the_same_steps(options, change):
    found = [steps(by_closure, **options), steps(by_scaler, **options)]
    if change is not None:
        found.append(steps(by_hand(change)))
    for first, *others in zip(*found, strict=True):
        for other in others:
            assert_near(first, other, 1e-12)


def test_a_gradient_that_is_not_finite_stops_a_scaled_step():
    ps = params(shapes=SHAPES)
    optimizer, before = Muon(ps), params(shapes=SHAPES)
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(sum(p.sum() * float("inf") for p in ps)).backward()
    scaler.step(optimizer)
    assert same(ps, before)
    assert not optimizer.state


def test_schedules_groups_and_parameters_that_come_later():
    ps = params(shapes=SHAPES)
    optimizer = Muon(ps[:2], lr=0.02)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 1 / (1 + k))
    train(optimizer, ps, range(2))
    schedule.step()
    optimizer.add_param_group({"params": ps[2:], "lr": 0.1, "blocks": 1})
    train(optimizer, ps, range(2, 4))
    rates = optimizer.effective_lr()
    assert [float(rates[p].max()) for p in ps] == pytest.approx([0.01, 0.01 * (5 / 3) ** 0.5, 0.1, 0.1, 0.1 * 7**0.5])
    assert [float(optimizer.state[p]["step"]) for p in ps] == [4, 4, 2, 2, 2]
