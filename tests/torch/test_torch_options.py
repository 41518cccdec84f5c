"""What every optimizer takes beside torch's arguments: engine, clipping, unscaling, moving average, half precision."""

from __future__ import annotations

import copy
import pickle
import warnings
from functools import partial

import pytest
import torch
from torch.nn import Parameter

import surefoot.torch
from surefoot.engines import jobs
from surefoot.errors import UsageError
from surefoot.rule import WRAPPER_OPTIONS
from surefoot.rules import COMBINATORS, RULES
from surefoot.torch import RuleOptimizer
from surefoot.torch.options import Extras
from torch_runs import check_same, drive, params_of

pytestmark = pytest.mark.usefixtures("kernel_cache")

ENGINES = ("auto", "eager")
on_each_engine = pytest.mark.parametrize("engine", ENGINES)


AROUND = {
    "adamw": lambda ps, **options: surefoot.torch.AdamW(ps, 0.02, **options),
    "lion": lambda ps, **options: surefoot.torch.Lion(ps, 0.02, weight_decay=0.1, **options),
    "adabound": lambda ps, **options: surefoot.torch.AdaBound(ps, 0.02, weight_decay=0.1, **options),
    "sgd": lambda ps, **options: surefoot.torch.SGD(ps, 0.02, momentum=0.9, weight_decay=0.1, **options),
}
"""Classes that combinators are put around."""


def stepped(optimizer, ps, first: int, last: int) -> list[torch.Tensor]:
    for k in range(first, last):
        give(ps, k)
        optimizer.step()
    return [p.detach().clone() for p in ps]


@pytest.mark.parametrize("inner", AROUND)
@pytest.mark.parametrize("outer", COMBINATORS)
def test_a_combinator_by_name_is_the_rule_of_that_name(outer, inner):
    """To the last bit, with the numbers of the class, whatever the combinator would have by default.

    Both sides would run the same kernels, so one class of four has them compiled.
    """
    make = partial(AROUND[inner], engine="auto" if inner == "adamw" else "eager")
    if COMBINATORS[outer].reads - RULES[inner].own - WRAPPER_OPTIONS.keys():
        with pytest.raises(UsageError, match=f"{outer} reads"):
            make(params(), **{outer: True})
        return
    ours, theirs = params(), params()
    made = make(ours, **{outer: True})
    assert made.rule is COMBINATORS[outer](RULES[inner])
    hyper = {name: x for name, x in made._hyper(made.param_groups[0]).items() if name not in made.rule.pinned}
    given = {name: x for name, x in hyper.items() if name != "base_lr"}
    rule = RuleOptimizer(theirs, f"{outer}({inner})", engine=made.options.engine, **given)
    for got, wanted in zip(stepped(made, ours, 0, 12), stepped(rule, theirs, 0, 12), strict=True):
        assert torch.equal(got, wanted)
    plain = params()
    assert not torch.equal(stepped(make(plain), plain, 0, 12)[0], ours[0])


def test_a_combinators_numbers_are_options_and_lie_in_the_groups():
    make = partial(surefoot.torch.AdamW, lr=0.02, lookahead=True, cautious=True, sync_period=3)
    whole, before = params(), params()
    made = make(whole)
    assert made.rule is COMBINATORS["lookahead"](COMBINATORS["cautious"](RULES["adamw"]))
    assert (made.param_groups[0]["sync_period"], made.param_groups[0]["slow_step"]) == (3, 0.5)
    wanted = stepped(made, whole, 0, 8)
    first = make(before)
    stepped(first, before, 0, 4)
    saved = copy.deepcopy(first.state_dict())
    assert "slow" in saved["state"][0]
    after = make(before, sync_period=7)  # the checkpoint's numbers count
    after.load_state_dict(saved)
    for got, right in zip(stepped(after, before, 4, 8), wanted, strict=True):
        assert torch.equal(got, right)
    again = pickle.loads(pickle.dumps(made))
    assert again.rule is made.rule
    without = surefoot.torch.AdamW(before)
    stepped(without, before, 0, 1)
    with pytest.raises(UsageError, match="slow"):
        make(params()).load_state_dict(without.state_dict())


def test_any_rule_takes_them():
    own = RuleOptimizer(params(), "prodigy", cautious=True)
    assert own.rule is COMBINATORS["cautious"](RULES["prodigy"])


