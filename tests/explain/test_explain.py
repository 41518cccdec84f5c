"""`surefoot explain`: what it says comes from the rules, fits 80 columns, and its numbers are right."""

import json
import re
import subprocess
import sys
import unicodedata
import urllib.request
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

import oracles
from paths import GOLDEN, ROOT
from settings import SETTINGS
from surefoot.compiler.emit import formula, latex, mathml, unicode
from surefoot.compiler.emit.walk import LEAVES
from surefoot.compiler.graph import needed
from surefoot.compiler.trace import trace
from surefoot.conventions import FRAMEWORKS, convention, resolve, shown
from surefoot.errors import UsageError
from surefoot.explain import differences, page
from surefoot.explain import explanation as written
from surefoot.explain.explanation import FONTS, Explanation, rule_html, signs, tree
from surefoot.explain.page import DARK, LIGHT, played, render, server_of
from surefoot.explain.path import GRID, noise, plot, walk
from surefoot.explain.playground_forms import Library, settable, slider
from surefoot.explain.surfaces import SURFACES
from surefoot.explain.terminal import explanation, share
from surefoot.hyperparameters import HYPERPARAMETERS
from surefoot.rule import Slot
from surefoot.rules import RULES
from surefoot.rules.soap import soap
from surefoot.update import update

FORMULAS = {(one.rule.name, latex.emit(trace(one.rule, one.hyper), one.hyper)): one for one in reversed(SETTINGS)}
"""A setting for each formula of a rule: half of the settings are written as another."""

IN_KERAS = [(name, "--convention", "keras") for name in RULES if name == "adabound" or convention(name, "keras").call]


@pytest.fixture(scope="module")
def playground():
    return render()


def columns(line):
    return sum(not unicodedata.combining(letter) for letter in line)


def text_of(name, framework="torch", **options):
    hyper = shown(name, framework, {"lr": 0.01, **options})
    return unicode.emit(trace(RULES[name], hyper), hyper, 78)


def test_the_formula_in_plain_text():
    assert text_of("adabound") == (
        "mₜ = β₁ mₜ₋₁ + (1 − β₁) gₜ\n"
        "vₜ = β₂ vₜ₋₁ + (1 − β₂) gₜ²\n"
        "rₜ = min(max(α / ((1 − β₁ᵗ) (√(vₜ / (1 − β₂ᵗ)) + ε / √(1 − β₂ᵗ))),\n"
        "             α* (1 − 1 / (γ t + 1))),\n"
        "         α* (1 + 1 / (γ t)))\n"
        "wₜ = wₜ₋₁ − rₜ mₜ\n"
    )
    assert "vᵐᵃˣₜ = max(vᵐᵃˣₜ₋₁, vₜ)\n" in text_of("amsgrad")
    assert "rₜ = α / √(max(vₜ − aₜ², 0) + ε)\n" in text_of("rmsprop", "paper")
    assert "wₜ = wₜ₋₁ (1 − α λ) − rₜ mₜ\n" in text_of("adamw")


@pytest.mark.parametrize("setting", FORMULAS.values(), ids=str)
def test_every_notation_has_the_same_lines_in_the_same_order(setting):
    graph = trace(setting.rule, setting.hyper)
    plain, left = unicode.emit(graph, setting.hyper, 80), [name for name, _ in latex.formulas(graph, setting.hyper)]
    assert max(map(columns, plain.splitlines())) <= 80
    assert plain.count("(") == plain.count(")")
    assert len(re.findall(r"^ *\S+ = ", plain, re.MULTILINE)) == len(left)
    zeros = {name for name, value in setting.hyper.items() if isinstance(value, float) and value == 0}
    elements = [ET.fromstring(line) for line in mathml.emit(graph, zeros)]
    marks = [element[0][0].get("data-v") for element in elements]
    assert len(marks) == len(left) == len(set(marks))
    assert marks[left.index("w_t")] == "n.w"
    read = {node.value for node in needed(graph.results) if node.op in LEAVES and node.op != "const"}
    shown = {letter.get("data-v") for element in elements for letter in element.iter() if letter.get("data-v")}
    assert {name.removeprefix("h.") for name in shown if name.startswith("h.")} <= read


