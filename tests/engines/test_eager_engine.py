"""The eager engine in half precision: the rule in float32, rounded when it is written, by the bits that kernels use."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from half import EXTREME, check_bits, stored
from kernel_cases import numbers
from settings import SURROUNDED, Setting
from surefoot.compiler.kernel_plan import COMPUTE
from surefoot.engines import eager
from surefoot.rule import Rule, Step, rule
from surefoot.rules import RULES
from surefoot.update import update

KEY = 0x12345678

SGD = RULES["sgd"], Setting(RULES["sgd"], "torch", {}).hyper


def step(rule, *arrays, differentiable=False, **more):
    for write in eager.prepare(rule, eager.TensorPart(*arrays, **more), differentiable=differentiable):
        write()


def tensor(x: np.ndarray, kind: str) -> Tensor:
    return torch.tensor(x).to(getattr(torch, kind))


KINDS = [
    ({}, "float32"),
    ({}, "float64"),
    ({}, "bfloat16"),
    ({}, "float16"),
    ({"g": "float32"}, "bfloat16"),
    ({"m": "bfloat16", "v": "bfloat16"}, "float32"),
    ({"m": "float32", "v": "float16", "ema": "float32"}, "bfloat16"),
    ({"m": "bfloat16", "v": "float32"}, "float64"),
]


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize(("others", "kind"), KINDS, ids=str)
@pytest.mark.parametrize("options", [{}, SURROUNDED], ids=["plain", "surrounded"])
def test_it_equals_the_rule_in_the_precision_of_the_policy(options, others, kind, key):
    setting, rng = Setting(RULES["adam"], "torch", options), np.random.default_rng(1)
    w = stored(rng.normal(size=40), kind)
    expected = {"w": w, **{s: stored(x, others.get(s, kind)) for s, x in setting.begin(w).items()}}
    weight, *_ = held = [tensor(x, others.get(name, kind)) for name, x in expected.items()]
    state = dict(zip([*expected][1:], held[1:], strict=True))
    for t in range(1, 4):
        g = stored(np.concatenate([rng.normal(size=40), EXTREME])[-40:], others.get("g", kind))
        given = tensor(g, others.get("g", kind))
        step(setting.rule, weight, given, state, t, setting.hyper, key=key)
        check_bits(numbers(given), g)
        made = rule_in_torch(setting, expected, g, t, COMPUTE[kind])
        expected = {
            name: stored(x, others.get(name, kind), np.arange(40), key, k) for k, (name, x) in enumerate(made.items())
        }
        for name, x in {"w": weight, **state}.items():
            assert x.dtype == getattr(torch, others.get(name, kind))
            check_bits(numbers(x), expected[name], f"{name} after step {t}")


def rule_in_torch(setting: Setting, arrays: dict, g: np.ndarray, t: int, compute: str) -> dict[str, np.ndarray]:
    """Return the unrounded result. Not by NumPy: torch divides a number by a tensor in two steps."""
    old = {name: tensor(x, compute) for name, x in arrays.items()}
    new = update(setting.rule, old.pop("w"), tensor(g, compute), old, t, setting.hyper)
    return {"w": new.weight.numpy(), **{slot: x.numpy() for slot, x in new.state.items()}}


LAYOUTS = {
    "channels last": lambda x: x.to(memory_format=torch.channels_last),
    "transposed": lambda x: x.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0),
    "every other": lambda x: torch.stack([x, x], dim=-1).flatten(-2)[..., ::2],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_random_bits_follow_the_weights_memory(layout):
    """Wherever the gradient and the state lie: their numbers are those of the weight."""
    own, x = RULES["momentum"], torch.full((2, 3, 4, 5), 1.003).bfloat16()
    weight, gradient = LAYOUTS[layout](x.clone()), torch.full_like(x, 1e-3)
    state = {"b": torch.full_like(x, 0.01)}
    assert weight.stride() != x.stride()
    hyper = Setting(own, "torch", {}).hyper
    step(own, weight, gradient, state, 2, hyper, key=KEY)

    order = sorted(range(4), key=lambda axis: -weight.stride(axis))
    flat, flat_state = x.permute(order).flatten(), {"b": torch.full((120,), 0.01).bfloat16()}
    step(own, flat, torch.full((120,), 1e-3).bfloat16(), flat_state, 2, hyper, key=KEY)
    assert torch.equal(weight.permute(order).flatten(), flat)
    assert torch.equal(state["b"].permute(order).flatten(), flat_state["b"])
    assert len(flat.unique()) == len(flat_state["b"].unique()) == 2


@pytest.mark.parametrize("key", [None, KEY])
def test_a_sparse_gradient_steps_like_a_dense_one(key):
    own, hyper = SGD
    at, values = torch.tensor([[5, 1, 5]]), torch.tensor([[0.5, 0.25], [1.0, 2.0], [0.5, 0.75]]).bfloat16()
    gradient = torch.sparse_coo_tensor(at, values, (7, 2), check_invariants=False)
    weights = torch.full((2, 7, 2), 1.003).bfloat16()
    step(own, weights[0], gradient, {}, 1, hyper, key=key)
    step(own, weights[1], gradient.to_dense(), {}, 1, hyper, key=key)
    touched = torch.tensor([1, 5])
    assert torch.equal(weights[0][touched], weights[1][touched])
    assert (weights[0][[0, 2, 3, 4, 6]] == torch.tensor(1.003).bfloat16()).all()


@pytest.mark.parametrize("key", [None, KEY])
def test_small_steps_are_lost_only_without_a_key(key):
    own = RULES["adamw"]
    hyper = Setting(own, "torch", {"lr": 1e-3}).hyper
    weight, state = torch.ones(2000).bfloat16(), {slot: torch.zeros(2000).bfloat16() for slot in own.starts(hyper)}
    for t in range(1, 201):
        step_key = None if key is None else (key * t) % 2**32
        step(own, weight, torch.ones(2000).bfloat16(), state, t, hyper, key=step_key)
    mean = weight.double().mean().item()
    assert mean == 1.0 if key is None else 0.79 <= mean <= 0.81


@pytest.mark.parametrize("key", [None, KEY])
def test_a_step_in_half_precision_is_differentiable(key):
    """The derivative of a step with respect to the rate is minus the direction, through the rounding."""
    own, hyper = RULES["momentum"], Setting(RULES["momentum"], "torch", {}).hyper
    lr = torch.tensor(0.1, requires_grad=True)
    start, gradient = torch.tensor([1.0, 2.0]).bfloat16(), torch.tensor([0.5, 3.0]).bfloat16()
    weight, state = start.clone(), {"b": torch.zeros(2).bfloat16()}
    step(own, weight, gradient, state, 1, {**hyper, "lr": lr}, differentiable=True, key=key)
    weight.float().sum().backward()
    assert state["b"].dtype == torch.bfloat16
    assert lr.grad == -gradient.float().sum()


def test_state_stays_apart_from_the_gradient_and_from_other_state():
    @rule(slots=("one", "two"), source="this test")
    def shuffles(g, state, _t, *, lr=0.1):
        return Step(rate=lr, direction=g, one=g, two=state.one)

    for differentiable in (False, True):
        check_shuffled(shuffles, differentiable)


def check_shuffled(own: Rule, differentiable: bool) -> None:
    weight, gradient, state = torch.ones(2), torch.full((2,), 3.0), {"one": torch.ones(2), "two": torch.zeros(2)}
    step(own, weight, gradient, state, 1, own.complete({}), differentiable=differentiable)
    gradient.zero_()
    assert state["one"].tolist() == [3.0, 3.0]
    assert state["two"].tolist() == [1.0, 1.0]
