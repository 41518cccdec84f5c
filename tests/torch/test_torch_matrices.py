"""Rules for matrices on torch's parameters: layouts, blocks, slots of other shapes, and what is no matrix."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import Parameter

from matrix_rules import by_numpy, laid_out, plain, shaped
from near import assert_near
from surefoot.errors import SurefootWarning, UsageError
from surefoot.rules import rule_of
from surefoot.rules.hyperball import hyperball
from surefoot.rules.muon import muon
from surefoot.rules.normuon import normuon
from surefoot.torch import RuleOptimizer
from torch_small import F64, give, params, same, through_file, train

SHAPES = ((6, 4), (4, 6), (6, 4), (1, 5), (5, 1), (6, 2, 3, 1), (0, 3))
RULES = [muon, shaped]


@pytest.fixture(autouse=True, params=[1 << 23, 24], ids=["at once", "in small lots"])
def lots(request, monkeypatch):
    monkeypatch.setattr("surefoot.engines.matrices.LOT", request.param)


def assert_like_numpy(own: Any, shape: Any, blocks: Any, heights: list[int], how: str = "", **hyper: Any) -> None:
    ps = [Parameter(laid_out(p.detach(), how)) for p in params(shapes=[shape] * 2)]
    optimizer = RuleOptimizer([{"params": ps, "blocks": blocks}], own, **hyper)
    starts, gradients = [p.detach().clone() for p in ps], [[], []]
    for k in range(4):
        give(ps, k)
        for p, seen in zip(ps, gradients, strict=True):
            seen.append(p.grad.clone())
            p.grad = laid_out(p.grad, how)
        optimizer.step()
    values = {name: x for name, x in optimizer.param_groups[0].items() if name in own.defaults}
    for p, start, seen in zip(ps, starts, gradients, strict=True):
        expected = torch.from_numpy(np.concatenate(by_numpy(own, start, seen, heights, **values)))
        assert_near(p.detach().reshape(len(p), -1), expected, 1e-12)


@pytest.mark.parametrize("own", RULES, ids=str)
@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (1, 5), (5, 1), (6, 2, 3, 2), (3, 4, 1, 1)], ids=str)
def test_a_parameter_is_the_matrix_of_its_outputs(own, shape):
    assert_like_numpy(own, shape, 1, [shape[0]])


@pytest.mark.parametrize("own", RULES, ids=str)
@pytest.mark.parametrize(("how", "shape"), [("channels_last", (6, 2, 3, 2)), ("turned", (6, 4)), ("sliced", (6, 4))])
def test_however_it_lies_in_memory(own, how, shape):
    assert_like_numpy(own, shape, 1, [6], how)
    assert_like_numpy(own, shape, (1, 5), [1, 5], how)


@pytest.mark.parametrize("own", RULES, ids=str)
@pytest.mark.parametrize(("blocks", "heights"), [(3, [2, 2, 2]), ((1, 3, 2), [1, 3, 2]), ([6], [6])])
def test_each_block_is_a_matrix_by_itself(own, blocks, heights):
    assert_like_numpy(own, (6, 4), blocks, heights)
    assert_like_numpy(own, (6, 2, 1, 2), blocks, heights, weight_decay=0.1)


@pytest.mark.parametrize("blocks", [4, (3, 9)])
def test_blocks_that_do_not_add_up_are_refused(blocks):
    with pytest.raises(UsageError, match=r"does not fit parameter 1 of group 0 of shape \[6, 4\]: give a number that"):
        RuleOptimizer([{"params": params(shapes=[(12, 4), (6, 4)]), "blocks": blocks}], muon)


@pytest.mark.parametrize("blocks", [0, -1, True, 2.0, (7, -1), (), "qkv", (3.0, 3.0)])
def test_what_cannot_be_blocks_is_refused(blocks):
    with pytest.raises(UsageError, match=r"does not fit parameter 0 of group 0 of shape \[6, 4\]"):
        RuleOptimizer([{"params": params(shapes=[(6, 4)]), "blocks": blocks}], muon)


def test_what_is_no_matrix_is_refused_by_name_at_construction():
    model = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))
    said = r"parameter '0.bias' has the shape \[3\], and muon steps matrices alone.*surefoot.torch.split\(model\)"
    with pytest.raises(UsageError, match=said):
        RuleOptimizer(model.named_parameters(), muon)
    with pytest.raises(UsageError, match=r"parameter 1 of group 0 has the shape \[3\]"):
        RuleOptimizer(model.parameters(), muon)
    with pytest.raises(UsageError, match="parameter 0 of group 0 is complex, and muon steps real matrices"):
        RuleOptimizer([Parameter(torch.zeros(2, 2, dtype=torch.complex64))], muon)


def test_a_group_that_is_refused_is_not_there():
    optimizer = RuleOptimizer(params(shapes=[(3, 4)]), muon)
    with pytest.raises(UsageError, match="parameter 0 of group 1"):
        optimizer.add_param_group({"params": params(shapes=[(3,)])})
    assert len(optimizer.param_groups) == 1
    optimizer.add_param_group({"params": params(shapes=[(4, 3)]), "blocks": 2})
    assert [group["blocks"] for group in optimizer.param_groups] == [1, 2]


def test_what_is_no_matrix_takes_the_rule_for_it():
    ps, qs = params(shapes=[(3, 4), (5,), ()]), params(shapes=[(3, 4), (5,), ()])
    optimizer = RuleOptimizer(ps, shaped, lr=0.3)
    train(optimizer, ps, range(3))
    beside = RuleOptimizer(qs, plain, lr=0.3, engine="eager")
    train(beside, qs, range(3))
    assert same(ps[1:], qs[1:])
    assert not torch.equal(ps[0], qs[0])
    assert set(optimizer.state[ps[1]]) == {"step", "m"}
    assert set(optimizer.effective_lr()) == {*ps}


@pytest.mark.parametrize(
    ("blocks", "shapes"),
    [
        (1, {"r": (6, 1), "c": (1, 4), "left": (6, 6), "right": (4, 4), "n": ()}),
        ((1, 3, 2), {"r": (6, 1), "c": (3, 4), "left": (6, 3), "right": (12, 4), "n": (3,)}),
    ],
)
def test_slots_of_other_shapes(blocks, shapes):
    ps = params(torch.bfloat16, shapes=[(6, 4)])
    optimizer = RuleOptimizer([{"params": ps, "blocks": blocks}], shaped, state_dtype=torch.bfloat16)
    train(optimizer, ps, range(2))
    own = optimizer.state[ps[0]]
    assert {name: tuple(own[name].shape) for name in shapes} == shapes
    wide = dict.fromkeys(["step", "r", "c", "left", "right"], torch.float32)
    assert {name: own[name].dtype for name in own} == {"m": torch.bfloat16, "n": F64, **wide}
    assert len(own["n"].unique()) == own["n"].numel()


@pytest.mark.parametrize("own", RULES, ids=str)
@pytest.mark.parametrize("blocks", [1, 3, (1, 3, 2)], ids=str)
@pytest.mark.parametrize("dtype", [F64, torch.bfloat16])
def test_goes_on_from_a_checkpoint_a_copy_and_a_pickle(own, blocks, dtype):
    def made(ps):
        return RuleOptimizer([{"params": ps, "blocks": blocks}], own, ema=0.9)

    ps = params(dtype, shapes=[(6, 4), (6, 2, 2)])
    first = made(ps)
    train(first, ps, range(3))
    qs = [Parameter(p.detach().clone()) for p in ps]
    loaded = made(qs)
    loaded.load_state_dict(through_file(first.state_dict()))
    (rs, copied), (ss, pickled) = copy.deepcopy((ps, first)), pickle.loads(pickle.dumps((ps, first)))
    for optimizer, weights in ((first, ps), (loaded, qs), (copied, rs), (pickled, ss)):
        train(optimizer, weights, range(3, 6))
    assert same(ps, qs)
    assert same(ps, rs)
    assert same(ps, ss)
    with first.averaged():
        assert not same(ps, qs)
    assert same(ps, qs)


def test_a_checkpoint_of_another_rule_is_refused():
    ps = params(shapes=[(6, 4)])
    optimizer = RuleOptimizer(ps, muon)
    train(optimizer, ps, range(1))
    with pytest.raises(
        UsageError, match=r"this is RuleOptimizer\(rule='shaped'\), which keeps c, left, m, n, r, right"
    ):
        RuleOptimizer(params(shapes=[(6, 4)]), shaped).load_state_dict(optimizer.state_dict())


def test_sparse_gradients_are_refused():
    ps = params(shapes=[(6, 4)])
    optimizer = RuleOptimizer(ps, muon)
    ps[0].grad = torch.ones(6, 4, dtype=F64).to_sparse()
    before = ps[0].detach().clone()
    with pytest.raises(RuntimeError, match="a gradient is sparse"):
        optimizer.step()
    assert torch.equal(ps[0], before)
    assert not optimizer.state


@pytest.mark.parametrize("blocks", [1, 3], ids=str)
def test_weights_in_bfloat16_are_rounded_at_random(blocks):
    """On average a step that is less than half their rounding still moves them."""
    p = Parameter(torch.ones(48, 64, dtype=torch.bfloat16))
    start = p.detach().clone()
    optimizer = RuleOptimizer([{"params": [p], "blocks": blocks}], muon, lr=1e-3, nesterov=False, scale="none")
    p.grad = torch.randn(48, 64, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    optimizer.step()
    moved = (p != start).float().view(3, -1).mean(1)
    assert ((moved > 0.005) & (moved < 0.5)).all()
    if blocks == 3:
        rounded = [part != 1 for part in p.detach().chunk(3)]
        assert not torch.equal(rounded[0], rounded[1])


@pytest.mark.parametrize("own", RULES, ids=str)
@pytest.mark.parametrize("blocks", [1, (2, 4)], ids=str)
def test_autograd_follows_a_step(own, blocks):
    """The derivative of what comes of two steps by the learning rate, against a difference."""

    def outcome(lr: torch.Tensor) -> torch.Tensor:
        weight = params(shapes=[(6, 4)])[0].detach().clone()
        optimizer = RuleOptimizer([{"params": [weight], "blocks": blocks, "differentiable": True, "lr": lr}], own)
        for k in range(2):
            weight.grad = torch.randn(6, 4, generator=torch.Generator().manual_seed(k), dtype=F64)
            optimizer.step()
        return weight.square().sum()

    lr, h = torch.tensor(0.1, dtype=F64, requires_grad=True), 1e-6
    (found,) = torch.autograd.grad(outcome(lr), lr)
    with torch.no_grad():
        difference = (outcome(lr + h) - outcome(lr - h)) / (2 * h)
    torch.testing.assert_close(found, difference, rtol=1e-6, atol=0)


@pytest.mark.parametrize("own", RULES, ids=str)
def test_counts_on_the_device(own):
    ps, qs = params(shapes=SHAPES), params(shapes=SHAPES)
    train(RuleOptimizer([{"params": ps, "capturable": True}], own), ps, range(3))
    train(RuleOptimizer(qs, own), qs, range(3))
    for p, q in zip(ps, qs, strict=True):
        assert_near(p, q, 1e-14)


@pytest.mark.parametrize("own", RULES, ids=str)
def test_matrices_that_share_memory_move_one_after_the_other(own):
    (p,) = params(shapes=[(6, 4)])
    whole = p.detach()
    left, right = Parameter(whole[:, :2]), Parameter(whole[:, 2:])
    apart = [Parameter(x.detach().clone()) for x in (left, right)]
    for ps in ([left, right], apart):
        train(RuleOptimizer(ps, own), ps, range(3))
    for x, y in zip((left, right), apart, strict=True):
        assert_near(x, y, 1e-14)


def test_the_effective_rate_is_that_of_each_block():
    ps = params(shapes=[(6, 4)])
    optimizer = RuleOptimizer([{"params": ps, "blocks": (5, 1)}], muon, lr=0.1, scale="original")
    give(ps, 0)
    (rate,) = optimizer.effective_lr().values()
    expected = torch.full((6, 4), 0.1, dtype=F64)
    expected[:5] *= (5 / 4) ** 0.5
    torch.testing.assert_close(rate, expected)


def test_equal_shapes_are_one_product(monkeypatch):
    """Tall ones are turned first, so that they are equal to wide ones."""
    seen = []
    product = torch.baddbmm

    def watched(x, *rest, **more):
        seen.append(tuple(x.shape))
        return product(x, *rest, **more)

    monkeypatch.setattr(torch, "baddbmm", watched)
    monkeypatch.setattr("surefoot.engines.matrices.LOT", 1 << 23)
    ps = params(shapes=[(6, 4), (4, 6), (3, 3), (4, 2, 3)])
    train(RuleOptimizer(ps, muon), ps, range(1))
    assert set(seen) == {(3, 4, 4), (3, 4, 6)}


AROUND = ("cautious(muon)", "lookahead(muon)", "cautious(adafactor)", "trust_ratio(soap)", "lookahead(soap)")


@pytest.mark.parametrize("name", AROUND)
def test_what_stands_around_a_rule_for_matrices_stands_around_that_for_vectors(name):
    own = rule_of(name)
    shapes = [(6, 4), (4, 6), (3, 2, 2), *([(5,)] if own.vector else [])]
    ps = params(shapes=shapes)
    first = RuleOptimizer(ps, own, lr=0.01)
    train(first, ps, range(3))
    qs = [Parameter(p.detach().clone()) for p in ps]
    second = RuleOptimizer(qs, own, lr=0.01)
    second.load_state_dict(through_file(first.state_dict()))
    for optimizer, weights in ((first, ps), (second, qs)):
        train(optimizer, weights, range(3, 12))
    assert same(ps, qs)
    if own.vector:
        assert own.vector.combinator is own.combinator


def test_each_block_keeps_its_own_length():
    ps = params(shapes=[(6, 4)])
    lengths = [part.norm() for part in ps[0].detach().clone().chunk(2)]
    train(RuleOptimizer([{"params": ps, "blocks": 2}], hyperball(muon), lr=0.1), ps, range(3))
    torch.testing.assert_close([part.norm() for part in ps[0].detach().chunk(2)], lengths)


@pytest.mark.filterwarnings("ignore:optimizer contains")
def test_a_matrix_that_is_given_twice_moves_twice():
    ps, qs = params(shapes=[(6, 4)]), params(shapes=[(6, 4)])
    optimizer = RuleOptimizer([*ps, *ps], muon)
    give(ps, 0)
    optimizer.step()
    again = RuleOptimizer(qs, muon)
    give(qs, 0)
    again.step()
    again.step()
    assert_near(ps[0], qs[0], 1e-14)
    assert optimizer.state[ps[0]]["step"] == 2


def test_who_asks_for_a_kernel_is_told_that_there_is_none():
    own = replace(normuon, name="another")  # of each rule it is said once
    ps = params(shapes=[(6, 4)])
    optimizer = RuleOptimizer(ps, own, engine="cpu")
    with pytest.warns(SurefootWarning, match="the rule another runs on the eager engine, which is slower"):
        train(optimizer, ps, range(1))
