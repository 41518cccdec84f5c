"""Parts of the report one by one: axes of any metric, thinning, survival, the matrix, published numbers, documents."""

import base64
import gzip
import json
import math
import re
from dataclasses import replace

import pytest
import vl_convert

from report_pages import said
from samples import DESIGN, article, at_values, diverged, entered, study, trial, tuned, tuning
from surefoot.analysis import group, summarize
from surefoot.arms.arm_list import parse_arms
from surefoot.report import write_latex, write_markdown
from surefoot.report.axes import NUMBER, counting_axis, linear_axis, ticks
from surefoot.report.curve_rows import rows_of
from surefoot.report.export import latex, markdown, packed
from surefoot.report.figure import left_out, thinned
from surefoot.report.figures import claim_figures, figures, tuning_figures
from surefoot.report.page import content, drawn
from surefoot.report.provenance import design_facts
from surefoot.report.quantity import Quantity, error_of
from surefoot.report.reference import PublishedCurve, published, reference_table
from surefoot.report.staircases import over_problems
from surefoot.report.theme import styles
from surefoot.statistics.intervals import t_interval
from surefoot.statistics.suites import performance_profiles
from surefoot.store.design import Optimizer, Search
from surefoot.store.protocol import LOSS, Metric, Protocol
from surefoot.words import notes, table
from surefoot.words.answers import answers
from surefoot.words.pairs import compared, matrix, pair_table

ACCURACY, ERROR = Metric(), Metric("error", "min")
PERPLEXITY, SCORE = Metric("perplexity", "min", share=False), Metric("score", "max", share=False)


def domain(axis):
    return axis.scale.to_dict()["domain"]


@pytest.mark.parametrize(
    ("metric", "heights", "kinds", "reverse"),
    [
        (ACCURACY, [0.1, 0.02], ["log", "linear"], True),
        (ERROR, [0.1, 0.02], ["log", "linear"], False),
        (PERPLEXITY, [3.0, 5.0], ["linear", "log"], False),
        (PERPLEXITY, [3.0, 50.0], ["log", "linear"], False),
        (SCORE, [-3.0, 50.0], ["linear"], False),
        (None, [0.1, 0.09], ["log", "linear"], False),
        (LOSS, [0.1, 0.09], ["log", "linear"], False),
        (None, [-0.1, 0.09], ["linear"], False),
    ],
)
def test_the_axis_fits_the_metric(metric, heights, kinds, reverse):
    axes = Quantity("it", metric).axes(heights)
    assert list(axes) == kinds
    for axis in axes.values():
        assert axis.scale.to_dict().get("reverse", False) == reverse
        low, high = domain(axis)
        assert low <= min(heights) < max(heights) <= high


def test_a_share_is_drawn_as_what_it_lacks_only_if_more_is_better():
    assert Quantity("", ACCURACY).height(0.98) == pytest.approx(0.02)
    assert Quantity("", ERROR).height(0.02) == pytest.approx(0.02)
    assert Quantity("", SCORE).height(-4.0) == -4.0
    assert Quantity("", ACCURACY).height(float("nan")) is None
    assert error_of(ACCURACY).title == "test error"
    assert error_of(PERPLEXITY).title == "test perplexity"


def test_a_narrow_axis_still_has_ticks():
    assert ticks((0.02, 0.055)) == [0.02, 0.025, 0.03, 0.04, 0.05]
    assert ticks((0.03, 0.055)) == [0.03, 0.04, 0.05]
    assert ticks((0.01, 1.0)) == [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]


def test_counted_ticks_are_round():
    def values(low, high):
        return counting_axis("epoch", (low, high)).axis.to_dict()["values"]

    assert values(1, 5) == [1, 2, 3, 4, 5]
    assert values(1, 30) == [5, 10, 15, 20, 25, 30]
    assert values(1, 100) == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]


