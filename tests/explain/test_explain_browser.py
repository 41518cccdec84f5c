"""The playground in Chromium: it walks as the float64 rule does, fetches nothing, fails at nothing, and can be used.

As for the report, a machine without Chromium fails here and does not skip.
"""

import re
from functools import cache
from itertools import product

import numpy as np
import pytest

from accessible import complaints
from surefoot.conventions import FRAMEWORKS, resolve, shown
from surefoot.explain.page import GRID, MOST, played, render
from surefoot.explain.path import best_rate, walk
from surefoot.explain.surfaces import SURFACES
from surefoot.mathops import orthogonalize
from surefoot.rules import RULES
from surefoot.rules.polynomials import POLYNOMIALS

pytestmark = pytest.mark.browser

STEPS = 100
PLAYED = played()
EXACT = 1e-12
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"

COUNT_CALLS = """() => {
    window.calls = {};
    const made = CanvasRenderingContext2D.prototype;
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(made))) {
        if (typeof value !== "function") continue;
        made[name] = function (...given) {
            calls[name] = (calls[name] ?? 0) + 1;
            return value.apply(this, given);
        };
    }
}"""

WALKS = """jobs => jobs.map(([racer, race]) => {
    const made = surefoot.walk(racer, race);
    const text = list => [...list].map(String);
    return { made: made.made, columns: [made.x, made.y, made.loss, ...made.rate].map(text) };
})"""
"""Numbers travel as text: JSON has no infinity."""

GO = """hash => new Promise(done => {
    addEventListener("hashchange", () => requestAnimationFrame(() => requestAnimationFrame(done)), { once: true });
    location.hash = hash;
})"""
"""Another state of an opened page, and until it is drawn."""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "playground.html"
    path.write_text(render(), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, file):
    """Open the page; at the end nothing may have gone wrong, and nothing been asked for but the page itself."""
    contexts, complaints, requests = [], [], []

    def open_page(fragment="", **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri() + fragment)
        page.wait_for_selector("html[data-drawn=yes]")
        page.wait_for_selector("#step:text-matches('step')")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert sum(url.startswith("file:") for url in requests) == len(contexts)


def state(page):
    return page.evaluate("surefoot.state")


def job(rule, framework, surface, **options):
    """A walk for the page, and the same by the rule itself."""
    hyper = shown(rule, framework, options)
    numbers = {name: value for name, value in hyper.items() if isinstance(value, float)}
    racer = {"rule": rule, "convention": framework, "hyper": numbers}
    race = {"surface": surface.name, "knobs": surface.settings, "start": surface.start, "steps": STEPS}
    return [racer, race], walked(rule, tuple(hyper.items()), surface.name)


@cache
def walked(rule, hyper, surface):
    """Many a rule is the same in two conventions."""
    return walk(PLAYED[rule], dict(hyper), SURFACES[surface], STEPS)


def check(page, jobs):
    """Every place, loss and rate of every walk equals the reference within EXACT, element by element."""
    for theirs, (given, ours) in zip(page.evaluate(WALKS, [given for given, _ in jobs]), jobs, strict=True):
        name = " ".join((given[0]["rule"], given[0]["convention"], given[1]["surface"]))
        assert theirs["made"] == len(ours.points) - 1, name
        columns = [np.array(column, float)[: len(ours.points)] for column in theirs["columns"]]
        wanted = [*np.array(ours.points).T, np.array(ours.losses)]
        wanted += [np.insert(rates, 0, 0.0) for rates in np.array(ours.rates).T]
        for column, reference in zip(columns, wanted, strict=True):
            np.testing.assert_allclose(column, reference, rtol=EXACT, atol=0, err_msg=name)


def test_every_rule_walks_as_the_float64_rule(opened):
    """Every rule and surface, with a small and a large rate in turn: of a rule from surface to surface, and back."""
    page = opened()
    for k, surface in enumerate(SURFACES.values()):
        check(page, [job(rule, "torch", surface, lr=(0.01, 0.3)[(k + n) % 2]) for n, rule in enumerate(PLAYED)])


