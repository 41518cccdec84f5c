"""Checkpoints: ours and torch's are exchangeable at any moment, and resuming changes nothing."""

import copy
import io
import pickle

import pytest
import torch
from torch.optim import lr_scheduler

import surefoot.torch
from torch_runs import CASES, IDS, NAMES, check_equal, check_same, drive, pair, parameters, params_of

every_case = pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
every_name = pytest.mark.parametrize("name", NAMES)
moments = pytest.mark.parametrize("steps", [0, 1, 7])


def saved(optimizer):
    """Return a checkpoint as it comes back from disk, read in the safe way."""
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def resume(make, old, **options):
    """Return a new optimizer that continues from the checkpoint and the weights of another."""
    new = make(parameters(), **options)
    new.load_state_dict(saved(old))
    with torch.no_grad():
        for p, q in zip(params_of(new), params_of(old), strict=True):
            p.copy_(q)
    return new


@moments
@every_case
def test_from_torch_to_ours(name, options, steps):
    ours, theirs = pair(name, options)
    drive(theirs, steps=steps)
    ours = resume(type(ours), theirs, **options)
    drive(ours, theirs, steps=5, seed=3)
    check_equal(ours, theirs)


@moments
@every_case
def test_from_ours_to_torch(name, options, steps):
    ours, theirs = pair(name, options)
    drive(ours, theirs, steps=steps)
    continued = resume(type(theirs), ours, **options)
    drive(continued, theirs, steps=5, seed=3)
    check_equal(continued, theirs)


@moments
@every_case
def test_there_and_back(name, options, steps):
    ours, theirs = pair(name, options)
    drive(ours, theirs, steps=steps)
    there = resume(type(theirs), ours)
    drive(there, theirs, steps=2, seed=3)
    back = resume(type(ours), there)
    drive(back, theirs, steps=2, seed=4)
    check_equal(back, theirs)


@pytest.mark.parametrize("pickled", [False, True], ids=["state_dict", "pickle"])
@every_case
def test_resuming_changes_no_bit(name, options, pickled):
    ours, _ = pair(name, options)
    drive(ours, steps=4)
    # The options come from the checkpoint: the constructor gives none.
    twin = pickle.loads(pickle.dumps(ours)) if pickled else resume(type(ours), ours)
    drive(ours, twin, steps=4, seed=3)
    check_same(ours, twin)
    assert saved(ours)["param_groups"] == saved(twin)["param_groups"]


@every_case
def test_state_has_torchs_names_shapes_and_types(name, options):
    ours, theirs = pair(name, options, torch.float32)
    drive(ours, theirs, steps=2)
    for p, q in zip(params_of(ours), params_of(theirs), strict=True):
        keys = theirs.state[q].keys() | ({"step"} if name == "SGD" else set())
        assert ours.state[p].keys() == keys
        for key, value in theirs.state[q].items():
            mine = ours.state[p][key]
            assert (mine.shape, mine.dtype, mine.requires_grad) == (value.shape, value.dtype, False)
            assert mine.stride() == value.stride()


def test_dampening_does_not_restart_on_resume():
    """torch's SGD keeps no step count: that there is a buffer tells that the first step is over."""
    options = {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}
    ours, theirs = pair("SGD", options)
    drive(theirs, steps=1)
    assert "step" not in theirs.state[params_of(theirs)[0]]
    ours = resume(type(ours), theirs)
    p, q = params_of(ours)[1], params_of(theirs)[1]
    p.grad = torch.ones_like(p)
    expected = 0.9 * theirs.state[q]["momentum_buffer"] + 0.5
    ours.step()
    torch.testing.assert_close(ours.state[p]["momentum_buffer"], expected, rtol=1e-12, atol=0)


def error(optimizer, checkpoint):
    with pytest.raises(ValueError, match="loaded state dict") as caught:
        optimizer.load_state_dict(copy.deepcopy(checkpoint))
    return str(caught.value)


@every_name
def test_checkpoint_that_does_not_fit_raises_torchs_error(name):
    ours, theirs = pair(name, {})
    one_missing = type(theirs)(parameters()[:2]).state_dict()
    two_groups = type(theirs)([{"params": p} for p in parameters()]).state_dict()
    for checkpoint in (one_missing, two_groups):
        assert error(ours, checkpoint) == error(theirs, checkpoint)
    split = type(ours)([{"params": p} for p in parameters()])
    assert error(split, ours.state_dict()) == "loaded state dict has a different number of parameter groups"
    drive(ours, theirs, steps=2)
    check_equal(ours, theirs)


def test_loading_into_other_options_takes_the_checkpoints():
    ours, theirs = pair("Adam", {"lr": 0.1, "amsgrad": True, "eps": 1e-3, "betas": (0.5, 0.6)})
    drive(theirs, steps=3)
    ours = resume(type(ours), theirs, lr=7.0, weight_decay=0.5)
    drive(ours, theirs, steps=3)
    check_equal(ours, theirs)


