"""The page in Chromium: nothing fails or is fetched, the switches redraw, the keyboard reaches them, files are saved.

A machine without Chromium fails here and does not skip: a page that nobody opened is not a page that works.
"""

import csv
import json
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import pytest

from accessible import complaints, unfold
from samples import DESIGN, article, diverged, study, tuned
from surefoot.analysis import summarize
from surefoot.range_test.page import write_range_page
from surefoot.range_test.sweep import learning_rates
from surefoot.range_test.window import finding
from surefoot.report import write_csv, write_report
from surefoot.report.reference import PublishedCurve
from surefoot.store.protocol import Metric
from surefoot.words import as_json

CURVES = 'form[data-figure="curves-epoch"]'

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A page of a plain study with published numbers and one of a tuned study."""
    folder = tmp_path_factory.mktemp("pages")
    plain = article(5)
    plain[-1] = diverged(plain[-1], 2)
    published = PublishedCurve("Adam, elsewhere", {1: 0.95, 5: 0.98}, optimizer="Adam", source="a paper")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("surefoot.report.page.published", lambda *_: (published,))
        write_report(summarize(plain), folder / "plain.html")
    write_report(summarize(tuned(4, 6), DESIGN), folder / "tuned.html")
    write_report(summarize(lost(tuned(4, 6))), folder / "lost.html")
    write_report(summarize(study(12, 6)), folder / "many.html")
    return folder


def lost(records):
    """A study with every column: tuned, a trial diverged for a long reason, a metric with a long name."""
    metric = Metric("balanced classification accuracy")
    records = [replace(record, protocol=replace(record.protocol, metric=metric)) for record in records]
    return [*records[:-1], replace(diverged(records[-1]), reason="training loss became inf at step 82 (epoch 12)")]


PHONE, WIDE = (390, "dark"), (1400, "light")


@pytest.fixture
def opened(browser, files):
    """Open a page for one test."""
    with pages_of(browser, files) as open_page:
        yield open_page


@pytest.fixture(scope="module")
def shown(browser, files):
    """A page on a phone or a wide screen, which tests share that leave it as it is."""
    with pages_of(browser, files) as open_page:
        yield cache(
            lambda name, screen: open_page(name, viewport={"width": screen[0], "height": 900}, color_scheme=screen[1])
        )


@contextmanager
def pages_of(browser, files):
    """Opens pages; at the end nothing may have gone wrong, and nothing been asked for but the pages themselves."""
    contexts, complaints, requests = [], [], []

    def open_page(name, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto((files / name).as_uri())
        page.wait_for_selector("html[data-drawn=yes]", timeout=600_000)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "blob:", "data:"))] == []
    assert sum(url.startswith("file:") for url in requests) == len(contexts)


def choose(page, form, switch, value):
    """Pick an option of a switch and wait until its figure is drawn again."""
    page.locator(f'{form} input[name="{switch}"][value="{value}"]').check()
    page.wait_for_selector(f"{form}[data-drawn=yes]", state="attached", timeout=600_000)


def axis_titles(page, figure, panel=0):
    box = f'.chart[data-figure="{figure}"][data-panel="{panel}"]'
    return page.locator(f"{box} .role-axis-title text").all_text_contents()


def points(page, figure, panel=0):
    """Where the marks of a panel stand."""
    box = f'.chart[data-figure="{figure}"][data-panel="{panel}"]'
    return page.locator(f"{box} .mark-symbol path").evaluate_all("all => all.map(e => e.getAttribute('transform'))")


@pytest.mark.parametrize("name", ["plain.html", "tuned.html"])
@pytest.mark.parametrize("screen", [PHONE, WIDE])
def test_every_chart_is_drawn_and_nothing_sticks_out(shown, name, screen):
    page, (width, scheme) = shown(name, screen), screen
    boxes = page.locator(".chart")
    assert boxes.count() == page.locator(".chart svg").count() > 8
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 27)"
    assert dark == (scheme == "dark")


@pytest.mark.parametrize("name", ["tuned.html", "lost.html"])
def test_the_results_fit_a_wide_screen_and_every_table_a_phone(shown, name):
    wide = shown(name, WIDE).locator('[aria-label="Table of results"]')
    assert wide.evaluate("box => box.scrollWidth <= box.clientWidth")
    boxes = shown(name, PHONE).locator(".scroll")
    assert boxes.count() >= 5
    for box in boxes.all():
        assert box.evaluate("box => box.scrollWidth <= box.clientWidth"), box.get_attribute("aria-label")


@pytest.mark.parametrize("name", ["tuned.html", "lost.html"])
def test_on_a_phone_the_judged_metric_stands_first_and_every_figure_has_its_name(shown, name):
    row = shown(name, PHONE).locator(".results tbody tr").first
    cells = row.locator("td")
    heights = {cell.get_attribute("data-name"): cell.bounding_box()["y"] for cell in cells.all()}
    metric = "balanced classification accuracy" if name == "lost.html" else "accuracy"
    assert min(heights, key=heights.get) == f"Test {metric}"
    assert row.locator("th").bounding_box()["y"] < min(heights.values())
    shown = cells.first.evaluate("cell => getComputedStyle(cell, '::before').content")
    assert shown == f'"{cells.first.get_attribute("data-name")}"'


@pytest.mark.parametrize("name", ["tuned.html", "lost.html"])
def test_the_results_and_the_pairs_fit_a_page_of_paper(opened, name):
    page = opened(name, viewport={"width": 688, "height": 900})
    page.emulate_media(media="print")
    for table in ("Table of results", "Matrix of paired differences"):
        box = page.locator(f'[aria-label="{table}"]')
        assert box.evaluate("box => box.scrollWidth <= box.clientWidth"), table


def test_no_gap_is_below_the_charts_of_a_range_test_on_a_phone(browser, tmp_path):
    rates = learning_rates(200)
    losses = [2.0 if rate < 1e-3 else 1.0 for rate in rates]
    one = finding("one", rates, dict.fromkeys(range(3), losses), 2.0, None)
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto(write_range_page([one], tmp_path / "p.html", "study", "what it is").as_uri())
    heights = page.locator(".chart, .chart svg").evaluate_all("all => all.map(e => e.getBoundingClientRect().height)")
    page.close()
    assert len(heights) == 2
    assert heights[0] == heights[1]


def test_the_clock_switches(opened):
    page = opened("plain.html")
    assert axis_titles(page, "curves-epoch")[0] == "epoch"
    before = points(page, "curves-epoch")
    choose(page, CURVES, "clock", "seconds")
    assert axis_titles(page, "curves-epoch")[0] == "training time (s)"
    after = points(page, "curves-epoch")
    assert len(after) == len(before)
    assert after != before
    choose(page, CURVES, "clock", "steps")
    assert axis_titles(page, "curves-epoch", 3)[0] == "training step"


def test_the_growth_of_every_axis_switches(opened):
    page = opened("plain.html")
    for switch, value in (("time", "log"), ("loss", "linear"), ("accuracy", "linear")):
        name = "metric" if switch == "accuracy" else switch
        panel = 2 if switch == "accuracy" else 0
        before = points(page, "curves-epoch", panel)
        choose(page, CURVES, name, value)
        assert points(page, "curves-epoch", panel) != before
    assert axis_titles(page, "curves-epoch")[1] == "loss"


def test_survival_switches_its_clock(opened):
    page = opened("plain.html")
    form = 'form[data-figure="time-to-target"]'
    before = points(page, "time-to-target", 1)
    choose(page, form, "clock", "seconds")
    assert axis_titles(page, "time-to-target", 1)[0] == "training time (s)"
    assert points(page, "time-to-target", 1) != before


def test_the_pointer_reads_a_value(opened):
    page = opened("plain.html", viewport={"width": 1400, "height": 1000})
    marks = page.locator('.chart[data-figure="curves-epoch"][data-panel="0"] .mark-symbol path')
    marks.first.scroll_into_view_if_needed()
    marks.first.hover()
    text = page.locator("#vg-tooltip-element").inner_text()
    assert "optimizer" in text
    assert "training loss" in text


def test_the_keyboard_reaches_every_control_and_each_has_a_name(opened):
    page = opened("tuned.html")
    controls = page.locator("a, button, input, [tabindex='0']")
    names = page.evaluate(
        """() => [...document.querySelectorAll('button, input, [tabindex="0"]')].map(element =>
            element.getAttribute('aria-label') || element.labels?.[0]?.textContent || element.textContent)"""
    )
    assert all(name.strip() for name in names)
    assert controls.count() > 20
    page.locator(f'{CURVES} input[value="epochs"]').focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(f"{CURVES}[data-drawn=yes]", state="attached", timeout=600_000)
    assert axis_titles(page, "curves-epoch")[0] == "training step"
    groups = page.locator("fieldset legend").all_text_contents()
    assert {"Against", "Time axis", "Loss axis", "Accuracy axis"} <= set(groups)


def test_raw_data_is_saved_from_the_page(opened, files):
    page = opened("plain.html")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the raw data as CSV").click()
    lines = list(csv.DictReader(download.value.path().read_text(encoding="utf-8").splitlines()))
    records = article(5)
    records[-1] = diverged(records[-1], 2)
    expected = list(csv.DictReader(write_csv(records, files / "raw.csv").read_text(encoding="utf-8").splitlines()))
    assert len(lines) == len(expected)
    for line, other in zip(lines, expected, strict=True):
        assert list(line) == list(other)
        for name, value in other.items():
            assert _value(line[name]) == _value(value), name
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the raw data as JSON").click()
    content = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert content["records"][0]["epochs"][0]["train_loss"] == records[0].epochs[0].train_loss
    assert content["summary"] == json.loads(json.dumps(as_json(summarize(records))))


def _value(text):
    """A cell as what it means: JSON where it is some, else its text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def test_a_figure_is_saved_as_it_stands(opened):
    page = opened("plain.html")
    choose(page, CURVES, "clock", "seconds")
    saved = {}
    for kind in ("SVG", "PNG"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save the figure “Loss and accuracy while training” as {kind}").click()
        saved[kind] = download.value.path().read_bytes()
    assert b"training time (s)" in saved["SVG"]
    assert b">Adagrad<" in saved["SVG"]
    assert saved["PNG"].startswith(b"\x89PNG")


def test_published_numbers_are_drawn_and_listed(shown):
    page = shown("plain.html", WIDE)
    assert "Adam, elsewhere" in page.locator("#published + .caption + .scroll").inner_text()
    dashed = page.locator('.chart[data-figure="curves-epoch"][data-panel="3"] path[stroke-dasharray="4,3"]')
    assert dashed.count() == 1


def test_another_metric_keeps_its_page_whole(browser, tmp_path):
    metric = Metric("perplexity", "min", share=False)
    records = [replace(record, protocol=replace(record.protocol, metric=metric)) for record in article(4)]
    records = [
        replace(
            record,
            epochs=tuple(
                replace(e, train_metric=9 - 5 * e.train_metric, validation_metric=9 - 5 * e.validation_metric)
                for e in record.epochs
            ),
            outcome=replace(record.outcome, test_metric=9 - 5 * record.outcome.test_metric),
        )
        for record in records
    ]
    context = browser.new_context()
    page = context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(write_report(summarize(records), tmp_path / "p.html").as_uri())
    page.wait_for_selector("html[data-drawn=yes]", timeout=600_000)
    assert "perplexity" in axis_titles(page, "curves-epoch", 2)[1]
    text = page.locator("main").inner_text()
    context.close()
    assert complaints == []
    assert "accuracy" not in text.lower()


@pytest.mark.parametrize("name", ["plain.html", "tuned.html", "lost.html", "many.html"])
@pytest.mark.parametrize("screen", [PHONE, WIDE])
def test_axe_finds_nothing_wrong(shown, name, screen):
    page = shown(name, screen)
    folded = page.query_selector_all("details:not([open])")
    unfold(page)
    found = complaints(page)
    for one in folded:
        one.evaluate("one => { one.open = false; }")
    assert found == []


def test_every_table_has_a_caption_and_heads_with_a_scope(shown):
    page = shown("tuned.html", WIDE)
    tables = page.locator("table")
    assert tables.count() == page.locator("table > caption").count() >= 6
    assert page.locator("th:not([scope])").count() == 0


def labels(page, table="results"):
    return page.locator(f".{table} tbody tr:visible th bdi").all_text_contents()


def test_results_are_sorted_by_a_heading_and_a_second_time_the_other_way(opened):
    """What has no number stands last either way."""
    page = opened("many.html")
    first = labels(page)
    head = page.locator(".results thead th").nth(2)
    head.get_by_role("button").click()
    values = page.locator(".results tbody td:nth-child(3)").evaluate_all("all => all.map(e => +e.dataset.value)")
    assert values == sorted(values)
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").click()
    turned = page.locator(".results tbody td:nth-child(3)").evaluate_all("all => all.map(e => +e.dataset.value)")
    assert turned == sorted(values, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    page.get_by_label("Sort by").select_option("test result, best first")
    page.get_by_role("button", name="Reverse").click()
    assert labels(page) == first
    assert page.locator("[aria-sort]").count() == 0
    heads = page.locator(".results thead th").all_text_contents()
    (place,) = (place for place, head in enumerate(heads) if head.startswith("Time to"))
    for _ in range(2):
        page.locator(".results thead th button").nth(place).click()
        cells = page.locator(f".results tbody td:nth-child({place + 1})")
        numbers = cells.evaluate_all("all => all.map(e => e.dataset.value)")
        known = [number is not None for number in numbers]
        assert 0 < sum(known) < len(known)
        assert known == sorted(known, reverse=True)


def test_a_filter_shows_the_rows_of_some_in_every_table_and_says_how_many(opened):
    page = opened("many.html")
    page.get_by_label("Show in every table").fill("optimizer 11, optimizer 2")
    assert set(labels(page)) == {"Optimizer 2", "Optimizer 11"}
    assert set(labels(page, "settings")) == {"Optimizer 2", "Optimizer 11"}
    assert page.locator(".tools output").text_content() == "2 of 12 shown"
    page.get_by_label("Show in every table").fill("")
    assert len(labels(page)) == 12


def test_the_keyboard_sorts_filters_and_unfolds(opened):
    page = opened("many.html")
    page.get_by_label("Show in every table").focus()
    page.keyboard.type("optimizer 12")
    assert labels(page) == ["Optimizer 12"]
    page.locator(".results thead th button").nth(1).focus()
    page.keyboard.press("Enter")
    assert page.locator("[aria-sort=ascending]").count() == 1
    page.locator("details.pairs summary").focus()
    page.keyboard.press("Enter")
    assert page.locator(".matrix").is_visible()


def test_the_first_screen_of_a_phone_says_who_is_best_and_how_sure(shown):
    glance = shown("many.html", PHONE).locator(".glance dd").all()
    assert len(glance) == 4
    assert all(one.bounding_box()["y"] < 700 for one in glance[:3])


def test_on_paper_all_is_unfolded_but_the_widest_table(opened):
    page = opened("many.html", viewport={"width": 688, "height": 900})
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").evaluate_all("all => all.map(e => e.className)") == ["pairs"]
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.how[open]").count() == 0
