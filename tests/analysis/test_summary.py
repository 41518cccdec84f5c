"""What a summary holds beside the table: arrivals, areas, profiles, groups, and several studies at once."""

import json
import sys
from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest
from scipy import stats

from samples import article, diverged, running, study, trial, tuned
from surefoot.analysis import summarize, summarize_suite
from surefoot.analysis.suite_summary import NoMean
from surefoot.errors import UsageError
from surefoot.report.page import content, write_suite_page
from surefoot.statistics.survival import kaplan_meier
from surefoot.store.protocol import Metric, Protocol
from surefoot.words import as_json, notes, table, tuning_table, warnings
from surefoot.words.numbers import LOSS, duration
from surefoot.words.suite import profile_table, reason, suite_json, suite_notes, suite_table


def learning(label, accuracies, seed=0, score=0.9, **protocol):
    """A trial whose validation accuracy goes through these values, ten seconds an epoch."""
    base = trial("Adam", seed=seed)
    epochs = tuple(
        replace(base.epochs[0], epoch=i, seconds=10.0 * i, validation_metric=value)
        for i, value in enumerate(accuracies, 1)
    )
    outcome = replace(base.outcome, test_metric=score)
    told = replace(base.protocol, **protocol)
    return replace(base, key=f"{label}{seed}", label=label, epochs=epochs, outcome=outcome, protocol=told)


def race(**protocol):
    """Fast reaches 0.8 after 1, 2 and 1 epochs; slow after 2, 4 and never."""
    fast = [(0.85, 0.88, 0.89, 0.89), (0.5, 0.82, 0.89, 0.89), (0.81, 0.85, 0.86, 0.87)]
    slow = [(0.5, 0.80, 0.85, 0.86), (0.5, 0.6, 0.7, 0.81), (0.5, 0.55, 0.6, 0.65)]
    return [
        learning(label, curve, seed, curve[-1], **protocol)
        for label, curves in (("fast", fast), ("slow", slow))
        for seed, curve in enumerate(curves)
    ]


def test_arrivals_are_kaplan_meier_s_on_three_clocks():
    summary = summarize(race())
    assert summary.target == 0.8
    arrived = next(one for one in summary.arrivals if one.target == 0.8)
    assert arrived.epochs["slow"] == kaplan_meier([2, 4, 4], [True, True, False])
    assert (arrived.steps["fast"].times, arrived.steps["fast"].median) == ((192, 384), 192)  # 48,000 images by 250
    assert arrived.seconds["fast"].median == 10
    reach = {row.label: row.reach for row in summary.rows}
    assert (reach["slow"].reached, reach["slow"].of, reach["slow"].epochs, reach["slow"].seconds) == (2, 3, 4, 40)
    assert [one.target for one in summary.arrivals] == [0.7, 0.8]


def test_epochs_and_seconds_tell_the_same_of_one_that_seldom_arrives():
    """Only one of three reaches 0.8, and it is the slowest by the clock."""
    records = [r for r in race() if r.label == "fast"]
    for seed, curve in enumerate([(0.5, 0.6, 0.7, 0.75), (0.5, 0.6, 0.7, 0.75), (0.5, 0.6, 0.7, 0.81)]):
        one = learning("rare", curve, seed)
        late = tuple(replace(epoch, seconds=(1 + 9 * (seed == 2)) * epoch.seconds) for epoch in one.epochs)
        records.append(replace(one, epochs=late))
    summary = summarize(records)
    row = dict(zip(table(summary).header, table(summary).texts[1], strict=True))
    assert (row["Epochs to 80 %"], row["Time to 80 %"]) == ("only 1 of 3", "only 1 of 3")


def test_an_interval_stays_within_what_a_share_can_be():
    records = [learning("a", (0.5, 0.6), seed, score) for seed, score in enumerate((0.95, 0.3))]
    row = summarize(records).rows[0]
    assert (row.test_metric.low, row.test_metric.high) == (0, 1)
    free = [replace(r, protocol=replace(r.protocol, metric=Metric("score", "max", share=False))) for r in records]
    assert summarize(free).rows[0].test_metric.low < 0


