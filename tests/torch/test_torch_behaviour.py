"""What torch.optim does around a step holds on each engine, on the first step and on those that repeat it."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from unittest import mock

import pytest
import torch
from torch import nn
from torch.nn import Parameter
from torch.optim import lr_scheduler, swa_utils
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

import surefoot.torch
from surefoot.torch.step_tables import StepTables
from torch_runs import check_equal, check_same, drive, gradients, parameters, params_of

pytestmark = pytest.mark.usefixtures("kernel_cache")
DIVISIONS = 20 * 2**-52
"""A number divided by a tensor: torch takes the reciprocal first, so the eager engine is an ulp apart in each step."""

every_engine = pytest.mark.parametrize("engine", ["cpu", "eager"])


def beside_torch(engine, name="Adam", **options):
    """Ours on an engine, and torch's."""
    ours = getattr(surefoot.torch, name)(parameters(), engine=engine, **options)
    return ours, getattr(torch.optim, name)(parameters(), **options, foreach=False)


def layouts(run) -> int:
    """How many steps of a run had to be laid out anew."""
    with mock.patch("surefoot.torch.stepping.StepTables", side_effect=StepTables) as made:
        run()
    return made.call_count


def expected_layouts(engine, steps) -> int:
    """One for all steps on kernels; the eager engine looks at everything in each."""
    return 1 if engine == "cpu" else steps


# Hooks


def test_a_step_is_in_a_profile_that_is_taken():
    optimizer = surefoot.torch.Adam([Parameter(torch.ones(3))])
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        optimizer.step()
    assert [event.name for event in seen.events() if "#" in event.name] == ["Optimizer.step#Adam.step"]


@every_engine
def test_hooks_are_called_as_torch_calls_them(engine):
    """The optimizer's own and those of all optimizers, in torch's order and with its arguments."""

    def calls(optimizer):
        seen = []

        def hook(name):
            return lambda o, args, kwargs: seen.append((name, o is optimizer, args, kwargs))

        handles = [
            register_optimizer_step_pre_hook(hook("before all")),
            register_optimizer_step_post_hook(hook("after all")),
            optimizer.register_step_pre_hook(hook("before")),
            optimizer.register_step_post_hook(hook("after")),
        ]
        drive(optimizer, steps=2)
        optimizer.step(none)
        optimizer.step(closure=none)
        for handle in handles:
            handle.remove()
        drive(optimizer, steps=1)
        # torch passes the optimizer itself as the first argument
        return [(name, it, [x for x in args if x is not optimizer], kwargs) for name, it, args, kwargs in seen]

    def none():
        return None

    ours, theirs = map(calls, beside_torch(engine))
    assert len(ours) == 16
    assert ours == theirs


def double_gradients(optimizer, *_):
    for p in params_of(optimizer):
        p.grad.mul_(2)


def replace_gradients(optimizer, *_):
    for p in params_of(optimizer):
        p.grad = 3 * p.grad


def drop_a_gradient(optimizer, *_):
    params_of(optimizer)[0].grad = None


def raise_the_rate(optimizer, *_):
    optimizer.param_groups[0]["lr"] *= 1.5


def move_the_weights(optimizer, *_):
    with torch.no_grad():
        params_of(optimizer)[1].mul_(0.5)


def reset_the_state(optimizer, *_):
    optimizer.state[params_of(optimizer)[0]]["exp_avg"].zero_()


@every_engine
@pytest.mark.parametrize(
    "hook",
    [double_gradients, replace_gradients, drop_a_gradient, raise_the_rate, move_the_weights, reset_the_state],
)
def test_a_step_sees_what_a_hook_before_it_changed(hook, engine):
    ours, theirs = beside_torch(engine)
    drive(ours, theirs, steps=3)
    for optimizer in (ours, theirs):
        optimizer.register_step_pre_hook(hook)
    drive(ours, theirs, steps=3, seed=5)
    check_equal(ours, theirs)