def test_options_of_combinators_that_make_no_sense():
    with pytest.raises(UsageError, match="cautious='yes' is not allowed: give True or False"):
        surefoot.torch.AdamW(params(), cautious="yes")
    with pytest.raises(TypeError, match="unexpected keyword argument 'sync_period'"):
        surefoot.torch.AdamW(params(), cautious=True, sync_period=3)
    with pytest.raises(UsageError, match="sync_period"):
        surefoot.torch.AdamW(params(), lookahead=True, sync_period=-1)
    assert surefoot.torch.AdamW(params(), cautious=False).rule is RULES["adamw"]
    assert COMBINATORS.keys() <= Extras.__annotations__.keys()


def params(dtype=torch.float64) -> list[Parameter]:
    torch.manual_seed(0)
    return [Parameter(torch.randn(5, 3, dtype=dtype)), Parameter(torch.randn(7, dtype=dtype))]


def give(ps, k: int, scale: float = 1.0) -> list:
    torch.manual_seed(k)
    for p in ps:
        p.grad = (torch.randn(p.shape, dtype=torch.float64) * scale).to(p.dtype)
    return [p.grad.clone() for p in ps]


def close(ours, theirs, tolerance: float = 1e-14) -> None:
    for p, q in zip(ours, theirs, strict=True):
        assert torch.allclose(p, q, rtol=tolerance, atol=tolerance)


# Engines


def test_the_engine_is_told():
    assert surefoot.torch.Adam(params()).engine == "cpu"
    assert surefoot.torch.Adam(params(), engine="eager").engine == "eager"
    assert surefoot.torch.Adam(params(), fused=False).engine == "eager"
    assert surefoot.torch.Adam(params(), fused=True, engine="cpu").engine == "cpu"
    both = surefoot.torch.SGD([{"params": params()[:1]}, {"params": params()[1:], "lr": torch.tensor(0.1)}])
    assert both.engine == "cpu+eager"
    drive(both, steps=1)
    assert both.engine == "cpu+eager"


@pytest.mark.parametrize("through", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))], ids=["copy", "pickle"])
def test_options_go_with_a_copy(through):
    made = surefoot.torch.AdamW(params(), engine="eager", max_grad_norm=0.5, seed=3, ema=0.9)
    drive(made, steps=1)
    twin = through(made)
    assert twin.options == made.options
    assert twin.engine == "eager"
    drive(made, twin, steps=2)
    check_same(made, twin)


BAD = [
    ({"engine": "cup"}, "'cup'.*cpu"),
    ({"max_grad_norm": 0.0}, "above 0"),
    ({"max_grad_norm": float("nan")}, "above 0"),
    ({"max_grad_value": -1.0}, "max_grad_value=-1.0.*0 < x"),
    ({"ema": 1.0}, "ema=1.0.*0 <= x < 1"),
    ({"state_dtype": torch.int64}, "torch.int64.*bfloat16"),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=str)
def test_values_that_mean_nothing(options, message):
    for make in (surefoot.torch.SGD, lambda p, **o: RuleOptimizer(p, "adam", **o)):
        with pytest.raises(UsageError, match=message):
            make(params(), **options)


# Clipping


@on_each_engine
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_clipping_by_norm_is_torchs(engine, scale):
    ours, theirs = params(), params()
    mine = surefoot.torch.AdamW(ours, lr=0.1, max_grad_norm=0.1, engine=engine)
    other = torch.optim.AdamW(theirs, lr=0.1)
    for k in range(5):
        before = give(ours, k, scale)
        give(theirs, k, scale)
        torch.nn.utils.clip_grad_norm_(theirs, 0.1)
        mine.step()
        other.step()
        assert all(torch.equal(p.grad, g) for p, g in zip(ours, before, strict=True)), "gradients are only read"
    close(ours, theirs)


@pytest.mark.parametrize("asked", ["by generated code", "one by one"])
def test_the_norm_is_that_of_a_gradient_put_in_anothers_place(asked, monkeypatch):
    """Every gradient lives on, so an old address still has an old gradient: one that is far smaller.

    The weights start each step at zero, so that the move is the clipped gradient, and its norm the limit.
    """
    if asked == "one by one":
        monkeypatch.setattr(jobs, "ADDRESS_OF", 0)
    ps = [Parameter(torch.zeros(9, dtype=kind)) for kind in (torch.float32, torch.float64, torch.float32)]
    optimizer = surefoot.torch.SGD(ps, lr=1.0, max_grad_norm=1.0, engine="cpu")
    living, tables = [], []
    for k in range(7):
        for p in ps if k == 0 else [ps[k % 3]]:
            p.grad = torch.full_like(p, 10.0**k)
            living.append(p.grad)
        with torch.no_grad():
            torch._foreach_zero_(ps)
        optimizer.step()
        tables.append(optimizer._tables)
        assert float(torch.cat([p.detach().double() for p in ps]).norm()) == pytest.approx(1, rel=1e-6)
    assert tables[0] is not None
    assert tables == tables[:1] * 7, "one layout serves all steps"


