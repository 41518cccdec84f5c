"""`effective_lr()`: the rate of each weight in the coming step, and nothing is changed by asking."""

import math

import pytest
import torch
from torch.nn import Parameter

import surefoot.torch
from surefoot.torch import SGD, Adagrad, Adam, RuleOptimizer
from torch_runs import CASES, IDS, drive, gradients, parameters, params_of

every_case = pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)


def make(name, options, dtype=torch.float64):
    return getattr(surefoot.torch, name)(parameters(dtype), **options)


def give(optimizer, seed=9):
    params = params_of(optimizer)
    for p, gradient in zip(params, gradients(params, 1, seed)[0], strict=True):
        p.grad = gradient


def test_is_adams_formula():
    optimizer = Adam(parameters(), lr=0.1, betas=(0.8, 0.9), eps=1e-3)
    drive(optimizer, steps=3)
    give(optimizer)
    rates = optimizer.effective_lr()
    for p in params_of(optimizer):
        v = 0.9 * optimizer.state[p]["exp_avg_sq"] + 0.1 * p.grad**2
        expected = 0.1 / (1 - 0.8**4) / (v.sqrt() / math.sqrt(1 - 0.9**4) + 1e-3)
        torch.testing.assert_close(rates[p], expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("name", "options"), [(name, options) for name, options in CASES if "momentum" not in options and name != "NAdam"]
)
def test_times_the_direction_is_the_step(name, options):
    """The direction is the gradient, or Adam's mean of it; behind a momentum buffer it would be a sum of steps.

    NAdam's is the mean of the step to come, which it does not keep.
    """
    optimizer = make(name, {**options, "weight_decay": 0.0, "engine": "eager"})
    drive(optimizer, steps=3)
    give(optimizer)
    rates = optimizer.effective_lr()
    before = {p: p.detach().clone() for p in rates}
    optimizer.step()
    for p, rate in rates.items():
        sign = -1 if options.get("maximize") else 1
        direction = optimizer.state[p].get("exp_avg", sign * p.grad)
        torch.testing.assert_close(before[p] - p, rate * direction, rtol=1e-12, atol=1e-14)


def test_sgds_is_the_learning_rate_everywhere():
    optimizer = SGD(parameters(), lr=0.25, momentum=0.9)
    give(optimizer)
    for p, rate in optimizer.effective_lr().items():
        assert rate.shape == p.shape
        assert (rate == 0.25).all()


def snapshot(optimizer):
    """Return every tensor involved with the number of times that it was written to."""
    params = params_of(optimizer)
    states = [list(optimizer.state.get(p, {}).items()) for p in params]
    tensors = [*params, *[p.grad for p in params], *[value for state in states for _, value in state]]
    return [(id(x), x._version) for x in tensors], [[key for key, _ in state] for state in states]


@every_case
def test_nothing_changes(name, options):
    asked, silent = make(name, options), make(name, options)
    for i in range(4):
        give(asked, i)
        give(silent, i)
        before = snapshot(asked)
        asked.effective_lr()
        assert snapshot(asked) == before
        asked.step()
        silent.step()
        assert snapshot(asked) != before
    assert all(torch.equal(p, q) for p, q in zip(params_of(asked), params_of(silent), strict=True))


@every_case
def test_which_parameters_are_in_it(name, options):
    optimizer = make(name, options)
    assert optimizer.effective_lr() == {}
    first, second, third = params_of(optimizer)
    first.grad = torch.ones_like(first)
    assert list(optimizer.effective_lr()) == [first]
    optimizer.step()
    optimizer.zero_grad()
    second.grad = torch.ones_like(second)
    rates = optimizer.effective_lr()
    assert list(rates) == [first, second]
    assert third not in optimizer.state or name == "Adagrad"
    first.grad = torch.zeros_like(first)
    assert torch.equal(optimizer.effective_lr()[first], rates[first])


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex128])
def test_shape_and_type(name, options, dtype):
    optimizer = make(name, options, dtype)
    give(optimizer)
    for p, rate in optimizer.effective_lr().items():
        as_real = torch.view_as_real(p) if p.is_complex() else p
        assert (rate.shape, rate.dtype) == (as_real.shape, as_real.dtype)
        assert not rate.requires_grad
        assert (rate > 0).all()


def test_belongs_to_the_caller():
    """Neither the next step nor a change of a tensor learning rate reaches what was returned."""
    lr = torch.tensor(0.1, dtype=torch.float64)
    optimizer = SGD(parameters(), lr=lr)
    give(optimizer)
    rate = optimizer.effective_lr()[params_of(optimizer)[0]]
    lr.fill_(7.0)
    assert (rate == 0.1).all()


def test_of_sparse_gradients():
    table = torch.nn.Embedding(4, 2, sparse=True)
    optimizer = Adagrad(table.parameters(), lr=0.1, initial_accumulator_value=1.0)
    table(torch.tensor([1, 1])).sum().backward()
    (rate,) = optimizer.effective_lr().values()
    torch.testing.assert_close(rate[:, 0], 0.1 / torch.tensor([1.0, 5.0, 1.0, 1.0]).sqrt())
    assert table.weight.grad.is_sparse


def test_of_any_rule():
    p = Parameter(torch.ones(2, dtype=torch.float64))
    optimizer = RuleOptimizer([p], "adagrad", lr=0.1, eps=0.0)
    p.grad = torch.tensor([1.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(optimizer.effective_lr()[p], torch.tensor([0.1, 0.05], dtype=torch.float64))
