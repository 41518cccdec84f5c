"""An optimizer class is one declaration: its signature and its docstring."""

import inspect
import pickle
from typing import Any, Unpack

import pytest
import torch

from surefoot.torch import RuleOptimizer
from surefoot.torch.options import Common, declared
from surefoot.torch.spelling import TorchOptimizer


class Heavy(TorchOptimizer):
    """Heavy ball, as one would declare it."""

    name = "momentum"
    state_names = {"b": "momentum_buffer"}  # noqa: RUF012

    @declared
    def __init__(
        self,
        params: Any,
        lr: float = 0.1,
        momentum: float = 0.9,
        *,
        weight_decay: float = 0.0,
        **extras: Unpack[Common],
    ) -> None: ...


def weight():
    return torch.nn.Parameter(torch.ones(3))


def after(optimizer):
    [p] = optimizer.param_groups[0]["params"]
    for _ in range(2):
        p.grad = torch.tensor([1.0, -2.0, 0.5])
        optimizer.step()
    return p.detach().clone()


def test_a_declaration_is_a_whole_class():
    expected = after(RuleOptimizer([weight()], "momentum", lr=0.1, momentum=0.8, weight_decay=0.1, maximize=True))
    optimizer = Heavy([weight()], 0.1, 0.8, weight_decay=0.1, maximize=True, ema=0.9)
    assert torch.equal(after(optimizer), expected)
    assert list(inspect.signature(Heavy).parameters) == [
        *("params", "lr", "momentum", "weight_decay"),
        *("foreach", "maximize", "capturable", "differentiable", "convention", "extras"),
    ]
    again = pickle.loads(pickle.dumps(optimizer))
    assert torch.equal(after(again), after(optimizer))


def test_a_convention_decides_what_was_left_out_and_nothing_else():
    assert Heavy([weight()], convention="keras").param_groups[0]["lr"] == 0.01
    assert Heavy([weight()], 0.1, convention="keras").param_groups[0]["lr"] == 0.1  # given, though it is the default


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((), {}, r"Heavy.__init__\(\) is called with other arguments: missing a required argument: 'params'"),
        (([], 0.1), {"lr": 0.1}, "multiple values for argument 'lr'"),
        (([], 0.1, 0.9, 0.0), {}, "too many positional arguments"),
        (([],), {"momentun": 0.9}, "unexpected keyword argument 'momentun'"),
    ],
)
def test_a_wrong_call_is_a_type_error(args, kwargs, text):
    with pytest.raises(TypeError, match=text):
        Heavy(*args, **kwargs)