@on_each_engine
def test_clipping_by_value_is_torchs(engine):
    ours, theirs = params(), params()
    mine = surefoot.torch.SGD(ours, lr=0.1, momentum=0.9, max_grad_value=0.5, engine=engine)
    other = torch.optim.SGD(theirs, lr=0.1, momentum=0.9)
    for k in range(5):
        give(ours, k)
        give(theirs, k)
        torch.nn.utils.clip_grad_value_(theirs, 0.5)
        mine.step()
        other.step()
    close(ours, theirs)


@on_each_engine
def test_a_norm_that_is_not_finite(engine):
    """As torch: an infinite norm makes finite gradients zero, a NaN makes everything NaN."""
    for bad in (float("inf"), float("nan")):
        ours, theirs = params(), params()
        mine = surefoot.torch.SGD(ours, lr=0.1, max_grad_norm=1.0, engine=engine)
        other = torch.optim.SGD(theirs, lr=0.1)
        for ps in (ours, theirs):
            give(ps, 0)
            ps[0].grad[0, 0] = bad
        torch.nn.utils.clip_grad_norm_(theirs, 1.0)
        mine.step()
        other.step()
        for p, q in zip(ours, theirs, strict=True):
            assert torch.allclose(p, q, rtol=1e-14, equal_nan=True)


def test_the_norm_of_float16_gradients_does_not_overflow():
    p = Parameter(torch.zeros(100, dtype=torch.float16))
    p.grad = torch.full_like(p, 60_000.0)
    surefoot.torch.SGD([p], lr=1.0, max_grad_norm=10.0).step()
    assert torch.allclose(p.float(), torch.full((100,), -1.0), rtol=1e-3)


# Mixed precision


@on_each_engine
@pytest.mark.parametrize("unscale", [False, True])
def test_grad_scaler(engine, unscale):
    """Steps under torch's GradScaler equal torch's own, and a step with a gradient that is not finite is left out."""
    ours, theirs = params(torch.float32), params(torch.float32)
    mine = surefoot.torch.Adam(ours, lr=0.1, engine=engine, max_grad_norm=1.0)
    other = torch.optim.Adam(theirs, lr=0.1)
    for optimizer, ps in ((mine, ours), (other, theirs)):
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)
        for k in range(6):
            loss = sum((p * p).sum() * (float("inf") if k == 3 else 1.0) for p in ps)
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            if unscale or optimizer is other:
                scaler.unscale_(optimizer)
            if optimizer is other:
                torch.nn.utils.clip_grad_norm_(ps, 1.0)
            scaler.step(optimizer)
            scaler.update()
    assert int(mine.state[ours[0]]["step"]) == 5
    close(ours, theirs, 1e-6)


def test_without_clipping_unscaling_comes_and_goes():
    """The scaler's factor is there in some steps only; each step is that of unscaled gradients."""
    ours, theirs = params(), params()
    mine, other = surefoot.torch.Adam(ours), torch.optim.Adam(theirs)
    for k in range(4):
        give(ours, k, 8.0 if k % 2 else 1.0)
        give(theirs, k)
        if k % 2:
            mine.grad_scale = torch.tensor(8.0)
        mine.step()
        mine.__dict__.pop("grad_scale", None)
        other.step()
    close(ours, theirs)


# The moving average


@on_each_engine
def test_moving_average(engine):
    ps = params()
    optimizer = surefoot.torch.SGD(ps, lr=0.1, ema=0.9, engine=engine)
    expected = [p.detach().clone() for p in ps]
    for k in range(5):
        give(ps, k)
        optimizer.step()
        expected = [e.lerp(p.detach(), 0.1) for e, p in zip(expected, ps, strict=True)]
    close([optimizer.state[p]["ema"] for p in ps], expected)
    before = [p.detach().clone() for p in ps]
    with optimizer.averaged():
        close(ps, expected)
    assert all(torch.equal(p, b) for p, b in zip(ps, before, strict=True))


