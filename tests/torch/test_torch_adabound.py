"""AdaBound and AMSBound: the authors' class where it works, and the traps in which it fails."""

import copy
import pickle

import pytest
import torch
from torch.nn import Parameter
from torch.optim import lr_scheduler

from surefoot.torch import AdaBound, AMSBound
from torch_runs import check_equal, check_same, drive, official, parameters, params_of

CASES = {
    "defaults": {},
    "decay": {"lr": 0.01, "final_lr": 0.5, "gamma": 0.1, "weight_decay": 0.1},
    "amsbound": {"amsbound": True, "betas": (0.8, 0.9), "eps": 1e-4},
}
every_case = pytest.mark.parametrize("options", CASES.values(), ids=CASES)
every_name = pytest.mark.parametrize("make", [AdaBound, AMSBound])


def one(make=AdaBound, **options):
    p = Parameter(torch.ones(3, dtype=torch.float64))
    p.grad = torch.ones_like(p)
    return make([p], **options), p


def rate(optimizer):
    return float(optimizer.effective_lr()[params_of(optimizer)[0]][0])


def bounds(t, final_lr=0.1, gamma=1e-3):
    return final_lr * (1 - 1 / (gamma * t + 1)), final_lr * (1 + 1 / (gamma * t))


@every_case
def test_equals_the_authors_class(options):
    with official() as theirs:
        pair = AdaBound(parameters(), **options), theirs(parameters(), **options)
        drive(*pair, steps=50)
    check_equal(*pair)


def test_amsbound_is_adabound_with_the_maximum():
    pair = AMSBound(parameters(), lr=0.01), AdaBound(parameters(), lr=0.01, amsbound=True)
    drive(*pair)
    check_same(*pair)


def test_scheduler_scales_the_bounds_as_in_the_authors_class():
    with official() as theirs:
        pair = AdaBound(parameters(), gamma=0.1), theirs(parameters(), gamma=0.1)
        for optimizer in pair:
            scheduler = lr_scheduler.StepLR(optimizer, 3)
            for seed in range(12):
                drive(optimizer, steps=1, seed=seed)
                scheduler.step()
    check_equal(*pair)


@every_case
def test_checkpoint_of_the_authors_class(options):
    """Its step count is an int, and the learning rates at construction are not in it."""
    with official() as theirs:
        old, ours = theirs(parameters(), **options), AdaBound(parameters(), **options)
        drive(old, steps=5)
        ours.load_state_dict(copy.deepcopy(old.state_dict()))
        for p, q in zip(params_of(ours), params_of(old), strict=True):
            p.data.copy_(q)
        drive(old, ours, steps=5, seed=3)
    check_equal(ours, old)
    assert all(torch.is_tensor(state["step"]) for state in ours.state.values())


@every_name
def test_learning_rate_zero_at_construction(make):
    optimizer, p = one(make, lr=0.0)
    optimizer.step()
    assert torch.equal(p, torch.ones_like(p))
    optimizer.param_groups[0]["lr"] = 1e-3
    optimizer.step()
    assert (p < 1).all()
    assert p.isfinite().all()


@every_name
@pytest.mark.parametrize("as_tensor", [False, True])
def test_nothing_moves_while_the_rate_is_zero(make, as_tensor):
    optimizer, p = one(make, lr=torch.tensor(0.01) if as_tensor else 0.01, weight_decay=0.1)
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda epoch: max(0, epoch - 3) / 5)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
        assert torch.equal(p, torch.ones_like(p))
    scheduler.step()
    optimizer.step()
    assert (p < 1).all()


def test_group_added_later_moves():
    """The authors' class zips groups with the rates at construction, and forgets a later one."""
    optimizer, _ = one(gamma=0.1)
    optimizer.step()
    late = Parameter(torch.ones(2, dtype=torch.float64))
    optimizer.add_param_group({"params": [late], "lr": 1e-2, "final_lr": 0.3})
    late.grad = torch.ones_like(late)
    assert optimizer.param_groups[1]["base_lr"] == 1e-2
    low, high = bounds(1, 0.3, 0.1)
    optimizer.step()
    moved = (1 - late) / 0.1
    assert ((low <= moved) & (moved <= high)).all()


