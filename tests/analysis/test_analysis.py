"""Numbers to claims: means and intervals, the target, the verdict, and what must not be averaged."""

import json
from dataclasses import replace
from math import inf, nan, sqrt

import numpy as np
import pytest
from scipy import stats

from samples import article, diverged, running, study, trial
from surefoot.analysis import group, summarize
from surefoot.analysis.scale import Scale
from surefoot.analysis.target import arrivals, choose_targets, traces_by_clock
from surefoot.analysis.verdict import noise
from surefoot.errors import UsageError
from surefoot.statistics.intervals import holm, paired_difference, t_interval
from surefoot.statistics.proportions import wilson
from surefoot.words import as_json, notes, table, verdict_text
from surefoot.words.numbers import p_value
from surefoot.words.pairs import pair_table


def scored(accuracies, label="Adam"):
    """Finished trials of one optimizer, with these test accuracies at seeds 0, 1, 2 ..."""
    records = [replace(trial("Adam", seed=seed), label=label) for seed in range(len(accuracies))]
    return [
        replace(record, outcome=replace(record.outcome, test_metric=accuracy))
        for record, accuracy in zip(records, accuracies, strict=True)
    ]


def learning(label, accuracies, seed=0):
    """A trial whose validation accuracy goes through these values, one epoch of ten seconds each."""
    template = trial("Adam", seed=seed)
    epochs = tuple(
        replace(template.epochs[0], epoch=i + 1, seconds=10.0 * (i + 1), validation_metric=accuracy)
        for i, accuracy in enumerate(accuracies)
    )
    return replace(template, label=label, epochs=epochs)


def reach(arm, target=0.9):
    return arrivals(traces_by_clock([arm]), target, Scale()).reach(arm.label)


def choose(arms):
    return choose_targets(traces_by_clock(arms), Scale())[0]


def study_of(*arms):
    return summarize([record for arm in arms for record in arm])


def verdict(*arms):
    return study_of(*arms).verdict


def test_interval_is_student_s():
    values = [0.981, 0.979, 0.984, 0.980]
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    interval = t_interval(values)
    assert (interval.low, interval.high) == pytest.approx(expected)
    assert interval.n == 4


def test_one_seed_has_a_mean_but_no_interval():
    assert t_interval([0.98]).low is None
    assert t_interval([]) is None


def test_paired_difference_is_the_paired_t_test():
    a, b = [0.981, 0.979, 0.984, 0.980], [0.979, 0.978, 0.985, 0.977]
    expected = stats.ttest_rel(a, b)
    difference = paired_difference(a, b)
    assert difference.p == pytest.approx(expected.pvalue)
    assert (difference.low, difference.high) == pytest.approx(tuple(expected.confidence_interval()))


def test_two_seeds_that_agree_to_the_last_image_prove_nothing():
    assert paired_difference([0.98, 0.97], [0.979, 0.969]).p < 1e-6  # float noise is all the spread there is
    assert paired_difference([0.98, 0.97], [0.9798, 0.9698], resolution=1e-4).p > 0.05


def test_equal_results_have_p_one():
    assert paired_difference([0.98, 0.97], [0.98, 0.97]).p == 1


def test_holm_against_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_equal_optimizers_are_seldom_told_apart():
    """The best of four equal optimizers is picked after the fact; a false claim must still come in 5 % of studies."""
    rng = np.random.default_rng(7)
    templates = {label: scored([0.5] * 5, label) for label in "abcd"}
    claims = 0
    for _ in range(200):
        arms = [
            [replace(r, outcome=replace(r.outcome, test_metric=float(rng.normal(0.98, 0.002)))) for r in records]
            for records in templates.values()
        ]
        claims += bool(verdict(*arms).behind)
    assert claims <= 20  # passed once in 1,000 tries by a true rate of 5 %; no correction gives 15 %


def test_verdict_on_several_seeds_names_ties_and_the_beaten():
    best = scored([0.985, 0.987, 0.986, 0.988, 0.9865], "AdaBound")
    close = scored([0.986, 0.985, 0.987, 0.986, 0.986], "Adam")
    far = scored([0.965, 0.966, 0.965, 0.967, 0.9657], "Adagrad")
    result = study_of(far, best, close)
    assert (result.verdict.best, result.verdict.ties, result.verdict.behind) == ("AdaBound", ("Adam",), ("Adagrad",))
    assert "Not distinguishable from AdaBound: Adam (−0.05 pp [" in verdict_text(result)
    assert "5 seeds" in verdict_text(result)
    assert "ahead of Adagrad by 2.08 pp [" in verdict_text(result)


def guessing(*arms):
    """The trials of a task of which guessing gets 10 %."""
    return [replace(one, protocol=replace(one.protocol, chance=0.1)) for arm in arms for one in arm]


