"""Our torch optimizers and torch's, side by side: what torch takes ours take, with the same result or the same error.

A case is written once, for whatever makes an optimizer, and returns what came of it. It runs on our class and on
torch's. The compiled engine runs on real tensors where nobody looks on; where a graph is traced, the step is in it.
"""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import Parameter
from torch.optim import lr_scheduler
from torch.utils._python_dispatch import TorchDispatchMode

import surefoot.torch
from near import assert_near
from surefoot.errors import UsageError
from torch_runs import CASES as OPTIONS
from torch_runs import IDS, params_of

pytestmark = [
    pytest.mark.usefixtures("kernel_cache"),
    pytest.mark.filterwarnings(
        "ignore:Sparse invariant checks",
        "ignore:optimizer contains a parameter group with dup",
        "ignore:a parameter runs on the eager engine",
    ),
]
F64 = torch.float64
FUSED = ("SGD", "Adagrad", "Adam", "AdamW")

Make = Callable[..., Any]
Case = Callable[[Make], Any]
CASES: dict[str, Case] = {}
OF_ANY_OPTIONS: set[str] = set()
EACH = dict(zip(IDS, OPTIONS, strict=True))
CLASSES = {name: (name, options) for name, options in OPTIONS}
"""One set of options for each class: the last."""


def case(function: Case) -> Case:
    """Put a case into the table."""
    CASES[function.__name__] = function
    return function


def case_of_any_options(function: Case) -> Case:
    """Put a case into the table in which the options of a rule play no part: it runs once for each class."""
    OF_ANY_OPTIONS.add(function.__name__)
    return case(function)


def model() -> nn.Module:
    generator = torch.Generator().manual_seed(4)
    made = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    with torch.no_grad():
        for p in made.parameters():
            p.copy_(torch.randn(p.shape, generator=generator, dtype=F64))
    return made


def loss_of(net: Callable[[Tensor], Tensor], k: int = 0) -> Tensor:
    x = torch.randn(5, 4, dtype=F64, generator=torch.Generator().manual_seed(k))
    return net(x).square().mean()


def train(optimizer: Any, net: Any, steps: int = 4, after: Callable[[], object] = lambda: None) -> list[Any]:
    """Return losses and weights of a short training."""
    losses = []
    for k in range(steps):
        optimizer.zero_grad()
        loss = loss_of(net, k)
        loss.backward()
        optimizer.step()
        after()
        losses.append(loss.item())
    return [losses, *[p.detach().clone() for p in params_of(optimizer)]]


def outcome(run: Callable[[Make], Any], make: Make) -> Any:
    """Return what a case returns, or its error."""
    try:
        return run(make)
    except Exception as error:
        return type(error), str(error)


def check(mine: Any, theirs: Any) -> None:
    """Compare whatever a case may return."""
    assert type(mine) is type(theirs), f"{mine} is not {theirs}"
    if isinstance(theirs, Tensor):
        assert_near(mine, theirs, 1e-12, equal_nan=False)
    elif isinstance(theirs, float):
        assert mine == pytest.approx(theirs, rel=1e-12, abs=1e-12)
    elif isinstance(theirs, list | tuple):
        assert len(mine) == len(theirs), f"{mine} is not {theirs}"
        for one, other in zip(mine, theirs, strict=True):
            check(one, other)
    elif isinstance(theirs, dict):
        assert mine.keys() == theirs.keys()
        for key in theirs:
            check(mine[key], theirs[key])
    else:
        assert mine == theirs


# Parameters


@case_of_any_options
def parameters_as_a_generator(make):
    net = model()
    return train(make(net.parameters()), net)


@case_of_any_options
def parameters_with_names(make):
    net = model()
    optimizer = make(net.named_parameters())
    return [
        train(optimizer, net),
        optimizer.param_groups[0]["param_names"],
        optimizer.state_dict()["param_groups"][0]["params"],
    ]


