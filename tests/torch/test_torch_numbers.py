"""Slots that are numbers: of a tensor, in its state; of the whole optimizer, in the param groups."""

from __future__ import annotations

import copy
import pickle
import weakref
from functools import partial
from typing import Any, ClassVar

import numpy as np
import prodigyopt
import pytest
import torch
from torch.nn import Parameter

from near import assert_near
from numbered import D0, estimating, looking_ahead, measuring
from surefoot.errors import UsageError
from surefoot.rule import Number, Step, rule
from surefoot.torch import RuleOptimizer
from torch_small import F64, give, params, same, through_file, train

pytestmark = pytest.mark.usefixtures("kernel_cache")


class AsTorch(RuleOptimizer):
    """NAdam under torch's names for its state."""

    state_names: ClassVar[dict[str, str]] = {"m": "exp_avg", "v": "exp_avg_sq", "mu": "mu_product"}

    def _state_name(self, slot):
        return self.state_names.get(slot, slot)


def reloaded(optimizer: Any, make: Any) -> tuple[Any, list[Parameter]]:
    """Return another optimizer with the same weights, and the checkpoint of this one."""
    ps = [Parameter(p.detach().clone()) for group in optimizer.param_groups for p in group["params"]]
    other = make(ps)
    other.load_state_dict(through_file(optimizer.state_dict()))
    return other, ps


# One for each tensor


@pytest.mark.parametrize("engine", ["cpu", "eager"])
def test_nadam_is_torchs(engine):
    ps, qs = params(), params()
    ours = RuleOptimizer(ps, looking_ahead, engine=engine)
    train(ours, ps, range(20))
    assert ours.engine == engine
    train(torch.optim.NAdam(qs), qs, range(20))
    for p, q in zip(ps, qs, strict=True):
        assert_near(p, q, 1e-8)  # torch keeps the product in float32


@pytest.mark.parametrize(("dtype", "bound"), [(F64, 1e-7), (torch.bfloat16, 0.02)])
def test_torchs_checkpoint_goes_on_here(dtype, bound):
    """With its product, in float32 there, to the last bit."""
    ps = params(dtype)
    theirs = torch.optim.NAdam(ps)
    train(theirs, ps, range(5))
    ours, qs = reloaded(theirs, lambda qs: AsTorch(qs, looking_ahead))
    for p, q in zip(ps, qs, strict=True):
        kept = ours.state[q]["mu_product"]
        assert kept.dtype == F64
        assert kept.item() == theirs.state[p]["mu_product"].item()
    train(theirs, ps, range(5, 8))
    train(ours, qs, range(5, 8))
    for p, q in zip(ps, qs, strict=True):
        assert_near(p.double(), q.double(), bound)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.complex64])
@pytest.mark.parametrize("state_dtype", [None, torch.bfloat16, torch.uint8])
def test_a_number_is_float64_whatever_the_weights_are(dtype, state_dtype):
    """New, loaded, copied and pickled."""
    shapes = ((100, 60), (5,))
    make = partial(RuleOptimizer, rule=looking_ahead, state_dtype=state_dtype)
    ps = params(dtype, shapes)
    optimizer = make(ps)
    train(optimizer, ps, range(3))
    expected = 1.0
    for t in (1, 2, 3):
        expected *= 0.9 * (1 - 0.5 * 0.96 ** (t * 0.004))
    copies = [optimizer, copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer)), reloaded(optimizer, make)[0]]
    for each in copies:
        for own in each.state.values():
            assert own["mu"].dtype == F64
            assert own["mu"].shape == ()
            assert own["mu"].item() == pytest.approx(expected, rel=1e-15)
    assert len({own["mu"].data_ptr() for each in copies for own in each.state.values()}) == 2 * len(copies)


def test_a_loaded_number_is_not_the_checkpoints():
    ps = params()
    optimizer = RuleOptimizer(ps, looking_ahead)
    train(optimizer, ps, range(2))
    checkpoint = optimizer.state_dict()
    other = RuleOptimizer(params(), looking_ahead)
    other.load_state_dict(checkpoint)
    train(other, other.param_groups[0]["params"], range(2, 4))
    assert optimizer.state[ps[0]]["mu"].item() == checkpoint["state"][0]["mu"].item()
    assert other.state[other.param_groups[0]["params"][0]]["mu"].item() < optimizer.state[ps[0]]["mu"].item()


