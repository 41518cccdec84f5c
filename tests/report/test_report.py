"""The report: offline, escaped, whole or not written, and with the numbers of the summary."""

import csv
import errno
import json
import re
import shlex
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from report_pages import Tags, drawn, said, text_of
from samples import DESIGN, article, diverged, running, study, trial, tuned
from surefoot.analysis import group, summarize
from surefoot.arms.arm_list import parse_arms
from surefoot.errors import SurefootError, UsageError
from surefoot.report import write_csv, write_figures, write_report
from surefoot.report.figures import figures
from surefoot.report.repeat import repeat
from surefoot.report.theme import PALETTE, SHAPES, dark_partners, styles
from surefoot.statistics.intervals import t_interval
from surefoot.store.protocol import Protocol
from surefoot.store.records import Epoch
from surefoot.words import notes, table, verdict_text
from work import work

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "<img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}",
    "Adam 🚀 \"double\" 'single' & more",
    "a very long name, sixty characters as some people like them.",
)


def hostile():
    records = study(len(HOSTILE), 2)
    names = {f"Optimizer {i + 1}": name for i, name in enumerate(HOSTILE)}
    records = [replace(record, label=names[record.label]) for record in records]
    return [*records[:-1], replace(diverged(records[-1]), reason=HOSTILE[0])]


