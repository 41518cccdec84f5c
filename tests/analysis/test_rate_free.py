"""The price of not tuning: what is lost has its sign, what is spent is counted, and claims need evidence."""

from dataclasses import replace

import pytest

from samples import DESIGN, chosen, diverged, trial, tuning
from surefoot.analysis import summarize
from surefoot.analysis.rate_free import prices
from surefoot.errors import UsageError
from surefoot.store.design import Optimizer
from surefoot.store.protocol import Metric
from surefoot.words.rate_free import price_sentence, price_table

NOISE = (0.0004, -0.0004, 0.0002, -0.0002, 0.0, 0.0003, -0.0003, 0.0001)


def scored(record, label, score, **changes):
    """A trial of this test metric."""
    outcome = replace(record.outcome, test_metric=score)
    return replace(record, key=f"{label}-{record.seed}", label=label, outcome=outcome, **changes)


def study(lost, trials=4, **protocol):
    """A tuned Adam at 0.98, and for each name an optimizer that loses so much, seed by seed with some noise."""
    searched = [tuning("Adam", lr) for lr in (0.001, 0.003, 0.01, 0.03)[:trials]]
    seeds = range(len(NOISE))
    best = [scored(chosen(searched[0], trial("Adam", seed=seed)), "Adam tuned", 0.98) for seed in seeds]
    others = [
        scored(trial("Adam", seed=seed), label, 0.98 - gap + NOISE[seed], hyper={"lr": 0.01, "name": label})
        for label, gap in lost.items()
        for seed in seeds
    ]
    return [replace(record, protocol=replace(record.protocol, **protocol)) for record in [*others, *searched, *best]]


def priced(records, **range_tests):
    asked = tuple(Optimizer(label, "adam", "torch", {}, range_test=steps) for label, steps in range_tests.items())
    return prices(summarize(records, replace(DESIGN, optimizers=asked, tune=(), measure=()) if asked else None))


def claims(found):
    return {row.label: row.claim for row in found.rows}


def test_a_claim_is_made_on_either_side_of_the_margin_and_none_near_it():
    found = priced(study({"near": 0.001, "edge": 0.003, "far": 0.01, "ahead": -0.01}))
    assert claims(found) == {"near": "not worse", "edge": "open", "far": "worse", "ahead": "not worse"}
    assert found.tuned == "Adam tuned"


def test_what_is_lost_is_positive_where_the_tuned_one_is_better_whichever_way_that_is():
    records = study({"lower": 0.01})
    assert priced(records).rows[0].lost.mean == pytest.approx(0.01 - sum(NOISE) / len(NOISE))
    loss = study({"lower": 0.01}, metric=Metric("loss", "min", share=False))
    row = priced(loss).rows[0]
    assert row.lost.mean == pytest.approx(-0.01 + sum(NOISE) / len(NOISE))
    assert row.lost.low < row.lost.mean < row.lost.high
    assert row.claim == "not worse"


def test_of_a_loss_the_margin_is_a_part_of_it():
    metric = Metric("loss", "min", share=False)
    found = priced(study({"near": -0.01, "far": -0.05}, metric=metric))
    assert claims(found) == {"near": "not worse", "far": "worse"}  # 1 % and 5 % of 0.98
    assert "the margin of 2 %" in price_sentence(found)


def test_costs_are_all_trainings_and_the_steps_before_them():
    records = study({"plain": 0.0, "found": 0.0})
    steps = records[0].protocol.steps
    found = priced(records, found=steps // 2)
    assert found.trainings == 4 + 1
    assert {row.label: (row.trainings, row.saved) for row in found.rows} == {"plain": (1, 4), "found": (1.5, 3.5)}
    assert "−1.0" in str(price_table(priced(records, found=5 * steps))), "a true minus, as everywhere"


def test_one_that_diverged_is_not_called_as_good_by_its_other_seeds():
    records = study({"often": 0.0})
    assert claims(priced(records)) == {"often": "not worse"}
    broken = [diverged(one) if one.label == "often" and one.seed < 2 else one for one in records]
    found = priced(broken)
    assert claims(found) == {"often": "open"}
    assert "open, diverged on 2 seeds" in str(price_table(found))


def test_too_few_seeds_claim_nothing():
    few = [one for one in study({"near": 0.0, "far": 0.5}) if one.seed < 3 or one.purpose == "tune"]
    assert set(claims(priced(few)).values()) == {"open"}


def test_many_optimizers_ask_for_more_evidence_than_one():
    """One of sixteen that by itself would be called not worse is left open, as the error is that of all claims."""
    alone = study({"last": 0.00274})
    assert claims(priced(alone)) == {"last": "not worse"}
    crowd = study({**{f"other {i}": 0.003 for i in range(15)}, "last": 0.00274})
    assert claims(priced(crowd))["last"] == "open"


def test_exactly_one_optimizer_is_tuned():
    with pytest.raises(UsageError, match="0 optimizers were tuned"):
        priced([trial("Adam", seed=seed) for seed in range(5)])


def test_the_table_has_a_row_for_each():
    lines = str(price_table(priced(study({"near": 0.001, "far": 0.01})))).splitlines()
    assert [line.split("  ")[0] for line in lines[1:4]] == ["near", "far", "Adam tuned"]
    assert "+1.00 pp [" in lines[2]
