"""Our optimizers and torch.optim's over the same gradients: every step must end at the same weights and state."""

import copy

import pytest
import torch
from torch.nn import Parameter

import surefoot.torch
from torch_runs import CASES, IDS, NAMES, check_equal, drive, gradients, pair, parameters

every_case = pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
every_name = pytest.mark.parametrize("name", NAMES)


def both(name):
    return getattr(surefoot.torch, name), getattr(torch.optim, name)


@every_case
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-12), (torch.float32, 2e-5)], ids=["64", "32"])
def test_equals_torch(name, options, dtype, rtol):
    # float32: 20 steps of a dozen roundings, 6e-8 each, some of them in differences that lose a digit or two.
    ours, theirs = pair(name, options, dtype)
    drive(ours, theirs)
    check_equal(ours, theirs, rtol)


@every_name
def test_groups_with_different_options(name):
    optimizers = []
    for make in both(name):
        a, b, c = parameters()
        groups = [{"params": [a], "lr": 0.05, "note": "mine"}, {"params": b, "weight_decay": 0.2}, {"params": [c]}]
        optimizers.append(make(groups, lr=0.1))
    drive(*optimizers)
    check_equal(*optimizers)
    assert optimizers[0].param_groups[0]["note"] == "mine"


def test_group_without_momentum_beside_nesterov():
    optimizers = []
    for make in both("SGD"):
        a, *rest = parameters()
        optimizers.append(make([{"params": a, "momentum": 0}, {"params": rest}], momentum=0.9, nesterov=True))
    drive(*optimizers)
    check_equal(*optimizers)


@every_name
def test_group_added_midway(name):
    ours, theirs = pair(name, {"lr": 0.1})
    drive(ours, theirs, steps=5)
    for optimizer in (ours, theirs):
        optimizer.add_param_group({"params": Parameter(torch.ones(2, dtype=torch.float64)), "lr": 0.03})
    drive(ours, theirs, steps=5, seed=3)
    check_equal(ours, theirs)


@every_name
def test_group_refused_at_construction_is_refused_midway(name):
    ours, theirs = pair(name, {})
    for optimizer in (ours, theirs):
        with pytest.raises(ValueError, match="some parameters appear in more than one parameter group"):
            optimizer.add_param_group({"params": optimizer.param_groups[0]["params"]})


def without(index, missing):
    def before(optimizer, i):
        if i in missing:
            optimizer.param_groups[0]["params"][index].grad = None

    return before


@every_case
def test_parameters_without_gradient(name, options):
    """Each parameter has a step count of its own: one that is unfrozen late takes a first step."""
    ours, theirs = pair(name, options)
    kept = ours.param_groups[0]["params"][1].detach().clone()
    drive(ours, theirs, steps=5, before=without(1, range(5)))
    assert torch.equal(ours.param_groups[0]["params"][1], kept)
    drive(ours, theirs, steps=10, before=without(0, (3, 4)))
    check_equal(ours, theirs)


def test_late_first_step_of_adam_is_a_whole_one():
    ours = surefoot.torch.Adam(parameters(), lr=0.1)
    late = ours.param_groups[0]["params"][1]
    drive(ours, steps=50, before=without(1, range(50)))
    kept = late.detach().clone()
    drive(ours, steps=1)
    torch.testing.assert_close((late - kept).abs(), torch.full_like(late, 0.1), rtol=1e-6, atol=0)


@every_name
def test_momentum_and_moments_switched_on_late(name):
    switch = {"SGD": {"momentum": 0.9, "dampening": 0.5}}.get(name, {"weight_decay": 0.1, "maximize": True})
    ours, theirs = pair(name, {"lr": 0.1})
    drive(ours, theirs, steps=3)
    for optimizer in (ours, theirs):
        optimizer.param_groups[0].update(switch)
    drive(ours, theirs, steps=3)
    check_equal(ours, theirs)


def test_amsgrad_switched_on_late_starts_from_the_present():
    ours = surefoot.torch.Adam(parameters(), amsgrad=False)
    drive(ours, steps=3)
    ours.param_groups[0]["amsgrad"] = True
    drive(ours, steps=1)
    for state in ours.state.values():
        assert torch.equal(state["max_exp_avg_sq"], state["exp_avg_sq"])


