"""The three rankings: ranks follow the tests, clocks are equal, and trainings are counted."""

from dataclasses import replace
from math import inf

import pytest

from samples import DESIGN, PROTOCOL
from surefoot.analysis import summarize
from surefoot.analysis.ranks import Ranking
from surefoot.report.page import content, html
from surefoot.store.design import Optimizer, TrialPart
from surefoot.store.looks import LookPlan
from surefoot.store.records import Epoch, Outcome, Record
from surefoot.words import as_json
from surefoot.words.ranks import rank_notes, rank_table

SHORT = replace(PROTOCOL, epochs=4)


def trial(label, seed, score, pace=1.0, **changes):
    """Four epochs whose validation accuracy rises in equal parts to the score, `pace` seconds each."""
    epochs = tuple(Epoch(n, n * pace, 1.0, 0.5, 1.0, score * n / 4) for n in range(1, 5))
    outcome = Outcome(0.1, score, 0.1, 0.9, 0.001, 100, 100)
    made = Record(f"{label} {seed}", "cnn", label, "adam", "torch", {}, seed, SHORT, epochs=epochs, outcome=outcome)
    return replace(made, status="finished", **changes)


def arm(label, score, pace=1.0, seeds=8):
    return [trial(label, seed, score + seed / 1000, pace) for seed in range(seeds)]


def ranks(*arms):
    found = {one.by: one for one in summarize([record for one in arms for record in one]).ranks}
    return {by: {place.label: place.rank for place in one.places} for by, one in found.items()}


def test_a_slow_optimizer_wins_by_steps_and_loses_by_seconds():
    slow, quick = arm("slow", 0.96, 2.0), arm("quick", 0.90)
    assert ranks(slow, quick) == {
        "steps": {"slow": 1, "quick": 2},
        "seconds": {"quick": 1, "slow": 2},
        "tuning": {"slow": 1, "quick": 1},
    }
    steps, seconds, _ = summarize([*slow, *quick]).ranks
    assert (steps.at, seconds.at) == (4 * 192, 4.0)
    assert {place.label: place.value for place in seconds.places} == pytest.approx({"quick": 0.9035, "slow": 0.48175})


def test_the_curve_is_read_on_the_line_between_two_evaluations():
    """After 4 seconds the other one is half-way from its third evaluation, at 3.429 s, to its fourth, at 4.571 s."""
    _, seconds, _ = summarize([*arm("a", 0.9), *arm("b", 0.8, 8 / 7)]).ranks
    assert {place.label: place.value for place in seconds.places}["b"] == pytest.approx((0.8 + 0.0035) * 3.5 / 4)


def test_what_no_test_separates_shares_a_rank():
    """The best and the second tie, the second and the third tie, and the best beats the third."""
    sway = [0.0, 0.0, 0.004, -0.004, 0.003, -0.003, 0.002, -0.002]
    middle = [trial("middle", seed, 0.8975 + 8 * shift) for seed, shift in enumerate(sway)]
    found = ranks(arm("best", 0.90), middle, arm("last", 0.88))["steps"]
    assert found == {"best": 1, "middle": 1, "last": 2}
    (steps, *_) = summarize([*arm("same", 0.9), *arm("equal", 0.9)]).ranks
    assert [(place.rank, place.shared) for place in steps.places] == [(1, True), (1, True)]


def test_ranks_by_seconds_count_the_looks_of_the_verdict():
    """Eight seeds of twenty: all alike in sign, which would be a difference at the only look."""
    records = [*arm("a", 0.90), *arm("b", 0.89)]
    assert ranks(arm("a", 0.90), arm("b", 0.89))["seconds"] == {"a": 1, "b": 2}
    optimizers = tuple(Optimizer(label, "adam", "torch", {}) for label in "ab")
    plan = replace(DESIGN, measure=tuple(range(20)), optimizers=optimizers, looks=LookPlan((8, 20)))
    found = {one.by: {place.label: place.rank for place in one.places} for one in summarize(records, plan).ranks}
    assert found["steps"] == found["seconds"] == {"a": 1, "b": 1}


def test_one_that_was_not_evaluated_in_time_counts_as_diverged():
    found = ranks(arm("late", 0.96, 10.0), arm("quick", 0.90))["seconds"]
    assert found == {"quick": 1, "late": 2}


def test_trainings_that_tuned_are_counted_finalists_and_failures_too():
    tuned = [replace(one, part=TrialPart("measured", "adam")) for one in arm("adam tuned", 0.95)]
    tries = [
        trial("adam tuned", seed, 0.9, purpose="tune", part=TrialPart("tuning", "adam", {"lr": 0.1}))
        for seed in (90, 91)
    ]
    tries = [replace(one, key=f"{one.key} t", hyper={"lr": one.seed}) for one in tries]
    given = arm("free", 0.95)
    summary = summarize([*given, *arm("adam", 0.9), *tries, *tuned])
    tuning = summary.ranks[-1]
    assert [(one.label, one.rank, one.value) for one in tuning.places] == [("free", 1, 0.0), ("adam tuned", 2, 2.0)]
    assert {one.label for one in summary.ranks[0].places} == {"free", "adam tuned"}, "the untuned are another question"


@pytest.mark.parametrize("seeds", [1, 4])
def test_nothing_is_ranked_where_nothing_was_tested(seeds):
    assert summarize([*arm("a", 0.9, seeds=seeds), *arm("b", 0.8, seeds=seeds)]).ranks == ()
    assert rank_table(summarize([*arm("a", 0.9, seeds=seeds), *arm("b", 0.8, seeds=seeds)])) is None


def test_a_lower_loss_ranks_first():
    loss = replace(SHORT.metric, name="error", better="min")
    changed = [replace(one, protocol=replace(SHORT, metric=loss)) for one in [*arm("a", 0.2), *arm("b", 0.1)]]
    assert {place.label: place.rank for place in summarize(changed).ranks[0].places} == {"b": 1, "a": 2}


def test_a_diverged_seed_is_worse_than_every_score():
    lost = [replace(one, status="diverged", outcome=None) for one in arm("lost", 0.99)]
    found = summarize([*arm("kept", 0.9), *lost[:6], *arm("lost", 0.99)[6:]])
    assert found.ranks[0].places[0].label == "kept"
    assert isinstance(found.ranks[0], Ranking)
    assert all(place.value is None or place.value < inf for one in found.ranks for place in one.places)


def test_the_rankings_are_in_words_and_in_json():
    summary = summarize([*arm("slow", 0.96, 2.0), *arm("quick", 0.90)])
    table = str(rank_table(summary))
    assert table.splitlines()[0].split("  ")[-1].strip() == "By tuning cost"
    assert "1 =" in table
    assert "96.35 %" not in table
    assert "96.35 %" in str(rank_table(summary, "page"))
    assert list(rank_notes(summary))[:2] == [
        "Steps: test accuracy after 768 steps, as in the verdict.",
        "Seconds: validation accuracy after 4.0 s of training on this machine, when the quickest one ends.",
    ]
    assert [one["by"] for one in as_json(summary)["ranks"]] == ["steps", "seconds", "tuning"]


def test_the_page_has_the_rankings_where_there_are_any():
    page = html(content(summarize([*arm("slow", 0.96, 2.0), *arm("quick", 0.90)])), {})
    assert '<h2 id="ranks">Best by steps, by seconds or by tuning cost?</h2>' in page
    assert '<a href="#ranks">' in page
    assert 'id="ranks"' not in html(content(summarize([*arm("a", 0.9, seeds=1), *arm("b", 0.8, seeds=1)])), {})