@every_engine
def test_a_hook_may_give_a_step_other_arguments(engine):
    ours, theirs = beside_torch(engine)
    for optimizer in (ours, theirs):
        drive(optimizer, steps=2)
        optimizer.register_step_pre_hook(lambda o, *_: ((o, lambda: 7.0), {}))
        assert optimizer.step() == 7.0
    check_equal(ours, theirs)


@every_engine
def test_a_hook_after_a_step_sees_its_weights(engine):
    ours, theirs = beside_torch(engine)
    for optimizer in (ours, theirs):
        seen = []
        optimizer.register_step_post_hook(lambda o, *_, seen=seen: seen.append(params_of(o)[0].detach().clone()))
        drive(optimizer, steps=3)
        torch.testing.assert_close(seen[-1], params_of(optimizer)[0].detach(), rtol=0, atol=0)
        assert not torch.equal(seen[0], seen[1])


@every_engine
def test_steps_within_the_backward_pass(engine):
    """An optimizer of its own for each parameter, which steps as soon as the gradient is there and frees it."""

    def train(make):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1)).double()
        optimizers = {p: make([p]) for p in model.parameters()}

        def move(p):
            optimizers[p].step()
            optimizers[p].zero_grad()

        for p in model.parameters():
            p.register_post_accumulate_grad_hook(move)
        for row in torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)):
            model(row).square().backward()
        assert all(p.grad is None for p in model.parameters())
        return [*model.parameters()]

    ours = train(lambda params: surefoot.torch.Adam(params, lr=0.1, engine=engine))
    theirs = train(lambda params: torch.optim.Adam(params, lr=0.1))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


# Copies and checkpoints


def through_file(optimizer):
    """The same parameters in an optimizer made anew, and a checkpoint that holds nothing but plain data."""
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    params = copy.deepcopy(params_of(optimizer))
    twin = type(optimizer)(params, lr=1.0, **vars(optimizer.options), ema=0.9)
    twin.load_state_dict(torch.load(file, weights_only=True))
    return twin


def through_torch_save(optimizer):
    file = io.BytesIO()
    torch.save(optimizer, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


THROUGH = [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o)), through_file, through_torch_save]


@every_engine
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("through", THROUGH, ids=["deepcopy", "pickle", "state_dict", "torch.save"])
@pytest.mark.parametrize("name", ["AdaBound", "RMSprop"])
def test_training_goes_on_after_a_copy_as_without(name, through, dtype, engine):
    made = getattr(surefoot.torch, name)(
        parameters(dtype), lr=0.1, weight_decay=0.1, engine=engine, max_grad_norm=0.5, ema=0.9, seed=3
    )
    drive(made, steps=3)
    twin = through(made)
    check_same(made, twin)
    drive(made, twin, steps=3, seed=5)
    check_same(made, twin)
    assert twin.engine == made.engine == engine


@every_engine
def test_state_of_another_shape_is_refused_as_in_torch(engine):
    """Such a checkpoint loads, there and here; a kernel must not write beyond what it holds."""
    for make in (torch.optim.Adam, lambda params: surefoot.torch.Adam(params, engine=engine)):
        small, big = make([Parameter(torch.ones(2))]), make([Parameter(torch.ones(5))])
        drive(small, steps=2)
        big.load_state_dict(small.state_dict())
        params_of(big)[0].grad = torch.ones(5)
        with pytest.raises(RuntimeError, match=r"size of tensor a \(2\) must match the size of tensor b \(5\)"):
            big.step()


