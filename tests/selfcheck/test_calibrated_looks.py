"""Planned looks put to the test: early stops, arms that leave and each question keep the promise; teeth."""

from dataclasses import replace

import numpy as np
import pytest

from surefoot.analysis import interim, pairwise
from surefoot.analysis.interim import Looker
from surefoot.selfcheck import planned_looks
from surefoot.selfcheck.planned_looks import AGAINST, ALL_PAIRS, WORSE, false_looks, plan, played, true_looks
from surefoot.selfcheck.seed_models import DIVERGING, NORMAL, SKEWED, TWO_BASINS, UNBOUNDED, by_label
from surefoot.store.looks import LookPlan, TakenLook


def rng(*seed):
    return np.random.default_rng(seed)


def test_what_is_calibrated_has_every_spending_question_and_world():
    plans = [row[2] for row in planned_looks.EQUAL]
    assert {one.spending for one in plans} == {"obrien-fleming", "pocock", "linear"}
    assert {one.question.kind for one in plans} == {"best", "all-pairs", "against"}
    assert {row[0] for row in planned_looks.EQUAL} == {NORMAL, SKEWED, TWO_BASINS, DIVERGING, UNBOUNDED}
    assert {row[3] for row in planned_looks.EQUAL} == {0.0, WORSE}
    assert all(len(one.at) > 1 for one in plans)


@pytest.mark.parametrize(
    ("world", "arms", "looks", "lead"),
    [
        (NORMAL, 2, plan(2, "pocock"), 0.0),
        (DIVERGING, 2, plan(2), 0.0),
        (SKEWED, 3, plan(3, "linear", AGAINST), 0.0),
        (TWO_BASINS, 3, plan(3, "pocock"), WORSE),
        (NORMAL, 3, plan(3, "linear", ALL_PAIRS), WORSE),
    ],
    ids=["pocock", "diverging", "against", "one worse", "all pairs, one worse"],
)
def test_equal_arms_are_told_apart_in_at_most_5_percent(world, arms, looks, lead):
    row = false_looks(world, arms, looks, lead, 400, rng(20, arms))
    assert row.holds
    assert (row.world, row.arms, row.plan, row.worse) == (world.name, arms, looks, lead != 0)
    assert (row.left > 0.5) == row.worse, "an arm that is much worse leaves"


@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock", "linear"])
def test_seeds_and_findings_are_as_a_dry_run_tells(spending):
    row = true_looks(2, plan(2, spending), 1.2, 400, rng(21))
    assert row.holds
    assert row.seeds.mean < 12


def test_of_several_arms_at_least_as_much_is_found_with_at_most_as_many_seeds():
    row = true_looks(3, plan(3, "pocock", AGAINST), 1.5, 200, rng(22))
    assert row.holds
    assert row.promised.power <= row.found.high
    assert row.seeds.low <= row.promised.seeds


def test_calibration_catches_looks_that_forget_the_looks_before(monkeypatch):
    """Each look as if it were the only one, at the end."""
    honest = interim.Looker.compare

    def forgetful(self, results, taken):
        alone = LookPlan((taken[-1],), self.plan.spending, self.plan.question)
        return honest(replace(self, plan=alone), results, taken[-1:])

    monkeypatch.setattr(interim.Looker, "compare", forgetful)
    assert not stops_at_any(NORMAL, LookPlan((6, 7, 8, 9, 10, 11, 12), "linear")).holds


def stops_at_any(world, looks):
    return false_looks(world, 2, looks, 0.0, 600, rng(23))


def test_calibration_catches_arms_that_leave_without_holm(monkeypatch):
    monkeypatch.setattr(pairwise, "holm", list)
    assert not false_looks(NORMAL, 4, plan(4, "pocock"), 0.0, 150, rng(24)).holds


def test_a_study_that_is_decided_stops_and_keeps_its_p_values():
    """What is found once stays found, as p-values only fall, and pairs of an arm that left keep theirs."""
    looks = plan(3, "pocock")
    looker = Looker(looks, range(12), NORMAL.scale, {}, {})
    for study in NORMAL.draw(rng(26), 30, 3, 12, WORSE):
        found, rows = played(study, NORMAL, looks)
        assert rows == looker.compare(looker.until(by_label(study), found.taken[-1], found.left), found.taken)
        for one in found.left:
            (pair,) = (row for row in rows if {row.a, row.b} == {one.label, one.behind})
            assert pair.distinguishable
            assert pair.n == one.seeds
            assert pair.looks == tuple(at for at in looks.at if at <= one.seeds)
        if found.decided:
            assert found.due is None


def test_looks_are_in_the_order_of_time():
    assert sorted([TakenLook(2, 8, 20), TakenLook(1, 12, 20), TakenLook(1, 8, 20)]) == [
        TakenLook(1, 8, 20),
        TakenLook(1, 12, 20),
        TakenLook(2, 8, 20),
    ]