def test_every_convention_walks_as_the_float64_rule(opened):
    page, surface = opened(), SURFACES["noisy"]
    for framework in FRAMEWORKS:
        jobs = [job(rule, framework, surface, lr=0.03) for rule in PLAYED]
        jobs += [job(rule, framework, surface, lr=0.03, weight_decay=0.1) for rule in PLAYED if rule != "adamw"]
        jobs += [job(rule, framework, surface, lr=0.01, momentum=0.8) for rule in ("sgd", "rmsprop")]
        check(page, jobs)


def test_the_comparison_has_teeth(opened):
    given, ours = job("adam", "torch", SURFACES["valley"], lr=0.3)
    given[0]["hyper"] = {**given[0]["hyper"], "beta2": 0.999 + 1e-11}
    with pytest.raises(AssertionError):
        check(opened(), [(given, ours)])


def test_the_budget_is_the_same_for_each_and_is_spent_as_in_python(opened):
    page = opened("#surface=noisy&steps=100")
    assert page.evaluate("surefoot.grid") == list(GRID)
    surface = SURFACES["noisy"]
    for racer in state(page)["racers"]:
        hyper = {**resolve(racer["rule"], "torch", {}), "lr": GRID[0]}
        assert racer["hyper"]["lr"] == best_rate(RULES[racer["rule"]], hyper, surface, 100), racer["rule"]


COLOURS = """canvas => {
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
    copy.drawImage(canvas, 0, 0);
    return new Set(copy.getImageData(0, 0, canvas.width, canvas.height).data).size;
}"""


