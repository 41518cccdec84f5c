"""Weights whose outputs are their columns: a rule for matrices sees each turned, in the parameter's memory."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import Parameter

from matrix_rules import shaped
from near import assert_near
from role_models import GPT, Conv1D
from surefoot.errors import UsageError
from surefoot.rules.adafactor import adafactor
from surefoot.rules.hyperball import hyperball
from surefoot.rules.muon import muon
from surefoot.rules.normuon import normuon
from surefoot.rules.soap import soap
from surefoot.torch import RuleOptimizer, groups, split
from torch_small import F64, give, params, same, through_file, train

RULES = [muon, normuon, soap, adafactor, shaped, hyperball(muon)]
BLOCKS = [1, 3, (1, 5)]
SHAPES = [(6, 4), (6, 12), (6, 3, 2)]


def turned(ps: list[Parameter]) -> list[Parameter]:
    return [Parameter(p.detach().transpose(0, 1).contiguous()) for p in ps]


def pair(own: Any, blocks: Any, dtype: torch.dtype = F64, shapes: Any = SHAPES, **more: Any) -> Any:
    """Return weights and their optimizer, and the same transposed."""
    ps = params(dtype, shapes=shapes)
    qs = turned(ps)
    straight = RuleOptimizer([{"params": ps, "blocks": blocks, **more}], own)
    return ps, straight, qs, RuleOptimizer([{"params": qs, "blocks": blocks, "transposed": True, **more}], own)


def train_both(ps: list[Parameter], straight: Any, qs: list[Parameter], transposed: Any, steps: range) -> None:
    for k in steps:
        give(ps, k)
        for p, q in zip(ps, qs, strict=True):
            q.grad = p.grad.transpose(0, 1).contiguous()
        straight.step()
        transposed.step()


def assert_turned(ps: list[Parameter], qs: list[Parameter]) -> None:
    for p, q in zip(ps, qs, strict=True):
        assert_near(q.detach().transpose(0, 1), p.detach(), 1e-12)


@pytest.mark.parametrize("blocks", BLOCKS, ids=str)
@pytest.mark.parametrize("own", RULES, ids=str)
def test_steps_as_the_turned_weight_does(own, blocks):
    ps, straight, qs, transposed = pair(own, blocks, weight_decay=0.1)
    train_both(ps, straight, qs, transposed, range(5))
    assert_turned(ps, qs)
    rates, theirs = straight.effective_lr(), transposed.effective_lr()
    for p, q in zip(ps, qs, strict=True):
        assert_near(theirs[q].transpose(0, 1), rates[p], 1e-12)


def test_what_is_kept_for_rows_and_columns_is_of_the_turned_matrix():
    """State for each weight lies as the weight does."""
    _, _, qs, optimizer = pair(shaped, (1, 3, 2), shapes=[(6, 4)])
    train(optimizer, qs, range(2))
    kept = {name: tuple(x.shape) for name, x in optimizer.state[qs[0]].items()}
    expected = {"step": (), "m": (4, 6), "r": (6, 1), "c": (3, 4), "left": (6, 3), "right": (12, 4), "n": (3,)}
    assert kept == expected
    assert optimizer.state[qs[0]]["m"].is_contiguous()


def test_writes_go_into_the_parameters_memory():
    _, _, qs, optimizer = pair(muon, 3)
    before = [(q.data_ptr(), q.stride()) for q in qs]
    train(optimizer, qs, range(2))
    assert [(q.data_ptr(), q.stride()) for q in qs] == before


@pytest.mark.parametrize("own", RULES, ids=str)
@pytest.mark.parametrize("blocks", [1, (1, 5)], ids=str)
@pytest.mark.parametrize("dtype", [F64, torch.bfloat16])
def test_goes_on_from_a_checkpoint_and_a_copy(own, blocks, dtype):
    def made(ps):
        return RuleOptimizer([{"params": ps, "blocks": blocks, "transposed": True}], own, ema=0.9)

    ps = params(dtype, shapes=[(4, 6), (2, 6, 2)])
    first = made(ps)
    train(first, ps, range(3))
    qs = [Parameter(p.detach().clone()) for p in ps]
    loaded = made(qs)
    loaded.load_state_dict(through_file(first.state_dict()))
    rs, copied = copy.deepcopy((ps, first))
    for optimizer, weights in ((first, ps), (loaded, qs), (copied, rs)):
        train(optimizer, weights, range(3, 6))
    assert same(ps, qs)
    assert same(ps, rs)


@pytest.mark.parametrize("own", [muon, normuon], ids=str)
def test_a_checkpoint_that_does_not_say_leaves_it(own):
    """Such as torch's of Muon: torch knows no transposed weights."""
    _, _, qs, optimizer = pair(own, 1)
    train(optimizer, qs, range(1))
    found = through_file(optimizer.state_dict())
    del found["param_groups"][0]["transposed"]
    optimizer.load_state_dict(found)
    assert optimizer.param_groups[0]["transposed"] is True


