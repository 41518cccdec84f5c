"""Every kind of tensor: half precision, complex, sparse, odd layouts, no element, no dimension, NaN."""

import pytest
import torch
from torch.nn import Parameter

import surefoot.torch
from surefoot.torch import AdaBound, AMSBound, RuleOptimizer
from surefoot.torch.options import RunOptions
from torch_runs import CASES, IDS, NAMES, NUMBERS, check_equal, drive, gradients, pair, parameters, params_of

every_case = pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
BOUNDS = (AdaBound, AMSBound)


def both(name):
    return getattr(surefoot.torch, name), getattr(torch.optim, name)


def on(make_params, name, options):
    """Return our optimizer and torch's on parameters made for each."""
    ours, theirs = both(name)
    return ours(make_params(), **options), theirs(make_params(), **options, foreach=False)


# Precision


HALF = [(*case, *((torch.float16, 2e-2), (torch.bfloat16, 8e-2))[k % 2]) for k, case in enumerate(CASES)]
"""Each case in one of the kinds, each class in both."""


@pytest.mark.parametrize(("name", "options", "dtype", "rtol"), HALF, ids=IDS)
def test_half_precision(name, options, dtype, rtol):
    """State in the parameter's type; as near to torch as 5 steps of about 4 roundings each (1e-3, 8e-3) allow."""
    ours, theirs = pair(name, {**options, "eps": 1e-3} if name != "SGD" else options, dtype)
    drive(ours, theirs, steps=5)
    for p, q in zip(params_of(ours), params_of(theirs), strict=True):
        torch.testing.assert_close(p, q, rtol=rtol, atol=rtol)
        slots = [value for key, value in ours.state[p].items() if key not in NUMBERS]
        assert {value.dtype for value in slots} <= {dtype}


@pytest.mark.parametrize("make", BOUNDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("lr", [1e-3, torch.tensor(1e-3, dtype=torch.float64)], ids=["number", "tensor"])
def test_half_precision_bounds(make, dtype, lr):
    optimizer = make(parameters(dtype), lr=lr)
    drive(optimizer, steps=3)
    assert all(p.dtype == dtype and p.isfinite().all() for p in params_of(optimizer))


def test_hyperparameters_keep_their_precision():
    """0.999 is 1 in bfloat16: the mean square would stay at zero and the step be infinite."""
    optimizer = surefoot.torch.Adam(parameters(torch.bfloat16), lr=0.01)
    p = params_of(optimizer)[0]
    start = p.detach().clone()
    drive(optimizer, steps=1)
    assert ((p - start).abs() < 0.02).all()


# Layout


def channels_last():
    images = parameters(shapes=[(2, 3, 4, 5)])[0].detach()
    return [Parameter(images.to(memory_format=torch.channels_last))]


def transposed():
    return [Parameter(parameters(shapes=[(3, 4)])[0].detach().t())]


def strided():
    return [Parameter(parameters(shapes=[(6, 4)])[0].detach()[::2])]


def empty():
    return [Parameter(torch.empty(0, 3, dtype=torch.float64)), *parameters()]


def complex_numbers():
    return parameters(torch.complex128)


def complex_transposed():
    return [Parameter(parameters(torch.complex128, [(3, 4)])[0].detach().t())]


LAYOUTS = [channels_last, transposed, strided, empty, complex_numbers, complex_transposed]


@every_case
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout(name, options, layout):
    ours, theirs = on(layout, name, options)
    strides = [p.stride() for p in params_of(ours)]
    drive(ours, theirs, steps=8)
    check_equal(ours, theirs)
    assert [p.stride() for p in params_of(ours)] == strides
    for p in params_of(ours):
        slots = [value for key, value in ours.state[p].items() if key not in NUMBERS]
        assert {value.stride() for value in slots} <= {torch.empty_like(p).stride()}


@pytest.mark.parametrize("make", BOUNDS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_of_bounds(make, layout):
    """A complex weight moves as its real and imaginary parts would, each for itself."""
    optimizer = make(layout(), lr=0.01)
    shadow = make([Parameter(real(p.detach()).clone()) for p in layout()], lr=0.01)
    optimizer.options = shadow.options = RunOptions(engine="eager")  # one engine for both layouts: bit for bit
    for row in gradients(params_of(optimizer), 5):
        for p, q, gradient in zip(params_of(optimizer), params_of(shadow), row, strict=True):
            p.grad, q.grad = gradient, real(gradient)
        optimizer.step()
        shadow.step()
    for p, q in zip(params_of(optimizer), params_of(shadow), strict=True):
        assert torch.equal(real(p), q)


def real(x):
    return torch.view_as_real(x) if x.is_complex() else x


# Values


@every_case
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_passes_as_in_torch(name, options, value):
    ours, theirs = pair(name, options)

    def spoil(optimizer, i):
        if i == 2:
            params_of(optimizer)[0].grad[1, 1] = value

    drive(ours, theirs, steps=2)
    drive(ours, theirs, steps=3, before=spoil)
    for p, q in zip(params_of(ours), params_of(theirs), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12, equal_nan=True)


@every_case
def test_zero_gradients(name, options):
    ours, theirs = pair(name, options)

    def nothing(optimizer, _):
        for p in params_of(optimizer):
            p.grad.zero_()

    drive(ours, theirs, steps=3, before=nothing)
    drive(ours, theirs, steps=3)
    check_equal(ours, theirs)


# Sparse gradients


def table():
    embedding = torch.nn.Embedding(6, 3, sparse=True, dtype=torch.float64)
    with torch.no_grad():
        embedding.weight.copy_(parameters(shapes=[(6, 3)])[0])
    return embedding


def look_up(optimizer, embedding, rows):
    optimizer.zero_grad()
    (embedding(torch.tensor(rows, dtype=torch.long)) ** 2).sum().backward()
    assert embedding.weight.grad.is_sparse
    optimizer.step()


SPARSE = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.5, "maximize": True}),
]


@pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly disabled")  # torch's own Adagrad
@pytest.mark.parametrize(("name", "options"), SPARSE)
def test_sparse_gradients(name, options):
    trained = []
    for make in both(name):
        embedding = table()
        optimizer = make(embedding.parameters(), **options)
        for rows in ([1, 3, 1], [3, 3, 5], [0], [1, 3]):
            look_up(optimizer, embedding, rows)
        trained.append(optimizer)
    check_equal(*trained)


def test_sparse_gradient_is_not_touched():
    embedding = table()
    optimizer = surefoot.torch.Adagrad(embedding.parameters())
    embedding(torch.tensor([2, 2, 4])).sum().backward()
    gradient = embedding.weight.grad
    dense = gradient.to_dense()
    optimizer.step()
    assert embedding.weight.grad is gradient
    assert gradient._nnz() == 3
    assert not gradient.is_coalesced()
    assert torch.equal(gradient.to_dense(), dense)


def test_sparse_gradient_without_entries():
    for name in ("SGD", "Adagrad"):
        embedding = table()
        optimizer = both(name)[0](embedding.parameters())
        look_up(optimizer, embedding, [])
        assert torch.equal(embedding.weight, table().weight)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("SGD", "Adagrad")])
def test_sparse_gradient_is_refused_in_torchs_words(name):
    texts = []
    for make in both(name):
        embedding = table()
        optimizer = make(embedding.parameters())
        with pytest.raises(RuntimeError) as caught:
            look_up(optimizer, embedding, [1])
        texts.append(str(caught.value))
        assert torch.equal(embedding.weight, table().weight)
        assert not optimizer.state
    assert texts[0] == texts[1]


@pytest.mark.parametrize("make", BOUNDS)
def test_sparse_gradient_is_refused_by_bounds(make):
    embedding = table()
    with pytest.raises(RuntimeError, match="AdaBound does not support sparse gradients"):
        look_up(make(embedding.parameters()), embedding, [1])


@pytest.mark.parametrize("rule", ["adam", "sgd", "adagrad"])
def test_sparse_gradient_is_refused_by_any_rule(rule):
    """A rule that moves weights whose gradient is zero, as Adam does, must not be run on the other rows only."""
    embedding = table()
    with pytest.raises(RuntimeError, match=r"only surefoot\.torch\.SGD and Adagrad take sparse gradients"):
        look_up(RuleOptimizer(embedding.parameters(), rule, lr=0.1), embedding, [1])


@pytest.mark.parametrize("name", ["SGD", "Adagrad"])
@pytest.mark.parametrize("options", [{}, {"convention": "keras"}], ids=["torch", "keras"])
def test_sparse_gradient_with_weight_decay_is_refused(name, options):
    embedding = table()
    optimizer = both(name)[0](embedding.parameters(), weight_decay=0.1, **options)
    with pytest.raises(RuntimeError, match="weight_decay option is not compatible with sparse gradients"):
        look_up(optimizer, embedding, [1])
    with pytest.raises(RuntimeError):
        look_up(both(name)[1](embedding.parameters(), weight_decay=0.1), embedding, [1])


@pytest.mark.parametrize("name", ["SGD", "Adagrad"])
def test_sparse_complex_gradient(name):
    """As the same gradient, dense; torch's own Adagrad squares the complex numbers here, but not in dense ones."""
    ours, dense = on(complex_numbers, name, {"lr": 0.1})
    for row in gradients(params_of(ours), 3):
        p, q = params_of(ours)[0], params_of(dense)[0]
        q.grad = row[0]
        q.grad[1:3] = 0
        p.grad = q.grad.to_sparse(1)
        ours.step()
        dense.step()
    torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-14)