def test_a_choice_of_tuning_that_diverges_in_measuring_is_warned_of():
    records = tuned(3, 4, ("Adam",))
    lost = [diverged(r) if r.label == "Adam tuned" and r.purpose == "measure" else r for r in records]
    assert any(
        "Adam tuned: the choice of 1 tuning seed diverged on 3 of 3 measuring seeds." in warning
        for warning in warnings(summarize(lost))
    )
    assert not any("diverged" in warning for warning in warnings(summarize(records)))


def test_a_class_without_a_convention_does_not_make_two():
    records = article()
    foreign = [replace(records[0], convention=""), *records[1:]]
    assert not any("convention" in note for note in notes(summarize(foreign)))
    mixed = [replace(records[0], convention="torch"), *records[1:]]
    assert any("more than one convention" in note for note in notes(summarize(mixed)))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0847, "0.08470"), (129.413, "129.4"), (64_400, "64,400"), (3.1e-5, "3.100e−05"), (0.0, "0.000")],
)
def test_losses_of_all_sizes_have_as_many_digits(value, text):
    assert LOSS(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.034, "34 ms"), (0.0, "0.0 s"), (0.1, "0.1 s"), (134, "134 s")])
def test_a_short_time_is_told_in_milliseconds(seconds, text):
    assert duration(seconds) == text


def test_steps_count_the_last_batch_unless_it_is_dropped():
    def steps(**protocol):
        return summarize(race(batch_size=1000, train_size=1500, **protocol)).arrivals[-1].steps["fast"].times

    assert steps() == (2, 4)
    assert steps(drop_last=True) == (1, 2)
    bare = [replace(r, protocol=Protocol("x")) for r in race()]
    assert summarize(bare).arrivals[0].steps == {}


def test_area_and_divergence_are_of_each_row():
    records = race()
    records[5] = diverged(records[5], 1)
    fast, slow = summarize(records).rows
    heights = [np.trapezoid(trial, dx=1) / 3 for trial in [[0.5, 0.80, 0.85, 0.86], [0.5, 0.6, 0.7, 0.81]]]
    assert slow.area.mean == pytest.approx(np.mean(heights))
    assert (slow.divergence.hits, slow.divergence.of, fast.divergence.value) == (1, 3, 0)


def test_the_profile_over_seeds():
    """Ratios to the faster one: seed 0: 1 and 2, seed 1: 1 and 2, seed 2: 1 and never."""
    profiles = summarize(race()).profiles
    assert (profiles.target, profiles.seeds) == (0.8, (0, 1, 2))
    assert (profiles.epochs["fast"].ratios, profiles.epochs["fast"].shares) == ((1, 4), (1, 1))
    assert profiles.epochs["slow"].ratios == (1, 2, 4)
    assert profiles.epochs["slow"].shares == pytest.approx((0, 2 / 3, 2 / 3))
    assert profiles.seconds == profiles.epochs, "all epochs took ten seconds"
    assert summarize([r for r in race() if r.seed < 2]).profiles is None


def test_divergence_counts_trials_that_ended():
    records = [replace(trial(), seed=seed, key=str(seed)) for seed in range(6)]
    records[1], records[2] = diverged(records[1]), running(records[2])
    records[3] = replace(records[3], status="failed", outcome=None)
    found = summarize(records).rows[0].divergence
    assert (found.hits, found.of) == (1, 4)
    assert found.low == pytest.approx(stats.binomtest(1, 4).proportion_ci(method="wilson").low)
    assert summarize(records[2:4]).rows[0].divergence is None


def test_comparisons_have_every_pair_and_groups_every_name():
    summary = summarize(study(4, 8))
    assert len(summary.comparisons) == 6
    assert {row.test for row in summary.comparisons} == {"permutation"}
    assert {label for group in summary.groups for label in group} == {row.label for row in summary.rows}
    assert summary.groups[0][0] == summary.verdict.best
    best = {pair.other: pair.p for pair in summary.verdict.pairs}
    for row in summary.comparisons:
        if summary.verdict.best in (row.a, row.b):
            assert best[row.a if row.b == summary.verdict.best else row.b] == row.p
    json.dumps(as_json(summary), allow_nan=False)