def test_the_difference_counts_a_seed_that_diverged_as_a_guess():
    best, other = scored([0.98, 0.99, 0.98, 0.99], "a"), scored([0.97, 0.97, 0.97, 0.97], "b")
    other[3] = diverged(other[3])
    (pair,) = summarize(guessing(best, other)).verdict.pairs
    assert (pair.n, pair.diverged) == (4, 1)
    assert pair.difference == pytest.approx((-0.01 - 0.02 - 0.01 - 0.89) / 4)


def lost(label, accuracies, count):
    """Ten seeds, of which so many diverged."""
    records = scored(accuracies, label)
    return [*map(diverged, records[:count]), *records[count:]]


def test_the_best_is_not_picked_by_the_seeds_that_it_finished():
    """99 % on the 6 seeds that it finished against 95 % on all ten."""
    result = summarize(guessing(lost("A", [0.99] * 10, 4), lost("B", [0.95] * 10, 0)))
    assert (result.verdict.best, result.verdict.ties, result.verdict.behind) == ("B", ("A",), ())
    assert verdict_text(result) == (
        "B has the highest mean test accuracy (95.00 %, 10 seeds). Not distinguishable from B: A (−31.60 pp [−64.48, "
        "1.28], 10 seeds, 4 of them diverged, adjusted p = 0.133). A tie may still hide a difference of up to 64.48 "
        "pp. A seed that diverged counts as 10.00 %, the score of guessing. Diverged: A (4 of 10 seeds)."
    )
    (row, _) = result.rows
    assert (row.test_metric.mean, row.test_metric.n, row.n) == (pytest.approx(0.634), 10, 6)
    assert result.verdict.scores["A"] == row.test_metric.mean
    assert row.divergence == wilson(4, 10)


def test_one_seed_that_finished_of_ten_is_no_run_to_be_best_in():
    result = study_of(lost("A", [0.99] * 10, 9), lost("B", [0.95] * 10, 0))
    assert (result.verdict.best, result.verdict.behind) == ("B", ("A",))
    text = verdict_text(result)
    assert "(9 of 10 seeds diverged). A seed that diverged counts as 0.00 %, no better than the worst score." in text
    assert "in this one run" not in text
    single = verdict(lost("A", [0.99] * 10, 9), scored([0.95], "B"), scored([0.94], "C"))
    assert single.best == "B"


def test_an_optimizer_that_diverged_can_be_best_and_says_how_often():
    result = summarize(guessing(lost("A", [0.99] * 10, 1), lost("B", [0.95] * 10, 3)))
    assert verdict_text(result).startswith(
        "A has the highest mean test accuracy (90.10 %, 10 seeds, 1 of them diverged), ahead of B by 20.60 pp [−5.20, "
        "46.40] (3 of 10 seeds diverged). "
    )
    assert "30 % [11, 60] diverged" in str(table(result))


def test_one_divergence_in_ten_does_not_outweigh_everything():
    """99 % with one seed that diverged is ahead of 30 %, which it was not while divergence outweighed all."""
    result = summarize(guessing(lost("A", [0.99] * 10, 1), lost("B", [0.3] * 10, 0)))
    assert (result.verdict.best, result.verdict.behind) == ("A", ("B",))


def test_few_seeds_settle_nothing_and_are_no_tie():
    result = study_of(scored([0.98] * 4, "A"), scored([0.3] * 4, "B"))
    found = result.verdict
    assert (found.best, found.ties, found.behind, found.open) == (
        "A",
        (),
        (),
        ("B",),
    )
    assert verdict_text(result) == (
        "A has the highest mean test accuracy (98.00 %, 4 seeds). Not settled, because a claim needs 5 seeds or more: "
        "B (−68.00 pp [−68.02, −67.98], 4 seeds)."
    )


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.05, "0.050"), (0.0503, "0.0503"), (0.0496, "0.050"), (0.0499999, "0.050"), (1.0, "1.000"), (0.0009, "< 0.001")],
)
def test_a_p_value_never_contradicts_what_is_made_of_it(p, text):
    assert p_value(p) == text


def test_one_seed_states_the_sampling_noise_and_claims_no_more():
    result = study_of(
        scored([0.9850], "best"), scored([0.9830], "near"), scored([0.9810], "between"), scored([0.9], "far")
    )
    assert result.verdict.yardstick == pytest.approx(stats.norm.ppf(0.975) * sqrt(2 * 0.985 * 0.015 / 10_000))
    assert (result.verdict.ties, result.verdict.open, result.verdict.behind) == (("near",), ("between",), ("far",))
    assert "not separated" in verdict_text(result)
    assert "far (−8.50 pp) is behind in this one run" in verdict_text(result)
    assert "10,000 test examples alone leave a noise of 0.34 pp" in verdict_text(result)


def test_a_perfect_score_still_has_noise():
    assert noise(1.0, 10_000) > 0


