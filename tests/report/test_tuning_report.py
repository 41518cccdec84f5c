"""How tuning is told: the rows that are read from records, their words, the terminal, the page and the files."""

import json
import math
import re
from dataclasses import replace

import pytest

from report_pages import Tags, drawn, said, text_of
from samples import DESIGN, at_values, chosen, diverged, running, trial, tuned, tuning, with_plan
from surefoot.analysis import summarize, tunings
from surefoot.arms.arm_list import parse_arms
from surefoot.cli.result import print_result
from surefoot.design.rounds import TunedArms
from surefoot.design.rounds import tuned as tuned_arm
from surefoot.report import write_csv
from surefoot.report.figures import tuning_figures
from surefoot.report.page import content
from surefoot.report.theme import dark_partners, styles
from surefoot.statistics.budget_curve import budget_curve
from surefoot.store.design import Budget, Optimizer, Search
from surefoot.store.ranges import GIVEN_BY_USER, log, one_minus
from surefoot.words import as_json, notes, table, tuning_table, tuning_warnings, verdict_text
from surefoot.words.notes import how_tuned
from surefoot.words.numbers import numbers_in_words
from surefoot.words.tuning import ledger
from work import work

HOSTILE = "</script><img src=x onerror=alert(1)>"


def search(*points, label="Adam", status=diverged):
    """Tuning trials at (lr, validation accuracy); None is one that diverged."""
    made = []
    for lr, accuracy in points:
        record = tuning(label, lr)
        record = replace(record, epochs=(*record.epochs[:-1], at(record, accuracy or 0.1)))
        made.append(status(record) if accuracy is None else record)
    return made


def at(record, accuracy):
    """The last epoch with this validation accuracy."""
    return replace(record.epochs[-1], validation_metric=accuracy)


def study(*points, pick=None, label="Adam", seeds=3):
    """Defaults, a search, and what was chosen: the best, or the one at `pick`."""
    found = search(*points, label=label)
    defaults = [trial(label, seed=seed) for seed in range(seeds)]
    able = [r for r in found if r.status == "finished"]
    winner = next(
        (r for r in found if r.hyper["lr"] == pick),
        max(able, key=lambda r: r.epochs[-1].validation_metric) if able else found[0],
    )
    return [*defaults, *found, *(chosen(winner, record) for record in defaults)]


def searched_in(where, record):
    """A tuning trial of a search that was planned so."""
    return replace(record, part=replace(record.part, search=where))


def searched_for(record, *names):
    """A trial of a search for these hyperparameters."""
    values = {name: record.hyper[name] for name in names}
    return replace(record, part=replace(record.part, configuration=values)) if record.part.tuned_from else record


def row_of(*points, **options):
    (row,) = tunings(study(*points, **options))
    return row


# What a row holds


def test_a_row_counts_and_names_what_was_searched():
    row = row_of((1e-3, 0.9), (1e-2, 0.95), (1e-1, None), (1e-4, 0.8))
    assert (row.label, row.defaults, row.trials, row.diverged, row.failed) == ("Adam tuned", "Adam", 4, 1, 0)
    assert [(one.name, one.low, one.high, one.scale, one.chosen) for one in row.searched] == [
        ("lr", 1e-4, 1e-1, "log", 1e-2)
    ]
    assert (row.best, row.median) == (0.95, 0.9)
    assert [one.values["lr"] for one in row.tried if one.chosen] == [1e-2]
    assert (row.seeds, row.measuring_seeds, row.apart) == ((1000,), (0, 1, 2), True)


def test_shares_are_on_the_scale_of_what_is_not_kept():
    records = [tuning("Adam", lr, beta1=beta1) for lr, beta1 in ((1e-3, 0.5), (1e-2, 0.99))]
    where = Search({"lr": log(1e-4, 0.1), "beta1": one_minus(0.005, 0.5)}, {})
    (row,) = tunings([trial("Adam"), *(searched_in(where, record) for record in records)])
    assert [(one.name, one.scale) for one in row.searched] == [("lr", "log"), ("beta1", "log of 1 - x")]
    assert row.searched[1].chosen is None, "nothing was measured yet"


def test_one_trial_searched_what_differs_from_the_defaults():
    row = row_of((0.5, 0.9))
    assert [one.name for one in row.searched] == ["lr"]
    assert (row.lr_place, row.edge, row.good_rates) == ((1, 1), None, None)