def together(studies):
    return summarize_suite({name: summarize(records) for name, records in studies.items()})


def three():
    """Three tasks: A is twice as fast on two, and on the third B alone arrives."""
    quick, late, never = (0.5, 0.85, 0.86, 0.86), (0.5, 0.6, 0.7, 0.85), (0.5, 0.55, 0.6, 0.65)
    tasks = {"one": (quick, late), "two": (quick, late), "three": (never, quick)}
    return {
        name: [
            learning(label, curve, seed, curve[-1] + 0.001 * seed, chance=0.1)
            for label, curve in zip("AB", curves, strict=True)
            for seed in range(3)
        ]
        for name, curves in tasks.items()
    }


def test_a_suite_has_algoperf_s_score_profiles_and_interquartile_means():
    suite = together(three())
    assert suite.targets == {"one": 0.8, "two": 0.8, "three": 0.8}
    assert suite.times == {"A": {"one": 2, "two": 2, "three": inf}, "B": {"one": 4, "two": 4, "three": 2}}
    assert suite.algoperf == pytest.approx({"A": 2 / 3, "B": (2 / 3 + 2 / 3 + 1) / 3})  # max(0, 4 - r) / 3
    assert suite.profiles["B"].shares == pytest.approx((1 / 3, 1, 1))
    # shares of the way from 0.1 to the best mean: A's are 1 around two tasks and (0.651 - 0.1) / (0.861 - 0.1) on one
    runs = sorted(
        [(0.86 + 0.001 * s - 0.1) / 0.761 for s in range(3)] * 2 + [(0.65 + 0.001 * s - 0.1) / 0.761 for s in range(3)]
    )
    assert suite.aggregates["A"].mean == pytest.approx(np.mean(runs[2:-2]))
    assert (suite.aggregates["A"].runs, suite.aggregates["A"].tasks) == (9, 3)
    json.dumps(suite_json(suite), allow_nan=False)


def test_a_suite_of_too_little_says_less():
    records = three()
    two = together({name: records[name] for name in ("one", "two")})
    assert two.profiles is None
    assert two.algoperf == {"A": 1, "B": pytest.approx(2 / 3)}
    few = together({name: [r for r in found if r.seed < 2] for name, found in records.items()})
    assert few.aggregates == {}
    assert few.without == dict.fromkeys("AB", NoMean("one", 2, 2))
    assert reason(few.without["A"]) == "in one 2 of its 2 seeds finished, and it needs 3"
    one = together({"one": records["one"]})
    assert one.without == dict.fromkeys("AB", NoMean())
    assert "No interquartile mean of any: it needs 2 studies." in list(suite_notes(one))
    with pytest.raises(UsageError, match="no optimizer"):
        together({"one": records["one"][:3], "two": records["two"][3:]})
    with pytest.raises(UsageError, match=r"\(none\)"):
        together({})


def test_an_optimizer_that_diverged_leaves_the_others_their_interquartile_mean():
    """The review's case: one trial that diverged, and no mean for anybody, without a word."""
    records = three()
    whole = together(records)
    lost = {
        name: [replace(r, status="diverged", outcome=None) if r.label == "A" and name == "two" else r for r in found]
        for name, found in records.items()
    }
    suite = together(lost)
    assert suite.aggregates.keys() == {"B"}
    assert suite.aggregates["B"] != whole.aggregates["B"], "in task two B is now the best"
    assert suite.without == {"A": NoMean("two", 0, 3)}
    cells = {row[0]: row for row in suite_table(suite).texts}
    place = suite_table(suite).header.index("Interquartile mean")
    assert cells["A"][place] == "–"
    middle = [(0.85 + 0.002 - 0.1) / 0.761, *(0.75 / 0.751, 0.76 / 0.761), 1, 1]  # of nine shares
    assert suite.aggregates["B"].mean == pytest.approx(np.mean(middle))
    assert cells["B"][place].startswith("0.997 [")
    assert "No interquartile mean of A: in two 0 of its 3 seeds finished, and it needs 3." in list(suite_notes(suite))