@case_of_any_options
def groups_with_names(make):
    net = model()
    named = [*net.named_parameters()]
    optimizer = make([{"params": named[:1], "lr": 0.3}, {"params": named[1:]}])
    optimizer.load_state_dict(optimizer.state_dict())
    return [train(optimizer, net), [group["param_names"] for group in optimizer.param_groups]]


@case_of_any_options
def names_for_some_only(make):
    named = [*model().named_parameters()]
    return make([{"params": named[:1]}, {"params": [p for _, p in named[1:]]}])


@case
def groups_with_options_of_their_own(make):
    net = model()
    first, *rest = net.parameters()
    return train(make([{"params": first, "lr": 0.5, "weight_decay": 0.2}, {"params": rest, "maximize": True}]), net)


@case_of_any_options
def a_tensor_instead_of_a_list(make):
    return make(torch.ones(3))


@case_of_any_options
def an_empty_list(make):
    return make([])


@case_of_any_options
def a_group_without_parameters(make):
    net = model()
    optimizer = make([{"params": []}, {"params": [*net.parameters()]}])
    optimizer.load_state_dict(optimizer.state_dict())
    return train(optimizer, net)


@case_of_any_options
def a_set_in_a_group(make):
    return make([{"params": {*model().parameters()}}])


@case_of_any_options
def something_else_in_the_list(make):
    return make(["weights"])


@case_of_any_options
def a_tensor_that_was_computed(make):
    return make([torch.ones(3, requires_grad=True) * 2])


@case_of_any_options
def a_parameter_in_two_groups(make):
    p = Parameter(torch.ones(3))
    return make([{"params": p}, {"params": p}])


@case
def a_parameter_twice_in_a_group(make):
    """After a step: on a first one torch's SGD makes two momentum buffers, and the second one lasts."""
    p = Parameter(torch.ones(3, dtype=F64))
    optimizer = make([p])
    for k in range(3):
        p.grad = torch.ones_like(p)
        optimizer.step()
        optimizer.param_groups[0]["params"] = [p, p] if k == 0 else [p]
    return p.detach()


@case_of_any_options
def a_group_added_later(make):
    net = model()
    first, *rest = net.parameters()
    optimizer = make([first])
    train(optimizer, net, 2)
    optimizer.add_param_group({"params": rest, "lr": 0.2})
    return train(optimizer, net)


@case_of_any_options
def a_group_added_that_is_no_dict(make):
    make(model().parameters()).add_param_group([Parameter(torch.ones(2))])


@case_of_any_options
def a_group_added_twice(make):
    p = Parameter(torch.ones(2))
    make([p]).add_param_group({"params": p})


@case_of_any_options
def parameters_that_want_no_gradient(make):
    net = model()
    net[0].weight.requires_grad_(False)
    return train(make(net.parameters()), net)


@case_of_any_options
def tensors_that_are_no_parameters(make):
    x = torch.ones(3, dtype=F64, requires_grad=True)
    optimizer = make([x])
    for _ in range(3):
        optimizer.zero_grad()
        (x.square().sum()).backward()
        optimizer.step()
    return x.detach()


@case
def complex_parameters(make):
    p = Parameter(torch.randn(4, dtype=torch.complex128, generator=torch.Generator().manual_seed(1)))
    optimizer = make([p])
    for _ in range(4):
        optimizer.zero_grad()
        (p.abs().square().sum() + p.real.sum()).backward()
        optimizer.step()
    return p.detach()


@case
def sparse_gradients(make):
    table = nn.Embedding(6, 2, sparse=True, dtype=F64)
    nn.init.ones_(table.weight)
    optimizer = make(table.parameters())
    for rows in ([1, 3], [3, 3, 4]):
        optimizer.zero_grad()
        table(torch.tensor(rows)).square().sum().backward()
        optimizer.step()
    return table.weight.detach()


@case
def no_gradients_at_all(make):
    net = model()
    optimizer = make(net.parameters())
    optimizer.step()
    return [[p.detach() for p in net.parameters()], optimizer.state_dict()["state"]]