@every_case
def test_gradients_stay_as_they_are(name, options):
    ours, _ = pair(name, options)
    p = ours.param_groups[0]["params"][0]
    for (gradient,) in gradients([p], 3):
        p.grad = gradient.clone()
        kept = p.grad
        ours.step()
        assert p.grad is kept
        assert torch.equal(kept, gradient)


@every_name
def test_closure(name):
    ours, _ = pair(name, {})
    calls = []

    def closure():
        calls.append(torch.is_grad_enabled())
        ours.zero_grad()
        loss = sum((p * p).sum() for p in ours.param_groups[0]["params"])
        loss.backward()
        return loss

    start = closure().item()
    with torch.no_grad():
        assert ours.step(closure).item() == start
    assert calls == [True, True]
    assert closure().item() < start
    assert ours.step() is None


@every_name
def test_maximize_climbs(name):
    ours, _ = pair(name, {"maximize": True})
    p = ours.param_groups[0]["params"][1]
    start = p.detach().clone()
    p.grad = torch.ones_like(p)
    ours.step()
    assert (p > start).all()


@every_name
def test_zero_grad(name):
    ours = getattr(surefoot.torch, name)(parameters(), foreach=True)
    drive(ours, steps=1)
    ours.zero_grad(set_to_none=False)
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in ours.param_groups[0]["params"])
    ours.zero_grad()
    assert all(p.grad is None for p in ours.param_groups[0]["params"])


@every_name
def test_step_hooks(name):
    ours, _ = pair(name, {})
    seen = []
    before = ours.register_step_pre_hook(lambda *_: seen.append("before"))
    ours.register_step_post_hook(lambda *_: seen.append("after"))
    drive(ours, steps=2)
    before.remove()
    drive(ours, steps=1)
    assert seen == ["before", "after", "before", "after", "after"]


def test_step_count_is_on_the_cpu_whatever_the_default_device():
    ours, _ = pair("Adam", {})
    p = ours.param_groups[0]["params"][0]
    p.grad = torch.ones_like(p)
    with torch.device("meta"):
        ours.step()
    assert ours.state[p]["step"] == 1


@pytest.mark.parametrize("flag", ["foreach", "fused"])
def test_choice_of_torchs_implementation_changes_nothing(flag):
    ours, theirs = pair("AdamW", {"lr": 0.1})
    ours.param_groups[0][flag] = True
    drive(ours, theirs)
    check_equal(ours, theirs)


@every_case
def test_copy_goes_its_own_way(name, options):
    ours, theirs = pair(name, options)
    drive(ours, theirs, steps=3)
    twin = copy.deepcopy(ours)
    drive(ours, steps=3)
    drive(twin, theirs, steps=4, seed=5)
    check_equal(twin, theirs)


@every_name
def test_tensor_lr(name):
    rate = torch.tensor([0.1], dtype=torch.float64)
    ours, theirs = (make(parameters(), lr=rate.clone(), foreach=False) for make in both(name))
    drive(ours, theirs, steps=3)
    for optimizer in (ours, theirs):
        optimizer.param_groups[0]["lr"].fill_(0.05)
    drive(ours, theirs, steps=3)
    check_equal(ours, theirs)


def test_tensor_betas():
    betas = (torch.tensor([0.8], dtype=torch.float64), torch.tensor(0.9, dtype=torch.float64))
    optimizers = [make(parameters(), betas=betas) for make in both("Adam")]
    drive(*optimizers)
    check_equal(*optimizers)


@pytest.mark.parametrize("seed", range(3))
def test_overridden_step_and_subclass(seed):
    """A user's subclass works as with torch.optim."""

    class Mine(surefoot.torch.SGD):
        def step(self, closure=None):
            self.steps = getattr(self, "steps", 0) + 1
            return super().step(closure)

    mine, plain = Mine(parameters(), lr=0.1), torch.optim.SGD(parameters(), lr=0.1)
    drive(mine, plain, steps=4, seed=seed)
    check_equal(mine, plain)
    assert mine.steps == 4