@pytest.mark.parametrize("given", [0.25, torch.tensor(0.25), torch.tensor([0.25]), torch.tensor(0.25).bfloat16()])
def test_a_number_may_be_set_in_any_form(given):
    ps = params()
    optimizer = RuleOptimizer(ps, measuring)
    train(optimizer, ps, range(2))
    optimizer.state[ps[0]]["size"] = given
    give(ps, 2)
    optimizer.step()
    assert optimizer.state[ps[0]]["before"].item() == 0.25


def test_a_number_of_another_shape_is_refused():
    ps = params()
    optimizer = RuleOptimizer(ps, measuring)
    train(optimizer, ps, range(2))
    optimizer.state[ps[0]]["size"] = torch.ones(3)
    before = ps[0].detach().clone()
    with pytest.raises(UsageError, match=r"shape \[3\]; give one number"):
        optimizer.step()
    assert torch.equal(ps[0], before)


@rule(slots=(Number("size"),), source="this test")
def careless(g, state, t, *, lr: float = 0.1):  # noqa: ARG001
    """Make an array of a number."""
    return Step(rate=lr, direction=g, size=g * g)


def test_a_rule_that_makes_an_array_of_a_number_changes_nothing():
    ps = params()
    optimizer = RuleOptimizer(ps, careless, engine="eager")
    before = [p.detach().clone() for p in ps]
    give(ps, 0)
    with pytest.raises(UsageError, match="'size' is one number for each tensor"):
        optimizer.step()
    assert same(ps, before)
    assert not optimizer.state


def test_numbers_in_double_precision_beside_float32_sums():
    """A mean of float32 gradients, gathered in float64."""
    ps = params(torch.float32, ((50,),))
    optimizer, size = RuleOptimizer(ps, measuring, engine="eager"), 0.5
    for k in range(200):
        give(ps, k)
        size = 0.9 * size + (1 - 0.9) * float(np.float32(ps[0].grad.abs().double().sum().item())) / 50
        optimizer.step()
    assert optimizer.state[ps[0]]["size"].item() == pytest.approx(size, rel=1e-7)
    assert optimizer.state[ps[0]]["size"].item() != float(np.float32(size))


def test_a_number_that_autograd_follows():
    p = Parameter(torch.ones(3, dtype=F64))
    optimizer = RuleOptimizer([p], measuring)
    optimizer.param_groups[0]["differentiable"] = True
    w, grad = p.clone(), torch.tensor([0.5, 1.0, 2.0], dtype=F64, requires_grad=True)
    optimizer.param_groups[0]["params"] = [w]
    for _ in range(2):
        w.grad = grad
        optimizer.step()
    (slope,) = torch.autograd.grad(optimizer.state[w]["size"], grad, retain_graph=True)
    assert_near(slope, torch.full((3,), (0.1 + 0.1 * 0.9) / 3, dtype=F64), 1e-12)
    assert torch.autograd.grad(w.sum(), grad)[0].abs().min() > 0


def test_a_number_lies_where_the_counts_do_when_they_are_captured():
    ps, qs = params(), params()
    captured = RuleOptimizer(ps, looking_ahead)
    captured.param_groups[0]["capturable"] = True
    train(captured, ps, range(3))
    train(RuleOptimizer(qs, looking_ahead), qs, range(3))
    for p, q in zip(ps, qs, strict=True):
        assert captured.state[p]["mu"].device == p.device
        assert_near(p, q, 1e-14)


# One for the whole optimizer