def test_diverged_and_unfinished_trials_are_said_not_averaged():
    records = [*article()[:2], diverged(article()[2]), running(article()[3])]
    result = summarize(records)
    assert "Diverged: Adam." in verdict_text(result)
    assert "Unfinished and left out: AdaBound." in verdict_text(result)
    assert result.rows[2].test_loss is None
    assert result.rows[2].reasons == ("loss became NaN in epoch 1",)
    assert (result.rows[3].n, result.rows[3].unfinished) == (0, 1)


def test_a_finished_trial_whose_loss_is_nan_counts_as_diverged():
    record = trial()
    bad = replace(record, seed=1, outcome=replace(record.outcome, test_loss=nan))
    row = summarize([record, bad]).rows[0]
    assert (row.n, row.diverged, row.test_loss.n) == (1, 1, 1)


def test_nothing_finished_and_one_optimizer_have_no_verdict():
    assert summarize([running(r, 0) for r in article()]).verdict.best is None
    assert "nothing to compare" in verdict_text(summarize([trial(epochs=1)]))


def test_target_is_the_highest_that_half_of_the_arms_reach():
    arms = group(
        [learning("a", [0.85, 0.96, 0.981]), learning("b", [0.7, 0.91, 0.982]), learning("c", [0.5, 0.6, 0.7])]
    )
    assert choose(arms) == 0.98


def test_target_that_all_meet_at_once_or_none_meets_is_refused():
    assert choose(group([learning("a", [0.81, 0.82]), learning("b", [0.85, 0.86])])) is None
    assert choose(group([learning("a", [0.1, 0.12]), learning("b", [0.11, 0.19])])) is None
    assert summarize([learning("a", [0.1, 0.19])]).target is None


def test_a_target_that_only_a_minority_reaches_is_better_than_none():
    arms = group([learning("a", [0.7, 0.91]), learning("b", [0.5, 0.59]), learning("c", [0.5, 0.59])])
    assert choose(arms) == 0.6


def test_misses_stay_in_the_median():
    hits = [learning("a", [0.5, 0.9, 0.9], 0), learning("a", [0.5, 0.5, 0.9], 1), learning("a", [0.1, 0.1, 0.1], 2)]
    (arm,) = group(hits)
    assert reach(arm).epochs == 3  # a mean of the two that reached it would be 2.5
    assert (reach(arm).reached, reach(arm, 0.9).of, reach(arm, 0.9).seconds) == (2, 3, 30.0)
    (arm,) = group([hits[0], replace(diverged(hits[1], 2)), hits[2]])
    assert reach(arm).epochs is None


def test_gap_is_validation_minus_training_in_evaluation_mode():
    record = trial()
    row = summarize([record]).rows[0]
    assert row.loss_gap.mean == pytest.approx(record.epochs[-1].validation_loss - record.outcome.train_loss)
    assert row.metric_gap.mean == pytest.approx(record.epochs[-1].validation_metric - record.outcome.train_metric)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "no trials"),
        ([trial(), trial()], "same seed"),
        ([trial(), replace(trial(seed=1), hyper={"lr": 1.0})], "two settings"),
        ([trial(epochs=1), trial("Adagrad", epochs=2)], "epochs is 1 in some and 2 in others"),
    ],
)
def test_what_cannot_be_compared_is_refused(records, message):
    with pytest.raises(UsageError, match=message):
        summarize(records)


def test_untuned_rates_are_said_for_the_article_only():
    assert any("untuned" in note for note in notes(summarize(article())))
    assert not any("untuned" in note for note in notes(summarize([replace(r, study="mine") for r in article()])))


def test_summary_is_json_even_with_infinities():
    record = trial()
    wild = replace(record, hyper={"lr": inf, "betas": (0.9, 0.999)})
    content = json.loads(json.dumps(as_json(summarize([wild])), allow_nan=False))
    assert content["rows"][0]["hyper"] == {"lr": None, "betas": [0.9, 0.999]}
    assert content["verdict"]["text"]


def test_table_has_a_cell_for_each_heading_and_the_summary_s_numbers():
    summary = summarize(article(3))
    cells = table(summary)
    assert all(len(row) == len(cells.header) for row in cells.rows)
    mean = summary.rows[2].test_metric.mean
    assert dict(zip(cells.header, cells.texts[2], strict=True))["Test accuracy"].startswith(f"{100 * mean:.2f} % [")
    assert "Trials" not in cells.header
    assert "Trials" in table(summarize([*article()[:3], running(article()[3])])).header


def test_pair_table_is_there_for_several_seeds_only():
    assert pair_table(summarize(article())) is None
    assert len(pair_table(summarize(article(3))).rows) == 6


def test_many_optimizers_make_a_short_verdict():
    text = verdict_text(summarize(study(12, 3)))
    assert "[" not in text
    assert len(text) < 600
