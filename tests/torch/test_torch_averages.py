"""The weights that a model is evaluated with: put in place and back, in checkpoints, and spoken of where missed."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from functools import partial
from typing import Any

import pytest
import schedulefree
import torch
from torch.nn import Parameter

import surefoot.torch
from near import assert_near
from numbered import averaging, estimating
from surefoot.errors import SurefootWarning, UsageError
from surefoot.rules import COMBINATORS, RULES
from surefoot.torch import RuleOptimizer
from torch_small import F64, give, params, same, through_file, train

pytestmark = pytest.mark.usefixtures("kernel_cache")

LOOKAHEAD = COMBINATORS["lookahead"](RULES["adam"])
AVERAGING = {
    "schedule-free": partial(RuleOptimizer, rule=averaging, lr=0.1),
    "lookahead": partial(RuleOptimizer, rule=LOOKAHEAD, lr=0.1, engine="eager"),
    "ema": partial(surefoot.torch.Adam, lr=0.1, ema=0.9),
    "prodigy with ema": partial(RuleOptimizer, rule=estimating, ema=0.9),
}


def copies(ps: list[Parameter]) -> list[torch.Tensor]:
    return [p.detach().clone() for p in ps]


def evaluation_weights(optimizer: Any, ps: list[Parameter]) -> list[torch.Tensor]:
    with optimizer.averaged():
        return copies(ps)


def after(make: Any, steps: int = 3, dtype: torch.dtype = F64) -> tuple[Any, list[Parameter]]:
    ps = params(dtype)
    optimizer = make(ps)
    train(optimizer, ps, range(steps))
    return optimizer, ps


def test_schedule_free_is_the_authors():
    """Weights to train with and to evaluate with, through many turns."""
    ps, qs = params(), params()
    ours = RuleOptimizer(ps, averaging, lr=0.05)
    theirs = schedulefree.AdamWScheduleFree(qs, lr=0.05, foreach=False)
    for k in range(20):
        for each in (ours, theirs):
            each.train()
        train(ours, ps, range(k, k + 1))
        train(theirs, qs, range(k, k + 1))
        for p, q in zip(ps, qs, strict=True):
            assert_near(p, q, 1e-12)
        for each in (ours, theirs):
            each.eval()
        for p, q in zip(ps, qs, strict=True):
            assert_near(p, q, 1e-12)


@pytest.mark.parametrize("name", AVERAGING)
def test_what_is_evaluated(name):
    optimizer, ps = after(AVERAGING[name])
    seen = evaluation_weights(optimizer, ps)
    kept = {"lookahead": "slow"}.get(name, "ema")
    for p, x in zip(ps, seen, strict=True):
        own = optimizer.state[p]
        expected = (p - 0.1 * own["z"]) / 0.9 if name == "schedule-free" else own[kept]
        assert_near(x, expected.detach(), 1e-14)
    assert not same(seen, ps)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.complex64])
@pytest.mark.parametrize("name", ["schedule-free", "ema"])
def test_training_weights_come_back_to_the_last_bit(name, dtype):
    optimizer, ps = after(AVERAGING[name], dtype=dtype)
    before = copies(ps)
    seen = evaluation_weights(optimizer, ps)
    assert same(ps, before)
    for _ in range(2):
        optimizer.eval()
        optimizer.eval()
        assert same(ps, seen)
        with optimizer.averaged():
            assert same(ps, seen)
        assert same(ps, seen)
        optimizer.train()
        optimizer.train()
        assert same(ps, before)
    assert all("training_weight" not in own for own in optimizer.state.values())


def test_evaluation_weights_in_half_precision_are_computed_in_single():
    optimizer, ps = after(AVERAGING["schedule-free"], dtype=torch.bfloat16)
    for p, x in zip(ps, evaluation_weights(optimizer, ps), strict=True):
        wide = (p.detach().float() - (1 - 0.9) * optimizer.state[p]["z"].float()) / 0.9
        assert torch.equal(x, wide.bfloat16())


@pytest.mark.parametrize("name", AVERAGING)
def test_turning_changes_no_step(name):
    optimizer, ps = after(AVERAGING[name])
    straight, qs = after(AVERAGING[name])
    for k in range(3, 6):
        optimizer.eval()
        optimizer.train()
        with optimizer.averaged():
            pass
        train(optimizer, ps, range(k, k + 1))
        train(straight, qs, range(k, k + 1))
    assert same(ps, qs)


@pytest.mark.parametrize("name", AVERAGING)
@pytest.mark.parametrize("dtype", [F64, torch.bfloat16])
def test_a_checkpoint_saved_in_eval_mode_is_complete(name, dtype):
    optimizer, ps = after(AVERAGING[name], dtype=dtype)
    training = copies(ps)
    optimizer.eval()
    checkpoint = through_file(optimizer.state_dict())
    qs = [Parameter(p.detach().clone()) for p in ps]
    restored = AVERAGING[name](qs)
    restored.load_state_dict(checkpoint)
    assert same(evaluation_weights(restored, qs), ps)
    restored.train()
    assert same(qs, training)
    optimizer.train()
    train(optimizer, ps, range(3, 5))
    train(restored, qs, range(3, 5))
    assert same(ps, qs)


def test_a_checkpoint_of_training_loaded_in_eval_mode():
    optimizer, _ = after(AVERAGING["schedule-free"])
    checkpoint = copy.deepcopy(optimizer.state_dict())
    optimizer.eval()
    optimizer.load_state_dict(checkpoint)
    weights = copies(optimizer.param_groups[0]["params"])
    optimizer.train()
    assert same(optimizer.param_groups[0]["params"], weights)


@pytest.mark.parametrize("name", AVERAGING)
def test_a_step_in_eval_mode_warns_once_and_goes_from_the_training_weights(name):
    optimizer, ps = after(AVERAGING[name])
    straight, qs = after(AVERAGING[name])
    for k in range(3, 6):
        optimizer.eval()
        if k == 3:
            with pytest.warns(SurefootWarning, match="a step was taken in eval mode") as caught:
                train(optimizer, ps, range(k, k + 1))
            assert caught[0].filename == train.__code__.co_filename
        else:
            train(optimizer, ps, range(k, k + 1))
        train(straight, qs, range(k, k + 1))
    assert same(ps, qs)


def test_rates_in_eval_mode_are_those_of_the_coming_step():
    optimizer, ps = after(AVERAGING["prodigy with ema"])
    give(ps, 5)
    expected = optimizer.effective_lr()
    optimizer.eval()
    assert same([*optimizer.effective_lr().values()], [*expected.values()])


def test_without_evaluation_weights_it_is_all_harmless():
    optimizer, ps = after(partial(surefoot.torch.SGD, lr=0.1))
    before, model = copies(ps), torch.nn.Linear(2, 2)
    optimizer.eval()
    train(optimizer, ps, range(3, 4))
    optimizer.train()
    assert not same(ps, before)
    handle = optimizer.watch(model)
    model.eval()(torch.ones(2))
    handle.remove()
    with pytest.raises(UsageError, match=r"sgd is evaluated with the weights that it trains with.*ema=0\.999"):
        optimizer.averaged().__enter__()


def test_before_the_first_step_both_are_the_same():
    ps = params()
    optimizer = AVERAGING["schedule-free"](ps)
    before = copies(ps)
    assert same(evaluation_weights(optimizer, ps), before)
    optimizer.eval()
    assert same(ps, before)
    optimizer.train()
    train(optimizer, ps, range(1))


def test_a_group_and_a_parameter_that_take_no_part():
    ps = params()
    optimizer = surefoot.torch.SGD([{"params": ps[:2], "ema": 0.9}, {"params": ps[2:]}], lr=0.1)
    give(ps, 0)
    ps[0].grad = None
    optimizer.step()
    before = copies(ps)
    seen = evaluation_weights(optimizer, ps)
    assert [torch.equal(p, x) for p, x in zip(before, seen, strict=True)] == [True, False, True, True]


# Where it is missed


def model_and_optimizer() -> tuple[torch.nn.Module, Any]:
    torch.manual_seed(1)
    model = torch.nn.Linear(3, 2)
    optimizer = RuleOptimizer(model.parameters(), averaging)
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return model, optimizer


def test_a_model_in_eval_mode_with_training_weights_is_spoken_of_once():
    model, optimizer = model_and_optimizer()
    optimizer.watch(model)
    x = torch.ones(1, 3)
    model(x)
    model.eval()
    with optimizer.averaged():
        model(x)
    optimizer.eval()
    model(x)
    optimizer.train()
    with pytest.warns(SurefootWarning, match="has its training weights"):
        model(x)
    model(x)


def test_a_watched_model_before_the_first_step_and_unwatched():
    model = torch.nn.Linear(3, 2).eval()
    optimizer = RuleOptimizer(model.parameters(), averaging)
    handle = optimizer.watch(model)
    model(torch.ones(1, 3))
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    handle.remove()
    model(torch.ones(1, 3))


def test_a_copy_of_a_watched_model_is_another_model():
    model, optimizer = model_and_optimizer()
    optimizer.watch(model)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), torch.load(file, weights_only=False)):
        other.eval()(torch.ones(1, 3))
    with pytest.warns(SurefootWarning):
        model.eval()(torch.ones(1, 3))


def test_a_watched_model_whose_optimizer_is_gone():
    model, optimizer = model_and_optimizer()
    optimizer.watch(model)
    del optimizer
    model.eval()(torch.ones(1, 3))


def test_statistics_of_batchnorm_for_the_evaluation_weights():
    """As docs/recipes/evaluation_weights.py has it: the running means become those of these weights."""
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
    optimizer = RuleOptimizer(model.parameters(), averaging, lr=0.1)
    batches = [torch.randn(8, 3) for _ in range(4)]
    for x in batches:
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    training = copies([*model.parameters()])
    with optimizer.averaged():
        torch.optim.swa_utils.update_bn(batches, model)
        inner = torch.cat([model[0](x) for x in batches])
    assert_near(model[1].running_mean, inner.mean(0).detach(), 1e-6)
    assert same([*model.parameters()], training)


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error", SurefootWarning)
        yield