@pytest.mark.parametrize(
    ("points", "place", "edge"),
    [
        (((1e-3, 0.9), (1e-2, 0.95), (1e-1, 0.8)), (2, 3), None),
        (((1e-3, 0.9), (1e-2, 0.8), (1e-1, 0.95)), (3, 3), "highest"),
        (((1e-3, 0.99), (1e-2, 0.8), (1e-1, 0.95)), (1, 3), "lowest"),
        (((1e-3, 0.9), (1e-2, 0.95), (1e-1, None)), (2, 3), None),  # what diverged shows where the good rates end
        (((1e-3, None), (1e-2, None)), None, None),
    ],
)
def test_the_place_of_the_chosen_rate(points, place, edge):
    row = row_of(*points)
    assert (row.lr_place, row.edge) == (place, edge)


def test_good_rates_are_the_share_nearest_to_a_trial_within_a_point_of_the_best():
    """Places 0, 1, 2 and 4 decades: cells end at 0, 0.5, 1.5, 3 and 4, and the second and the third are good."""
    good = row_of((1e-4, 0.9), (1e-3, 0.951), (1e-2, 0.96), (1.0, None)).good_rates
    assert good.decades == pytest.approx(4)
    assert good.share == pytest.approx(2.5 / 4)
    with_worse = row_of((1e-4, 0.9), (1e-3, 0.949), (1e-2, 0.96), (1.0, 0.1)).good_rates
    assert with_worse.share == pytest.approx(1.5 / 4)


def test_the_curve_is_the_expected_best_by_validation_with_nothing_for_what_diverged():
    row = row_of((1e-3, 0.9), (1e-2, 0.95), (1e-1, None))
    assert row.curve.mean == pytest.approx(budget_curve([0.9, 0.95, math.nan], failure=0.0).mean)
    assert row.curve.mean == pytest.approx([(0.9 + 0.95) / 3, (0.95 * 2 + 0.9) / 3, 0.95])
    assert row_of((1e-3, None), (1e-2, None)).curve is None


def test_the_gain_is_paired_by_seed():
    row = row_of((1e-3, 0.9), (1e-2, 0.95), seeds=4)
    assert row.gain.mean == pytest.approx(0.005)
    assert row.gain.n == 4
    assert row.gain.high - row.gain.low < 0.001, "what the seeds share cancels"
    alone = row_of((1e-3, 0.9), (1e-2, 0.95), seeds=1).gain
    assert (alone.low, alone.high, alone.n) == (None, None, 1)


def test_several_tuning_seeds_make_one_configuration():
    records = [
        replace(r, seed=seed, key=f"{r.key}-{seed}") for r in search((1e-3, 0.9), (1e-2, 0.8)) for seed in (1, 2)
    ]
    records[1] = replace(records[1], epochs=(*records[1].epochs[:-1], at(records[1], 0.7)))
    (row,) = tunings(records)
    assert row.trials == 2
    assert [one.metric for one in row.tried] == pytest.approx([0.8, 0.8])
    assert row.train_seconds == pytest.approx(sum(r.epochs[-1].seconds for r in records))


def test_a_gain_counts_seeds_that_diverged_as_the_verdict_does():
    """Left out, the default that blows up on one seed in four would look as good as on the other three."""
    records = study((1e-3, 0.9), (1e-2, 0.95), seeds=4)
    lost = [diverged(one) if one.purpose == "measure" and one is records[0] else one for one in records]
    (row,) = tunings(lost)
    (pair,) = [one for one in summarize(lost).comparisons if one.family == "gain"]
    gap = pair.difference if pair.a == row.label else pair.turned.difference
    assert (row.gain.n, row.gain.mean) == (4, pytest.approx(gap.mean))
    assert row.gain.mean > 0.1


def again(records, *rates, seeds=(1001, 1002), accuracy=0.9):
    """Tuning trials of some learning rates on more seeds."""
    return [
        replace(
            r,
            seed=seed,
            key=f"{r.key}-{seed}",
            epochs=(*r.epochs[:-1], at(r, accuracy)),
            part=replace(r.part, role="final"),
        )
        for r in records
        if r.purpose == "tune" and r.hyper["lr"] in rates
        for seed in seeds
    ]