def prodigy_loop(weights, grads_of, steps, lrs, betas=(0.9, 0.999), joins=None):
    """Prodigy's paper, tensor by tensor in NumPy, each with its own rate and count; a tensor may join late."""
    (beta1, beta2), d, r = betas, D0, 0.0
    beta3 = beta2**0.5
    w = [x.copy() for x in weights]
    w0, m, v, s = ([x.copy() for x in weights], *([np.zeros_like(x) for x in weights] for _ in range(3)))
    for k in range(steps):
        here = [i for i in range(len(w)) if k >= (joins or {}).get(i, 0)]
        g = grads_of(k)
        r = beta3 * r + sum(d / D0 * d * lrs[i] * np.sum(g[i] * (w0[i] - w[i])) for i in here)
        for i in here:
            s[i] = beta3 * s[i] + d / D0 * d * lrs[i] * g[i]
        far = sum(np.sum(np.abs(s[i])) for i in here)
        grown = max(d, r / far) if far > 0 else d
        for i in here:
            m[i] = beta1 * m[i] + (1 - beta1) * d * g[i]
            v[i] = beta2 * v[i] + (1 - beta2) * d * d * g[i] * g[i]
            w[i] = w[i] - d * lrs[i] * m[i] / (np.sqrt(v[i]) + grown * 1e-8)
        d = grown
    return w, d, r


def quadratic(ps: list[Parameter]) -> None:
    for k, p in enumerate(ps):
        p.grad = (p.detach() - 3) * (k + 1)


@pytest.mark.parametrize("engine", ["cpu", "eager"])
def test_prodigy_is_prodigyopts(engine):
    ps, qs = params(), params()
    ours, theirs = RuleOptimizer(ps, estimating, engine=engine), prodigyopt.Prodigy(qs, lr=1.0)
    for _ in range(100):
        quadratic(ps)
        quadratic(qs)
        ps[1].grad = qs[1].grad = None  # takes no part
        ours.step()
        theirs.step()
    assert ours.engine == engine
    assert ours.param_groups[0]["d"] > 100 * D0
    assert ours.param_groups[0]["d"] == pytest.approx(theirs.param_groups[0]["d"], rel=1e-10)
    for p, q in zip(ps, qs, strict=True):
        assert_near(p, q, 1e-9)
    assert ps[1] not in ours.state


@pytest.mark.parametrize("engine", ["cpu", "eager"])
def test_groups_with_rates_of_their_own_and_a_parameter_that_joins_late(engine):
    ps = params(shapes=((4, 3), (5,), (2,)))
    begin = [p.detach().numpy().copy() for p in ps]
    optimizer = RuleOptimizer([{"params": ps[:1]}, {"params": ps[1:2], "lr": 0.5}], estimating, engine=engine)

    def grads(k):
        generator = np.random.default_rng(k)
        return [generator.normal(size=x.shape) for x in begin]

    for k in range(60):
        if k == 20:
            optimizer.add_param_group({"params": ps[2:], "lr": 2.0})
            assert optimizer.param_groups[2]["d"] == optimizer.param_groups[0]["d"]
        for p, g in zip(ps, grads(k), strict=True):
            p.grad = torch.tensor(g)
        optimizer.step()
    expected, d, r = prodigy_loop(begin, grads, 60, (1.0, 0.5, 2.0), joins={2: 20})
    for p, w in zip(ps, expected, strict=True):
        assert_near(p, torch.tensor(w), 1e-9)
    assert [group["d"] for group in optimizer.param_groups] == pytest.approx([d] * 3, rel=1e-12)
    assert [group["r"] for group in optimizer.param_groups] == pytest.approx([r] * 3, rel=1e-12)


def test_counts_of_their_own_where_the_rule_reads_them():
    """With bias correction a parameter that joins late has a first step of its own: as in an optimizer alone."""
    ps, q = params(shapes=((3,), (3,))), params(shapes=((3,),))[0]
    optimizer = RuleOptimizer(ps, estimating, bias_correction=True)
    give(ps, 0)
    ps[1].grad = None
    optimizer.step()
    give(ps, 1)
    q.data.copy_(ps[1].data)
    q.grad = ps[1].grad
    alone = RuleOptimizer([q], estimating, bias_correction=True)
    alone.param_groups[0]["d"] = optimizer.param_groups[0]["d"]
    optimizer.step()
    alone.step()
    assert_near(ps[1], q, 1e-12)
    assert [float(optimizer.state[p]["step"]) for p in ps] == [2, 1]


