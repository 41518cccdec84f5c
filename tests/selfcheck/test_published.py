"""Published figures beside ours: when they agree, what is run for them, and what the command prints."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from surefoot.analysis.published import FMNIST_2C2D, INITIAL_LOSS, QUADRATIC_DEEP, PublishedFigure
from surefoot.arms.arm_list import parse_arms
from surefoot.cli import check_published
from surefoot.selfcheck.published import agreement, agreements, initial_loss, published_task, reproduction
from surefoot.selfcheck.statements import Figure, Statement
from surefoot.tasks.models.quadratic import hessian
from surefoot.training.events import EpochDone
from surefoot.training.loop import Training


def record(label, epochs, *, seed=0, train_loss=0.2, diverged=False):
    """As much of a record as the comparison reads; `epochs` maps an epoch to its metric."""
    done = [SimpleNamespace(epoch=epoch, validation_metric=value) for epoch, value in epochs.items()]
    outcome = None if diverged else SimpleNamespace(train_loss=train_loss)
    return SimpleNamespace(label=label, seed=seed, epochs=done, outcome=outcome)


def as_published(reference, shift=0.0, seeds=10):
    """Runs whose mean is the published one and whose spread is known: +- 0.1 % of it about the mean."""
    made = []
    for seed in range(seeds):
        for label in reference.optimizers:
            mine = [figure for figure in reference.figures if figure.optimizer == label]
            sway = (1 + shift) * (1 + 0.001 * (-1) ** seed)
            curve = {figure.epoch: figure.mean * sway for figure in mine if figure.quantity == "test metric"}
            losses = [figure.mean * sway for figure in mine if figure.quantity == "train loss"]
            made.append(record(label, curve, seed=seed, train_loss=losses[0] if losses else 0.0))
    return made


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.1, 0.11, 0.12, 0.2, 0.5])
@pytest.mark.parametrize("deviation", [0.17, 0.02])
def test_a_figure_agrees_where_welchs_test_finds_no_difference_at_one_percent(shift, deviation):
    values = (87.4 + shift + np.random.default_rng(1).normal(0, 0.1, 7)).tolist()
    ours = agreement(PublishedFigure("SGD", "test metric", 100, 87.4, deviation), values)
    welch = stats.ttest_ind_from_stats(
        np.mean(values), np.std(values, ddof=1), len(values), 87.4, deviation, 10, equal_var=False
    )
    assert ours.holds == (welch.pvalue >= 0.01)
    assert ours.difference == pytest.approx(np.mean(values) - 87.4)


def test_both_answers_occur():
    values = [87.3, 87.4, 87.5]
    assert agreement(PublishedFigure("SGD", "test metric", 100, 87.4, 0.1), values).holds
    assert not agreement(PublishedFigure("SGD", "test metric", 100, 88.4, 0.1), values).holds


def test_an_unknown_spread_is_taken_to_be_ours():
    values = [1.0, 2.0, 3.0]
    known, unknown = (agreement(PublishedFigure("SGD", "test metric", 5, 2.5, sd), values) for sd in (1.0, None))
    assert known.margin == unknown.margin > 0


def test_a_run_that_diverged_agrees_with_nothing():
    runs = [record("SGD", {}, diverged=True), *as_published(QUADRATIC_DEEP)]
    found = agreements(QUADRATIC_DEEP, runs)
    assert {row.figure.optimizer for row in found if not row.holds} == {"SGD"}


def test_the_published_figures_agree_with_themselves_and_not_with_others():
    for reference in (QUADRATIC_DEEP, FMNIST_2C2D):
        assert all(row.holds for row in agreements(reference, as_published(reference)))
        assert not any(row.holds for row in agreements(reference, as_published(reference, shift=0.2)))


def test_the_first_loss_is_the_published_one():
    assert round(initial_loss(published_task("quadratic-deep")), 3) == INITIAL_LOSS


def test_the_test_examples_stand_for_the_validation_examples_and_nothing_else_is_lost():
    plan = reproduction("quadratic-deep", QUADRATIC_DEEP.optimizers, seeds=10, epochs=100)
    assert len(plan.trials) == 30
    assert plan.task.data.validation is plan.task.data.test
    protocol = plan.protocol
    assert (protocol.train_size, protocol.validation_size, protocol.test_size) == (1000, 896, 896)
    assert (protocol.batch_size, protocol.steps_per_epoch, protocol.epochs) == (128, 7, 100)
    assert (protocol.drop_last, protocol.order, protocol.schedule) == (True, "frozen", "constant")
    assert [trial.arm.label for trial in plan.trials[:3]] == ["SGD", "Momentum", "Adam"]
    assert plan.trials[1].arm.hyper["momentum"] == 0.99


def losses_in_numpy(task, lr, seed, epochs):
    """SGD on the quadratic in float64, written here: seven batches of 128 in one order, epoch after epoch."""
    train, test = (split.arrays[0].astype(np.float64) for split in (task.data.train, task.data.test))
    h, weights, losses = hessian(), np.ones(100), []
    batches = np.random.default_rng([seed, 1]).permutation(1000)[: 7 * 128].reshape(7, 128)
    for _ in range(epochs):
        for batch in batches:
            weights = weights - lr * h @ (weights - train[batch].mean(0))
        away = weights - test
        losses.append(np.einsum("ni,ij,nj->n", away, h, away).mean() / 2)
    return losses


def test_a_run_of_ours_is_gradient_descent_in_a_frozen_order():
    plan = reproduction("quadratic-deep", {"SGD": QUADRATIC_DEEP.optimizers["SGD"]}, seeds=1, epochs=6)
    heard = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    Training(plan.trials[0], plan.task, heard.append).run(None)
    torch.set_num_threads(threads)
    ours = [event.epoch.validation_metric for event in heard if isinstance(event, EpochDone)]
    np.testing.assert_allclose(ours, losses_in_numpy(plan.task, 0.0158489, 0, 6), rtol=1e-5)


def test_the_settings_are_the_published_ones():
    """DeepOBS tunes over 36 learning rates, five to a decade."""
    rates = {arm.hyper["lr"] for text in QUADRATIC_DEEP.optimizers.values() for arm in parse_arms([text], "torch")}
    for rate in rates:
        assert 5 * np.log10(rate) == pytest.approx(round(5 * np.log10(rate)), abs=1e-4)


def stated(setting, ours=1.0):
    return Statement("A statement", setting, "A source", (Figure("a figure", "one", ours, 0.9, 1.1),))


@pytest.fixture
def check(monkeypatch, surefoot_command):
    """The command, whose runs are made up: as published, shifted by a share."""
    monkeypatch.setattr(check_published, "statements", list)
    monkeypatch.setattr(check_published, "quickstart", lambda seeds, *_: stated(f"{seeds} seeds"))

    def command(*arguments, shift=0.0):
        references = {reference.study: reference for reference in (QUADRATIC_DEEP, FMNIST_2C2D)}
        asked = []

        def plan(study, _, **options):
            asked.append((study, options))
            return SimpleNamespace(name=study, trials=())

        monkeypatch.setattr(check_published, "reproduction", plan)
        monkeypatch.setattr(
            check_published,
            "run_apart",
            lambda plan, _: as_published(references[plan.name], shift, asked[-1][1]["seeds"]),
        )
        return *surefoot_command("check", *arguments), asked

    return command


def test_the_command_prints_ours_beside_the_published(check):
    code, out, err, asked = check()
    assert (code, err) == (0, "")
    assert [(study, options["seeds"], options["epochs"]) for study, options in asked] == [("quadratic-deep", 10, 100)]
    assert "Loss before the first step: published 353.447, ours 353.447, equal." in out
    assert "quadratic-deep: 10 published runs, 10 of ours" in out
    assert out.count(" agrees\n") == 12
    assert "DIFFERS" not in out
    assert "Every figure agrees." in out
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out


def test_a_figure_that_differs_is_marked_and_is_exit_code_1(check):
    code, out, _, _ = check(shift=0.2)
    assert code == 1
    assert out.count(" DIFFERS\n") == 12
    assert "A figure differs: see the rows that say so." in out


def test_another_first_loss_is_exit_code_1(check, monkeypatch):
    monkeypatch.setattr(check_published, "initial_loss", lambda _: 353.4461)
    code, out, _, _ = check()
    assert code == 1
    assert "ours 353.446, NOT EQUAL." in out


def test_long_adds_fashion_mnist(check, tmp_path):
    code, out, _, asked = check("--long", "--seeds", "4", "--data-dir", tmp_path)
    assert code == 0
    assert asked[1] == ("fmnist-2c2d", {"seeds": 4, "epochs": 5, "data_dir": tmp_path})
    assert "fmnist-2c2d: 10 published runs, 4 of ours" in out
    assert "Setting: 4 seeds." in out
    assert "test accuracy" in out
    assert "train loss" in out
    assert max(map(len, out.splitlines())) <= 80


def test_json_says_the_same(check):
    code, out, _, _ = check("--json")
    content = json.loads(out)
    assert code == 0
    assert content["holds"] is True
    assert content["initial_loss"]["published"] == 353.447
    assert len(content["figures"]) == 12
    assert content["figures"][3]["figure"]["mean"] == 87.397
    assert content["figures"][3]["holds"] is True


@pytest.mark.parametrize(("ours", "mark", "exit_code"), [(1.05, "agrees", 0), (1.2, "DIFFERS", 1)])
def test_a_statement_is_printed_with_its_setting_and_source(check, monkeypatch, ours, mark, exit_code):
    monkeypatch.setattr(check_published, "quickstart", lambda *_: stated("made up", ours))
    code, out, _, _ = check("--long")
    assert code == exit_code
    assert re.search(rf"a figure +one +{ours:.4f} +{mark}", out)
    assert "Setting: made up." in out
    assert "Source: A source." in out
    code, out, _, _ = check("--long", "--json")
    (one,) = json.loads(out)["statements"]
    assert (one["title"], one["holds"], one["figures"][0]["ours"]) == ("A statement", exit_code == 0, ours)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--long", "--seeds", "1"), "--seeds is 1; give at least 2"), (("--calibration", "--long"), "of its own")],
)
def test_what_cannot_be_checked_is_told(check, arguments, words):
    code, _, err, _ = check(*arguments)
    assert code == 2
    assert words in err


@pytest.mark.slow
@pytest.mark.usefixtures("workers_here")
def test_every_published_figure_of_quadratic_deep_is_reproduced(surefoot_command):
    code, out, err = surefoot_command("check")
    assert code == 0, out
    assert out.count(" agrees\n") == 12 + 2 + 1 + 2 + 17, (
        "and the statements: Reddi, heavy ball, Newton-Schulz, AlgoPerf"
    )
    assert "30 of 30 runs" in err
