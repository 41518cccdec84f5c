"""Adafactor, NorMuon and SOAP under torch's names; their formulas are tested where the rules are."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch.nn import Parameter

from near import assert_near
from surefoot.errors import UsageError
from surefoot.rules import RULES
from surefoot.torch import SOAP, Adafactor, NorMuon, RuleOptimizer
from torch_small import F64, give, params, same, through_file, train

SHAPES = ((6, 4), (4, 6), (5,), (1, 5), (5, 1), (1,))
OPTIONS = [{}, {"lr": 0.1, "beta2_decay": -0.5, "eps": (1e-6, 1e-2), "d": 2.0}, {"maximize": True}]


@pytest.mark.parametrize("scale", [1.0, 1e-4])
@pytest.mark.parametrize("options", OPTIONS)
def test_adafactor_is_torchs_without_decay(options, scale):
    ps, qs = params(shapes=SHAPES), params(shapes=SHAPES)
    ours, theirs = Adafactor(ps, **options), torch.optim.Adafactor(qs, **options)
    for k in range(20):
        for optimizer, xs in ((ours, ps), (theirs, qs)):
            give(xs, k, scale)
            optimizer.step()
    for p, q in zip(ps, qs, strict=True):
        assert_near(p, q, 1e-12)


@pytest.mark.parametrize(("dtype", "bound"), [(F64, 1e-12), (torch.bfloat16, 0.05)])
def test_adafactors_checkpoint_of_torch_goes_on_here_and_back(dtype, bound):
    ps, qs = params(dtype, shapes=SHAPES), params(dtype, shapes=SHAPES)
    first, theirs = torch.optim.Adafactor(ps, lr=0.02), torch.optim.Adafactor(qs, lr=0.02)
    train(first, ps, range(3))
    train(theirs, qs, range(9))
    rs = [Parameter(p.detach().clone()) for p in ps]
    ours = Adafactor(rs, lr=0.5, stochastic_rounding=False)
    ours.load_state_dict(through_file(first.state_dict()))
    train(ours, rs, range(3, 6))
    assert ours.state[rs[0]]["row_var"].dtype == torch.promote_types(dtype, torch.float32)
    back = torch.optim.Adafactor(rs, lr=0.5)
    back.load_state_dict(through_file(ours.state_dict()))
    train(back, rs, range(6, 9))
    for r, q in zip(rs, qs, strict=True):
        assert_near(r, q, bound)


def test_adafactors_checkpoint_of_a_convolution_is_refused():
    """torch takes the kernel's last two axes for the matrix."""
    ps = params(shapes=[(6, 4, 3, 3)])
    first = torch.optim.Adafactor(ps)
    train(first, ps, range(1))
    ours = Adafactor(ps)
    ours.load_state_dict(first.state_dict())
    with pytest.raises(UsageError, match=r"state 'row_var' has the shape \[6, 4, 3, 1\], and adafactor keeps \[6, 1\]"):
        train(ours, ps, range(1))


def test_adafactor_takes_torchs_arguments():
    theirs = inspect.signature(torch.optim.Adafactor).parameters
    ours = inspect.signature(Adafactor).parameters
    assert all(ours[name] == p.replace(annotation=ours[name].annotation) for name, p in theirs.items())


@pytest.mark.parametrize(
    ("given", "said"),
    [({"d": 0.5}, "Clipping threshold d"), ({"beta2_decay": 0.1}, "beta2_decay"), ({"eps": (-1.0, 1e-3)}, "epsilon")],
)
def test_adafactor_refuses_what_torch_refuses(given, said):
    with pytest.raises(ValueError, match=said):
        Adafactor(params(shapes=SHAPES), **given)


@pytest.mark.parametrize("convention", ["torch", "keras", "paper"])
@pytest.mark.parametrize("made", [Adafactor, NorMuon, SOAP], ids=lambda made: made.__name__)
def test_runs_its_rule(made, convention):
    shapes = [shape for shape in SHAPES if len(shape) > 1 or RULES[made.name].vector]
    ps, qs = params(torch.float32, shapes=shapes), params(torch.float32, shapes=shapes)
    train(made(ps, lr=0.01, convention=convention), ps, range(12))
    train(RuleOptimizer(qs, made.name, convention=convention, lr=0.01), qs, range(12))
    assert same(ps, qs)
    assert not same(ps, params(torch.float32, shapes=shapes))