def test_ticks_are_written_as_people_write_them():
    axis = linear_axis("loss", (0, 1)).axis.to_dict()
    assert "format" not in axis, "d3 would write 250 as 2.5e+2 where ticks are 50 apart"
    assert axis["labelExpr"] == NUMBER
    spec = {
        "data": {"values": [{"x": x} for x in (1e-7, 0.0005, 0.1 + 0.2, 250, 24_000, 3e6, -250)]},
        "mark": "point",
        "encoding": {"x": {"field": "x", "type": "ordinal", "axis": axis}},
    }
    drawn = re.findall(r">([^<>]+)</text>", vl_convert.vegalite_to_svg(spec))
    assert {"1e-7", "0.0005", "0.3", "250", "24,000", "3e6", "\u2212250"} <= set(drawn)


def judged_by_loss(record):
    """The trial as one of a regression: the metric is the loss."""

    def same(one, *parts):
        return replace(one, **{f"{part}_metric": getattr(one, f"{part}_loss") for part in parts})

    epochs = tuple(same(epoch, "train", "validation") for epoch in record.epochs)
    outcome = record.outcome and same(record.outcome, "train", "test")
    return replace(record, epochs=epochs, outcome=outcome, protocol=replace(record.protocol, metric=LOSS))


def test_a_study_that_is_judged_by_its_loss_shows_it_once():
    records = [judged_by_loss(record) for record in article(3)]
    published = PublishedCurve("theirs", {1: 0.9, 5: 0.95})
    curves = figures(group(records), [published])[0]
    assert curves.title == "Loss while training"
    assert [panel.title for panel in curves.panels] == ["Training loss", "Validation loss"]
    assert [switch.legend for switch in curves.switches] == ["Against", "Time axis", "Loss axis"]
    assert [row["validation_loss"] for row in curves.datasets["published"]] == [0.9, 0.95]
    rings = curves.datasets["tested"]
    assert [row["validation_loss"] for row in rings][:1] == [pytest.approx(summarize(records).rows[0].test_loss.mean)]
    assert "validation_metric" not in rings[0]


def test_a_failure_is_priced_only_where_there_is_one():
    search = [tuning("Adam", lr) for lr in (1e-3, 1e-2)]
    for records, told in ((search, False), ([search[0], diverged(search[1])], True)):
        summary = summarize(records)
        figure = tuning_figures(summary)[-1]
        assert figure.name == "tuning-best-of"
        assert ("diverged or failed counts as 0.00 %" in figure.how) == told


def test_gaps_that_are_all_zero_are_left_out():
    """As of a function of two variables, which has no examples."""

    def level(record):
        last, outcome = record.epochs[-1], record.outcome
        known = {"train_loss": last.validation_loss, "train_metric": last.validation_metric}
        return replace(record, outcome=replace(outcome, **known))

    assert {"Loss gap", "Accuracy gap"} <= set(table(summarize(article(2))).header)
    flat = [level(record) for record in article(2)]
    assert not any("gap" in name for name in table(summarize(flat)).header)
    assert not any("Gaps are" in caption for caption in content(summarize(flat))["results"].captions)
    assert any("Gaps are" in caption for caption in content(summarize(article(2)))["results"].captions)


def test_the_protocol_is_in_words():
    protocol = replace(article()[0].protocol, metric=ERROR, chance=0.36333333333333334)
    page = content(summarize([replace(trial(), protocol=protocol)]))
    assert "Examples: 48,000 training" in page["protocol"]
    assert {("chance", "36.33 %"), ("metric", "error, lower is better")} <= set(page["facts"])


def test_thinning_keeps_the_ends_and_says_so():
    assert thinned(range(1001), 5) == [0, 250, 500, 750, 1000]
    assert thinned([1, 2, 3], 5) == [1, 2, 3]
    assert list(left_out(5, 1000, "trials")) == ["Drawn are 5 of 1,000 trials, evenly chosen; all are in the raw data."]
    assert list(left_out(5, 5, "trials")) == []


def test_long_curves_and_many_lost_trials_are_thinned():
    (curves, *_) = figures(group([trial(epochs=400)]))
    averaged = curves.datasets["averaged"]
    assert len(averaged) == 120
    assert sum(row["mark"] for row in averaged) == 20
    assert averaged[-1]["mark"]
    lost = [replace(diverged(trial(seed=seed), 2), key=str(seed)) for seed in range(100)]
    (curves, *_) = figures(group(lost))
    assert len({row["seed"] for row in curves.datasets["single"]}) == 60
    assert "60 of 100 single trials" in curves.how