def test_nothing_sticks_out(opened):
    page = opened()
    for width, scheme in ((390, "dark"), (768, "light"), (1400, "dark")):
        resized(page, width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert all(page.locator(name).evaluate(COLOURS) > 20 for name in ("#map", "#loss", "#rates"))


def resized(page, width, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    page.evaluate(DRAWN)


def test_the_page_is_small(file):
    assert file.stat().st_size < 1_500_000


def test_a_frame_of_eight_racers_is_drawn_with_few_calls(opened):
    """Three lines a racer, of a point a step, and what stands around them; the relief below is made once."""
    racers = ",".join(f"{rule}~torch" for rule in [*PLAYED][:MOST])
    page = opened(f"#surface=rosenbrock&steps=1000&at=0&race={racers}", viewport={"width": 1400, "height": 1000})
    assert len(state(page)["racers"]) == MOST
    page.evaluate(COUNT_CALLS)
    page.locator("#play").click()
    page.wait_for_selector("#step:text-matches('step [0-9]{2,} of')")
    page.locator("#play").click()
    calls, frames = page.evaluate("[calls, surefoot.frames.length]")
    assert "putImageData" not in calls
    assert MOST * frames < sum(calls.values()) < (3 * MOST * 1000 + 2000) * frames


def test_the_address_holds_the_state(opened):
    page = opened()
    page.locator("#surface").select_option("beale")
    page.locator("#rule0").select_option("adadelta")
    page.locator("#convention0").select_option("keras")
    page.locator("#add").click()
    page.locator("#same").uncheck()
    page.locator("#h-lr").focus()
    page.keyboard.press("ArrowRight")
    page.locator("#forward").click()
    page.locator("#seconds").select_option("30")
    page.locator("[name=weight][value='1']").check()
    before, fragment = state(page), page.evaluate("location.hash")
    assert before["surface"] == "beale"
    assert (before["racers"][0]["rule"], before["racers"][0]["convention"]) == ("adadelta", "keras")
    assert (before["seconds"], before["weight"]) == (30, 1)
    again = opened(fragment)
    assert state(again) == before
    assert again.locator("#seconds").input_value() == "30"
    assert again.locator("[name=weight][value='1']").is_checked()


BAD = (
    "#surface=nowhere", "#surface=valley&start=a,b&steps=7&at=-3&race=adm~torch,adam~tf&condition=x",
    "#surface=valley&race=adam~torch~lr:99~beta1:2,__proto__~torch&chosen=77", "#compare", "#surface=%E0%A4%A",
    "#surface=toString", "#surface=valley&start=1&__proto__=x", "#nonsense",
)  # fmt: skip


def test_a_bad_address_is_read_as_far_as_it_goes(opened):
    page = opened(BAD[-1])
    for fragment in BAD:
        page.evaluate(GO, fragment)
        made = state(page)
        assert made["surface"] in SURFACES, fragment
        assert 1 <= len(made["racers"]) <= MOST, fragment
        assert made["chosen"] < len(made["racers"]), fragment
        assert all(0 < racer["hyper"]["lr"] <= 1 for racer in made["racers"]), fragment


def test_the_pointer_and_the_keys_move_the_start(opened):
    page = opened(viewport={"width": 1400, "height": 1000})
    before = state(page)["start"]
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 240, box["y"] + 150)
    page.mouse.up()
    dragged = state(page)["start"]
    assert dragged != before
    page.locator("#map").focus()
    page.keyboard.press("ArrowRight")
    moved = state(page)["start"]
    assert moved[0] == pytest.approx(dragged[0] + 0.08)
    assert moved[1] == dragged[1]
    assert page.locator("#x").input_value() == str(moved[0])


PHONE = {"viewport": {"width": 390, "height": 700}, "has_touch": True, "is_mobile": True}


def swipe(page, place, across=0, down=0):
    """Move a finger over the page, from a place in it, as far as this."""
    x, y = place
    finger = page.context.new_cdp_session(page)
    for share in (k / 10 for k in range(11)):
        points = [{"x": x + share * across, "y": y + share * down}]
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove" if share else "touchStart", "touchPoints": points})
        page.evaluate(DRAWN)
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.evaluate(DRAWN)


def ring_of(page):
    """The place of the ring on the screen; the map's margins are those of `map.js`."""
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator("#map").bounding_box()
    x0, x1, y0, y1 = SURFACES["valley"].window
    x, y = SURFACES["valley"].start
    across, up = (x - x0) / (x1 - x0), (y1 - y) / (y1 - y0)
    return box["x"] + 50 + across * (box["width"] - 60), box["y"] + 10 + up * (box["height"] - 46)


def test_a_finger_scrolls_over_the_map_and_the_charts_and_moves_the_start_by_its_ring(opened):
    page = opened(**PHONE)
    before = state(page)
    for name in ("#map", "#loss", "#rates"):
        page.locator(name).scroll_into_view_if_needed()
        box, scrolled = page.locator(name).bounding_box(), page.evaluate("scrollY")
        swipe(page, (box["x"] + box["width"] - 60, box["y"] + box["height"] / 2), down=120 if scrolled > 200 else -120)
        assert page.evaluate("scrollY") != scrolled, name
        assert state(page) == before, name
    ring, scrolled = ring_of(page), page.evaluate("scrollY")
    swipe(page, ring, across=40, down=90)
    assert page.evaluate("scrollY") == scrolled
    moved = state(page)["start"]
    assert moved[0] > before["start"][0]
    assert moved[1] < before["start"][1]
    page.touchscreen.tap(ring[0] + 150, ring[1])
    assert state(page)["start"][0] > moved[0] + 0.5


def test_a_finger_that_moves_sideways_over_a_chart_chooses_a_step_and_so_does_a_tap(opened):
    page = opened(**PHONE)
    page.locator("#loss").scroll_into_view_if_needed()
    box = page.locator("#loss").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.touchscreen.tap(*middle)
    tapped = state(page)["at"]
    assert 150 < tapped < 250
    swipe(page, middle, across=80)
    assert state(page)["at"] > tapped + 50


def test_walks_that_cover_each_other_say_so_as_long_as_they_do(opened):
    page = opened()
    assert state(page)["at"] == 60
    assert page.locator("[data-loss='4']").inner_text().endswith("walks as 4")
    assert "walks as" not in page.locator("[data-loss='3']").inner_text()
    for step in (0, 400):
        page.locator("#scrub").fill(str(step))
        page.wait_for_selector(f"#step:text-is('step {step} of 400')")
        assert "walks as" not in page.locator("#racers").inner_text()


SHOWN = """select => {
    const whole = select.cloneNode(true);
    [whole.id, whole.style.width] = ["", "max-content"];
    document.getElementById("racers").append(whole);
    const wanted = whole.getBoundingClientRect().width;
    whole.remove();
    return select.getBoundingClientRect().width - wanted;
}"""


def test_every_choice_can_be_read_whole(opened):
    page = opened("#surface=valley&race=momentum~paper,adadelta~keras")
    for width in (360, 390, 768, 1000, 1400):
        resized(page, width, "light")
        for name in ("#rule0", "#convention0"):
            assert page.locator(name).evaluate(SHOWN) >= 0, (name, width)


WRITTEN = """() => {
    const draw = CanvasRenderingContext2D.prototype.fillText;
    window.written = { left: [], right: [] };
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
        const { a, b, e } = this.getTransform();
        const { width, fontBoundingBoxAscent: tall } = this.measureText(text);
        if (b) window.written.right.push(e / Math.hypot(a, b) + tall / 2);
        else if (this.textAlign === "right" && this.textBaseline === "middle") window.written.left.push(x - width);
        draw.call(this, text, x, y);
    };
}"""


def test_no_axis_is_named_over_its_own_numbers(opened):
    page = opened()
    page.evaluate(WRITTEN)
    for surface in SURFACES:
        page.locator("#surface").select_option(surface)
        page.evaluate(DRAWN)
    written = page.evaluate("window.written")
    assert len(written["left"]) > 50
    assert min(written["left"]) > max(written["right"])


def test_the_map_says_that_it_takes_keys_and_its_numbers_say_what_they_are(opened):
    page = opened()
    assert page.get_by_role("application", name="The arrow keys").get_attribute("id") == "map"
    assert [page.get_by_label(f"Start {name}", exact=True).get_attribute("id") for name in "xy"] == ["x", "y"]


def test_play_pause_step_and_scrub(opened):
    page = opened()
    page.locator("#first").click()
    assert state(page)["at"] == 0
    page.locator("#forward").click()
    page.locator("#forward").click()
    page.locator("#back").click()
    assert state(page)["at"] == 1
    page.locator("#play").click()
    page.wait_for_selector("#step:not(:text-matches('step [0-5] of'))")
    page.locator("#play").click()
    stopped = state(page)["at"]
    page.wait_for_timeout(100)
    assert state(page)["at"] == stopped
    assert f"step {stopped} of" in page.locator("#said").inner_text()
    page.locator("#scrub").fill("300")
    page.wait_for_selector("#step:text-is('step 300 of 400')")


def test_every_control_has_a_name_and_the_keyboard_reaches_it(opened):
    page = opened()
    names = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, [tabindex="0"]')].map(element =>
            element.getAttribute('aria-label') || element.labels?.[0]?.textContent || element.textContent)"""
    )
    assert len(names) > 30
    assert all(name.strip() for name in names)
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    wanted = ["surface", "steps", "map", "x", "y", "k-condition", "first", "play", "scrub", "same", "rule0", "add"]
    assert [name for name in dict.fromkeys(reached) if name in wanted] == wanted
    assert {"h-beta1", "formula"} <= set(reached)


def test_a_slider_keeps_the_focus_and_says_its_number(opened):
    page = opened()
    slider = page.locator("#h-final_lr")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "h-final_lr"
    value = state(page)["racers"][-1]["hyper"]["final_lr"]
    assert value > 0.1
    assert slider.get_attribute("aria-valuetext") == f"{value:g}"


def test_the_formula_shows_the_numbers_of_the_step(opened):
    page = opened("#surface=valley&at=3&same=0&race=adam~torch~lr:0.1")
    page.wait_for_selector(".equation .numbers")
    lines = page.locator(".equation .numbers").all_text_contents()
    path = walk(RULES["adam"], resolve("adam", "torch", {"lr": 0.1}), SURFACES["valley"], 3)
    weight, rate = path.points[3][0], path.rates[2][0]
    shown = [float(re.match(r"[−\d.]+", line)[0].replace("−", "-")) for line in lines[2:]]
    assert shown == [pytest.approx(rate, rel=1e-3), pytest.approx(weight, rel=1e-3)]
    assert "0.999" in lines[1]
    assert not any("…" in line or "NaN" in line for line in lines)


def test_what_is_added_up_over_both_weights_keeps_its_letters(opened):
    page = opened("#surface=valley&at=3&same=0&race=dowg~torch")
    page.wait_for_selector(".equation .numbers")
    first, *_ = page.locator(".equation .numbers").all_text_contents()
    found, summed = first.split("∑")
    assert re.match(r"\d", found)
    assert "w" in summed
    hyper = resolve("prodigy", "torch", {})
    page.evaluate(GO, "#surface=valley&same=0&race=prodigy~torch")
    assert page.evaluate("surefoot.state.racers[0].hyper.growth_rate === Infinity")
    assert hyper["growth_rate"] == float("inf")


EVERY_FORM = [f"{rule}~{framework}~weight_decay:0.01" for rule in PLAYED for framework in FRAMEWORKS]


def test_every_formula_has_a_number_for_every_letter(opened):
    """The first ones by their buttons, and all by their addresses."""
    race = "#surface=rosenbrock&at=2&same=0&steps=100&race="
    page = opened(race + ",".join(EVERY_FORM[:MOST]))
    picked = []
    for k in range(MOST):
        page.locator(f"#pick{k}").check()
        page.evaluate(DRAWN)
        picked.append(numbers_of(page))
    texts = {}
    for form in EVERY_FORM:
        page.evaluate(GO, race + form)
        texts[form] = numbers_of(page)
    assert picked == [*texts.values()][:MOST]
    assert len({*texts.values()}) > len(PLAYED)
    for form, text in texts.items():
        assert text, form
        assert "…" not in text, form
        assert "not a number" not in text, form


def numbers_of(page):
    return page.evaluate("[...document.querySelectorAll('.equation .numbers')].map(e => e.textContent).join(' ')")


def test_the_matrix_ends_as_the_float64_reference_and_its_singular_values_as_lapacks(opened):
    page, rng = opened(), np.random.default_rng(0)
    matrices = [*rng.normal(size=(5, 2, 2)), np.diag([5.0, 0.05]), np.zeros((2, 2)), np.ones((2, 2))]
    for name, matrix in product(POLYNOMIALS, matrices):
        steps = page.evaluate("([m, p]) => surefoot.drawnToOne(m, p, 1e-7)", [matrix.tolist(), POLYNOMIALS[name]])
        wanted = orthogonalize(matrix, POLYNOMIALS[name], 1e-7)
        np.testing.assert_allclose(steps[-1], wanted, rtol=0, atol=1e-12)
        values = page.evaluate("m => surefoot.singular(m)", matrix.tolist())
        np.testing.assert_allclose(values, np.linalg.svd(matrix, compute_uv=False), rtol=0, atol=1e-12)


def test_the_singular_values_are_shown_before_and_after_and_follow_the_sliders(opened):
    page = opened()
    said = page.locator("#m-said")
    assert said.inner_text().startswith("Singular values before: 5 and 0.05. After: ")
    shown = [float(one) for one in re.findall(r"[0-9.]+[0-9]", said.inner_text().partition("After")[2])]
    assert all(0.68 <= one <= 1.21 for one in shown)
    assert page.locator("#m-rows tr").count() == 2 + len(POLYNOMIALS["keller"])
    drawn = page.locator("#m-after").get_attribute("points")
    page.locator("#m-small").focus()
    page.keyboard.press("End")
    assert "before: 10 and 5" in said.inner_text()
    page.get_by_label("Polynomials").select_option("polar_express")
    assert page.locator("#m-after").get_attribute("points") != drawn


def test_axe_finds_nothing_wrong(opened):
    page = opened()
    for width, scheme in ((1280, "light"), (390, "dark")):
        resized(page, width, scheme)
        assert complaints(page) == []
