"""Autograd through the step (`differentiable`), and the step count as a tensor (`capturable`)."""

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

import surefoot.torch
from surefoot.torch import SGD, AdaBound, Adam, AdamW
from torch_runs import CASES, IDS, NAMES, NUMBERS, check_equal, drive, gradients, pair, parameters, params_of

every_case = pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
CAPTURABLE = [case for case in CASES if case[0] not in ("SGD", "Adagrad")]
BOUNDS = [("AdaBound", {"lr": 0.1, "gamma": 0.3}), ("AMSBound", {"lr": 0.1, "weight_decay": 0.1})]


def double(*shape, seed=0):
    """Return a tensor away from zero, where roots have no kink."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(shape, generator=generator, dtype=torch.float64) + 0.2).requires_grad_()


def learned(p, gradient, make, options, slots, state):
    """Step a copy of `p` from a given state; return the weights and the new state, as torch's own tests do."""
    p = p.clone()
    p.grad = gradient
    optimizer = make([p], **options, differentiable=True)
    optimizer.state[p].update(zip(slots, (value.clone() for value in state), strict=True), step=torch.tensor(4.0))
    optimizer.step()
    return p, *(optimizer.state[p][slot] for slot in slots)


@pytest.mark.parametrize(("name", "options"), CASES + BOUNDS)
def test_gradcheck(name, options):
    if options.get("centered"):
        options = {**options, "eps": 0.1}
    make = getattr(surefoot.torch, name)
    scout = make([double(4)], **options)
    drive(scout, steps=1)
    slots = [key for key in scout.state[params_of(scout)[0]] if key != "step"]
    # A mean square above any square of a mean, and a maximum above it; a product of shares below 1.
    scale = {"max_exp_avg_sq": 9.0, "exp_avg_sq": 4.0, "square_avg": 4.0, "mu_product": 0.5}
    shapes = [() if slot in NUMBERS else (4,) for slot in slots]
    state = [
        (double(*shape, seed=i + 2) * scale.get(slot, 1.0)).detach().requires_grad_()
        for i, (slot, shape) in enumerate(zip(slots, shapes, strict=True))
    ]
    inputs = double(4), double(4, seed=1)
    assert gradcheck(lambda p, g, *state: learned(p, g, make, options, slots, state), (*inputs, *state))


@pytest.mark.parametrize("complex_numbers", [False, True])
@every_case
def test_same_numbers_as_without(name, options, complex_numbers):
    dtype = torch.complex128 if complex_numbers else torch.float64
    ours, _ = pair(name, options, dtype)
    through = getattr(surefoot.torch, name)([p.clone() for p in parameters(dtype)], **options, differentiable=True)
    drive(ours, through, steps=5)
    check_equal(through, ours)
    assert all(p.requires_grad and p.grad_fn is not None for p in params_of(through))


def quadratic_after_two_steps(make, **options):
    """Return the loss after two steps on a quadratic: a function of every hyperparameter."""
    p = torch.ones(3, dtype=torch.float64, requires_grad=True) * 1.0
    optimizer = make([p], **options, differentiable=True)
    for _ in range(2):
        (p.grad,) = torch.autograd.grad((p.clone() ** 2).sum(), p, create_graph=True)  # the step writes into p
        optimizer.step()
    return (p**2).sum()


@pytest.mark.parametrize("make", [SGD, Adam, AdamW, AdaBound])
@pytest.mark.parametrize("name", ["lr", "weight_decay"])
def test_gradient_with_respect_to_a_hyperparameter(make, name):
    base = {"lr": 0.1, "weight_decay": 0.1}

    def loss(value: Tensor) -> Tensor:
        return quadratic_after_two_steps(make, **{**base, name: value})

    assert gradcheck(loss, torch.tensor(0.05, dtype=torch.float64, requires_grad=True))


@pytest.fixture(params=[torch.float32, torch.float64])
def default_dtype(request):
    """The step count is kept in it."""
    torch.set_default_dtype(request.param)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("default_dtype")
def test_gradient_with_respect_to_betas():
    betas = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (0.8, 0.9)]
    for capturable in (False, True):
        assert gradcheck(
            lambda *betas, c=capturable: quadratic_after_two_steps(Adam, lr=0.1, betas=betas, capturable=c), betas
        )


def test_no_graph_is_kept_without_differentiable():
    ours, _ = pair("Adam", {"lr": 0.1})
    p = params_of(ours)[0]
    (p.grad,) = torch.autograd.grad((p**3).sum(), p, create_graph=True)
    ours.step()
    assert p.is_leaf
    assert not any(value.requires_grad for value in ours.state[p].values())


def test_non_leaf_parameters_only_if_differentiable():
    with pytest.raises(ValueError, match="can't optimize a non-leaf Tensor"):
        SGD([double(3) * 1.0])
    SGD([double(3) * 1.0], differentiable=True)


@pytest.mark.parametrize(("name", "options"), CAPTURABLE + BOUNDS)
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-12), (torch.float32, 2e-6)], ids=["64", "32"])
def test_capturable_changes_no_number(name, options, dtype, rtol):
    make = getattr(surefoot.torch, name)
    plain = make(parameters(dtype), **options)
    captured = make(parameters(dtype), **options, capturable=True)
    drive(plain, captured, steps=8)
    check_equal(captured, plain, rtol)
    for p in params_of(captured):
        assert captured.state[p]["step"].device == p.device
        assert captured.state[p]["step"] == 8


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("SGD", "Adagrad")])
def test_capturable_reads_no_number_from_a_tensor(name, monkeypatch):
    """Reading one would wait for the device, which a graph that is being captured cannot."""
    make = getattr(surefoot.torch, name)
    optimizer = make(parameters(), lr=torch.tensor(0.1, dtype=torch.float64), capturable=True)
    drive(optimizer, steps=1)
    for p, gradient in zip(params_of(optimizer), gradients(params_of(optimizer), 1)[0], strict=True):
        p.grad = gradient

    def read(_):
        raise AssertionError("a tensor was read")

    for method in ("__float__", "__bool__", "item", "__int__", "tolist"):
        monkeypatch.setattr(Tensor, method, read)
    optimizer.step()
