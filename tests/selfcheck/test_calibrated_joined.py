"""Looks, margins, tuned families and later seeds in one study: false claims stay rare; what breaks that is caught."""

from dataclasses import replace

import numpy as np
import pytest

from surefoot.analysis import interim, pairwise
from surefoot.selfcheck import joined
from surefoot.selfcheck.joined import DESIGNS, EDGE, JoinedDesign, false_claims
from surefoot.selfcheck.margins import GUESS, MARGIN, UNEVEN
from surefoot.selfcheck.planned_looks import plan
from surefoot.selfcheck.seed_models import DIVERGING, NORMAL, TWO_BASINS
from surefoot.statistics import equivalence
from surefoot.statistics.intervals import ALPHA
from surefoot.store.looks import LookPlan


def rng(*seed):
    return np.random.default_rng(seed)


def test_what_is_joined_covers_every_pair_of_features():
    assert any(one.margin and not one.tuned for one in DESIGNS)
    assert any(one.margin and one.tuned for one in DESIGNS)
    assert any(one.tuned and not one.margin for one in DESIGNS)
    assert any(one.late and one.margin for one in DESIGNS)
    assert {one.plan.question.kind for one in DESIGNS} == {"best", "all-pairs", "against"}
    assert {one.plan.spending for one in DESIGNS} == {"obrien-fleming", "pocock", "linear"}
    assert all(len(one.plan.at) > 1 for one in DESIGNS)


@pytest.mark.parametrize(
    "design",
    [
        JoinedDesign(NORMAL, (0, EDGE), plan(2, "pocock")),
        JoinedDesign(UNEVEN, (0, 0), plan(2)),
        JoinedDesign(TWO_BASINS, (0, EDGE, 3 * EDGE), plan(3, "linear")),
        JoinedDesign(NORMAL, (0, 0, 0, 0), plan(2, "pocock"), tuned=True, margin=False),
        JoinedDesign(NORMAL, (0, EDGE, EDGE, 0), plan(2), tuned=True),
        JoinedDesign(NORMAL, (0, EDGE), plan(2, "linear"), late=4),
    ],
    ids=["margin", "divergence", "one leaves", "tuned", "tuned and margin", "later seeds"],
)
def test_false_claims_of_every_kind_are_as_rare_as_promised(design):
    row = false_claims(design, 300, rng(50))
    assert row.holds
    assert (row.design, row.apart.of) == (design, 300)
    assert row.equal.hits <= row.not_worse.hits
    assert 7 <= row.seeds <= 16


def test_the_truth_is_what_means_come_to():
    for world in (NORMAL, DIVERGING, UNEVEN):
        design = JoinedDesign(world, (0, joined.edge(world)), plan(2))
        scores = world.draw(rng(51), 20_000, 2, 5) + np.array(design.images)[:, None] / 10_000
        means = np.nan_to_num(scores, nan=GUESS).mean(axis=(0, 2))
        assert means[1] - means[0] == pytest.approx(design.truth["arm 1"] - design.truth["arm 0"], abs=0.006)
        assert -design.truth["arm 1"] == pytest.approx(MARGIN, abs=1e-4) or world is UNEVEN
        assert -design.truth["arm 1"] >= MARGIN - 1e-9


def test_an_arm_that_is_much_worse_leaves_and_a_margin_lets_studies_stop_earlier():
    design = JoinedDesign(NORMAL, (0, 0, 3 * EDGE), plan(3, "pocock"))
    row, without = (false_claims(replace(design, margin=margin), 60, rng(52)) for margin in (True, False))
    assert without.left > 0.5
    assert (without.equal.hits, without.not_worse.hits) == (0, 0)
    assert row.seeds <= without.seeds < 12


def test_a_margin_that_ignores_earlier_looks_is_caught(monkeypatch):
    monkeypatch.setattr(equivalence, "shares", lambda looks: [ALPHA] * len(looks.at))
    looks = LookPlan((6, 7, 8, 9, 10, 11, 12), "pocock")
    assert not false_claims(JoinedDesign(NORMAL, (0, EDGE), looks), 400, rng(53)).holds


def test_seeds_that_are_added_as_if_nothing_was_looked_at_are_caught(monkeypatch):
    monkeypatch.setattr(joined, "_noted", lambda *_: {})
    design = JoinedDesign(NORMAL, (0, 0), LookPlan((6, 8), "pocock"), margin=False, late=6)
    assert not false_claims(design, 800, rng(54)).holds


def test_tuned_families_that_forget_their_looks_are_caught(monkeypatch):
    honest = interim.Looker.compare

    def forgetful(self, results, taken):
        return honest(replace(self, plan=LookPlan((taken[-1],), self.plan.spending)), results, taken[-1:])

    monkeypatch.setattr(interim.Looker, "compare", forgetful)
    looks = LookPlan((6, 7, 8, 9, 10, 11, 12), "pocock")
    assert not false_claims(JoinedDesign(NORMAL, (0,) * 4, looks, tuned=True, margin=False), 400, rng(55)).holds


def test_tuned_families_without_holm_are_caught(monkeypatch):
    monkeypatch.setattr(pairwise, "holm", list)
    assert not false_claims(
        JoinedDesign(NORMAL, (0,) * 8, plan(4, "pocock"), tuned=True, margin=False), 80, rng(56)
    ).holds
