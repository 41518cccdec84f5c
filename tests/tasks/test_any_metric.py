"""A study judged by a loss or any other metric: words, signs, targets, tuning and warnings, beside accuracy."""

import json
from dataclasses import replace
from math import nan
from statistics import fmean

import pytest
from scipy import stats

from samples import PROTOCOL, at_values, trial
from surefoot.analysis import group, summarize
from surefoot.analysis.scale import Scale, scale_of
from surefoot.analysis.target import choose_targets, traces_by_clock
from surefoot.analysis.verdict import noise
from surefoot.cli.result import print_result
from surefoot.errors import UsageError
from surefoot.report import write_report
from surefoot.report.curve_rows import rows_of
from surefoot.report.figures import figures
from surefoot.statistics.budget_curve import budget_curve
from surefoot.statistics.intervals import HELD_BACK
from surefoot.store.design import TrialPart
from surefoot.store.protocol import LOSS, Metric
from surefoot.words import Written, as_json, table, tuning_table, verdict_text, warnings
from surefoot.words.numbers import MILLISECONDS, significant
from surefoot.words.pairs import pair_table

PERPLEXITY = Metric("perplexity", "min", share=False)
ERROR = Metric("error", "min", share=True)
AUROC = Metric("AUROC", "max", share=False)


def records_of(metric, label, scores, curve=None, **protocol):
    """Finished trials with these test metrics at seeds 0, 1, ...; `curve` is the validation metric by epoch."""
    made = []
    for seed, score in enumerate(scores):
        base = trial("Adam", seed=seed)
        epochs = tuple(
            replace(base.epochs[0], epoch=i, seconds=10.0 * i, validation_metric=value)
            for i, value in enumerate(curve or (score,), 1)
        )
        made.append(
            replace(
                base,
                key=f"{label}{seed}",
                label=label,
                study="mine",
                epochs=epochs,
                outcome=replace(base.outcome, test_metric=score),
                protocol=replace(PROTOCOL, metric=metric, **protocol),
            )
        )
    return made


LOW, HIGH = [30.1, 30.4, 30.2, 30.3, 30.6, 30.2, 30.5], [40.2, 40.9, 40.1, 40.6, 40.8, 40.3, 40.5]


def test_where_less_is_better_the_lowest_wins():
    summary = summarize([*records_of(PERPLEXITY, "a", HIGH), *records_of(PERPLEXITY, "b", LOW)])
    verdict, (row,) = summary.verdict, summary.comparisons
    assert (verdict.best, verdict.behind) == ("b", ("a",))
    gaps = [x - y for x, y in zip(HIGH, LOW, strict=True)]
    low, high = stats.t.interval(0.95, 6, loc=fmean(gaps), scale=stats.sem(gaps))
    assert verdict_text(summary) == (
        f"b has the lowest mean test perplexity (30.329, 7 seeds), ahead of a by {fmean(gaps):.1f} "
        f"[{low:.2f}, {high:.1f}]."
    )
    p = 2 / 2**7 / (1 - HELD_BACK)  # of the one look, at which all seeds were there
    assert (row.difference.mean, row.p, row.test) == (pytest.approx(fmean(gaps)), p, "permutation")
    assert row.wins.value == 0, "a is never better"
    assert summary.groups == (("b",), ("a",))
    assert pair_table(summary).texts[0][2].startswith("+10.2")


def test_the_sign_of_the_metric_is_all_that_turns_the_verdict():
    """The same scores negated, with the direction turned, are the same study."""
    turned = Metric("score", "max", share=False)
    down = summarize([*records_of(PERPLEXITY, "a", HIGH), *records_of(PERPLEXITY, "b", LOW)])
    up = summarize([*records_of(turned, "a", [-x for x in HIGH]), *records_of(turned, "b", [-x for x in LOW])])
    assert (up.verdict.best, up.verdict.behind, up.groups) == (down.verdict.best, down.verdict.behind, down.groups)
    assert [row.p for row in up.comparisons] == [row.p for row in down.comparisons]
    assert [row.wins for row in up.comparisons] == [row.wins for row in down.comparisons]