@case
def parameters_without_elements(make):
    params = [Parameter(torch.ones(0, 3, dtype=F64)), Parameter(torch.ones(2, dtype=F64))]
    optimizer = make(params)
    for _ in range(3):
        for p in params:
            p.grad = torch.ones_like(p)
        optimizer.step()
    return [p.detach() for p in params]


@case
def gradients_zeroed_or_dropped(make):
    net = model()
    optimizer = make(net.parameters())
    seen = []
    for to_none in (True, False, True):
        train(optimizer, net, 2)
        optimizer.zero_grad(set_to_none=to_none)
        seen.append([p.grad is None for p in net.parameters()])
        optimizer.step()
    return [seen, *[p.detach() for p in net.parameters()]]


# Options


def remade(make: Make, **options: Any) -> Make:
    """Return what makes the optimizer with other options."""
    return partial(make.func, **{**make.keywords, **options})  # type: ignore[attr-defined]


@case
def rate_a_tensor(make):
    net = model()
    return train(remade(make, lr=torch.tensor(0.05, dtype=F64))(net.parameters()), net)


@case
def rate_a_tensor_that_changes(make):
    net, rate = model(), torch.tensor(0.05, dtype=F64)
    return train(remade(make, lr=rate)(net.parameters()), net, after=lambda: rate.mul_(0.5))


@case_of_any_options
def rate_a_tensor_of_one_element(make):
    net = model()
    return train(remade(make, lr=torch.tensor([0.05], dtype=F64))(net.parameters()), net)


@case_of_any_options
def rate_a_tensor_of_two_elements(make):
    return remade(make, lr=torch.tensor([0.05, 0.1]))(model().parameters())


@case
def implementations(make):
    found = []
    for flags in ({"foreach": True}, {"foreach": False}):
        net = model()
        found.append(train(remade(make, **flags)(net.parameters()), net))
    return found


@case
def implementation_fused(make):
    if make.func.__name__ not in FUSED:
        return remade(make, fused=True)(model().parameters())
    net = model()
    return train(remade(make, fused=True)(net.parameters()), net)


@case_of_any_options
def implementations_that_exclude_each_other(make):
    if make.func.__name__ in FUSED:
        remade(make, fused=True, foreach=True)(model().parameters())


@case
def climbing_is_descending_the_other_way(make):
    p, q = Parameter(torch.ones(3, dtype=F64)), Parameter(torch.ones(3, dtype=F64))
    climb = not make.keywords.get("maximize", False)
    up, down = remade(make, maximize=climb)([p]), make([q])
    for k in range(4):
        p.grad = torch.full_like(p, k + 1.0)
        q.grad = -p.grad
        up.step()
        down.step()
    return [p.detach(), q.detach()]


# Steps


@case_of_any_options
def closures(make):
    net = model()
    optimizer, seen = make(net.parameters()), []

    def closure():
        seen.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = loss_of(net, len(seen))
        loss.backward()
        return loss

    with torch.no_grad():
        found = [optimizer.step(closure), optimizer.step(closure=closure)]
    return [seen, [x.item() for x in found], optimizer.step(), *[p.detach() for p in net.parameters()]]


@case_of_any_options
def closures_that_raise(make):
    def closure():
        raise FloatingPointError("as the closure says")

    net = model()
    optimizer = make(net.parameters())
    train(optimizer, net, 2)
    return optimizer.step(closure)


SCHEDULES: list[Callable[[Any], Any]] = [
    lambda o: lr_scheduler.StepLR(o, 2),
    lambda o: lr_scheduler.LambdaLR(o, lambda k: 1 / (k + 1)),
    lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2),
    lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, step_size_up=2, cycle_momentum=False),
    lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=8),
    lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ConstantLR(o, 0.5, 2), lr_scheduler.ExponentialLR(o, 0.9)]),
]


@case_of_any_options
def schedules(make):
    found = []
    for schedule in SCHEDULES:
        net = model()
        optimizer = make(net.parameters())

        def run(net=net, optimizer=optimizer, schedule=schedule):
            scheduler = schedule(optimizer)
            return [train(optimizer, net, 6, scheduler.step), optimizer.param_groups[0]["lr"]]

        found.append(outcome(lambda _, run=run: run(), make))
    return found


