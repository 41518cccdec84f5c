"""A step laid out serves the next ones, and whatever changes between two steps is noticed."""

from __future__ import annotations

import copy
from unittest import mock

import pytest
import torch
from torch.nn import Parameter

import surefoot.torch
from surefoot.engines import jobs
from surefoot.torch import table_inputs
from surefoot.torch.step_tables import StepTables
from torch_runs import check_same, drive, params_of

pytestmark = pytest.mark.usefixtures("kernel_cache")


def params(seed: int = 0) -> list[Parameter]:
    torch.manual_seed(seed)
    return [Parameter(torch.randn(5, 3)), Parameter(torch.randn(())), Parameter(torch.randn(2, 3, 4, 4))]


def stepped(make=surefoot.torch.AdaBound, **options):
    """An optimizer whose last step was taken on tables that serve again."""
    optimizer = make(params(), **options)
    drive(optimizer, steps=2)
    assert optimizer._tables is not None
    return optimizer


def fresh(optimizer):
    """The same optimizer, which has never laid out a step."""
    twin = copy.deepcopy(optimizer)
    assert twin._tables is None
    return twin


def gradient(optimizer, seed: int = 7) -> None:
    torch.manual_seed(seed)
    for p in params_of(optimizer):
        p.grad = torch.randn_like(p)


def count_layouts(optimizer, steps: int = 1) -> int:
    """How many of these steps had to be laid out anew."""
    with (
        mock.patch.object(StepTables, "commit", autospec=True, side_effect=StepTables.commit),
        mock.patch("surefoot.torch.stepping.StepTables", side_effect=StepTables) as made,
    ):
        for k in range(steps):
            gradient(optimizer, k)
            optimizer.step()
    return made.call_count


@pytest.fixture(params=["its own guards", "a torch that has moved them"])
def guarded(request, monkeypatch):
    """What looks at tensors is torch's; where this torch has it no more, it is Python."""
    if request.param != "its own guards":
        monkeypatch.setattr(table_inputs, "guards", None)
        monkeypatch.setattr(jobs, "ADDRESS_OF", 0)


@pytest.mark.usefixtures("guarded")
def test_usual_steps_are_laid_out_once():
    assert count_layouts(surefoot.torch.Adam(params()), steps=5) == 1


def test_new_numbers_need_no_new_tables():
    optimizer = stepped()
    optimizer.param_groups[0]["lr"] = 0.5
    assert count_layouts(optimizer) == 0


def set_lr(o):
    o.param_groups[0]["lr"] = 0.3


def set_betas(o):
    o.param_groups[0]["betas"] = (0.5, 0.6)


def set_zero(o):
    o.param_groups[0]["lr"] = 0.0


def set_decay(o):
    o.param_groups[0]["weight_decay"] = 0.2


def set_switch(o):
    o.param_groups[0]["maximize"] = True


def freeze(o):
    params_of(o)[0].grad = None


def add_group(o):
    o.add_param_group({"params": [Parameter(torch.ones(3))], "lr": 0.1})
    params_of(o)[-1].grad = torch.ones(3)


def remove_parameter(o):
    del o.param_groups[0]["params"][0]


def new_state(o):
    own = o.state[params_of(o)[0]]
    own["exp_avg"] = own["exp_avg"] + 1


def state_moved(o):
    own = o.state[params_of(o)[0]]
    own["exp_avg"].data = own["exp_avg"] + 1


def state_lost(o):
    del o.state[params_of(o)[1]]


def steps_set(o):
    o.state[params_of(o)[0]]["step"].fill_(100)


def steps_replaced(o):
    o.state[params_of(o)[0]]["step"] = torch.tensor(100.0)


def weights_moved(o):
    p = params_of(o)[2]
    p.data = p.data.clone()


def weights_turned(o):
    p = params_of(o)[2]
    p.data = p.data.to(memory_format=torch.channels_last)


def gradient_turned(o):
    p = params_of(o)[2]
    p.grad = p.grad.to(memory_format=torch.channels_last)


def gradient_lazy(o):
    p = params_of(o)[0]
    p.grad = torch._neg_view(p.grad)


def gradient_in_place(o):
    p = params_of(o)[0]
    p.grad.set_(torch.full_like(p, 0.25))


def checkpoint_loaded(o):
    o.load_state_dict(copy.deepcopy(o.state_dict()))


CHANGES = [
    set_lr,
    set_betas,
    set_zero,
    set_decay,
    set_switch,
    freeze,
    add_group,
    remove_parameter,
    new_state,
    state_moved,
    state_lost,
    steps_set,
    steps_replaced,
    weights_moved,
    weights_turned,
    gradient_turned,
    gradient_lazy,
    gradient_in_place,
    checkpoint_loaded,
]


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("change", CHANGES)
def test_what_a_user_changes_is_noticed(change):
    """The step on old tables equals that of an optimizer which has none."""
    known = stepped(weight_decay=0.1)
    for optimizer in (known, twin := fresh(known)):
        gradient(optimizer)
        change(optimizer)
        optimizer.step()
        gradient(optimizer, 8)
        optimizer.step()
    check_same(known, twin)


def test_a_thawed_parameter_joins():
    known = surefoot.torch.Adam(params())
    for frozen in (True, False):
        gradient(known)
        if frozen:
            params_of(known)[1].grad = None
        known.step()
    assert [int(known.state[p]["step"]) for p in params_of(known)] == [2, 1, 2]


def test_gradients_are_not_kept():
    """Tables that kept them would double the memory of the next backward pass."""
    import weakref

    optimizer = stepped()
    gradient(optimizer)
    watched = [weakref.ref(p.grad) for p in params_of(optimizer)]
    optimizer.step()
    optimizer.zero_grad()
    assert all(ref() is None for ref in watched)


def test_a_step_that_fails_leaves_no_tables_and_has_not_happened():
    optimizer = stepped(surefoot.torch.Adam)
    gradient(optimizer)
    p = params_of(optimizer)[2]
    p.grad = p.grad.to_sparse()
    with pytest.raises(RuntimeError, match="does not support sparse gradients"):
        optimizer.step()
    assert optimizer._tables is None
    assert [int(optimizer.state[q]["step"]) for q in params_of(optimizer)] == [2, 2, 2]