def test_one_run_of_a_metric_without_yardstick_settles_nothing():
    summary = summarize([*records_of(PERPLEXITY, "a", [40.0]), *records_of(PERPLEXITY, "b", [30.0])])
    verdict = summary.verdict
    assert (verdict.best, verdict.ties, verdict.open, verdict.behind) == ("b", (), ("a",), ())
    assert verdict.yardstick is None
    assert "b has the lowest test perplexity in this one run (30.000); a (+10.0) follows." in verdict_text(summary)
    assert "One run settles nothing" in verdict_text(summary)


def test_one_run_of_an_error_has_the_yardstick_of_a_share():
    verdict = summarize([*records_of(ERROR, "a", [0.05]), *records_of(ERROR, "b", [0.02])]).verdict
    assert (verdict.best, verdict.behind) == ("b", ("a",))
    assert verdict.yardstick == pytest.approx(noise(0.98, 10_000))
    assert noise(0.0, 10_000) == pytest.approx(noise(1.0, 10_000))


def test_few_seeds_say_what_they_assume_and_many_do_not():
    def text(seeds):
        records = records_of(PERPLEXITY, "a", HIGH[:seeds]) + records_of(PERPLEXITY, "b", LOW[:seeds])
        return verdict_text(summarize(records))

    assert "With fewer than 6 seeds this rests on a t-test, which assumes normally distributed" in text(5)
    assert "normally" not in text(6)


def test_targets_lie_on_the_way_from_the_first_evaluation_to_the_best_end():
    """From a median of 100 after the first epoch to 20: half of the way is 60, 98 % of it 21.6."""
    fast = records_of(PERPLEXITY, "fast", [20.0], curve=(100.0, 30.0, 20.0))
    slow = records_of(PERPLEXITY, "slow", [55.0], curve=(100.0, 70.0, 55.0))
    timed = traces_by_clock(group(fast + slow))
    chosen, around = choose_targets(timed, Scale(PERPLEXITY))
    assert (chosen, around) == (21.6, (24.0, 21.6))  # half of the arms, one of two, get to it
    reach = {row.label: row.reach for row in summarize(fast + slow).rows}
    assert (reach["fast"].epochs, reach["fast"].seconds, reach["slow"].epochs) == (3, 30.0, None)
    assert choose_targets(traces_by_clock(group(slow[:1])), Scale(ERROR))[1] == ()


def test_targets_of_an_error_are_those_of_accuracy_turned():
    found = records_of(ERROR, "a", [0.016], curve=(0.25, 0.06, 0.016))
    assert choose_targets(traces_by_clock(group(found)), Scale(ERROR)) == (0.02, (0.03, 0.02))


def test_a_metric_that_is_not_a_number_at_the_end_is_no_result():
    (row,) = summarize(records_of(PERPLEXITY, "a", [nan])).rows
    assert (row.n, row.diverged) == (0, 1)


def search(metric, points, seeds=3):
    """A search over these learning rates, whose best was measured beside the defaults, five better."""
    base = records_of(metric, "x", [50.0] * seeds)
    tried = []
    for lr, value in points:
        epochs = (
            replace(base[0].epochs[0], validation_metric=100.0),
            replace(base[0].epochs[0], epoch=2, seconds=20.0, validation_metric=50.0 if value is None else value),
        )
        one = replace(
            base[0],
            key=f"t{lr}",
            label="x tuned",
            seed=99,
            purpose="tune",
            epochs=epochs,
            part=TrialPart("tuning", base[0].label),
            outcome=replace(base[0].outcome, test_metric=nan, test_loss=nan),
        )
        one = at_values(one, lr=lr)
        tried.append(replace(one, status="diverged", outcome=None) if value is None else one)
    chosen = [
        replace(
            at_values(r, lr=points[1][0]),
            key=f"c{r.seed}",
            label="x tuned",
            outcome=replace(r.outcome, test_metric=45.0 + r.seed),
        )
        for r in base
    ]
    chosen = [replace(r, part=replace(r.part, role="measured", tuned_from=base[0].label)) for r in chosen]
    return [*base, *tried, *chosen]


