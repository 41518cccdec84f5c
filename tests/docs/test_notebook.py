"""In a notebook: tables, studies and rules as HTML, progress in the cell's output, and an example that runs."""

import sys
from functools import partial
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from rich.console import Console

from paths import ROOT
from planned_run import plan
from samples import article
from surefoot.analysis import summarize
from surefoot.mathops import sqrt
from surefoot.options import Options
from surefoot.progress import board as board_module
from surefoot.progress import live_display
from surefoot.result import Result
from surefoot.rule import Step, rule
from surefoot.rules import RULES
from surefoot.training import events
from surefoot.words import notes, table, warnings
from surefoot.words.cells import lines, plain_table

EXAMPLE = ROOT / "examples" / "compare.ipynb"


def parsed(html):
    """The elements of a piece of HTML, which must be well formed and load nothing."""
    assert not any(word in html for word in ("<script", "src=", "href=", "http"))
    return ElementTree.fromstring(f"<div>{html.replace('<br>', '<br/>')}</div>")


def words(element):
    return " ".join("".join(element.itertext()).split())


def test_a_table_keeps_its_cells_and_escapes_names():
    cells = plain_table(("Optimizer", "Chosen"), [("<b>&", lines(["lr 0.1", "momentum 0.9"])), ("adam", "–")])
    found = parsed(cells._repr_html_())
    rows = [[words(entry) for entry in row] for row in found.iter("tr")]
    assert rows == [["Optimizer", "Chosen"], ["<b>&", "lr 0.1momentum 0.9"], ["adam", "–"]]
    assert "lr 0.1<br>momentum 0.9" in cells._repr_html_()
    assert not list(found.iter("b"))


@pytest.fixture
def study():
    return Result("<i>mine", summarize(article(seeds=3)))


def test_a_study_says_its_verdict_and_shows_its_table(study):
    found = parsed(study._repr_html_())
    assert words(found.find("h4")) == "<i>mine"
    assert words(found.find("p")) == " ".join(study.verdict.split())
    assert table(study.summary)._repr_html_() in study._repr_html_()
    for remark in (*warnings(study.summary), *notes(study.summary)):
        assert " ".join(remark.split()) in words(found)


def test_in_print_a_study_and_a_rule_are_one_line(study):
    assert repr(study) == f"<Result <i>mine: {study.verdict}>"
    assert repr(RULES["adam"]) == f"<Rule adam: {RULES['adam'].doc}>"


@pytest.mark.parametrize("name", RULES)
def test_a_rule_shows_its_formula_its_symbols_and_its_defaults(name):
    one = RULES[name]
    found = parsed(one._repr_html_())
    formula, table_ = list(found.iter("math")), found.find("table")
    assert any("w" in words(line) and "g" in words(line) for line in formula) or len(formula) > 2
    rows = {words(row[1]): words(row[2]) for row in table_.find("tbody")}
    assert rows["lr"] == f"{one.defaults['lr']:g}"
    assert rows.keys() <= one.defaults.keys()
    assert one.source in words(found)


def test_a_rule_of_a_users_own_is_shown_too_and_its_words_are_escaped():
    @rule(slots=("v",), source="<i>me")
    def mine(g, state, t, *, lr=1e-2, beta2=0.9, eps=1e-8):  # noqa: ARG001
        """Divides by <b>the root & no more."""
        v = beta2 * state.v + (1 - beta2) * g * g
        return Step(rate=lr / (sqrt(v) + eps), direction=g, v=v)

    found = parsed(mine._repr_html_())
    assert "<b>the root & no more" in words(found)
    assert "<i>me" in words(found)
    assert len(list(found.iter("msqrt"))) == 1


class Display:
    """Stands for `IPython.display`: what was shown in each place."""

    def __init__(self):
        self.places = []

    def display(self, *shown, raw=False, display_id=False):
        assert raw or not display_id
        self.places.append(list(shown))
        place = self.places[-1]

        def update(content, raw):
            assert raw
            place.append(content)

        return SimpleNamespace(update=update)


@pytest.fixture
def display(monkeypatch):
    """A notebook, as far as progress can tell."""
    fake = Display()
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    monkeypatch.setattr("surefoot.progress.console.Console", partial(Console, force_jupyter=True))
    return fake