@every_engine
def test_lazily_conjugate_weights_are_refused_as_in_torch(engine):
    """A step cannot write through such a view; as gradients they are as good as others."""
    z = torch.randn(3, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    for make in (torch.optim.Adam, lambda params: surefoot.torch.Adam(params, engine=engine)):
        optimizer = make([Parameter(z.clone().conj())])
        params_of(optimizer)[0].grad = torch.ones_like(z)
        with pytest.raises(RuntimeError, match="unresolved conjugated"):
            optimizer.step()
    lazy, plain = (surefoot.torch.Adam([Parameter(z.clone())], engine=engine) for _ in range(2))
    params_of(lazy)[0].grad, params_of(plain)[0].grad = z.conj(), z.conj().resolve_conj()
    lazy.step()
    plain.step()
    check_same(lazy, plain)


# Implementations


@pytest.mark.parametrize("foreach", [None, False, True])
@pytest.mark.parametrize("fused", [None, False, True])
@pytest.mark.parametrize("name", ["SGD", "Adagrad", "Adam", "AdamW"])
def test_fused_asks_for_the_kernel_and_foreach_changes_nothing(name, fused, foreach):
    if fused and foreach:
        return  # torch's error, in test_torch_arguments.py
    made = getattr(surefoot.torch, name)(parameters(), fused=fused, foreach=foreach)
    drive(made, other := getattr(surefoot.torch, name)(parameters()))
    assert made.engine == ("eager" if fused is False else "cpu")
    check_equal(made, other, DIVISIONS if fused is False else 0.0)


@pytest.mark.parametrize("name", ["RMSprop", "Adadelta", "AdaBound", "AMSBound"])
def test_fused_is_unknown_where_torch_does_not_know_it(name):
    with pytest.raises(TypeError, match="unexpected keyword argument 'fused'"):
        getattr(surefoot.torch, name)(parameters(), fused=True)


def test_groups_choose_for_themselves():
    groups = [{"params": parameters()[:1], "fused": False}, {"params": parameters()[1:]}]
    mixed, plain = surefoot.torch.AdamW(groups), surefoot.torch.AdamW(parameters())
    drive(mixed, plain)
    assert mixed.engine == "cpu+eager"
    check_equal(mixed, plain, 0.0)


@pytest.mark.parametrize(("option", "usual"), [("capturable", False), ("differentiable", False), ("fused", True)])
def test_a_switch_turned_between_two_steps_is_seen(option, usual):
    """On a kernel, then eagerly, then on a kernel again."""
    turned, plain = surefoot.torch.Adam(parameters()), surefoot.torch.Adam(parameters())
    engines = []
    for value in (usual, not usual, usual):
        turned.param_groups[0][option] = value
        with torch.no_grad():
            drive(turned, plain, steps=2)
        engines.append(turned.engine)
    assert engines == ["cpu", "eager", "cpu"]
    check_equal(turned, plain, 0.0)


def test_autograd_follows_the_moving_average():
    """From the first step on, when the average starts as the weights."""

    def averaged(p, g):
        q = p.clone()
        q.grad = g
        optimizer = surefoot.torch.AdaBound([q], lr=0.1, ema=0.9, max_grad_value=2.0, differentiable=True)
        optimizer.step()
        return q, optimizer.state[q]["ema"]

    inputs = [torch.tensor([1.0, 0.5], dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(averaged, inputs)


# torch.compile


def test_steps_are_left_alone_by_torch_compile():
    """What it may not look into is the whole step, on kernels and laid out once."""
    compiled, plain = surefoot.torch.AdaBound(parameters()), surefoot.torch.AdaBound(parameters())
    with mock.patch("torch.compiler.is_compiling", return_value=True):
        assert layouts(lambda: drive(compiled, steps=3)) == 1
    drive(plain, steps=3)
    assert compiled.engine == "cpu"
    check_same(compiled, plain)


def test_compiled_training_step():
    """The backend only traces, so that no compiler is needed; the step breaks the graph once and is not traced."""

    def train(compile):
        torch.manual_seed(0)
        model = nn.Linear(4, 3)
        optimizer = surefoot.torch.Adam(model.parameters(), lr=0.1)

        def step(x):
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()

        step = compile(step)
        for k in range(4):
            step(torch.full((2, 4), float(k)))
        return optimizer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch's own modules
        compiled = train(lambda step: torch.compile(step, backend="eager"))
    traced = {key for key in torch._dynamo.utils.counters["graph_break"] if "surefoot" in key}
    torch._dynamo.reset()
    assert all("_advance_uncompiled" in key for key in traced)
    assert compiled.engine == "cpu"
    check_same(compiled, train(lambda step: step))


# Schedules, averages, gradients


def one_cycle(optimizer):
    return lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=20)


def in_sequence(optimizer):
    parts = [lr_scheduler.LinearLR(optimizer, 0.1, total_iters=3), lr_scheduler.ExponentialLR(optimizer, 0.8)]
    return lr_scheduler.SequentialLR(optimizer, parts, milestones=[3])


def plateau(optimizer):
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    return mock.Mock(step=lambda: scheduler.step(1.0))


@every_engine
@pytest.mark.parametrize("schedule", [one_cycle, in_sequence, plateau])
@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam"])
def test_schedules_change_numbers_and_no_tables(name, schedule, engine):
    ours, theirs = beside_torch(engine, name, lr=0.1, **({} if name == "Adam" else {"momentum": 0.9}))

    def train(optimizer):
        scheduler = schedule(optimizer)
        for row in gradients(params_of(optimizer), 10):
            for p, gradient in zip(params_of(optimizer), row, strict=True):
                p.grad = gradient
            optimizer.step()
            scheduler.step()

    assert layouts(lambda: train(ours)) == expected_layouts(engine, 10)
    train(theirs)
    check_equal(ours, theirs)
    assert ours.param_groups[0]["lr"] == theirs.param_groups[0]["lr"] != 0.1
    for key in {"momentum", "betas"} & theirs.param_groups[0].keys():
        assert ours.param_groups[0][key] == theirs.param_groups[0][key]


@every_engine
def test_the_moving_average_is_torchs(engine):
    """torch's starts as a copy at its first update, ours as the weights before the first step."""
    torch.manual_seed(0)
    model = nn.Linear(4, 3).double()
    optimizer = surefoot.torch.AdamW(model.parameters(), lr=0.1, ema=0.9, engine=engine)
    torchs = swa_utils.AveragedModel(model, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.9))
    torchs.update_parameters(model)
    for row in torch.randn(5, 4, dtype=torch.float64):
        optimizer.zero_grad()
        model(row).square().sum().backward()
        optimizer.step()
        torchs.update_parameters(model)
    with optimizer.averaged():
        torch.testing.assert_close([*model.parameters()], [*torchs.module.parameters()], rtol=5 * 2**-52, atol=0)


@every_engine
@pytest.mark.parametrize("to_none", [True, False])
def test_training_with_gradients_cleared_either_way(engine, to_none):
    """Cleared to zero, the momentum goes on where a branch of the model is not used; to None, it waits."""
    ours, theirs = beside_torch(engine, "SGD", lr=0.1, momentum=0.9)

    def train(optimizer):
        for k in range(6):
            optimizer.zero_grad(set_to_none=to_none)
            used = params_of(optimizer)[k % 2 :]
            sum(p.square().sum() for p in used).backward()
            optimizer.step()

    train(ours)
    train(theirs)
    check_equal(ours, theirs)


@every_engine
def test_closure_on_steps_that_repeat(engine):
    ours, theirs = beside_torch(engine, "RMSprop", lr=0.1)
    losses = {}

    def train(optimizer):
        def closure():
            optimizer.zero_grad()
            loss = sum(p.square().sum() for p in params_of(optimizer))
            loss.backward()
            return loss

        losses[optimizer] = [optimizer.step(closure).item() for _ in range(5)]

    assert layouts(lambda: train(ours)) == expected_layouts(engine, 5)
    train(theirs)
    assert losses[ours] == pytest.approx(losses[theirs], rel=1e-12)
    check_equal(ours, theirs)