def test_finalists_are_told_and_the_best_is_one_of_them():
    records = study((1e-4, 0.7), (1e-3, 0.93), (1e-2, 0.96), (1e-1, 0.94), pick=1e-2)
    finals = [*again(records, 1e-2, accuracy=0.9), *again(records, 1e-1, accuracy=0.85)]
    (row,) = tunings([*records, *finals])
    assert (row.trials, row.finalists, row.seeds, row.again) == (4, 2, (1000, 1001, 1002), (1001, 1002))
    assert row.best == pytest.approx((0.96 + 0.9 + 0.9) / 3), "not 0.93, which one seed alone gave"
    assert how_tuned([row]).startswith(
        "Each tuned optimizer was tried in 4 configurations on seed 1000, its best 2 on seeds 1001 and 1002 too. The "
        "one that did best in validation, on the mean of all these seeds, was then measured like the untuned, on seeds "
        "0 to 2."
    )


def test_the_ledger_tells_what_was_planned_and_what_came_on_top():
    """The review's case: 7 configurations where 3 were asked for, and no word why."""
    records = study(*((10.0**-place, 0.9 - 0.01 * place) for place in range(7)))
    summary = summarize([*records, *again(records, 1.0)])
    where = {"lr": log(0.01, 1), "beta1": one_minus(0.1, 0.5)}
    planned = Search(where, {"lr": "us", "beta1": GIVEN_BY_USER}, ({}, {}, {}))
    _, trials, ranges, *_ = ledger(with_plan(summary, planned)).rows[0]
    assert (trials.lines, trials.below) == (("7",), ("3 planned, 4 more", "best 1 on 3 seeds", "0 diverged"))
    assert (ranges.lines, ranges.below) == (("lr log 0.01..1", "beta1 1 - log 0.1..0.5"), ("beta1 given",))
    _, trials, ranges, *_ = ledger(summary).rows[0]
    assert (trials.below, ranges.lines) == (("best 1 on 3 seeds", "0 diverged"), ("–",))


def test_a_seed_or_image_used_twice_is_told():
    records = study((1e-3, 0.9), (1e-2, 0.95))
    same_seed = [replace(r, seed=0) if r.purpose == "tune" else r for r in records]
    outcome = trial("Adam").outcome
    seen = [replace(r, outcome=outcome) if r.purpose == "tune" else r for r in records]
    for bad in (same_seed, seen):
        (row,) = tunings(bad)
        assert not row.apart
        assert "flatters the result: Adam tuned" in how_tuned([row])
        assert "saw neither" not in how_tuned([row])


def test_nothing_tuned_is_no_row():
    records = [trial("Adam", seed=seed) for seed in range(2)]
    assert tunings(records) == ()
    assert as_json(summarize(records))["tuning"] == []
    assert tuning_table(summarize(records)) is None


def test_names_are_as_the_study_makes_them():
    (arm,) = parse_arms(["adam"], "keras")
    row = row_of((1e-3, 0.9), (1e-2, 0.95))
    label = TunedArms((arm,), 1, (), (), make=None).labels[arm.label]
    assert tuned_arm(arm, {"lr": 0.01}, label).label == row.label
    assert arm.label == row.defaults


# Words


def test_the_notes_say_how_tuning_was_done_and_not_that_nothing_was_tuned():
    for name in ("article", "article-tuned"):
        summary = summarize([replace(record, study=name) for record in tuned(3, 8)])
        told = " ".join(notes(summary))
        assert "untuned learning rate" not in told
        assert "tried in 8 configurations on seed 1000" in told
        assert "on seeds 0 to 2" in told
        assert "neither the measuring seeds nor the test data" in told


def test_the_verdict_speaks_of_tuned_and_untuned():
    summary = summarize(tuned(5))
    verdict, text = summary.verdict, verdict_text(summary)
    assert verdict.best == "AdaBound tuned"
    assert set(verdict.ties + verdict.behind) == {"AdaBound", "Adagrad tuned", "Adam tuned"}
    assert verdict.open == ("Adagrad", "Adam"), "the defaults of others are of another family"
    assert text.startswith("Tuned AdaBound has the highest mean test accuracy")
    assert "untuned AdaBound" in text
    assert "AdaBound tuned" not in text
    assert {pair.best for pair in verdict.pairs} == {"AdaBound tuned"}


def test_a_name_that_only_ends_like_a_tuned_one_stays():
    records = [replace(trial("Adam", seed=s), label=label, key=f"{label}{s}") for s in (0, 1) for label in ("x tuned",)]
    summary = summarize([*records, trial("Adagrad"), trial("Adagrad", seed=1)])
    assert verdict_text(summary).startswith("x tuned has")


def test_names_that_would_fall_together_stay():
    """Somebody's own "tuned Adam" beside the study's "Adam tuned"."""
    own = [replace(trial("AdaBound", seed=s), label="tuned Adam", key=f"own{s}") for s in range(3)]
    summary = summarize([*tuned(3, 4, ("Adam",)), *own])
    assert summary.verdict.best == "tuned Adam"
    assert "Adam tuned" in verdict_text(summary)