@pytest.mark.parametrize("seeds", [1, 2, 5])
@pytest.mark.parametrize("lost", [[-1], [2], range(5)], ids=["last", "middle", "all"])
def test_a_score_that_is_not_a_number_is_a_gap_in_a_curve(seeds, lost):
    """As AUROC is where the last batch has one class only."""
    records = article(seeds)
    epochs = list(records[seeds - 1].epochs)
    for place in lost:
        epochs[place] = replace(epochs[place], validation_metric=math.nan)
    records[seeds - 1] = replace(records[seeds - 1], epochs=tuple(epochs))
    summary = summarize(records)
    mine = [row for row in rows_of(summary.arms, ())[0]["averaged"] if row["optimizer"] == records[0].label]
    holes = [place % 5 for place in lost]
    assert [place for place, row in enumerate(mine) if row["validation_metric_y"] is None] == sorted(holes)
    assert [place for place, row in enumerate(mine) if "validation_metric_low" not in row] == sorted(holes)
    assert all(row["validation_loss_y"] is not None for row in mine)
    assert seeds < 5 or drawn(summary).keys() >= {"curves-epoch", "generalization"}


@pytest.mark.parametrize("values", [[math.nan, 1.0, 2.0], [math.inf, 1.0], [math.inf, -math.inf]])
def test_a_mean_of_what_is_not_finite_has_no_interval(values):
    interval = t_interval(values)
    assert math.isnan(interval.mean)
    assert (interval.low, interval.high, interval.n) == (None, None, len(values))


def test_steps_follow_the_protocol():
    assert Protocol(train_size=1000, batch_size=300).steps_per_epoch == 4
    assert Protocol(train_size=1000, batch_size=300, drop_last=True).steps_per_epoch == 3
    assert Protocol(train_size=1000).steps_per_epoch == 0
    curves = figures(group(article()))[0]
    row = curves.datasets["averaged"][1]
    assert (row["epoch"], row["step"]) == (2, 384)
    bare = [replace(trial(), protocol=Protocol())]
    assert figures(group(bare))[0].switches[0].options == ("epochs", "seconds")


def test_every_switch_has_a_view_for_each_of_its_options():
    for figure in (*figures(group(article(3))), *claim_figures(summarize(article(3)))):
        for switch in figure.switches:
            told = {view.when.get(switch.name) for panel in figure.panels for view in panel.views}
            assert set(switch.options) <= told
            assert switch.chosen in switch.options


def test_every_chart_is_valid_vega_lite():
    records = tuned(4, 5)
    records[-1] = diverged(records[-1], 2)
    summary, arms = summarize(records), group(records)
    drawn = figures(arms, [PublishedCurve("theirs", {1: 0.9})]) + claim_figures(summary)
    drawn += tuning_figures(summary)
    assert len(drawn) == 7
    for figure in drawn:
        for panel in figure.panels:
            assert panel.chart.to_dict(validate=True)["layer"]


def test_survival_starts_with_all_and_ends_with_those_that_never_arrive():
    records = article(5)
    figure = claim_figures(summarize(records))[0]
    assert figure.name == "time-to-target"
    summary = summarize(records)
    for panel, one in enumerate(summary.arrivals):
        rows = [row for row in figure.datasets[f"target {panel}"] if "epoch" in row and row["optimizer"] == "Adam"]
        assert (rows[0]["epoch"], rows[0]["waiting"]) == (0, 1)
        way = one.epochs["Adam"]
        assert rows[-1]["waiting"] == pytest.approx(1 - way.reached / way.of)


def test_the_profile_is_over_problems_where_there_are_three():
    records = article(4)
    times = {"Adam": {"a": 1.0, "b": 2.0, "c": 3.0}, "Adagrad": {"a": 2.0, "b": 2.0, "c": float("inf")}}
    summary = summarize(records)
    assert "over its seeds" in claim_figures(summary)[-1].how
    figure = over_problems(performance_profiles(times), styles(times))
    assert figure.title == "Performance profile"
    first = {row["optimizer"]: row["share"] for row in reversed(figure.datasets["profile 0"])}
    assert first == {"Adam": 1.0, "Adagrad": pytest.approx(1 / 3)}