# Checkpoints and copies


@case
def shape_of_a_checkpoint(make):
    """Keys and kinds; our SGD has a step count, which torch's has not."""
    net = model()
    optimizer = make([{"params": [*net.parameters()][:1]}, {"params": [*net.parameters()][1:]}])
    train(optimizer, net, 2)
    saved = optimizer.state_dict()
    state = {
        k: {key: (x.shape, x.dtype) for key, x in own.items() if x is not None and (key != "step" or len(own) > 2)}
        for k, own in saved["state"].items()
    }
    return [[*saved], [group["params"] for group in saved["param_groups"]], state if any(state.values()) else {}]


@case
def a_checkpoint_goes_on(make):
    net = model()
    optimizer = make(net.parameters())
    train(optimizer, net)
    file = io.BytesIO()
    torch.save([optimizer.state_dict(), net.state_dict()], file)
    file.seek(0)
    other = model()
    twin = remade(make, lr=7.0)(other.parameters())
    state, weights = torch.load(file, weights_only=True)
    twin.load_state_dict(state)
    other.load_state_dict(weights)
    return train(twin, other)


@case
def a_checkpoint_shares_memory_with_who_made_it(make):
    """What is saved now changes with the next step; a copy is the user's affair."""
    net = model()
    optimizer = make(net.parameters())
    train(optimizer, net, 2)
    saved = optimizer.state_dict()
    train(optimizer, net, 2)
    found = [[own[key] for key in sorted(own) if key != "step"] for own in saved["state"].values()]
    return [x for own in found for x in own if x is not None]


@case_of_any_options
def a_checkpoint_of_another_model(make):
    optimizer = make([Parameter(torch.ones(2))])
    optimizer.load_state_dict(make(model().parameters()).state_dict())


@case
def copies(make):
    net = model()
    optimizer = make(net.parameters())
    train(optimizer, net)
    found = []
    for through in (copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        twin_net, twin = through((net, optimizer))
        found.append(
            [train(twin, twin_net), all(p is q for p, q in zip(twin_net.parameters(), params_of(twin), strict=True))]
        )
    return [*found, train(optimizer, net)]


@case_of_any_options
def a_model_that_is_compiled(make):
    net = model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch's own modules
        return train(make(net.parameters()), torch.compile(net, backend="eager"))


def cases() -> list[Any]:
    return [
        pytest.param(of, *made, id=f"{of}-{name}")
        for of in CASES
        for name, made in (CLASSES if of in OF_ANY_OPTIONS else EACH).items()
    ]


@pytest.mark.parametrize(("of", "name", "options"), cases())
def test_ours_do_what_torchs_do(of, name, options):
    mine, theirs = (
        outcome(CASES[of], partial(getattr(library, name), **options)) for library in (surefoot.torch, torch.optim)
    )
    if of == "sparse_gradients" and {"momentum", "weight_decay"} <= options.keys():
        mine, theirs = mine[0], theirs[0]  # torch's words of a sum inside it; ours are those of its Adagrad
    if of == "a_parameter_twice_in_a_group" and name == "NAdam":  # its product would count one step twice
        assert mine[0] is UsageError
        return
    check(mine, theirs)


# Memory


def allocated(optimizer: Any) -> int:
    """Return the bytes that torch allocates in a step, after two ordinary ones."""
    (p,) = params_of(optimizer)
    p.grad = torch.ones_like(p)
    for _ in range(2):
        optimizer.step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as seen:
        optimizer.step()
    return sum(max(0, event.self_cpu_memory_usage) for event in seen.events())


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=IDS)
def test_a_step_needs_no_memory_for_numbers_of_its_own(name, options):
    """torch's needs two temporaries for Adam, and none for plain SGD."""
    size = 1 << 16
    mine, theirs = (
        allocated(getattr(library, name)([Parameter(torch.ones(size))], **options))
        for library in (surefoot.torch, torch.optim)
    )
    assert mine <= max(theirs, size)