@pytest.mark.parametrize("surface", SURFACES.values(), ids=lambda surface: surface.name)
def test_derived_gradients_are_torchs(surface):
    import torch

    from surefoot.explain import surfaces as written

    rng = np.random.default_rng(3)
    x0, x1, y0, y1 = surface.window
    knobs = {knob.name: rng.uniform(knob.low, knob.high) for knob in surface.knobs}
    given = {name: value for name, value in knobs.items() if name != "noise"}
    ours = surface.evaluate  # derived before torch's functions take the place of ours
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(written, "exp", torch.exp)
        patch.setattr(written, "log", torch.log)
        for x, y in zip(rng.uniform(x0, x1, 20), rng.uniform(y0, y1, 20), strict=True):
            point = torch.tensor([x, y], dtype=torch.float64, requires_grad=True)
            loss = surface.function(point[0], point[1], **given)
            loss.backward()
            expected = [loss.item(), *point.grad.tolist()]
            assert ours(x, y, knobs) == pytest.approx(expected, rel=1e-10, abs=1e-13)


@pytest.mark.parametrize("surface", SURFACES.values(), ids=lambda surface: surface.name)
def test_a_surface_is_flat_and_lowest_at_its_minima_and_starts_inside(surface):
    x0, x1, y0, y1 = surface.window
    assert x0 < surface.start[0] < x1
    assert y0 < surface.start[1] < y1
    for x, y in surface.minima:
        loss, *slope = surface.evaluate(x, y, surface.settings)
        assert (loss, *slope) == pytest.approx((0, 0, 0), abs=1e-12)


def test_noise_is_standard_and_the_same_every_time():
    made = np.array([[noise(1, t, k) for k in (0, 1)] for t in range(1, 5001)])
    assert abs(made.mean()) < 4 / np.sqrt(made.size)
    assert made.std() == pytest.approx(1, abs=0.03)
    assert abs(np.corrcoef(made.T)[0, 1]) < 0.05
    assert abs(np.corrcoef(made[1:, 0], made[:-1, 0])[0, 1]) < 0.05
    assert noise(1, 7, 0) != noise(2, 7, 0)


def test_a_walk_that_leaves_the_numbers_ends():
    hyper = resolve("sgd", "torch", {"lr": 1.0})
    path = walk(RULES["sgd"], hyper, SURFACES["rosenbrock"], 100)
    assert 1 < len(path.points) < 101
    assert len(path.points) == len(path.losses) == len(path.rates) + 1


def test_the_family_has_every_rule_and_each_builds_on_an_earlier_one():
    order = [rule for (rule,), _, _ in tree()]
    folded = [rule for rules, _, _ in tree(fold=True) for rule in rules]
    assert sorted(rule.name for rule in folded) == sorted(RULES)
    assert sorted(rule.name for rule in order) == sorted(RULES)
    for rule in order:
        assert rule.parent is None or order.index(rule.parent) < order.index(rule)
        assert rule.about.adds
        assert rule.about.use
        assert all(claim.text.endswith(".") and claim.source for claim in (*rule.about.use, *rule.about.avoid))
    assert [rule.name for rule in order if rule.parent is None] == ["sgd"]


def rates_of(rule, framework, gradients):
    """The rate of one weight at each step."""
    own, rates = RULES[rule], []
    hyper = shown(rule, framework, {"lr": 0.01})
    state = own.starts(hyper)
    for t, g in enumerate(gradients, start=1):
        _, state, step = update(own, 0.0, g, state, t, hyper)
        rates.append(float(step.rate))
    return np.array(rates)


@pytest.mark.parametrize(
    ("rule", "framework", "rises"),
    [("amsgrad", "torch", True), ("amsgrad", "keras", True), ("amsgrad", "optax", False), ("amsgrad", "paper", False)]
    + [("adagrad", framework, False) for framework in FRAMEWORKS],
)
def test_whether_a_rate_can_rise_again_is_as_it_is_said(rule, framework, rises):
    noise = np.random.default_rng(7).standard_normal(1000)
    early, late = np.array([10.0, *[0.1] * 999]), noise * np.geomspace(1e-3, 1e3, 1000)
    rising = [np.diff(rates_of(rule, framework, gradients)).max() > 1e-12 for gradients in (early, late)]
    assert any(rising) == rises