def cells_of(summary, labels):
    return {label: [duel for _, duel in row] for label, row in matrix(summary, labels)}


def test_the_matrix_turns_signs_and_winners():
    summary = summarize(article(6))
    labels = compared(summary)
    assert labels[0] == "AdaBound"
    cells = cells_of(summary, labels)
    better, worse = cells["AdaBound"][labels.index("Adam")], cells["Adam"][0]
    assert (better.standing, worse.standing) == ("better", "worse")
    assert str(better.difference).startswith("+")
    assert better.difference.value == -worse.difference.value
    assert (better.difference.low, better.difference.high) == (-worse.difference.high, -worse.difference.low)
    assert (better.wins, worse.wins) == ("100 %", "0 %")
    assert better.p == worse.p
    assert cells["AdaBound"][0] is None
    assert len(pair_table(summary).rows) == 6


def test_lower_is_better_where_the_metric_says_so():
    records = [replace(r, protocol=replace(r.protocol, metric=ERROR)) for r in article(6)]
    summary = summarize(records)
    assert cells_of(summary, ["AdaBound", "Adadelta"])["AdaBound"][1].standing == "worse"


def test_ties_come_first():
    records = [replace(r, label="Adam two", key=f"{r.key}2") for r in article(5) if r.label == "Adam"]
    page = said([*article(5), *records])
    tie = re.search(r'<p class="tie"><span>Not distinguishable:</span> <bdi>(.*?)</bdi>', page)
    assert set(tie[1].split(" and ")) == {"Adam", "Adam two"}
    assert tie.start() < page.index("has the highest")


def test_after_one_run_each_nothing_is_called_a_tie():
    assert 'class="tie"' not in said(article(1))


def test_after_a_few_seeds_nothing_is_settled():
    records = article(3)
    assert 'class="tie"' not in said(records)
    cell = cells_of(summarize(records), ["Adam", "AdaBound"])["Adam"][1]
    assert (cell.standing, cell.p) == ("not settled", "–")


def test_where_all_seeds_diverged_they_count_as_the_worst_that_a_share_can_be():
    records = [diverged(r) if r.label == "Adam" else r for r in article(6)]
    summary = summarize(records)
    cells = cells_of(summary, ["Adam", "AdaBound"])
    assert (cells["Adam"][1].standing, cells["AdaBound"][0].standing) == ("worse", "better")
    assert (str(cells["Adam"][1].difference), cells["Adam"][1].wins) == ("−98.86 pp [−98.95, −98.76]", "0 %")
    assert "−98.86" in said(records)
    assert len(pair_table(summary).rows) == 6


def test_the_page_shows_the_area_under_the_curve():
    summary = summarize(article(3))
    cells = table(summary, "page")
    place = cells.header.index("Area")
    assert [row[place].value for row in cells.rows] == [row.area.mean for row in summary.rows]
    assert any(caption.startswith("Area:") for caption in cells.captions)
    assert "Area" not in table(summary).header


def test_published_numbers_stand_beside_ours():
    records = article(4)
    one = PublishedCurve("theirs", {1: 0.9, 5: 0.95}, spread={5: 0.001}, optimizer="Adam", source="paper")
    rows = reference_table([one], group(records), Metric()).texts
    assert [row[:4] for row in rows] == [
        ("theirs", "test accuracy", "1", "90.00 %"),
        ("theirs", "test accuracy", "5", "95.00 % ± 0.10 %"),
    ]
    assert rows[0][4].endswith("(validation)")
    mean = next(row for row in summarize(records).rows if row.label == "Adam").test_metric.mean
    assert rows[1][4].startswith(f"{100 * mean:.2f} %")
    drawn = figures(group(records), [one])[0].datasets["published"]
    assert [(row["epoch"], row["validation_metric"]) for row in drawn] == [(1, 0.9), (5, 0.95)]


QUADRATIC = Protocol(task="quadratic-deep", metric=LOSS, epochs=5, order="frozen", drop_last=True)