def test_the_edge_and_a_search_without_result_are_warned_of():
    (warning,) = tuning_warnings(summarize(study((1e-3, 0.9), (1e-2, 0.8), (1e-1, 0.95))))
    assert warning == (
        "Adam tuned: the chosen learning rate, 0.1, is the highest of the 3 that were tried; "
        "a higher one may be better."
    )
    (warning,) = tuning_warnings(summarize(study((1e-3, None), (1e-2, None))))
    assert "none of its 2 configurations ended with a result" in warning
    assert tuning_warnings(summarize(study((1e-3, 0.9), (1e-2, 0.95), (1e-1, 0.8)))) == ()


def test_at_the_edge_of_a_range_that_the_user_gave_the_warning_says_why_the_search_ended_there():
    summary = summarize(study((1e-3, 0.9), (1e-2, 0.8), (1e-1, 0.95)))
    held, free = (
        tuning_warnings(with_plan(summary, Search({"lr": log(0.001, 0.1)}, {"lr": source})))
        for source in ("given by the user", "Sivaprasad et al. 2020")
    )
    (warning,) = held
    assert "stayed in the range that you gave (log 0.001..0.1); give a wider one to find out." in warning
    assert free == tuning_warnings(summary)


@pytest.mark.parametrize(
    ("numbers", "words"), [([], ""), ([1000], "1000"), ([0, 1], "0 and 1"), ([0, 1, 2], "0 to 2"), ([0, 2], "0 and 2")]
)
def test_seeds_in_words(numbers, words):
    assert numbers_in_words(numbers) == words


# Terminal


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("dimensions", [1, 2])
def test_the_tuning_table_fits_the_terminal(monkeypatch, capsys, width, dimensions):
    monkeypatch.setenv("COLUMNS", str(width))
    records = tuned(3, 8)
    if dimensions == 2:
        records += [tuning("Adam", 0.1 + place, beta1=0.9 + 0.01 * place) for place in range(2)]
        records = [searched_for(record, "lr", "beta1") if record.rule == "adam" else record for record in records]
    print_result(summarize(records))
    out = capsys.readouterr().out
    part = out[out.index("\nTuning\n") :]
    assert max(map(len, part.splitlines())) <= width
    header = part.splitlines()[2].split()
    assert header == ["Optimizer", "Trials", "Diverged", "Chosen", "Tried", "Gain,", "pp"]
    assert "lr 0.00193" in part
    assert ("0.9..0.91" in part) == (dimensions == 2)


def test_without_tuning_there_is_no_table(capsys):
    print_result(summarize([trial("Adam"), trial("Adagrad")]))
    assert "Tuning" not in capsys.readouterr().out


def test_failed_and_unfinished_trials_have_columns_where_there_are_any():
    records = tuned(2, 4, ("Adam",))
    place = next(i for i, r in enumerate(records) if r.purpose == "tune")
    assert "Failed" not in tuning_table(summarize(records)).header
    records[place] = replace(records[place], status="failed", outcome=None, reason="worker died")
    records[place + 3] = running(records[place + 3])
    cells = tuning_table(summarize(records))
    row = dict(zip(cells.header, cells.texts[0], strict=True))
    assert (row["Failed"], row["Unfinished"], row["Diverged"]) == ("1", "1", "0")


# Page and files


def test_the_page_tells_how_each_optimizer_was_tuned():
    records = tuned(3, 8)
    page = drawn(records)
    text = text_of(page[: page.index("<script>")])
    assert page.index('id="tuning-learning-rate"') < page.index('id="generalization"') < page.index('id="tuning"')
    summary = summarize(records)
    for row in ledger(summary).rows:
        for cell in row:
            assert all(line in text for line in (*cell.lines, *cell.below))
    assert "1 dimension, log" in text
    assert "surefoot compare article-tuned --dry-run" in text
    assert "because tuning never sees the test data" in text
    for row in table(summary).texts:
        assert row[0] in text


def test_a_page_without_tuning_has_no_such_section():
    page = said([trial("Adam"), trial("Adagrad")])
    assert 'id="tuning' not in page
    assert "--dry-run" not in page