def test_tuning_by_a_metric_of_which_less_is_better():
    points = [(1e-4, 60.0), (1e-3, 40.0), (1e-2, 42.0), (1e-1, None)]
    (row,) = (summary := summarize(search(PERPLEXITY, points))).tuning
    assert (row.best, row.median, row.failure) == (40.0, 42.0, 60.0)
    expected = budget_curve([60, 40, 42, nan], higher=False, failure=60.0).mean
    assert row.curve.mean == pytest.approx(expected)
    assert row.curve.mean[0] == pytest.approx((60 + 40 + 42 + 60) / 4)
    assert row.cumulative.uniform == pytest.approx(fmean(expected))
    assert row.cumulative.early == pytest.approx(
        sum(w * x for w, x in zip((0.4, 0.3, 0.2, 0.1), expected, strict=True))
    )
    assert row.good_rates.within == pytest.approx(0.05 * (100 - 40))
    assert row.good_rates.share == pytest.approx(2 / 3)  # the cells of 1e-3 and 1e-2, of three decades
    assert row.sensitivity.best == pytest.approx(1e-3)
    assert row.sensitivity.low == pytest.approx(10 ** (-3 - 3 / 20))  # 43 of the line from 40 up to 60
    assert (row.divergence.hits, row.divergence.of) == (1, 4)
    assert row.gain.mean == pytest.approx(4.0), "five, four and three fewer"
    assert tuning_table(summary).header[-1] == "Gain"
    assert tuning_table(summary).texts[0][-1].startswith("+4.00 [")


def test_sensitivity_needs_the_learning_rate_alone():
    records = search(PERPLEXITY, [(1e-4, 60.0), (1e-3, 40.0)])
    two = [at_values(r, beta1=0.5 + r.hyper["lr"]) if r.purpose == "tune" else r for r in records]
    assert summarize(records).tuning[0].sensitivity is not None
    assert summarize(two).tuning[0].sensitivity is None


def test_no_configuration_that_beats_guessing_is_warned_of():
    def warned(metric, scores, chance):
        return warnings(summarize(records_of(metric, "a", scores, test_size=10_000, chance=chance)))

    (warning,) = warned(Metric(), [0.104, 0.1], 0.1)  # luck alone: three standard deviations are 0.9 pp
    assert warning.startswith("a, as given, is no better than guessing: its best trial reached 10.40 %")
    assert warned(Metric(), [0.12, 0.1], 0.1) == ()
    assert "reached 28.000; guessing gets 27.000" in warned(PERPLEXITY, [28.0, 30.0], 27.0)[0]
    assert warned(PERPLEXITY, [26.0, 30.0], 27.0) == ()
    assert warned(Metric(), [0.1], None) == ()


def test_an_optimizer_that_lost_to_one_that_it_contains_is_warned_of():
    def arm(label, rule, hyper, loss):
        made = records_of(Metric(), label, [0.9 + 0.001 * s for s in range(6)])
        return [
            replace(r, rule=rule, hyper=hyper, outcome=replace(r.outcome, train_loss=loss + 0.001 * r.seed**2))
            for r in made
        ]

    momentum = arm("Momentum tuned", "sgd", {"lr": 0.1, "momentum": 0.9}, 0.1)
    adam = arm("Adam tuned", "adam", {"lr": 0.01}, 0.2)
    tuning = [replace(r[0], key=r[0].label, seed=99, purpose="tune") for r in (momentum, adam)]
    (warning,) = warnings(summarize([*momentum, *adam, *tuning]))
    assert warning.startswith("Adam tuned has a higher training loss than Momentum tuned")
    assert warnings(summarize([*momentum, *adam])) == (), "untuned, it says nothing"


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_a_metric_that_is_no_number_once_is_a_gap_in_its_curve(tmp_path, epoch):
    curve = (0.5, 0.7, 0.8)
    first, *others = records_of(AUROC, "a", [0.8, 0.82, 0.79, 0.81], curve)
    epochs = [replace(one, validation_metric=nan if i == epoch else curve[i]) for i, one in enumerate(first.epochs)]
    records = [replace(first, epochs=tuple(epochs)), *others]
    rows = rows_of(group(records), [])[0]["averaged"]
    drawn = [row.get("validation_metric_y") for row in rows]
    assert [place for place, height in enumerate(drawn) if height is None] == [epoch]
    assert [("validation_metric_low" in row, "train_metric_low" in row) for row in rows].count((False, True)) == 1
    page = write_report(summarize(records), tmp_path / "report.html").read_text()
    assert "NaN" not in page.partition("<script")[2].partition("</script>")[0]


