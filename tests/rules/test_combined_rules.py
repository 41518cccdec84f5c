"""What stands around a rule: on tensors of zeros, on a gradient buffer used again, around the wrong rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import reference
from surefoot.combinator import combinator
from surefoot.compiler.emit import latex
from surefoot.compiler.trace import trace
from surefoot.conventions import FRAMEWORKS, shown
from surefoot.errors import UsageError
from surefoot.rules import COMBINATORS, RULES, adamw, mars, rms_clip, rule_of, sgd, trust_ratio
from surefoot.torch import RuleOptimizer
from surefoot.update import update

SUMMING = ("lamb", "lars", "stableadamw")


def step(rule, w, g):
    hyper = rule.complete({})
    return update(rule, w, g, reference.start_state(rule, hyper, w), 1, hyper).weight


@pytest.mark.parametrize("name", [*SUMMING, "mars(adamw)", "cautious(adamw)"])
def test_a_tensor_of_zeros_without_a_gradient_stays(name):
    assert step(rule_of(name), np.zeros(4), np.zeros(4)).tolist() == [0.0] * 4


@pytest.mark.parametrize("name", SUMMING)
def test_weights_that_are_all_zero_move_and_those_without_a_gradient_stay_finite(name):
    assert (step(RULES[name], np.zeros(4), np.ones(4)) < 0).all()
    assert np.isfinite(step(RULES[name], np.ones(4), np.zeros(4))).all()


def test_zero_weights_step_as_the_rule_inside():
    """A ratio of 1 is what all code takes where there is none."""
    inside, around = (step(rule, np.zeros(4), np.arange(1.0, 5.0)) for rule in (adamw, trust_ratio(adamw)))
    assert around.tolist() == inside.tolist()


def test_mars_keeps_a_gradient_of_its_own():
    """The official code keeps the buffer itself: used again, it takes every correction for 0."""
    rows = torch.randn(5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ends = []
    for again in (False, True):
        p = torch.nn.Parameter(torch.ones(6, dtype=torch.float64))
        optimizer = RuleOptimizer([p], mars(adamw), engine="eager")
        p.grad = torch.zeros_like(p)
        for row in rows:
            if again:
                p.grad.copy_(row)
            else:
                p.grad = row.clone()
            optimizer.step()
        ends.append(p.detach())
    assert torch.equal(*ends)


def test_a_combinator_asks_for_what_it_reads():
    with pytest.raises(UsageError, match=r"rms_clip\(sgd\): rms_clip reads '(beta2|eps)', which sgd lacks"):
        rms_clip(sgd)
    with pytest.raises(UsageError, match="mean square `v`"):
        rms_clip(RULES["adabelief"]).check({})


def test_a_combinator_of_steps_sees_weights_after_decay_that_stands_before_the_move():
    seen = []

    @combinator(source="a test")
    def watching(step, g, w, state, t):  # noqa: ARG001
        """Look at the weights."""
        seen.append(w.tolist())
        return step

    own = watching(adamw)
    for decay in ("before", "after", "inside"):
        hyper = own.complete({"lr": 0.1, "weight_decay": 0.5, "decay": decay})
        update(own, np.ones(1), np.ones(1), reference.start_state(own, hyper, np.ones(1)), 1, hyper)
    assert seen == [[0.95], [1.0], [1.0]]


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", COMBINATORS)
def test_every_combinator_has_a_formula_around_adamw_and_momentum(name, framework):
    for inner in ("adamw", "momentum"):
        if COMBINATORS[name].reads <= RULES[inner].complete({}).keys():
            rule = rule_of(f"{name}({inner})")
            hyper = shown(rule, framework, {"lr": 0.1})
            assert "w_t &=" in latex.emit(trace(rule, hyper), hyper)


def test_what_a_combinator_changes_of_the_defaults_holds_in_every_convention():
    assert [shown(mars(adamw), framework, {"lr": 0.1})["beta2"] for framework in FRAMEWORKS] == [0.99] * 4