def test_every_tuning_trial_is_a_point():
    records = study((1e-3, 0.9), (1e-2, 0.95), (1e-1, None))
    summary = summarize(records)
    figure, best = tuning_figures(summary)
    spec = figure.spec()
    points = spec["datasets"]["tried 0"]
    assert [(p["lr"], p["metric"], p["ended"], p["chosen"]) for p in points] == [
        (1e-3, 0.9, "finished", False),
        (1e-2, 0.95, "finished", True),
        (1e-1, None, "diverged", False),
    ]
    bottom = spec["concat"][0]["layer"][0]["encoding"]["y"]["scale"]["domain"][1]
    assert points[2]["y"] == bottom > max(p["y"] for p in points[:2])
    assert "Red crosses" in figure.how
    assert [p["mean"] for p in best.datasets["expected"]] == pytest.approx(list(summary.tuning[0].curve.mean))


def test_tuning_figures_name_their_axes_datasets_and_dark_colours():
    records = tuned(2, 6)
    known = {light for light, _ in dark_partners()}
    for figure in tuning_figures(summarize(records)):
        assert "hat to see" in figure.caption
        spec = figure.spec()
        assert set(re.findall(r"#[0-9A-Fa-f]{6}\b", json.dumps(spec))) <= known
        for panel in spec["concat"]:
            for layer in panel["layer"]:
                assert spec["datasets"][layer.get("data", panel.get("data"))["name"]]
                assert layer["encoding"]["x"]["axis"]["title"]
                assert layer["encoding"]["y"]["axis"]["title"] == "validation accuracy"


def test_an_optimizer_and_its_tuned_self_share_their_colour_and_nothing_else():
    labels = [f"o{i}" for i in range(9)]
    pairs = {f"{label} tuned": label for label in labels}
    looks = {look.label: look for look in styles([*labels, *pairs], pairs)}
    for label in labels:
        one, other = looks[label], looks[f"{label} tuned"]
        assert one.colour == other.colour
        assert one.shape != other.shape
        assert one.dash != other.dash
    assert len({(look.colour, look.shape, look.dash) for look in looks.values()}) == len(looks)


@pytest.mark.parametrize(
    "records",
    [
        study((1e-3, None), (1e-2, None)),
        [*tuned(2, 4)[:3], *search((1e-3, 0.9))],
        [*search((1e-3, 0.9), (1e-2, 0.8)), trial("Adagrad")],
        study((1e-3, 0.9)),
        [running(r, 0) if r.purpose == "tune" else r for r in tuned(1, 3)],
        tuned(1, 3),
    ],
    ids=["all diverged", "not measured", "no defaults", "one trial", "all running", "one seed"],
)
def test_edge_cases_make_a_page_and_a_table(records, capsys):
    page = drawn(records)
    assert "How was each tuned?" in page
    for spec in Tags(page).specs:
        assert spec["concat"]
    print_result(summarize(records))
    assert "Tuning" in capsys.readouterr().out
    json.dumps(as_json(summarize(records)), allow_nan=False)


def test_a_user_s_name_cannot_become_markup():
    labels = {"Adam": HOSTILE, "Adam tuned": f"{HOSTILE} tuned"}
    records = [replace(r, label=labels[r.label]) for r in study((1e-3, 0.9), (1e-2, 0.95), (0.1, 0.99))]
    tags = Tags(drawn(records))
    assert not any(tag == "img" or "onerror" in attributes for tag, attributes in tags.found)
    assert sum(tag == "script" for tag, _ in tags.found) == len(tags.specs) + 3


def test_csv_tells_tuning_from_measuring(tmp_path):
    lines = write_csv(tuned(1, 3, ("Adam",)), tmp_path / "r.csv").read_text().splitlines()
    assert {line.split(",")[5] for line in lines} == {"purpose", "measure", "tune"}


def test_the_command_that_repeats_a_tuned_study_names_the_optimizers_once():
    asked = {"optimizers": (Optimizer("Adam", "adam", "keras", {}),), "convention": "keras", "budget": Budget()}
    design = replace(DESIGN, study="article-tuned", **asked)
    command = content(summarize(tuned(2, 4, ("Adam",)), design))["repeat"].text
    assert command.startswith("surefoot compare article-tuned --only")
    assert command.count(" -o ") == 1
    assert "--trials" in command


def test_a_long_search_costs_no_more_than_its_trials():
    (one,) = search((1e-3, 0.9))

    def long(trials):
        return [
            replace(at_values(one, lr=1e-3 + 1e-5 * i), key=str(i), epochs=(at(one, 0.8 + 1e-4 * i),))
            for i in range(trials)
        ]

    (row,) = tunings(long(1000))
    assert len(row.curve.mean) == row.trials == 1000
    assert work(tunings, long(1000)) < 12 * work(tunings, long(100))