@pytest.mark.parametrize("blocks", [1, (2, 4)], ids=str)
@pytest.mark.parametrize("own", [muon, shaped], ids=str)
def test_autograd_follows_a_step(own, blocks):
    def outcome(lr: torch.Tensor, transposed: bool) -> torch.Tensor:
        weight = params(shapes=[(6, 4)])[0].detach()
        weight = (weight.T if transposed else weight).clone()
        group = {"params": [weight], "blocks": blocks, "transposed": transposed, "differentiable": True, "lr": lr}
        optimizer = RuleOptimizer([group], own)
        for k in range(2):
            gradient = torch.randn(6, 4, generator=torch.Generator().manual_seed(k), dtype=F64)
            weight.grad = gradient.T.clone() if transposed else gradient
            optimizer.step()
        return (weight.T if transposed else weight).square().sum()

    lr = torch.tensor(0.1, dtype=F64, requires_grad=True)
    found, expected = (torch.autograd.grad(outcome(lr, transposed), lr)[0] for transposed in (True, False))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


def test_counts_on_the_device():
    ps, straight, qs, transposed = pair(shaped, 3, capturable=True)
    train_both(ps, straight, qs, transposed, range(3))
    assert_turned(ps, qs)


def test_state_in_8_bits_is_none_of_a_transposed_matrix():
    """Its blocks of 256 lie otherwise; a vector in the group, and any weight under another rule, has it."""
    q, vector = params(torch.float32, shapes=[(64, 96), (8192,)])
    group = {"params": [q, vector], "transposed": True}
    optimizer = RuleOptimizer([group], soap, state_dtype=torch.uint8)
    train(optimizer, [q, vector], range(2))
    assert optimizer.state[q]["exp_avg" if "exp_avg" in optimizer.state[q] else "m"].dtype == torch.float32
    assert torch.uint8 in {x.dtype for x in optimizer.state[vector].values()}
    (again,) = params(torch.float32, shapes=[(64, 128)])
    other = RuleOptimizer([{"params": [again], "transposed": True}], "adam", state_dtype=torch.uint8)
    train(other, [again], range(2))
    assert torch.uint8 in {x.dtype for x in other.state[again].values()}


@pytest.mark.parametrize("said", ["yes", 1, None])
def test_what_is_neither_true_nor_false_is_refused(said):
    with pytest.raises(UsageError, match=r"transposed=.* of group 0 is neither True nor False"):
        RuleOptimizer([{"params": params(shapes=[(6, 4)]), "transposed": said}], muon)


def test_blocks_that_do_not_fit_the_outputs_are_refused():
    said = r"blocks=4 does not fit parameter 0 of group 0 of shape \[4, 6\]: give a number that divides its 6 columns"
    with pytest.raises(UsageError, match=said):
        RuleOptimizer([{"params": params(shapes=[(4, 6)]), "blocks": 4, "transposed": True}], muon)


def with_linears(model: GPT) -> GPT:
    """Return a copy of GPT-2 whose layers have their outputs as rows."""
    made = copy.deepcopy(model)
    for layers in (part for block in made.transformer["h"] for part in (block.attn, block.mlp)):
        for name, layer in layers.items():
            linear = nn.Linear(*layer.weight.shape, dtype=F64)
            linear.weight, linear.bias = nn.Parameter(layer.weight.detach().T.clone()), layer.bias
            layers[name] = linear
    return made


@pytest.mark.parametrize("name", ["muon", "normuon", "soap"])
def test_gpt_2_of_conv1ds_trains_as_that_of_linear_layers(name):
    torch.manual_seed(0)
    theirs = GPT().double()
    ours = with_linears(theirs)
    codes = torch.randint(0, 11, (4, 6))
    qkv = [group for group in groups(theirs) if group["role"] == "qkv"]
    assert [(group["blocks"], group["transposed"]) for group in qkv] == [(3, True)]
    for model in (theirs, ours):
        optimizer = split(model, **{name: {"lr": 0.01}}, rest={"lr": 1e-3})
        for _ in range(5):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(codes).flatten(0, 1), codes.flatten()).backward()
            optimizer.step()
    conv1ds = {key for key, layer in theirs.named_modules() if isinstance(layer, Conv1D)}
    for (key, p), q in zip(theirs.named_parameters(), ours.parameters(), strict=True):
        assert_near((p.T if key.removesuffix(".weight") in conv1ds else p).detach(), q.detach(), 1e-9)