def test_resumed_from_a_checkpoint_with_the_decayed_rate():
    """The bounds are measured against the first construction's rate, whatever the second is given."""
    whole, part = AdaBound(parameters(), lr=0.01, gamma=0.1), AdaBound(parameters(), lr=0.01, gamma=0.1)
    drive(whole, part, steps=3)
    for optimizer in (whole, part):
        optimizer.param_groups[0]["lr"] = 0.001
    drive(whole, part, steps=3)
    resumed = AdaBound(parameters(), lr=0.001, gamma=0.1)
    resumed.load_state_dict(copy.deepcopy(part.state_dict()))
    for p, q in zip(params_of(resumed), params_of(part), strict=True):
        p.data.copy_(q)
    assert resumed.param_groups[0]["base_lr"] == 0.01
    drive(whole, resumed, steps=3)
    check_same(whole, resumed)


@pytest.mark.parametrize("through", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
def test_copy_remembers_the_rate_at_construction(through):
    optimizer, _ = one(lr=0.01)
    optimizer.param_groups[0]["lr"] = 0.001
    optimizer.step()
    assert through(optimizer).param_groups[0]["base_lr"] == 0.01


def test_group_that_continues_a_schedule_brings_its_first_rate():
    p = Parameter(torch.ones(2))
    optimizer = AdaBound([{"params": [p], "initial_lr": 0.01}], lr=0.001)
    assert optimizer.param_groups[0]["base_lr"] == 0.01


def test_checkpoint_without_base_lr_but_with_a_schedulers_initial_lr():
    with official() as theirs:
        old = theirs(parameters(), lr=0.01)
    lr_scheduler.StepLR(old, 3)
    optimizer = AdaBound(parameters(), lr=0.001)
    optimizer.load_state_dict(old.state_dict())
    assert optimizer.param_groups[0]["base_lr"] == 0.01


def test_adabounds_checkpoint_does_not_turn_amsbound_into_adabound():
    optimizer = AMSBound(parameters())
    optimizer.load_state_dict(AdaBound(parameters()).state_dict())
    assert optimizer.param_groups[0]["amsbound"]


@every_name
def test_rates_lie_within_bounds_that_close(make):
    optimizer = make(parameters(), gamma=0.5)
    for t in range(1, 40):
        drive(optimizer, steps=1, seed=t, before=lambda optimizer, _, t=t: check_within(optimizer, t))


def check_within(optimizer, t):
    low, high = bounds(t, gamma=0.5)
    for rates in optimizer.effective_lr().values():
        assert rates.min() >= low * (1 - 1e-12)
        assert rates.max() <= high * (1 + 1e-12)


def test_scheduler_scales_the_bounds():
    optimizer, p = one(final_lr=0.1, gamma=0.999)
    optimizer.state[p]["step"] = torch.tensor(1e9, dtype=torch.float64)
    assert rate(optimizer) == pytest.approx(0.1, rel=1e-6)
    optimizer.param_groups[0]["lr"] = 1e-4
    assert rate(optimizer) == pytest.approx(0.01, rel=1e-6)


@pytest.mark.parametrize("capturable", [False, True])
def test_tensor_learning_rate(capturable):
    rates = 1e-3, torch.tensor([1e-3], dtype=torch.float64)
    pair = [AdaBound(parameters(), lr=lr, gamma=0.1, capturable=capturable) for lr in rates]
    drive(*pair, steps=3)
    pair[0].param_groups[0]["lr"] = 1e-4
    pair[1].param_groups[0]["lr"].fill_(1e-4)
    drive(*pair, steps=3)
    check_equal(*pair)


def test_decoupled_decay_stays_out_of_the_moments():
    plain, decayed = (
        AdaBound(parameters(), lr=0.01),
        AdaBound(parameters(), lr=0.01, weight_decay=0.1, decoupled_weight_decay=True),
    )
    start = [p.detach().clone() for p in params_of(plain)]
    drive(plain, decayed, steps=1)
    for p, q, first in zip(params_of(plain), params_of(decayed), start, strict=True):
        torch.testing.assert_close(q, p - 0.01 * 0.1 * first, rtol=1e-12, atol=1e-14)
        assert torch.equal(plain.state[p]["exp_avg_sq"], decayed.state[q]["exp_avg_sq"])