# Under whoever looks on


def one_step(x: Tensor, grad: Tensor, make: Make) -> Tensor:
    """A function that makes an optimizer, takes a step, and returns the weights; the input is not its own."""
    p = x.clone().requires_grad_()
    optimizer = make([p])
    p.grad = grad * 1
    optimizer.step()
    return p.detach() * 1


@pytest.mark.parametrize("tracing", ["real", "fake"])
@pytest.mark.parametrize("name", ["SGD", "Adagrad", "Adam"])
def test_a_step_is_in_the_graph_that_is_traced(name, tracing):
    x, grad, other = torch.ones(3, dtype=F64), torch.ones(3, dtype=F64), torch.tensor([1.0, -2.0, 0.5], dtype=F64)
    found = []
    for library in (surefoot.torch, torch.optim):
        make = partial(getattr(library, name), lr=0.1)
        graph = make_fx(partial(one_step, make=make), tracing_mode=tracing)(x, grad)
        assert torch.equal(x, torch.ones(3, dtype=F64))
        found.append([graph(x, grad), graph(other, -grad)])
    check(*found)


class Seen(TorchDispatchMode):
    """Notes which tensors are written in place."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[int] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func._schema.is_mutable:
            self.written.append(args[0].data_ptr() if isinstance(args[0], Tensor) else 0)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("steps", [0, 2], ids=["first", "third"])
@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdaBound"])
def test_a_mode_sees_the_weights_being_written(name, steps):
    """The step that comes after those on kernels, too; and the next is on kernels again."""
    p, q = (Parameter(torch.ones(3, dtype=F64)) for _ in range(2))
    p.grad = q.grad = torch.ones(3, dtype=F64)
    optimizer, plain = (getattr(surefoot.torch, name)([x], lr=0.1) for x in (p, q))
    for _ in range(steps):
        optimizer.step()
    with Seen() as seen:
        optimizer.step()
    optimizer.step()
    assert p.data_ptr() in seen.written
    for _ in range(steps + 2):
        plain.step()
    torch.testing.assert_close(p, q, rtol=1e-12, atol=0)


def plainly(make):
    """The weights after a third step that is not traced, and before it."""
    p = Parameter(torch.ones(3, dtype=F64))
    optimizer = make([p], lr=0.1)
    for k in (1.0, 2.0, 5.0):
        before = p.detach().clone()
        p.grad = torch.full_like(p, k)
        optimizer.step()
    return [p.detach(), before]


@pytest.mark.parametrize("name", ["SGD", "Adadelta", "Adam"])
def test_a_step_whose_tensors_are_swapped_for_a_graph(name):
    """Parameters and state are put into the optimizer for the trace, and taken out again.

    torch's Adam reads the step count, which no graph can, and raises; ours keeps it in the graph.
    """

    def traced(library):
        p = Parameter(torch.ones(3, dtype=F64))
        optimizer = getattr(library, name)([p], lr=0.1)
        for k in range(2):
            p.grad = torch.full_like(p, k + 1.0)
            optimizer.step()
        own = optimizer.state.get(p, {})

        def function(weight, grad, tensors):
            kept = optimizer.param_groups[0]["params"], optimizer.state
            inside = weight.clone().requires_grad_()
            inside.grad = grad * 1
            optimizer.param_groups[0]["params"] = [inside]
            optimizer.state = type(kept[1])(
                dict, {inside: {key: x.clone() for key, x in tensors.items()}} if own else {}
            )
            try:
                optimizer.step()
            finally:
                optimizer.param_groups[0]["params"], optimizer.state = kept
            return inside.detach() * 1

        graph = make_fx(function)(p.detach(), torch.ones(3, dtype=F64), {**own})
        return [graph(p.detach(), torch.full((3,), 5.0, dtype=F64), {**own}), p.detach()]

    mine, theirs = (outcome(traced, library) for library in (surefoot.torch, torch.optim))
    if name == "Adam":
        assert theirs[0] is RuntimeError
        theirs = plainly(torch.optim.Adam)
    check(mine, theirs)