def test_averaged_puts_the_weights_back_after_an_error():
    ps = params()
    optimizer = surefoot.torch.SGD(ps, lr=0.1, ema=0.9)
    give(ps, 0)
    optimizer.step()
    before = [p.detach().clone() for p in ps]
    with pytest.raises(ZeroDivisionError), optimizer.averaged():
        raise ZeroDivisionError
    assert all(torch.equal(p, b) for p, b in zip(ps, before, strict=True))


def test_averaged_without_an_average():
    with pytest.raises(UsageError, match=r"ema=0\.999"), surefoot.torch.SGD(params(), lr=0.1).averaged():
        pass


def test_the_average_of_half_precision_is_float32_and_survives_a_checkpoint():
    p = Parameter(torch.ones(5, dtype=torch.bfloat16))
    optimizer = surefoot.torch.SGD([p], lr=0.1, ema=0.999)
    p.grad = torch.ones_like(p)
    optimizer.step()
    ema = optimizer.state[p]["ema"]
    assert ema.dtype == torch.float32
    q = Parameter(p.detach().clone())
    other = surefoot.torch.SGD([q], lr=0.1, ema=0.999)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert torch.equal(other.state[q]["ema"], ema)


# Half precision


@on_each_engine
def test_bfloat16_weights_do_not_stall(engine):
    p = Parameter(torch.ones(4096, dtype=torch.bfloat16))
    optimizer = surefoot.torch.AdamW([p], lr=1e-3, weight_decay=0.0, engine=engine)
    for _ in range(200):
        p.grad = torch.ones_like(p)
        optimizer.step()
    assert p.dtype == optimizer.state[p]["exp_avg"].dtype == torch.bfloat16
    assert p.float().mean().item() == pytest.approx(0.8, abs=0.005)


def test_rounding_to_nearest_stalls():
    p = Parameter(torch.ones(64, dtype=torch.bfloat16))
    optimizer = surefoot.torch.AdamW([p], lr=1e-3, weight_decay=0.0, stochastic_rounding=False)
    for _ in range(200):
        p.grad = torch.ones_like(p)
        optimizer.step()
    assert (p == 1).all()


HALF = [
    {"dtype": torch.bfloat16},
    {"dtype": torch.float16},
    {"dtype": torch.float32, "state_dtype": torch.bfloat16},
    {"dtype": torch.bfloat16, "state_dtype": torch.float32},
    {"dtype": torch.float64, "state_dtype": torch.float32},
    {"dtype": torch.bfloat16, "stochastic_rounding": False},
]


@pytest.mark.parametrize("options", HALF, ids=str)
def test_engines_agree(options):
    """Bit for bit in bfloat16 weights and state, where each engine's float32 differs in the last digit at most."""
    dtype, others = options["dtype"], {name: x for name, x in options.items() if name != "dtype"}
    both = [surefoot.torch.Adam(params(dtype), lr=1e-2, seed=4, engine=e, **others) for e in ENGINES]
    for k in range(10):
        for optimizer in both:
            give(params_of(optimizer), k)
            optimizer.step()
    assert [o.engine for o in both] == ["cpu", "eager"]
    for p, q in zip(*map(params_of, both), strict=True):
        kept = both[0].state[p]["exp_avg"]
        assert kept.dtype == options.get("state_dtype", dtype)
        for x, y in ((p, q), (kept, both[1].state[q]["exp_avg"])):
            eps = torch.finfo(x.dtype).eps
            assert torch.allclose(x.double(), y.double(), rtol=8 * eps, atol=1e-6)


def test_seeds_differ_and_repeat():
    def end(seed):
        p = Parameter(torch.ones(1000, dtype=torch.bfloat16))
        optimizer = surefoot.torch.SGD([p], lr=1e-3, seed=seed)
        for _ in range(3):
            p.grad = torch.ones_like(p)
            optimizer.step()
        return p.detach()

    assert torch.equal(end(1), end(1))
    assert not torch.equal(end(1), end(2))


def test_state_in_bfloat16_survives_a_checkpoint():
    first = surefoot.torch.Adam(params(torch.float32), state_dtype=torch.bfloat16)
    drive(first, steps=2)
    second = surefoot.torch.Adam([Parameter(p.detach().clone()) for p in params_of(first)], state_dtype=torch.bfloat16)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    drive(first, second, steps=2)
    check_same(first, second)
    assert second.state[params_of(second)[0]]["exp_avg"].dtype == torch.bfloat16


def test_no_warning_for_what_was_asked_for():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drive(surefoot.torch.Adam(params(), engine="eager"), steps=1)
        drive(surefoot.torch.Adam(params(), lr=torch.tensor(0.1)), steps=1)
