"""torch's schedulers and gradient scaler drive our optimizers as they drive torch's."""

import pytest
import torch
from torch.optim import lr_scheduler

import surefoot.torch
from torch_runs import NAMES, check_equal, drive, pair, parameters

SCHEDULERS = {
    "StepLR": lambda optimizer: lr_scheduler.StepLR(optimizer, 3),
    "LambdaLR": lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda epoch: epoch / 5),
    "OneCycleLR": lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=20),
    "CosineAnnealingLR": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 10),
}
WITHOUT_MOMENTUM = ("Adagrad", "Adadelta")


@pytest.mark.parametrize("make", SCHEDULERS.values(), ids=SCHEDULERS)
@pytest.mark.parametrize("name", NAMES)
def test_scheduler(name, make):
    if name in WITHOUT_MOMENTUM and make is SCHEDULERS["OneCycleLR"]:
        with pytest.raises(ValueError, match="must support momentum or beta1"):
            make(pair(name, {})[0])
        return
    ours, theirs = pair(name, {"lr": 0.1, "momentum": 0.9} if name in ("SGD", "RMSprop") else {"lr": 0.1})
    for optimizer in (ours, theirs):
        scheduler = make(optimizer)
        for seed in range(10):
            drive(optimizer, steps=1, seed=seed)
            scheduler.step()
    check_equal(ours, theirs)
    own = ("base_lr", "convention")
    cycled = {key: value for key, value in ours.param_groups[0].items() if key not in (*own, "params")}
    assert cycled == {key: value for key, value in theirs.param_groups[0].items() if key != "params"} | {
        "foreach": None
    }


@pytest.mark.parametrize("name", NAMES)
def test_reduce_on_plateau(name):
    ours, theirs = pair(name, {"lr": 0.1})
    for optimizer in (ours, theirs):
        scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
        for seed in range(6):
            drive(optimizer, steps=1, seed=seed)
            scheduler.step(1.0)
    assert ours.param_groups[0]["lr"] < 0.1
    check_equal(ours, theirs)


def test_scheduler_made_after_loading_starts_from_the_loaded_rate():
    """As in torch: what an earlier scheduler left in the groups goes when a checkpoint without it is loaded."""
    for optimizer in pair("Adam", {"lr": 0.1}):
        lr_scheduler.StepLR(optimizer, 3)
        optimizer.load_state_dict(type(optimizer)(parameters(), lr=0.01).state_dict())
        assert lr_scheduler.StepLR(optimizer, 3).base_lrs == [0.01]


def test_scheduler_before_step_warns_as_torch():
    ours, _ = pair("Adam", {})
    scheduler = lr_scheduler.StepLR(ours, 3)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()


@pytest.mark.parametrize("name", [*NAMES, "AdaBound"])
def test_gradient_scaler_skips_an_infinite_gradient(name):
    ours = getattr(surefoot.torch, name)(parameters(torch.float32), lr=0.1)
    plain = getattr(surefoot.torch, name)(parameters(torch.float32), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)

    def scaled_step(factor):
        ours.zero_grad()
        loss = sum((p * p).sum() for p in ours.param_groups[0]["params"])
        scaler.scale(loss * factor).backward()
        scaler.step(ours)
        scaler.update()

    def plain_step():
        plain.zero_grad()
        sum((p * p).sum() for p in plain.param_groups[0]["params"]).backward()
        plain.step()

    scaled_step(1.0)
    plain_step()
    check_equal(ours, plain, 1e-6)
    scaled_step(float("inf"))
    assert scaler.get_scale() == 4.0
    check_equal(ours, plain, 1e-6)
    scaled_step(1.0)
    plain_step()
    check_equal(ours, plain, 1e-6)