@every_name
def test_checkpoint_of_an_older_torch_lacks_newer_options(name):
    ours, theirs = pair(name, {"lr": 0.1})
    checkpoint = theirs.state_dict()
    for group in checkpoint["param_groups"]:
        for key in ("maximize", "foreach", "capturable", "differentiable", "fused", "decoupled_weight_decay"):
            group.pop(key, None)
    for optimizer in (ours, theirs):
        optimizer.load_state_dict(copy.deepcopy(checkpoint))
    drive(ours, theirs, steps=3)
    check_equal(ours, theirs)


@every_name
def test_step_count_as_a_number(name):
    """As torch wrote it before 1.12."""
    ours, theirs = pair(name, {"lr": 0.1})
    drive(theirs, steps=3)
    checkpoint = copy.deepcopy(theirs.state_dict())
    for state in checkpoint["state"].values():
        if "step" in state:
            state["step"] = 3
    ours = resume(type(ours), theirs)
    ours.load_state_dict(checkpoint)
    drive(ours, theirs, steps=3)
    check_equal(ours, theirs)
    assert all(torch.is_tensor(state["step"]) for state in ours.state.values())


def test_sparse_momentum_of_torch_is_read():
    optimizers = []
    for make in (torch.optim.SGD, surefoot.torch.SGD):
        table = torch.nn.Embedding(6, 2, sparse=True, dtype=torch.float64)
        torch.nn.init.ones_(table.weight)
        optimizers.append((make(table.parameters(), lr=0.1, momentum=0.9), table))
    (theirs, there), (ours, here) = optimizers
    there(torch.tensor([1, 3])).sum().backward()
    theirs.step()
    ours.load_state_dict(theirs.state_dict())
    here.load_state_dict(there.state_dict())
    for optimizer, table in optimizers:
        optimizer.zero_grad()
        table(torch.tensor([3, 4])).sum().backward()
        optimizer.step()
    check_equal(ours, theirs)


def test_adamw_stays_adamw_whoever_wrote_the_checkpoint():
    """As in torch: AdamW's decay is what makes it AdamW; Adam takes over what the checkpoint says."""
    decoupled = []
    for library in (torch.optim, surefoot.torch):
        adam, adamw = library.Adam(parameters()), library.AdamW(parameters())
        decoupled.append(resume(library.AdamW, adam).param_groups[0]["decoupled_weight_decay"])
        decoupled.append(resume(library.Adam, adamw).param_groups[0]["decoupled_weight_decay"])
    assert decoupled == [True, True, True, True]


def test_adam_goes_on_with_adamws_decay():
    ours, theirs = pair("AdamW", {"lr": 0.1, "weight_decay": 0.3})
    drive(ours, theirs, steps=2)
    ours = resume(surefoot.torch.Adam, ours)
    drive(ours, theirs, steps=2)
    check_equal(ours, theirs)


def test_state_dict_hooks():
    ours, _ = pair("Adam", {})
    seen = []
    ours.register_state_dict_pre_hook(lambda _: seen.append("before saving"))
    ours.register_state_dict_post_hook(lambda _, state: {**state, "note": "mine"})
    ours.register_load_state_dict_pre_hook(lambda _, state: seen.append(state["note"]))
    ours.register_load_state_dict_post_hook(lambda optimizer: seen.append(optimizer.param_groups[0]["convention"]))
    ours.load_state_dict(ours.state_dict())
    assert seen == ["before saving", "mine", "torch"]


def test_hook_may_put_another_checkpoint_in_place():
    ours, theirs = pair("Adam", {"lr": 0.1})
    drive(ours, theirs, steps=2)
    ours.register_load_state_dict_pre_hook(lambda _, state: state["wrapped"])
    ours.load_state_dict({"wrapped": saved(theirs)})
    drive(ours, theirs, steps=2)
    check_equal(ours, theirs)


def test_state_that_belongs_to_no_parameter_is_kept():
    ours, _ = pair("Adam", {})
    checkpoint = ours.state_dict()
    checkpoint["state"]["note"] = 5
    ours.load_state_dict(checkpoint)
    assert ours.state["note"] == 5
    drive(ours, steps=1)


@every_name
def test_scheduler_resumes_with_the_optimizer(name):
    def run(optimizer, scheduler, seeds):
        for seed in seeds:
            drive(optimizer, steps=1, seed=seed)
            scheduler.step()

    ours, theirs = pair(name, {"lr": 0.1})
    first, whole = lr_scheduler.StepLR(ours, 2), lr_scheduler.StepLR(theirs, 2)
    run(ours, first, range(3))
    run(theirs, whole, range(6))
    ours = resume(type(ours), ours)
    second = lr_scheduler.StepLR(ours, 2)
    second.load_state_dict(first.state_dict())
    run(ours, second, range(3, 6))
    assert ours.param_groups[0]["lr"] == pytest.approx(1e-4)
    check_equal(ours, theirs)


def test_adagrads_sums_can_be_shared_with_other_processes():
    ours, _ = pair("Adagrad", {})
    ours.share_memory()
    drive(ours, steps=1)
    assert all(state["sum"].is_shared() for state in ours.state.values())