def test_a_study_that_is_called_as_a_column_has_one_of_its_own():
    records = three()
    suite = together({"Score": records["one"], "study Score": records["two"], "three": records["three"]})
    assert {"Score", "study Score", "study study Score", "three"} <= set(suite_table(suite).header)


def test_the_profile_of_a_suite_has_a_table_and_a_page(tmp_path):
    suite = together(three())
    table = profile_table(suite.profiles)
    assert table.header == ("Optimizer", "r = 1", "r = 1.5", "r = 2", "r = 3", "r = 4")
    assert table.texts == (
        ("A", "67 %", "67 %", "67 %", "67 %", "67 %"),
        ("B", "33 %", "33 %", "100 %", "100 %", "100 %"),
    )
    page = write_suite_page(suite, {name: f"Verdict on {name}." for name in suite.studies}, tmp_path / "s.html")
    text = page.read_text(encoding="utf-8").replace("\u00a0", " ")
    for words in ("Performance profile", "<svg", 'href="three.html"', "Verdict on two.", "67 %", "Interquartile mean"):
        assert words in text
    two = together({name: three()[name] for name in ("one", "two")})
    assert "Performance profile" not in write_suite_page(two, {}, tmp_path / "two.html").read_text(encoding="utf-8")


def test_the_work_of_a_summary_grows_no_faster_than_its_trials():
    (one,) = article()[:1]
    rng = np.random.default_rng(0)

    def calls(seeds):
        """How many functions are called to summarize five optimizers with so many seeds each."""
        records = [
            replace(
                one,
                key=f"{label}{seed}",
                label=label,
                seed=seed,
                rates=(),
                outcome=replace(one.outcome, test_metric=float(rng.normal(0.95, 0.003))),
            )
            for label in "abcde"
            for seed in range(seeds)
        ]
        counted = [0]

        def count(_frame, event, _argument):
            counted[0] += event in ("call", "c_call")

        sys.setprofile(count)
        try:
            found = summarize(records)
        finally:
            sys.setprofile(None)
        assert len(found.comparisons) == 10
        return counted[0]

    assert calls(2000) < 5 * calls(500)


@pytest.mark.parametrize("purposes", [("tune",), ("measure",), ("tune", "measure")])
def test_a_metric_that_is_nan_after_the_first_epoch_measures_nothing(purposes):
    """A metric of the user's may be: only the loss decides whether a training diverged."""
    unbounded = replace(tuned()[0].protocol, metric=Metric("score", share=False))
    records = [
        replace(one, protocol=unbounded, epochs=(replace(one.epochs[0], validation_metric=at), *one.epochs[1:]))
        for one in tuned()
        for at in [nan if one.purpose in purposes else one.epochs[0].validation_metric]
    ]
    summary = summarize(records)
    assert {row.good_rates is None for row in summary.tuning} == {"tune" in purposes}
    assert (summary.target is None) == ("measure" in purposes)
    suite = together({"one": records, "two": records})
    assert bool(suite.aggregates) == ("measure" not in purposes)
    assert (suite.targets == {}) == ("measure" in purposes)
    assert "nan" not in f"{table(summary)}{tuning_table(summary)}{suite_table(suite)}"
    assert content(summary)
    json.dumps([as_json(summary), suite_json(suite)], allow_nan=False)


def test_one_trial_with_a_nan_after_the_first_epoch_leaves_the_others_their_start():
    """The median of scores with a NaN among them is any of them, or NaN."""
    curves = {0: (nan, 0.85, 0.86, 0.86), 1: (0.5, 0.85, 0.86, 0.86), 2: (0.5, 0.85, 0.86, 0.86)}
    unbounded = Metric("score", share=False)
    records = [learning(label, curves[seed], seed, 0.9, metric=unbounded) for label in "AB" for seed in curves]
    suite = together({"one": records, "two": records})
    assert suite.targets == {"one": 0.853, "two": 0.853}, "98 % of the way from 0.5 to 0.86"
    assert suite.aggregates.keys() == {"A", "B"}
