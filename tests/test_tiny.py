"""Surefoot in two minutes: a rule, its kernel, a trial, its row in the table, and the sentence that a user reads.

Read it from top to bottom; each test stands one floor above the one before.
"""

import numpy as np
import pytest
import torch

import surefoot
import surefoot.torch
from surefoot.rule import Step, rule
from surefoot.update import update
from workers_here import here


@rule(slots=("m",), source="Polyak, 1964")
def heavy_ball(g, state, t, *, lr=0.05, beta1=0.5):  # noqa: ARG001
    """Follow a running sum of the gradients."""
    m = beta1 * state.m + g
    return Step(rate=lr, direction=m, m=m)


def test_a_rule_is_a_formula_that_says_where_a_weight_goes():
    weight, state = np.array([1.0]), {"m": np.array([0.4])}
    weight, state, _ = update(heavy_ball, weight, np.array([2.0]), state, 1, heavy_ball.complete({}))
    assert state["m"] == 0.5 * 0.4 + 2.0
    assert weight == 1.0 - 0.05 * state["m"]


@pytest.mark.usefixtures("kernel_cache")
def test_its_kernel_takes_the_same_steps_on_a_models_weights():
    weights = torch.nn.Parameter(torch.tensor([1.0, -1.0], dtype=torch.float64))
    optimizer = surefoot.torch.RuleOptimizer([weights], rule=heavy_ball)
    by_hand, m = np.array([1.0, -1.0]), 0.0
    for gradient in ([2.0, 0.5], [-1.0, 0.0]):
        weights.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        m = 0.5 * m + np.array(gradient)
        by_hand -= 0.05 * m
    assert optimizer.engine == "cpu"
    assert weights.tolist() == by_hand.tolist()


def line():
    return torch.nn.Linear(1, 1)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two optimizers on a line through sixty points, from three starting points each."""
    x = torch.linspace(-1, 1, 60)[:, None]
    points = x, 3 * x
    with here():
        return surefoot.compare(
            model=line,
            data=(points, points, points),
            loss=torch.nn.functional.mse_loss,
            optimizers=[heavy_ball, "crawl=sgd(lr=0.0001)"],
            trials=0,
            seeds=3,
            epochs=2,
            batch_size=10,
            workers=1,
            device="cpu",
            store=tmp_path_factory.mktemp("tiny") / "results.sqlite",
        )


def test_a_trial_is_one_optimizer_from_one_seed_and_all_its_epochs(study):
    first = study.records[0]
    assert (first.label, first.seed, first.status) == ("heavy_ball", 0, "finished")
    assert [epoch.epoch for epoch in first.epochs] == [1, 2]
    assert first.epochs[1].validation_loss < first.epochs[0].validation_loss


def test_its_row_is_the_mean_of_its_trials(study):
    row = study.summary.rows[0]
    assert (row.label, row.n) == ("heavy_ball", 3)
    losses = [trial.outcome.test_loss for trial in study.records if trial.label == "heavy_ball"]
    assert row.test_loss.mean == pytest.approx(np.mean(losses))
    assert row.test_loss.low < row.test_loss.mean < row.test_loss.high


def test_the_sentence_says_what_the_trials_support(study):
    mean = study.summary.rows[0].test_loss.mean
    assert study.verdict.startswith(f"heavy_ball has the lowest mean test loss ({mean:.5f}, 3 seeds). Not settled,")
