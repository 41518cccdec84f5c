"""Where other implementations break: traps known from their issue trackers, closed at the level of the rule."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import oracles
import reference
from cases import TOLERANCE, make_gradients, make_start, relative_error
from surefoot.compiler.trace import sums
from surefoot.conventions import FRAMEWORKS, resolve
from surefoot.rule import WEIGHT
from surefoot.rules import RULES
from surefoot.rules.adabound import bounds
from surefoot.update import update

GRADIENTS, START = make_gradients(1_000, zeros=True), make_start(None)


def test_centered_rmsprop_stays_finite_where_torch_does_not():
    import torch

    gradient = torch.randn(2_000, generator=torch.Generator().manual_seed(0))
    theirs = torch.zeros(2_000, requires_grad=True)
    optimizer = torch.optim.RMSprop([theirs], centered=True)
    rule, hyper = RULES["rmsprop"], resolve("rmsprop", "torch", {"centered": True})
    ours, state = torch.zeros(2_000), {slot: torch.zeros(2_000) for slot in rule.starts(hyper)}
    for t in range(1, 3_001):
        theirs.grad = gradient
        optimizer.step()
        ours, state, _ = update(rule, ours, gradient, state, t, hyper)

    assert torch.isfinite(ours).all()
    # The contrast that makes this a trap. If torch clips the variance some day, this line fails and can go.
    assert theirs.isnan().any()


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", ["rmsprop", "adagrad", "adam", "amsgrad", "adabound", "amsbound"])
def test_weights_without_gradient_stay_where_they_are(name, framework):
    path = reference.run(name, framework, {"lr": 0.1}, np.zeros((50, 4)), np.ones(4))

    assert (path == 1).all()


@pytest.mark.parametrize("name", ["adabound", "amsbound"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_adabound_at_rate_zero_does_not_move(name, framework):
    rates = np.zeros(len(GRADIENTS))

    path = reference.run(name, framework, {"lr": 0.0}, GRADIENTS, START, rates)

    assert (path == START).all()


@pytest.mark.parametrize("name", ["adabound", "amsbound"])
def test_warm_up_made_with_rate_zero_equals_one_made_with_the_full_rate_once_warm(name):
    """base_lr 0: nothing to scale the bounds by, so they are the unscaled ones as soon as the rate is above zero."""
    rates = np.where(np.arange(1_000) < 10, 0.0, 1e-3)

    from_zero = reference.run(name, "torch", {"lr": 0.0}, GRADIENTS, START, rates)
    from_full = reference.run(name, "torch", {"lr": 1e-3}, GRADIENTS, START, rates)

    assert (from_zero[:10] == START).all()
    np.testing.assert_array_equal(from_zero, from_full)


def test_schedule_scales_bounds_with_the_rate():
    low, high = bounds(7, lr=1e-3, final_lr=0.1, gamma=1e-3)
    scaled = bounds(7, lr=1e-4, final_lr=0.1, gamma=1e-3, base_lr=1e-3)

    np.testing.assert_allclose(scaled, (low / 10, high / 10), rtol=1e-15)


@pytest.mark.parametrize("name", ["adabound", "amsbound"])
@pytest.mark.parametrize("scheduled", [False, True])
def test_every_rate_is_within_its_bounds_and_each_bound_is_met(name, scheduled):
    rates = np.geomspace(1e-3, 1e-5, 1_000) if scheduled else np.full(1_000, 1e-3)
    at_low = at_high = between = 0

    def watch(t, step):
        nonlocal at_low, at_high, between
        low, high = bounds(t, lr=rates[t - 1], final_lr=0.1, gamma=1e-3, base_lr=1e-3)
        assert (low <= step.rate).all()
        assert (step.rate <= high).all()
        at_low, at_high = at_low + (step.rate == low).sum(), at_high + (step.rate == high).sum()
        between += ((low < step.rate) & (step.rate < high)).sum()

    reference.run(name, "torch", {"lr": 1e-3}, GRADIENTS, START, rates, watch=watch)

    assert min(at_low, at_high, between) > 100


def test_late_adabound_is_momentum_with_a_tenth_of_final_lr():
    """m is a mean of gradients where the momentum buffer is a sum: final_lr 0.1 is SGD with momentum at rate 0.01."""
    rule, hyper = RULES["adabound"], resolve("adabound", "torch", {"final_lr": 0.1})
    weight, state = START, {slot: np.zeros_like(START) for slot in rule.starts(hyper)}
    for i, gradient in enumerate(GRADIENTS):
        weight, state, _ = update(rule, weight, gradient, state, 10**18 + i, hyper)

    momentum = reference.run("sgd", "torch", {"lr": 0.1 * (1 - 0.9), "momentum": 0.9}, GRADIENTS, START)[-1]

    np.testing.assert_allclose(weight, momentum, rtol=1e-12)


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if not sums(rule, rule.complete({}))])
def test_weight_unfrozen_late_takes_its_first_step_like_a_fresh_one(name):
    """t counts per weight: in one array, each weight moves as its own age says."""
    rule, hyper = RULES[name], resolve(name, "torch", {"lr_decay": 1e-3} if name == "adagrad" else {})
    slots = rule.starts(hyper)
    old = {slot: np.full(1, 0.3) for slot in slots}
    fresh = {slot: np.full(1, 0.5 if start == WEIGHT else start) for slot, start in slots.items()}
    both = {slot: np.concatenate([old[slot], fresh[slot]]) for slot in slots}
    weight, gradient = np.array([0.5, 0.5]), np.array([0.2, 0.2])

    together = update(rule, weight, gradient, both, np.array([5_000.0, 1.0]), hyper).weight
    alone = [
        update(rule, weight[:1], gradient[:1], state, t, hyper).weight[0] for state, t in [(old, 5_000), (fresh, 1)]
    ]

    np.testing.assert_allclose(together - 0.5, np.array(alone) - 0.5, rtol=1e-12)


def test_adan_is_the_authors_and_not_optax_s():
    """optax 0.2.8 takes 1 - b2 where b2 belongs. If it is mended some day, its convention can name it."""
    ours = reference.run("adan", "optax", {"lr": 1e-3}, GRADIENTS, START)
    theirs = oracles.run("optax.adan", {"learning_rate": 1e-3, "eps_root": 0.0}, GRADIENTS, START)
    papers = oracles.run("paper.adan", {}, GRADIENTS, START)

    assert relative_error(ours, papers, START, first=1) <= TOLERANCE
    assert relative_error(theirs, papers, START, first=1) > 0.1


def test_the_first_step_of_adopt_leaves_weights_alone():
    """It has nothing to divide by, and decays nothing."""
    hyper = resolve("adopt", "torch", {"weight_decay": 0.1, "decouple": True})
    made = update(
        RULES["adopt"], np.ones(3), np.array([1.0, 0.0, -2.0]), {"m": np.zeros(3), "v": np.zeros(3)}, 1, hyper
    )

    assert (made.weight == 1).all()
    assert made.state["v"].tolist() == [1.0, 0.0, 4.0]


def test_rule_can_be_called_without_naming_hyperparameters():
    state = SimpleNamespace(m=np.zeros(1), v=np.zeros(1))

    step = RULES["adam"](np.array([0.5]), state, 1)

    np.testing.assert_allclose(step.move, 1e-3, rtol=1e-7)