@pytest.mark.parametrize(
    ("name", "test", "at_the_start"),
    [
        ("AUROC", "Test AUROC", "AUROC"),
        ("mAP", "Test mAP", "mAP"),
        ("test_loss", "Test test loss", "test loss"),
        ("loss", "Test metric loss", "Metric loss"),
        ("accuracy", "Test accuracy", "Accuracy"),
    ],
)
def test_a_users_name_keeps_its_letters_and_a_word_of_ours_begins_with_a_capital(name, test, at_the_start):
    records = records_of(Metric(name, "max", share=False), "a", [0.8, 0.82], curve=(0.5, 0.7, 0.8))
    assert {test, f"{at_the_start} gap"} <= set(table(summarize(records)).header)
    (drawn,) = (one for one in figures(group(records)) if one.name.startswith("curves"))
    assert f"{at_the_start} axis" in [switch.legend for switch in drawn.switches]


def test_metrics_are_not_mixed():
    with pytest.raises(UsageError, match="metric is"):
        summarize([*records_of(PERPLEXITY, "a", LOW), *records_of(ERROR, "b", [0.1])])


def test_a_study_of_a_loss_shows_it_once_and_everything_is_json():
    summary = summarize([*records_of(LOSS, "a", LOW), *records_of(LOSS, "b", HIGH)])
    assert [name for name in table(summary).header if "gap" in name or "Test" in name] == ["Test loss", "Loss gap"]
    content = json.loads(json.dumps(as_json(summary), allow_nan=False))
    assert content["metric"] == {"name": "loss", "better": "min", "share": False}
    assert "accuracy" not in json.dumps(content)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (40.0, "40.0"),
        (131, "131"),
        (0.42, "0.420"),
        (9.999, "10.0"),
        (1234.5, "1,234"),
        (0, "0.00"),
        (-0.0123, "−0.0123"),
        (1.5e-7, "1.50e−07"),
        (2.5e9, "2.50e+09"),
    ],
)
def test_three_significant_digits(value, text):
    assert significant(value) == text
    assert MILLISECONDS(value / 1000) == f"{text} ms"


def test_the_scale_of_a_share_and_of_anything_else():
    share, other = Scale(), scale_of(records_of(PERPLEXITY, "a", [1.0])[0].protocol)
    one, two = Written(share.metric), Written(other.metric)
    assert (one.value(0.98024), one.size(0.0007), one.signed(-0.0007)) == ("98.02 %", "0.07 pp", "−0.07 pp")
    assert (two.value(30.3286), two.size(0.5), two.signed(0.5)) == ("30.329", "0.500", "+0.500")
    assert (one.target(0.985), two.target(21.6)) == ("98.5 %", "21.6")
    assert (one.difference.bounds(-0.001, 0.002), two.signed.bounds(1, 2)) == ("[−0.10, 0.20]", "[+1.00, +2.00]")
    assert (share.resolution, other.resolution) == (1e-4, 0)
    assert (share.best([1, 2]), other.best([1, 2]), other.worst([1, 2])) == (2, 1, 2)


@pytest.mark.parametrize("metric", [PERPLEXITY, ERROR, LOSS], ids=lambda one: one.name)
def test_the_terminal_shows_any_metric_in_80_columns(monkeypatch, capsys, metric):
    monkeypatch.setenv("COLUMNS", "80")
    points = [(1e-4, 0.6), (1e-3, 0.4), (1e-2, 0.42)]
    print_result(summarize(search(metric, points)))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert f"test {metric.name}" in out
    assert "accuracy" not in out