def trained(make: Any, steps: int = 5) -> tuple[Any, list[Parameter]]:
    ps = params()
    optimizer = make(ps)
    train(optimizer, ps, range(steps))
    return optimizer, ps


def test_copies_and_checkpoints_go_on_with_the_same_numbers():
    make = partial(RuleOptimizer, rule=estimating)
    optimizer, ps = trained(make)
    for copied in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer)), reloaded(optimizer, make)[0]):
        qs = copied.param_groups[0]["params"]
        assert same(ps, qs)
        again, rs = trained(make)
        train(copied, qs, range(5, 8))
        train(again, rs, range(5, 8))
        assert same(qs, rs)
        assert copied.param_groups[0]["d"] == again.param_groups[0]["d"] > 0


def test_what_is_seen_in_the_groups_is_what_counts():
    optimizer, ps = trained(partial(RuleOptimizer, rule=estimating))
    optimizer.param_groups[0]["d"] = 0.125
    before = [p.detach().clone() for p in ps]
    give(ps, 6)
    rates = optimizer.effective_lr()
    optimizer.step()
    assert optimizer.param_groups[0]["d"] >= 0.125
    for p, q in zip(ps, before, strict=True):
        assert_near(q - p, rates[p] * optimizer.state[p]["m"], 1e-12)


def test_effective_lr_without_all_gradients():
    """A parameter that has none takes no part in the sums that the others' rates depend on."""
    optimizer, ps = trained(partial(RuleOptimizer, rule=estimating))
    give(ps, 6)
    ps[1].grad = None
    before, rates = [p.detach().clone() for p in ps], optimizer.effective_lr()
    assert [*rates] == ps
    optimizer.step()
    for p, q in zip(ps, before, strict=True):
        if p is not ps[1]:
            assert_near(q - p, rates[p] * optimizer.state[p]["m"], 1e-12)


def test_groups_that_disagree_or_have_lost_it():
    ps = params()
    optimizer = RuleOptimizer([{"params": ps[:1]}, {"params": ps[1:]}], estimating)
    train(optimizer, ps, range(2))
    before, d = [p.detach().clone() for p in ps], optimizer.param_groups[0]["d"]
    optimizer.param_groups[1]["d"] = 0.5
    with pytest.raises(UsageError, match=r"the param groups have d = .*, 0\.5, and estimating keeps one"):
        optimizer.step()
    assert same(ps, before)
    del optimizer.param_groups[1]["d"]
    optimizer.step()
    assert optimizer.param_groups[1]["d"] == optimizer.param_groups[0]["d"] >= d
    for group in optimizer.param_groups:
        del group["d"]
    with pytest.raises(UsageError, match="no param group has 'd'"):
        optimizer.step()


def test_switches_that_differ_are_refused():
    ps = params()
    optimizer = RuleOptimizer([{"params": ps[:1]}, {"params": ps[1:], "maximize": True}], estimating, engine="eager")
    give(ps, 0)
    before = [p.detach().clone() for p in ps]
    with pytest.raises(UsageError, match="maximize is False in one group and True in another"):
        optimizer.step()
    assert same(ps, before)
    assert not optimizer.state
    optimizer.param_groups[1].update(maximize=False, ema=0.9)
    with pytest.raises(UsageError, match=r"ema is 0\.0 in one group and 0\.9 in another"):
        optimizer.step()


@pytest.mark.parametrize("option", ["capturable", "differentiable"])
def test_what_a_shared_number_excludes(option):
    with pytest.raises(UsageError, match=f"estimating cannot be {option}"):
        RuleOptimizer([{"params": params(), option: True}], estimating)
    optimizer, _ = trained(partial(RuleOptimizer, rule=estimating), 1)
    optimizer.param_groups[0][option] = True
    with pytest.raises(UsageError, match=f"Leave {option}=True out"):
        optimizer.step()


@pytest.mark.parametrize("rule", [measuring, estimating], ids=str)
@pytest.mark.parametrize("engine", ["cpu", "eager"])
def test_a_parameter_given_twice_is_refused(rule, engine):
    ps = params()
    optimizer = RuleOptimizer(ps, rule, engine=engine)
    optimizer.param_groups[0]["params"].append(ps[0])
    give(ps, 0)
    with pytest.raises(UsageError, match="given twice"):
        optimizer.step()