def arms_on(protocol, *texts):
    """Return the measured settings of optimizers on a protocol, one seed each."""
    made = parse_arms(texts, "torch")
    return group(
        [replace(trial(), label=a.label, key=a.label, rule=a.rule, hyper=a.hyper, protocol=protocol) for a in made]
    )


def beside(study, arms):
    return {one.label: one.optimizer for one in published(study, arms)}


def test_published_curves_stand_beside_the_same_rule_and_options_whatever_these_are_called():
    arms = arms_on(QUADRATIC, "Adam=sgd(lr=0.1)", "calm=adam(lr=0.0398107)", "Momentum=momentum", "sgd(lr=0.0158489)")
    mine = {"SGD, DeepOBS": "SGD(lr=0.0158489)", "Momentum, DeepOBS": None, "Adam, DeepOBS": "calm"}
    assert beside("quadratic-deep", arms) == mine
    older = [replace(arm.trials[0], hyper={"lr": 0.0398107}) for arm in arms if arm.label == "calm"]
    assert beside("quadratic-deep", group(older))["Adam, DeepOBS"] == "calm", "an old store leaves out later options"
    falling = arms_on(replace(QUADRATIC, schedule="cosine"), "adam(lr=0.0398107)")
    assert set(beside("quadratic-deep", falling).values()) == {None}
    own = arms_on(QUADRATIC, "adam(lr=0.0398107, schedule=cosine)")
    assert set(beside("quadratic-deep", own).values()) == {None}


@pytest.mark.parametrize(
    "changed",
    [{"fingerprint": "0123"}, {"own_loop": True}, {"dataset": "mnist"}, {"task": "mine"}, {"evaluate_every": 10}],
    ids=str,
)
def test_nothing_is_published_of_a_task_that_is_only_called_so(changed):
    assert published("quadratic-deep", arms_on(QUADRATIC, "adam"))
    assert published("quadratic-deep", arms_on(replace(QUADRATIC, **changed), "adam")) == ()


@pytest.mark.parametrize("changed", [{"fingerprint": "0123"}, {"own_loop": True, "fingerprint": "0123"}])
def test_only_the_built_in_study_is_the_tutorial_s(changed):
    records = article(2)
    assert any("as in the tutorial" in note for note in notes(summarize(records)))
    mine = [replace(record, protocol=replace(record.protocol, **changed)) for record in records]
    assert not any("as in the tutorial" in note for note in notes(summarize(mine)))


def test_raw_data_drops_the_rates_of_tuning_trials_and_nothing_of_the_others():
    records = tuned(2, 3, ("Adam",))
    records = [replace(r, rates=trial().rates) for r in records]
    content = json.loads(gzip.decompress(base64.b64decode(packed(summarize(records)))))
    assert {bool(one["rates"]) for one in content["records"] if one["purpose"] == "tune"} == {False}
    assert {len(one["rates"]) for one in content["records"] if one["purpose"] == "measure"} == {len(trial().rates)}
    assert "step sizes of tuning trials" in content["left_out"]
    assert [one["key"] for one in content["records"]] == [record.key for record in records]


def test_the_design_and_its_hash_are_told():
    page = content(summarize(tuned(1, 2, ("Adam",)), DESIGN))
    facts = dict(page["facts"])
    assert (facts["hash"], facts["frozen"]) == ("0123abcd4567ef89", "2026-01-01 12:00:00 UTC")
    assert facts["planned"] == "5 epochs, 8 tuning trials of each, 6 seeds at most"
    assert "--trials 8" in page["repeat"].text


def test_where_some_are_tuned_they_are_named():
    optimizers = tuple(Optimizer(label, "adam", "torch", {}) for label in ("Adam", "mine"))
    design = replace(DESIGN, optimizers=optimizers, searches={"Adam": Search({}, {})})
    assert "8 tuning trials of Adam, 6 seeds" in dict(design_facts(design))["planned"]


# Documents

NASTY = r"50% & $x_1$ #{a}~^\ <b>|*`[x]"


def nasty():
    return [replace(r, label=NASTY if r.label == "Adam" else r.label) for r in article(3)]