def test_progress_in_a_notebook_is_one_place_that_is_replaced(display, monkeypatch, capsys):
    monkeypatch.setattr(board_module, "SECONDS", 0.0)
    planned = plan("logreg-digits", Options(("adam",), only=True, device="cpu", seeds=2, trials=0))
    first, second = planned.trials
    with live_display.progress(planned, 2, planned.trials) as observe:
        observe(first, events.Started(first.key, 0))
        observe(first, events.Failed(first.key, "no <b> luck"))
        observe(second, events.Started(second.key, 0))
        observe(second, events.Diverged(second.key, "loss became nan"))
    opening, board = display.places
    assert len(opening) == 1
    texts = [content["text/plain"] for content in board]
    assert texts[0] == "0 of 2 trials done, 0 running"
    assert texts[-1].splitlines() == ["2 of 2 trials done, 0 running", "Adam #0 failed: no <b> luck"]
    assert "no &lt;b&gt; luck" in board[-1]["text/html"]
    assert capsys.readouterr() == ("", "")


def test_progress_in_a_notebook_is_drawn_twice_a_second_at_most_and_at_the_end(display):
    planned = plan("logreg-digits", Options(("adam",), only=True, device="cpu", seeds=1, trials=0))
    (trial,) = planned.trials
    with live_display.progress(planned, 1, planned.trials) as observe:
        observe(trial, events.Started(trial.key, 0))
        for step in range(1, 200):
            observe(trial, events.StepsDone(trial.key, 1, step, trial.protocol.steps, 0.5))
        observe(trial, events.Diverged(trial.key, "loss became nan"))
    board = display.places[1]
    assert len(board) <= 4
    assert board[-1]["text/plain"] == "1 of 1 trials done, 0 running"


def test_elsewhere_progress_is_as_before(monkeypatch, capsys):
    plain = partial(Console, force_jupyter=False, force_terminal=False)
    monkeypatch.setattr("surefoot.progress.console.Console", plain)
    planned = plan("logreg-digits", Options(("adam",), only=True, device="cpu", seeds=1, trials=0))
    (trial,) = planned.trials
    with live_display.progress(planned, 1, planned.trials) as observe:
        observe(trial, events.Diverged(trial.key, "loss became nan"))
    assert "Adam: diverged: loss became nan" in capsys.readouterr().err


def code(notebook):
    return [one for one in notebook.cells if one.cell_type == "code"]


def outputs(notebook):
    """The kinds of output of each code cell, and whether it shows HTML."""
    return [
        [(shown.output_type, "text/html" in shown.get("data", {})) for shown in one.outputs] for one in code(notebook)
    ]


def test_the_example_notebook_is_stored_as_it_was_executed():
    import nbformat

    stored = nbformat.read(EXAMPLE, as_version=4)
    nbformat.validate(stored)
    counts = [one.execution_count for one in code(stored)]
    assert counts == list(range(1, len(counts) + 1))
    kinds = [kind for some in outputs(stored) for kind, _ in some]
    assert "error" not in kinds
    assert kinds.count("execute_result") == 2
    text = EXAMPLE.read_text(encoding="utf-8")
    assert len(text) < 100_000
    assert not any(place in text for place in ("/home/", "/root/", "/tmp/", "/Users/"))


@pytest.mark.slow
def test_the_example_notebook_runs_and_shows_what_is_stored(tmp_path):
    import nbformat
    from nbclient import NotebookClient

    stored, run = (nbformat.read(EXAMPLE, as_version=4) for _ in range(2))
    comparing = code(run)[2]
    for full, small in (
        ("trials=6", "trials=4"),
        ("seeds=5", "seeds=2"),
        ("epochs=5", "epochs=1"),
        ("workers=2", "workers=1"),
    ):
        assert full in comparing.source
        comparing.source = comparing.source.replace(full, small)
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(run, timeout=600, kernel_name="python3", resources=where).execute()
    assert outputs(run) == outputs(stored)
    *_, study, _, explained = code(run)
    done, _, of, *_ = comparing.outputs[-1].data["text/plain"].split()
    assert done == of
    shown = study.outputs[0].data["text/html"]
    assert "<h4>two spirals</h4>" in shown
    for label in ("Momentum tuned", "Adam tuned", "AdaBound tuned", "NAdam tuned"):
        assert f'<th scope="row">{label}</th>' in shown
    assert "<math" in explained.outputs[0].data["text/html"]