@pytest.mark.parametrize("engine", ["cpu", "eager"])
def test_parameters_that_share_memory_are_refused_and_neighbours_are_not(engine):
    flat = torch.randn(10, dtype=F64)
    for overlap, pieces in ((False, (flat[:4], flat[4:])), (True, (flat[:5], flat[4:]))):
        ps = [Parameter(piece) for piece in pieces]
        optimizer = RuleOptimizer(ps, estimating, engine=engine)
        give(ps, 0)
        if overlap:
            with pytest.raises(UsageError, match="two parameters share memory"):
                optimizer.step()
        else:
            optimizer.step()


class Odd(torch.Tensor):
    """A tensor of a kind that no kernel knows."""


@pytest.mark.filterwarnings("ignore:a parameter runs on the eager engine")
def test_one_parameter_that_no_kernel_can_step_takes_all_to_the_eager_engine():
    ps = params(shapes=((4, 3), (5,)))
    qs = [Parameter(p.detach().clone()) for p in ps]
    mixed, eager = RuleOptimizer(ps, estimating), RuleOptimizer(qs, estimating, engine="eager")
    for k in range(4):
        for some in (ps, qs):
            give(some, k)
        if k == 2:
            ps[1].grad = ps[1].grad.as_subclass(Odd)
        mixed.step()
        eager.step()
        assert mixed.engine == ("eager" if k == 2 else "cpu")
    for p, q in zip(ps, qs, strict=True):
        assert_near(p, q, 1e-12)
    assert mixed.param_groups[0]["d"] == pytest.approx(eager.param_groups[0]["d"], rel=1e-12)


def test_a_program_that_serves_again_holds_no_gradient():
    ps = params()
    optimizer = RuleOptimizer(ps, estimating)
    train(optimizer, ps, range(3))
    gradient = weakref.ref(ps[0].grad)
    ps[0].grad = None
    assert gradient() is None


def test_gradscaler_and_a_gradient_that_is_not_finite():
    (ps, qs), scale = (params(), params()), 2.0**12
    scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=1000)
    plain, scaled = RuleOptimizer(ps, estimating), RuleOptimizer(qs, estimating)
    train(plain, ps, range(5))
    for k in range(5):
        scaler.scale(torch.ones(()))
        give(qs, k, scale)
        scaler.step(scaled)
        scaler.update()
    for p, q in zip(ps, qs, strict=True):
        assert_near(p, q, 1e-12)
    d, before = scaled.param_groups[0]["d"], [q.detach().clone() for q in qs]
    qs[0].grad = torch.full_like(qs[0], torch.inf)
    scaler.step(scaled)
    assert scaled.param_groups[0]["d"] == d
    assert same(qs, before)


def test_a_closure_and_a_step_without_gradients():
    ps = params()
    optimizer = RuleOptimizer(ps, estimating)
    assert optimizer.step() is None
    assert optimizer.param_groups[0]["d"] == D0

    def closure():
        quadratic(ps)
        return 5.0

    assert optimizer.step(closure) == 5.0
    assert optimizer.param_groups[0]["r"] == 0.0
    assert optimizer.step(closure) == 5.0
    assert optimizer.param_groups[0]["r"] > 0.0


def test_a_zero_gradient_first():
    ps = params()
    optimizer = RuleOptimizer(ps, estimating)
    for p in ps:
        p.grad = torch.zeros_like(p)
    optimizer.step()
    assert optimizer.param_groups[0]["d"] == D0
    train(optimizer, ps, range(3))
    assert all(p.isfinite().all() for p in ps)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.complex128])
def test_a_shared_number_for_every_kind_of_weight(dtype):
    ps = params(dtype, ((3,), (2, 2)))
    optimizer = RuleOptimizer(ps, estimating)
    train(optimizer, ps, range(4))
    assert type(optimizer.param_groups[0]["d"]) is float
    assert all(torch.view_as_real(p).isfinite().all() if p.is_complex() else p.isfinite().all() for p in ps)