def test_markdown_has_the_cells_of_the_table(tmp_path):
    records = article(3)
    text = write_markdown(summarize(records), tmp_path / "t.md").read_text(encoding="utf-8")
    plain = text.replace("\\", "")
    for row in table(summarize(records)).texts:
        assert "| " + " | ".join(row) + " |" in plain
    assert "## Differences in test accuracy, paired by seed" in text


def test_markdown_rows_have_one_width_and_names_are_escaped():
    text = markdown(summarize(nasty()))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    widths = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert len(widths) == 2, "the result table and the pairs"
    assert r"50% \& \$x\_1\$ \#\{a\}\~^\\ \<b\>\|\*\`\[x\]" in text


def test_latex_is_escaped_and_balanced(tmp_path):
    text = write_latex(summarize(nasty()), tmp_path / "t.tex").read_text(encoding="utf-8")
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert r"50\% \& \$x\_1\$ \#\{a\}\textasciitilde{}\textasciicircum{}\textbackslash{} \textless{}b" in body
    assert body.count(r"\begin{") == body.count(r"\end{") == 4
    bare = re.sub(r"\\[{}\\]", "", body)
    assert bare.count("{") == bare.count("}")
    assert "−" not in body


def test_a_row_of_latex_never_begins_with_a_bracket():
    """`\\\\` takes a bracket or star after it for its own option."""
    records = [replace(r, label="[Adam]" if r.label == "Adam" else r.label) for r in article(2)]
    assert not re.search(r"^[\[*]", latex(summarize(records)), re.MULTILINE)


def test_tuning_is_in_the_documents():
    text = latex(summarize(tuned(3, 4, ("Adam",))))
    assert r"\caption{Tuning}" in text
    assert "lr 0.0" in text


def test_the_commands_write_documents(surefoot_command, tmp_path):
    from surefoot.store import Store

    with Store(tmp_path / "s.sqlite") as store:
        entered(store, [replace(r, status="running", outcome=None) for r in study(2, 2)])
    code, *_ = surefoot_command(
        "report", "article", "--store", "s.sqlite", "--report", "r.html", "--markdown", "t.md", "--latex", "t.tex"
    )
    assert code == 0
    assert (tmp_path / "t.md").read_text().startswith("# article")
    assert r"\toprule" in (tmp_path / "t.tex").read_text()


@pytest.mark.parametrize(("metric", "end", "word"), [(SCORE, 0, "bottom"), (PERPLEXITY, 1, "top"), (ERROR, 1, "top")])
def test_what_diverged_stands_at_the_worst_end(metric, end, word):
    search = [tuning("Adam", lr) for lr in (1e-3, 1e-2, 1e-1)]
    records = [replace(r, protocol=replace(r.protocol, metric=metric)) for r in [*search[:2], diverged(search[2])]]
    summary = summarize(records)
    figure = tuning_figures(summary)[0]
    drawn = figure.spec()["concat"][0]["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert [row["y"] for row in figure.datasets["tried 0"] if row["metric"] is None] == [drawn[end]]
    assert f"crosses at the {word}" in figure.how


# Large studies


def test_many_configurations_are_thinned_and_the_choice_stays():
    base = tuning("Adam", 1e-3)
    search = [replace(at_values(base, lr=1e-4 * 1.003**i), key=str(i)) for i in range(2500)]
    measured = replace(trial(), label="Adam tuned", hyper=search[1234].hyper, part=search[1234].part, key="m")
    summary = summarize([*search, measured])
    figure = tuning_figures(summary)[0]
    rows = figure.datasets["tried 0"]
    assert len(rows) in (2000, 2001)
    assert sum(row["chosen"] for row in rows) == 1
    assert "of 2,500 configurations" in figure.how


def test_where_a_study_counts_steps_the_answer_says_what_the_table_says():
    """It gave the number of evaluations as steps."""
    steps = [replace(one, protocol=replace(one.protocol, evaluate_every=500)) for one in article(seeds=3)]
    found = summarize(steps)
    hardest = next(one for one in reversed(found.arrivals) if any(way.median for way in one.epochs.values()))
    first = min(way.median for way in hardest.epochs.values() if way.median)
    assert f"after {500 * first:,.12g} steps." in answers(found)["time-to-target"]