def without_bundle(page):
    """The page less Vega's own script, by far the longest."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    return page.replace(max(scripts, key=len), "") if scripts else page


@pytest.fixture(scope="module")
def page():
    """The page of a plain study, as it is written."""
    return drawn(article(2))


def test_page_refers_to_nothing_outside_itself(page):
    for tag, attributes in Tags(page).found:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base"}
        assert not {"src", "srcset", "action", "data"} & set(attributes)
        assert attributes.get("href", "#").startswith("#")
    rest = without_bundle(page)
    assert "://" not in rest
    assert "@import" not in rest
    assert "url(" not in rest


def test_page_forbids_itself_the_network():
    policy = next(a["content"] for t, a in Tags(said([trial()])).found if a.get("http-equiv"))
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy


def test_bundle_is_small_and_loads_nothing_by_itself(page):
    assert len(page) < 2_000_000
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert not re.search(r"import\s*\(|importScripts|new Worker", max(scripts, key=len))


def test_names_of_users_cannot_become_markup():
    page = drawn(hostile())
    tags = Tags(page)
    assert (
        sum(tag == "script" for tag, _ in tags.found) == len(tags.specs) + 3
    )  # the bundle, the page's own and the raw data
    assert not any("onerror" in attributes for _, attributes in tags.found)
    assert not any(tag == "img" for tag, _ in tags.found)
    assert "{{ 7 * 7 }}" in without_bundle(page)
    data = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert len(data) == len(tags.specs)
    packed = re.search(r'<script type="application/gzip" id="records">(.*?)</script>', page)[1]
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", packed)
    assert not any("<" in text for text in data)
    labels = {
        row["optimizer"]
        for spec in tags.specs
        for data in spec["datasets"].values()
        for row in data
        if row.get("optimizer")
    }
    assert labels == set(HOSTILE)


def test_page_shows_the_numbers_of_the_summary():
    records = article(3)
    summary, text = summarize(records), text_of(said(records))
    assert verdict_text(summary) in text
    for note in notes(summary):
        assert note in text
    for row in table(summary).rows:
        for cell in row:
            assert all(part in text for part in (*cell.lines, *cell.below))


def test_verdict_comes_before_the_table_and_the_figures(page):
    assert page.index('class="verdict"') < page.index("<table") < page.index("<figure")


def test_curves_carry_the_recorded_values():
    records = article()
    by_name = {figure.name: figure.spec() for figure in figures(group(records))}
    assert list(by_name) == ["curves-epoch", "generalization", "step-sizes"]
    adam = [row for row in by_name["curves-epoch"]["datasets"]["averaged"] if row["optimizer"] == "Adam"]
    assert [row["validation_loss"] for row in adam] == [epoch.validation_loss for epoch in records[2].epochs]
    assert [row["seconds"] for row in adam] == [epoch.seconds for epoch in records[2].epochs]


def test_band_spans_few_seeds_around_their_mean():
    records = article(3)
    rows = figures(group(records))[0].datasets["averaged"]
    last = [record.epochs[-1].validation_loss for record in records if record.label == "Adam"]
    row = next(row for row in rows if row["optimizer"] == "Adam" and row["epoch"] == 5)
    assert [row["validation_loss_low"], row["validation_loss_high"]] == [
        float(f"{v:.6g}") for v in (min(last), max(last))
    ]
    assert row["validation_loss"] == pytest.approx(sum(last) / 3)


def test_band_of_several_seeds_is_the_interval_of_the_mean():
    records = article(6)
    row = next(
        row
        for row in figures(group(records))[0].datasets["averaged"]
        if row["optimizer"] == "Adam" and row["epoch"] == 5
    )
    interval = t_interval([record.epochs[-1].validation_loss for record in records if record.label == "Adam"])
    assert row["validation_loss_low"] == pytest.approx(interval.low, rel=1e-5)
    assert row["validation_loss_high"] == pytest.approx(interval.high, rel=1e-5)


def test_bounds_of_adabound_are_drawn_and_no_one_else_s():
    figure = figures(group(article()))[-1]
    marks = {
        panel.title: [layer["mark"].get("text") for layer in panel.chart.to_dict()["layer"]] for panel in figure.panels
    }
    assert {"upper bound", "lower bound"} <= set(marks["AdaBound"])
    assert not any(text and "bound" in text for text in marks["Adam"])


def test_every_dataset_that_a_layer_names_is_in_the_figure():
    for figure in figures(group([*article(2)[:-1], diverged(article(2)[-1], 2)])):
        spec = figure.spec()
        for panel in spec["concat"]:
            assert "datasets" not in panel
            for layer in panel["layer"]:
                assert spec["datasets"][layer.get("data", panel.get("data"))["name"]]


def test_panels_of_step_sizes_share_their_axes():
    figure = figures(group(article()))[-1]
    domains = {
        json.dumps(layer["encoding"]["y"]["scale"]["domain"])
        for panel in figure.panels
        for layer in panel.chart.to_dict()["layer"]
    }
    assert len(domains) == 1


def test_a_rate_of_zero_or_nan_leaves_a_gap_and_no_error():
    record = trial()
    broken = replace(record.rates[3], quantiles=(0.0, float("nan"), *record.rates[3].quantiles[2:]))
    spec = figures(group([replace(record, rates=(*record.rates[:3], broken, *record.rates[4:]))]))[-1].spec()
    json.dumps(spec, allow_nan=False)
    rows = spec["datasets"]["rates 0"]
    assert rows[3]["q01"] is None
    assert rows[3]["q05"] is None


def test_every_axis_and_figure_is_named():
    for figure in figures(group(article())):
        assert figure.title
        assert "hat to see" in figure.caption
        for panel in figure.panels:
            for layer in panel.chart.to_dict()["layer"]:
                for channel in ("x", "y"):
                    encoding = layer["encoding"].get(channel, {"value": 0})
                    assert "value" in encoding or encoding["axis"]["title"]


@pytest.mark.parametrize(
    "records",
    [
        [trial(epochs=1)],
        article(2, epochs=1),
        [*article()[:3], diverged(article()[3])],
        [diverged(record) for record in article()],
        [*article()[:3], running(article()[3])],
        [running(record, 0) for record in article()],
        [replace(record, rates=()) for record in article()],
        [replace(trial(), rates=trial().rates[:1])],
        [replace(trial(), label="", environment={}, protocol=Protocol(), study="mine")],
        study(12, 1),
    ],
    ids=[
        "one epoch",
        "one epoch, seeds",
        "diverged",
        "all diverged",
        "running",
        "not begun",
        "no rates",
        "one rate",
        "bare",
        "12",
    ],
)
def test_edge_cases_make_a_page(records):
    page = drawn(records)
    assert verdict_text(summarize(records)) in text_of(without_bundle(page))
    for spec in Tags(page).specs:
        assert spec["concat"]


def test_infinite_losses_of_a_diverging_trial_do_not_stretch_the_axis():
    calm, wild = trial("Adam"), trial("Adagrad")
    wild = replace(diverged(wild, 1), epochs=(wild.epochs[0], Epoch(2, 50.0, 1e30, 0.1, 1e30, 0.1)))
    spec = figures(group([calm, wild]))[0].spec()
    assert spec["concat"][1]["layer"][0]["encoding"]["y"]["scale"]["domain"][1] < 10


def test_a_large_study_costs_no_more_than_its_trials():
    small, large = (work(said, study(3, seeds)) for seeds in (2, 16))
    assert large < 6 * small


def test_report_replaces_a_file_whole(tmp_path):
    path = tmp_path / "new folder" / "report.html"
    write_report(summarize([trial()]), path)
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_full_disk_leaves_the_old_report_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("surefoot.files.os.fsync", full)
    with pytest.raises(SurefootError, match="No space left on device"):
        write_report(summarize([trial()]), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SurefootError, match=r"cannot write .*file.*report\.html"):
        write_report(summarize([trial()]), tmp_path / "file" / "report.html")


def test_a_path_that_is_no_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="not a regular file"):
        write_report(summarize([trial()]), tmp_path)


def test_figures_are_written_in_each_format(tmp_path):
    paths = write_figures(summarize([trial(), trial("Adagrad")]), tmp_path)
    assert {path.name for path in paths} == {
        f"{name}.{kind}"
        for name in (
            "curves-epoch",
            "curves-step",
            "curves-seconds",
            "generalization",
            "step-sizes",
            "time-to-target",
        )
        for kind in ("svg", "png")
    }
    assert (tmp_path / "generalization.png").read_bytes().startswith(b"\x89PNG")
    svg = (tmp_path / "curves-epoch.svg").read_text()
    assert svg.startswith("<svg")
    assert ">Adagrad<" in svg  # a saved figure has its legend
    assert ">Loss and accuracy while training<" in svg
    assert svg.count('fill="#0072B2"') > 5
    fan = (tmp_path / "step-sizes.svg").read_text()
    assert ">lr 0.01<" in fan
    assert fan.count("stroke-dasharray") >= 1
    assert len(re.findall(r'aria-roledescription="area mark container"', fan)) == 6


def test_a_saved_figure_says_what_its_marks_are_and_is_no_wider_than_two_panels(tmp_path):
    records = tuned(3, 4, ("Adagrad", "Adam", "AdaBound"))
    pictures = {path.stem: path.read_text() for path in write_figures(summarize(records), tmp_path, formats=("svg",))}
    assert "Hollow symbols: the mean test figure" in pictures["curves-epoch"]
    assert "bands: the middle 50 %, 90 % and 98 % of the weights" in pictures["step-sizes"]
    assert "AMSBound&#39;s bounds" in pictures["step-sizes"].replace("'", "&#39;")
    assert "Bands: 95 % intervals" in pictures["time-to-target"]
    assert {"tuning-learning-rate", "tuning-best-of"} < pictures.keys()
    assert ">learning rate<" in pictures["tuning-learning-rate"]
    assert ">Adam tuned<" in pictures["tuning-learning-rate"]
    for name, svg in pictures.items():
        assert float(re.search(r'width="([\d.]+)"', svg)[1]) < 900, name
        assert min(float(size) for size in re.findall(r'font-size="([\d.]+)px"', svg)) >= 12, name


def test_unknown_figure_format_is_refused(tmp_path):
    with pytest.raises(UsageError, match="'pdf'"):
        write_figures(summarize([trial()]), tmp_path, formats=("pdf",))


def test_csv_has_a_line_per_epoch_and_the_outcome_on_the_last(tmp_path):
    path = write_csv([trial(), diverged(trial("Adagrad"))], tmp_path / "results.csv")
    lines = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [line["epoch"] for line in lines] == ["1", "2", "3", "4", "5", ""]
    assert [bool(line["final_test_loss"]) for line in lines] == [False] * 4 + [True, False]
    assert float(lines[4]["final_test_loss"]) == trial().outcome.test_loss
    assert lines[5]["reason"] == "loss became NaN in epoch 1"


def test_the_command_that_repeats_a_study_gives_the_same_settings():
    texts = ["adam(lr=0.01)", "mine=sgd(lr=0.1, momentum=0.9)", "amsgrad", "nesterov", "adabound", "adamw(lr=0.5)"]
    arms = parse_arms(texts, "keras")
    words = shlex.split(repeat(replace(DESIGN, optimizers=tuple(arm.asked for arm in arms), convention="keras")).text)
    again = parse_arms([words[i + 1] for i, word in enumerate(words) if word == "-o"], "keras")
    assert again == arms


def test_every_colour_of_a_figure_has_a_dark_partner():
    known = {light for light, _ in dark_partners()}
    for figure in figures(group([*article(2), *(replace(r, label=f"{r.label} 2") for r in article(2))])):
        used = set(re.findall(r"#[0-9A-Fa-f]{6}\b", json.dumps(figure.spec())))
        assert used <= known


def test_twelve_optimizers_look_different():
    looks = styles(f"optimizer {i}" for i in range(2 * len(PALETTE)))
    assert len({(look.colour, look.dash) for look in looks}) == len(looks)
    assert len({(look.colour, look.shape) for look in looks}) == len(looks)
    assert len(SHAPES) == len(PALETTE)


def test_package_holds_the_template():
    folder = files("surefoot.report") / "templates"
    assert {Path(str(file)).name for file in folder.iterdir()} == {
        "macros.html.j2",
        "page.html.j2",
        "price.html.j2",
        "ranks.html.j2",
        "script.js",
        "style.css.j2",
        "suite.html.j2",
    }