KERAS = {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
COPIED = {"lr": 1e-3, "betas[0]": 0.9, "betas[1]": 0.999, "eps": 1e-7}


@pytest.mark.parametrize("scale", [1e-4, 1e-8])
def test_the_drift_of_adams_eps_from_keras_to_torch_is_what_the_libraries_themselves_do(scale):
    gradients = differences.gradients_of(scale)
    start = np.full(gradients.shape[1], differences.START)
    keras = oracles.run("keras.optimizers.Adam", KERAS, gradients, start)[-1]
    torch = oracles.run("torch.optim.Adam", COPIED, gradients, start)[-1]
    expected = np.linalg.norm(torch - keras) / np.linalg.norm(keras - start)
    assert differences.shares("adam", "keras", "torch", [scale])[0] == pytest.approx(expected, rel=1e-6)


def test_the_drift_of_rmsprops_eps_from_optax_to_torch_is_what_the_libraries_themselves_do():
    gradients = differences.gradients_of(1e-4)
    start = np.full(gradients.shape[1], differences.START)
    optax = oracles.run("optax.rmsprop", {"learning_rate": 0.01, "decay": 0.9, "eps": 1e-8}, gradients, start)[-1]
    torch = oracles.run("torch.optim.RMSprop", {"lr": 0.01, "alpha": 0.9, "eps": 1e-8}, gradients, start)[-1]
    expected = np.linalg.norm(torch - optax) / np.linalg.norm(optax - start)
    assert differences.shares("rmsprop", "optax", "torch", [1e-4])[0] == pytest.approx(expected, rel=1e-6)
    assert expected > 0.1


def test_there_is_a_drift_for_every_pair_whose_formulas_differ():
    pairs = {(one.source, one.target) for one in differences.drifts("adam", ("torch", "keras", "optax"))}
    assert pairs == {("torch", "keras"), ("keras", "torch"), ("keras", "optax"), ("optax", "keras")}


@pytest.mark.parametrize("rule", RULES)
def test_sliders_are_legal_from_end_to_end_and_hold_every_default(rule):
    own = RULES[rule]
    meanings = [shown(rule, framework, {"lr": 0.01}) for framework in FRAMEWORKS]
    for name in settable(own):
        one = slider(own, name, {meaning[name] for meaning in meanings})
        for value in (one.low, one.high, *([0.0] if one.zero else [])):
            own.check({name: value})
        for meaning in meanings:
            assert one.low <= meaning[name] <= one.high or (one.zero and meaning[name] == 0)


@pytest.fixture(scope="module")
def library():
    """What the page has of every racer, by name, and the library of its functions."""
    made = Library()
    return {name: made.rule(rule)["conventions"] for name, rule in played().items()}, made


def test_only_adabound_and_amsbound_have_bounds(library):
    made, library = library
    with_bounds = {name for name, by in made.items() if by["paper"]["forms"][""]["bounds"] is not None}
    assert with_bounds == {"adabound", "amsbound"}
    assert "Math.sqrt(t)" in list(library.functions)[made["adabound"]["paper"]["forms"][""]["bounds"]]


def test_the_pages_functions_ask_for_hyperparameters_alone(library):
    """A number that a tensor keeps is part of its state; JavaScript cannot even read a page that asks for it."""
    _, library = library
    known = {name for rule in played().values() for name in rule.complete({})}
    asked = {
        name
        for text in library.functions
        for names in re.findall("const { (.*?) } = hyper", text)
        for name in names.split(", ")
    }
    assert {"lr", "beta1", "psi"} <= asked <= known


def lifted(colour, lift):
    parts = (min(255, max(0, int(colour[k : k + 2], 16) + lift)) for k in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in parts)


def contrast(one, other):
    """The contrast of two colours (`#rrggbb`), from 1 to 21, as WCAG 2.2 defines it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_keep_the_contrast_of_wcag_aa(theme):
    for text in ("text", "muted", "accent"):
        assert min(contrast(theme[text], theme[behind]) for behind in ("page", "card")) >= 4.5, text
    assert contrast(theme["badge"], theme["accent"]) >= 4.5
    assert contrast(theme["edge"], theme["card"]) >= 3
    lift = int(theme["step"])
    bands = [theme[end] for end in ("low", "high")] + [lifted(theme[end], lift) for end in ("low", "high")]
    for k in range(8):
        line = theme[f"racer{k}"]
        assert contrast(theme["badge"], line) >= 4.5
        assert min(contrast(line, behind) for behind in (theme["card"], *bands)) >= 3, line
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_the_plot_shows_start_end_and_minimum():
    hyper = resolve("sgd", "torch", {"lr": 0.05})
    picture = plot(SURFACES["valley"], walk(RULES["sgd"], hyper, SURFACES["valley"], 20), 60, 15)
    assert {picture.count(mark) for mark in "○●×"} == {1}
    assert len({len(line) for line in picture.splitlines()[:-1]}) == 1


@pytest.mark.parametrize(("rule", "plain"), [("adabound", "adam"), ("amsbound", "amsgrad")])
def test_a_picture_of_bounds_shows_them_act_and_says_what_it_changed(rule, plain):
    ground = SURFACES["valley"]
    one = Explanation(RULES[rule], "torch", resolve(rule, "torch", {}))
    lr, path = one.walk(ground)
    free = walk(RULES[plain], resolve(plain, "torch", {"lr": lr}), ground, len(path.rates))
    apart = np.linalg.norm(np.subtract(path.points, free.points), axis=1)
    assert apart[:5].max() < 0.1
    assert apart.max() > 0.3
    assert "gamma 0.03 in place of 0.001" in one.remark
    assert one.to_json("valley")["walk"]["gamma"] == 0.03
    chosen = Explanation(RULES[rule], "torch", resolve(rule, "torch", {"gamma": 0.002}))
    assert chosen.walk(ground)[1] == walk(RULES[rule], {**chosen.hyper, "lr": chosen.walk(ground)[0]}, ground, 100)
    assert Explanation(RULES[plain], "torch", resolve(plain, "torch", {})).remark == ""


def test_the_server_shows_the_page_and_nothing_else(tmp_path):
    (tmp_path / "page.html").write_text("<p>playground</p>")
    (tmp_path / "secret.txt").write_text("secret")
    with server_of(tmp_path / "page.html") as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_address[1]}"
            for path in ("/", "/secret.txt", "/../secret.txt"):
                with urllib.request.urlopen(address + path) as answer:
                    assert answer.read() == b"<p>playground</p>"
        finally:
            server.shutdown()
            thread.join()


def test_formulas_have_a_font_for_mathematics_wherever_they_are_drawn(playground):
    font = f"font-family: {FONTS}"
    assert font.replace("'", '"') in playground
    assert font.replace("'", '"') in (ROOT / "docs" / "static" / "site.css").read_text()
    html = rule_html(RULES["adam"])
    assert html.count(font) == html.count("<math")


@pytest.mark.parametrize("rule", ["sgd", "adadelta"])
def test_code_in_a_sentence_is_shown_without_backticks(surefoot_command, rule):
    assert "`" in RULES[rule].doc
    assert "`" not in surefoot_command("explain", rule)[1] + rule_html(RULES[rule]) + Library().rule(RULES[rule])["doc"]
    assert re.search("<code>(momentum|lr)</code>", rule_html(RULES[rule]))


@pytest.mark.parametrize("rule", ["sgd", "adabound"])
def test_the_explanation_is_as_it_was_read_and_found_good(surefoot_command, rule):
    code, out, err = surefoot_command("explain", rule)
    assert (code, err) == (0, "")
    assert out == (GOLDEN / f"explain_{rule}.txt").read_text(encoding="utf-8")


@pytest.fixture
def short_walks(monkeypatch):
    """Walks of 20 steps; what is said of them is as wide whatever their end, and more conventions end alike."""
    monkeypatch.setattr(written, "STEPS", 20)
    monkeypatch.setattr(differences, "STEPS", 20)
    monkeypatch.setattr(differences, "_ends", differences._ends.__wrapped__)


@pytest.mark.usefixtures("short_walks")
@pytest.mark.parametrize(
    "arguments", [*((name,) for name in RULES), *((name, "--conventions") for name in RULES), *IN_KERAS], ids=" ".join
)
def test_every_line_fits_80_columns(surefoot_command, arguments):
    code, out, _ = surefoot_command("explain", *arguments)
    assert code == 0
    assert max(map(columns, out.splitlines())) <= 80


def test_a_share_of_any_size_takes_seven_columns_at_most():
    shares = (0, 1e-9, 1.234e-4, 1.25e-3, 0.0999, 0.1, 9.994, 9.996, 123.4, np.inf, np.nan)
    assert max(len(share(value)) for value in shares) == len(">1000 %")


def test_the_family_fits_too_and_has_every_rule(surefoot_command):
    code, out, _ = surefoot_command("explain")
    assert code == 0
    assert max(map(columns, out.splitlines())) <= 80
    assert all(rule.title in out for rule in RULES.values())
    code, out, _ = surefoot_command("explain", "--json")
    assert {entry["rule"] for entry in json.loads(out)["family"]} == set(RULES)


def test_json_has_the_numbers_and_the_drift(surefoot_command):
    code, out, _ = surefoot_command("explain", "adam(beta1=0.5)", "--json", "--conventions")
    made = json.loads(out)
    assert code == 0
    assert {"symbol": "β₁", "name": "beta1", "value": 0.5}.items() <= made["symbols"][1].items()
    assert made["cost"] == {
        "slots": ["m", "v"],
        "state_bytes": 8,
        "moved_bytes": 28,
        "beside": {},
        "products": 0.0,
        "decomposes": False,
    }
    assert len(made["walk"]["points"]) == 101
    assert made["walk"]["lr"] in GRID
    row = next(row for row in made["drift"]["rows"] if (row["source"], row["target"]) == ("keras", "torch"))
    assert row["shares"][-1] == pytest.approx(differences.shares("adam", "keras", "torch", [1e-8])[0])


def test_latex_alone(surefoot_command):
    code, out, _ = surefoot_command("explain", "adam", "--latex")
    hyper = resolve("adam", "torch", {})
    assert (code, out) == (0, latex.emit(trace(RULES["adam"], hyper), hyper))


def test_step_times_are_those_that_were_measured(surefoot_command, monkeypatch):
    monkeypatch.setattr("surefoot.cli.explain._times", lambda _: ({"surefoot cpu": 1.25e-3}, ["the machine was busy"]))
    out = surefoot_command("explain", "adam", "--time")[1]
    assert "surefoot cpu             1.250 ms" in out
    assert "note: the machine was busy" in out
    made = json.loads(surefoot_command("explain", "adam", "--time", "--json")[1])
    assert made["step_seconds"] == {"surefoot cpu": 1.25e-3}
    assert "not measured" in surefoot_command("explain", "adam")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["adm"], "Did you mean 'adam'"),
        (["adam", "--convention", "tensorflow"], "unknown convention"),
        (["adam", "--surface", "rosenbrok"], "Did you mean 'rosenbrock'"),
        (["adam, sgd"], "names 2 rules"),
        (["adam(lr=-1)"], "lr=-1.0 is not allowed"),
        (["torch.optim.Adam"], "unknown rule 'torch.optim.adam'"),
        (["my.html", "--web"], "leave 'my.html' out"),
    ],
)
def test_a_mistake_is_one_message(surefoot_command, arguments, words):
    code, out, err = surefoot_command("explain", *arguments)
    assert (code, out) == (2, "")
    assert words in " ".join(err.split())


def test_the_page_is_written_where_it_is_asked_for(surefoot_command, tmp_path):
    code, out, _ = surefoot_command("explain", "--web", "--out", "here/page.html")
    assert code == 0
    assert str(tmp_path / "here" / "page.html") in "".join(out.split("\n"))
    assert (tmp_path / "here" / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_page_is_named_in_json_where_that_is_asked_for(surefoot_command, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "render", lambda _: "a page")
    code, out, _ = surefoot_command("explain", "--web", "--out", "page.html", "--json")
    assert code == 0
    assert Path(json.loads(out)["path"]).resolve() == tmp_path / "page.html"
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "a page"


@pytest.mark.parametrize("rule", [name for name, rule in RULES.items() if rule.parent])
def test_what_a_rule_adds_is_not_what_it_was_said_to_do(rule):
    does, adds = (set(re.findall(r"[a-z]{4,}", text.lower())) for text in (RULES[rule].doc, RULES[rule].about.adds))
    assert len(does & adds) <= len(adds) / 2


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_explained_in_every_convention(surefoot_command, rule):
    for framework in FRAMEWORKS:
        code, out, err = surefoot_command("explain", rule, "--convention", framework, "--latex")
        assert (code, err) == (0, ""), framework
        assert out


def test_a_port_that_is_taken_is_named(tmp_path):
    with server_of(tmp_path / "page.html") as server:
        port = server.server_address[1]
        with pytest.raises(UsageError, match=f"port {port} cannot be served on"):
            server_of(tmp_path / "page.html", port)


def test_help_has_an_example(surefoot_command):
    code, out, _ = surefoot_command("explain", "--help")
    assert code == 0
    assert "Example: surefoot explain adabound" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("setting", FORMULAS.values(), ids=str)
def test_every_letter_of_a_formula_is_explained(setting):
    graph = trace(setting.rule, setting.hyper)
    for notation in (unicode.NOTATION, mathml.NOTATION):
        found = dict(signs(setting.rule, setting.hyper, graph, notation))
        lines = formula.formulas(graph, formula.zeros_of(setting.hyper), notation)
        assert {left for left, _ in lines} <= found.keys()
        assert all(found.values())


def test_every_slot_of_ours_says_what_it_holds_and_a_users_own_need_not(surefoot_command, playground):
    assert all(slot.meaning for own in RULES.values() for slot in own.slots)
    assert "vᵐᵃˣₜ largest mean square so far" in surefoot_command("explain", "amsgrad")[1]
    assert "<mi>t</mi></msub></math>: running mean of the gradients" in rule_html(RULES["adam"])
    assert "state, kept from step to step" in rule_html(replace(RULES["adam"], slots=(Slot("m"), Slot("v"))))
    assert "mₜ: running mean of the gradients; vₜ: " in playground


def test_every_symbol_that_is_explained_is_known():
    one = Explanation(RULES["adagrad"], "keras", resolve("adagrad", "keras", {}))
    assert [letter.name for letter in one.letters] == ["lr", "lr_decay", "initial_accumulator", "eps"]
    assert all(letter.meaning == HYPERPARAMETERS[letter.name].meaning for letter in one.letters)


@pytest.mark.parametrize(
    ("rule", "name", "meaning"),
    [
        ("lion", "beta2", "share of the mean gradient kept each step"),
        ("adan", "beta2", "share of the mean difference of gradients kept each step, and its weight in the step"),
        ("ademamix", "beta3", "share of the slow mean gradient kept each step"),
        ("adadelta", "eps", "added to both mean squares under their roots; how long the first steps are"),
    ],
)
def test_a_rules_own_meaning_of_a_hyperparameter_is_shown(surefoot_command, rule, name, meaning):
    assert meaning in " ".join(surefoot_command("explain", rule)[1].split())
    assert meaning in surefoot_command("explain", rule, "--json")[1]
    assert meaning in rule_html(RULES[rule])
    assert slider(RULES[rule], name, {0.9}).meaning == meaning


@pytest.mark.parametrize("rule", RULES)
def test_a_framework_means_only_rules_that_it_has(rule):
    for framework in FRAMEWORKS:
        said, call = Explanation(RULES[rule], framework, {}).meant, convention(rule, framework).call
        assert call in said
        assert said.startswith("As ") == bool(call or framework == "paper"), framework


def test_explaining_loads_no_library_that_draws_figures():
    code = "import sys, surefoot.cli.explain; print({'altair', 'vl_convert', 'torch'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_what_products_of_matrices_cost_is_said():
    """Beside what a step moves, which would make a rule for matrices look as cheap as momentum."""
    muon = Explanation(RULES["muon"], "keras", resolve("muon", "keras", {}))
    said = " ".join(explanation(muon, "valley").split())
    assert "products: for each weight of a square matrix of n rows 30 n operations, 30,720 where n is 1024" in said
    assert "With both weights as a matrix of one column." in said
    assert "Oₜ singular values near 1, by NS: 5 steps of a x + b x³ + c x⁵" in said
    cost = Explanation(soap, "torch", soap.complete({})).cost
    assert cost.beside == {"L": "rows x rows", "R": "cols x cols", "A": "rows x rows", "B": "cols x cols"}
    assert cost.decomposes


@pytest.mark.parametrize(("scale", "there"), [("rms", True), ("original", False)])
def test_a_number_of_another_form_is_no_letter_of_this_one(scale, there):
    one = Explanation(RULES["muon"], "optax", shown("muon", "optax", {"scale": scale}))
    assert ("rms" in {letter.name for letter in one.letters}) is there


def test_a_form_may_be_a_word():
    (line,) = [line for line in differences.forms("muon") if "shape" in line.about]
    assert (line.values["torch"], line.values["keras"]) == ("original", "rms")


def test_no_rule_for_matrices_races():
    """A racer is two weights: the page was not written at all while such a rule was among them."""
    assert {name for name, rule in RULES.items() if rule.shape == "any"} == RULES.keys() & played().keys()
    with pytest.raises(UsageError, match="muon steps matrices"):
        render([RULES["muon"]])


def test_a_matrix_has_sides_that_tell_its_scales_apart():
    """Keras's rate takes the longer side, torch's is that of a wide matrix: 1."""
    assert differences.shares("muon", "keras", "torch")[0] > 0.1
