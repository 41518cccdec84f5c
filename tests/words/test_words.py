"""The room of words: one page with every sentence that it can write, and a column that is one entry everywhere.

After a change of wording look at the difference and write the page again: `python tests/words/test_words.py`.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import surefoot
from paths import GOLDEN
from samples import DESIGN, article, diverged, running, study, trial, tuned, with_plan
from surefoot.analysis import summarize, summarize_suite
from surefoot.cli.result import print_result
from surefoot.range_test.words import DRAWN, IS_NOT, REASONS, TO_USE, what_it_is
from surefoot.report.export import latex, markdown
from surefoot.report.page import content, html
from surefoot.store.design import Budget, Optimizer, Search
from surefoot.store.looks import LookPlan, Question, TakenLook, Together
from surefoot.store.margin import Margin
from surefoot.store.protocol import LOSS, Metric
from surefoot.store.ranges import GIVEN_BY_USER, log
from surefoot.words import as_json, notes, table, tuning_warnings, verdict_text, warnings
from surefoot.words.answers import QUESTIONS, answers
from surefoot.words.cells import Column, of, plain_table
from surefoot.words.glance import at_a_glance
from surefoot.words.looks import interim_text
from surefoot.words.notes import PRINTED_CAPTION
from surefoot.words.numbers import Unit, Written
from surefoot.words.pairs import MATRIX, TIE, compared, matrix, matrix_caption
from surefoot.words.results import COLUMNS, arrival_table
from surefoot.words.suite import suite_notes
from surefoot.words.tuning import cumulative_table, ledger

SENTENCES = GOLDEN / "sentences.md"

ERROR = Metric("error", "min")
PERPLEXITY = Metric("perplexity", "min", share=False)


def judged(records, metric, **protocol):
    return [replace(r, protocol=replace(r.protocol, metric=metric, **protocol)) for r in records]


def scored(label, scores, **changes):
    """Finished trials with these test metrics."""
    made = []
    for seed, score in enumerate(scores):
        one = trial("Adam", seed=seed)
        outcome = replace(one.outcome, test_metric=score)
        made.append(replace(one, key=f"{label}{seed}", label=label, outcome=outcome, **changes))
    return made


def lost(records, *seeds):
    return [diverged(record) if record.seed in seeds else record for record in records]


def seven(mean):
    return [mean + 0.0001 * step for step in (0, 3, 1, 4, 2, 6, 5)]


def contained():
    """Adam tuned, with a higher training loss than momentum tuned."""
    rules = {"Momentum": ("sgd", {"lr": 0.1, "momentum": 0.9}, 0.1), "Adam": ("adam", {"lr": 0.01}, 0.2)}
    records = []
    for name, (rule, hyper, loss) in rules.items():
        made = [
            replace(r, rule=rule, hyper=hyper, outcome=replace(r.outcome, train_loss=loss + 0.001 * r.seed**2))
            for r in scored(f"{name} tuned", seven(0.9))
        ]
        records += [*made, replace(made[0], key=name, seed=99, purpose="tune")]
    return records


def again(records, *seeds):
    """The tuning trials of the best learning rate on more seeds."""
    best = max(r.hyper["lr"] for r in records if r.label == "Adam tuned" and r.purpose == "measure")
    found = [r for r in records if r.purpose == "tune" and r.hyper["lr"] == best and r.label == "Adam tuned"]
    more = [replace(r, part=replace(r.part, role="final")) for r in found]
    return [*records, *(replace(r, seed=seed, key=f"{r.key}-{seed}") for r in more for seed in seeds)]


def only(records, purpose):
    return [r for r in records if r.purpose == purpose]


@cache
def studies():
    """One study for each sentence, by what is the matter with it."""
    close, far = scored("close", [0.981]), scored("far", [0.9])
    between = scored("between", [0.9765])
    search = tuned(3, 4, ("Adam",))
    edge = [r for r in search if r.purpose == "measure" or r.hyper["lr"] < 0.1]
    small = judged(only(search, "tune"), Metric(), chance=0.99, validation_size=300)
    return {
        "nothing has finished": [running(r, 0) for r in article()],
        "one optimizer": article(1)[:1],
        "one optimizer, a seed diverged": lost(scored("a", [0.9, 0.91]), 1),
        "one of two finished on every seed": [*lost(scored("a", [0.9, 0.91]), 1), *scored("b", [0.8])],
        "one run": [*scored("best", [0.982]), *close, *between, *far],
        "one run of an error": judged([*scored("best", [0.02]), *scored("b", [0.0235])], ERROR),
        "one run of a metric without a yardstick": judged([*scored("a", [30.0]), *scored("b", [40.0])], PERPLEXITY),
        "one run, three followers": judged(
            [r for label, score in (("a", 1.0), ("b", 2.0), ("c", 3.0)) for r in scored(label, [score])], LOSS
        ),
        "few seeds": article(3),
        "few seeds, one diverged": [*scored("a", [0.9] * 3), *lost(scored("b", [0.8] * 3), 0, 1)],
        "ahead and level": [
            *scored("best", seven(0.98)),
            *scored("level", [score - 0.00005 * (-1) ** place for place, score in enumerate(seven(0.98))]),
            *scored("behind", seven(0.95)),
            *lost(scored("lost", seven(0.97)), *range(7)),
        ],
        "five seeds": [*scored("a", seven(0.98)[:5]), *scored("b", seven(0.95)[:5])],
        "the best diverged once": [*lost(scored("a", [0.99] * 10), 0), *lost(scored("b", [0.95] * 10), 0, 1, 2)],
        "the highest diverged oftener": [*lost(scored("a", [0.99] * 10), 0, 1, 2, 3), *scored("b", [0.95] * 10)],
        "other seeds": [*scored("a", [0.9, 0.91]), *(replace(r, seed=r.seed + 50) for r in scored("b", [0.8, 0.81]))],
        "many optimizers": study(8, 7),
        "a perplexity": judged([*scored("a", seven(40.0)), *scored("b", seven(30.0))], PERPLEXITY),
        "casualties": [
            *article(3),
            *[replace(r, label="f", key=f"f{r.key}", status="failed", outcome=None) for r in article(2)[:2]],
            *[replace(running(r), label="u", key=f"u{r.key}") for r in article(1)[:1]],
            *[replace(diverged(r), label="d", key=f"d{r.key}") for r in article(1)[:1]],
        ],
        "looked at before": [
            replace(r, judged=frozenset(TakenLook(run) for run, seeds in enumerate((5, 6)) if r.seed < seeds))
            for r in article(7)
        ],
        "found by an earlier verdict": [
            replace(r, judged=frozenset({TakenLook(0)} if r.seed < 5 else ()))
            for r in (*scored("a", spread(0.98, 7)), *scored("b", spread(0.95, 7)))
        ],
        "tuned": tuned(5, 4),
        "tuned, with finalists": again(tuned(3, 4, ("Adam", "AdaBound")), 1001, 1002),
        "tuned in unequally many": search[:-4] + tuned(3, 6, ("AdaBound",)) + search[-4:],
        "tuned, one not measured": [*search, *only(tuned(3, 4, ("AdaBound",)), "tune")],
        "tuned, none measured": only(search, "tune"),
        "tuned on the measuring seeds": [replace(r, seed=0) if r.purpose == "tune" else r for r in search],
        "tuned at the edge": edge,
        "tuned to no result": [diverged(r) if r.purpose == "tune" else r for r in search],
        "tuned, then unstable": [diverged(r) if r.purpose == "measure" and "tuned" in r.label else r for r in search],
        "tuned below what it contains": contained(),
        "at chance": judged(article(2), Metric(), chance=0.97),
        "within luck of chance": small,
        "all diverged": judged([diverged(r) for r in article(2)], Metric(), chance=0.1),
        "a loss at its start": judged(article(2), LOSS, chance=0.5),
        "another task": [replace(r, study="mine") for r in article(2)],
        "no target": [replace(r, epochs=r.epochs[:1]) for r in scored("a", seven(0.9)) + scored("b", seven(0.9))],
        "conventions and devices": [
            replace(
                r,
                convention="torch" if r.label == "Adam" else "keras",
                protocol=replace(r.protocol, device="cuda" if r.seed else "cpu"),
            )
            for r in article(2)
        ],
    }


def margins():
    """A study and a margin for each answer to whether two are equal."""
    wide = [0.95, 0.99, 0.96, 0.98, 0.97, 0.99, 0.9501]
    near = [score - 0.0005 * (-1) ** place for place, score in enumerate(seven(0.98))]
    level = [*scored("best", seven(0.98)), *scored("near", near)]
    lower = [*scored("best", seven(0.98)), *scored("lower", [score - 0.01 for score in near])]
    unsure = [*scored("best", seven(0.9755)), *scored("wide", wide)]
    losses = [*scored("a", seven(2.0)), *scored("b", [score + 0.01 for score in seven(2.0)[::-1]])]
    return {
        "equal within a margin": (level, Margin(0.003)),
        "ahead, and equal within a margin": (lower, Margin(0.02)),
        "not worse by more than a margin": (unsure, Margin(0.011)),
        "still open within a margin": (unsure, Margin(0.0005)),
        "no number of seeds would tell": ([*scored("best", seven(0.97)), *scored("wide", wide)], Margin(0.00001)),
        "a margin for many": (study(8, 7), Margin(0.0001)),
        "equal within a part of a loss": (judged(losses, LOSS), Margin(0.02, relative=True)),
        "a margin and too few seeds": (article(3), Margin(0.003)),
    }


def spread(mean, seeds):
    return [mean + 0.0001 * (7 * seed % seeds) for seed in range(seeds)]


def looked_at():
    """A study and its plan for each thing that looks and questions decide."""
    rise = [score + 0.0001 * (seed % 3 - 1) for seed, score in enumerate(spread(0.98, 16))]
    two = [*scored("a", spread(0.98, 12)), *scored("b", spread(0.95, 12))]
    close = [*scored("a", spread(0.98, 16)), *scored("b", rise)]
    left = [*close, *scored("c", spread(0.95, 12))]
    hard = [
        replace(r, outcome=replace(r.outcome, test_metric=r.outcome.test_metric - 0.5 * (r.seed >= 12))) for r in left
    ]
    nine = [r for r in close if r.seed < 9]
    chosen = frozenset({TakenLook(0, 9, together=Together(6, 6))})
    looks, against = LookPlan((12, 16, 20), "pocock"), Question("against", "c")
    return {
        "before the first look": (nine, looks),
        "decided after 12 of at most 20 seeds": (two, looks),
        "one left": (left, looks),
        "one left with a better mean": (hard, looks),
        "one is equal, and no more is asked": ([r for r in close if r.seed < 12], looks, Margin(0.001)),
        "every pair is asked about": (left, replace(looks, question=Question("all-pairs"))),
        "every pair is asked about, of five": (study(5, 7), LookPlan(question=Question("all-pairs"))),
        "compared with one": ([r for r in left if r.seed < 12], LookPlan(question=against)),
        "compared with one, decided early": ([r for r in left if r.seed < 12], replace(looks, question=against)),
        "compared with one, and no difference is found": (close, LookPlan(question=Question("against", "b"))),
        "a run that goes on": (nine, LookPlan(), None, 20),
        "pairs that an earlier verdict may have chosen": ([replace(r, judged=chosen) for r in nine], LookPlan()),
    }


def planned(records, looks, margin=None, most=0):
    """The design of a study of these optimizers and looks, and of more seeds at most."""
    optimizers = tuple(Optimizer(label, "adam", "keras", {}) for label in dict.fromkeys(r.label for r in records))
    seeds = tuple(range(looks.most or most or 1 + max(r.seed for r in records)))
    return replace(DESIGN, optimizers=optimizers, budget=Budget(), measure=seeds, looks=looks, margin=margin)


def given(summary):
    """The summary with a design that holds the learning rate in a range of the user's."""
    return with_plan(summary, Search({"lr": log(0.001, 0.1)}, {"lr": GIVEN_BY_USER}, ({}, {}, {})))


def suites():
    """Several studies: all in order, one in which an optimizer diverged, one in which nobody learned, and one alone."""
    both = judged([*scored("A", seven(0.9)), *scored("B", seven(0.8))], Metric(), chance=0.1)
    paths = {name: [replace(r, key=f"{name}{r.key}") for r in both] for name in ("one", "two", "three")}
    flat = [replace(r, epochs=r.epochs[:1]) for r in judged(paths["three"], Metric(), chance=0.99)]
    return {
        "three": paths,
        "one diverged": {**paths, "two": [diverged(r) if r.label == "A" else r for r in paths["two"]]},
        "nobody advanced": {**paths, "three": flat},
        "alone": {"one": paths["one"]},
    }


def sentences() -> Iterator[str]:
    """The golden page, line by line; a note that stands above already is left out."""
    told: set[str] = set()
    yield "# Every sentence about a result"
    for name, records in studies().items():
        summary = summarize(records, DESIGN if name == "tuned" else None)
        yield from ("", f"## {name}", "", verdict_text(summary), *(f"- warning: {one}" for one in warnings(summary)))
        yield from (f"- tuning: {one}" for one in tuning_warnings(summary))
        yield from (f"- note: {one}" for one in notes(summary) if one not in told)
        told |= {*notes(summary)}
    for name, (records, margin) in margins().items():
        summary = summarize(records, margin=margin)
        yield from ("", f"## {name}", "", verdict_text(summary))
        for label, duels in matrix(summary, compared(summary)):
            yield f"- {label} is {', '.join(f'{duel.standing} ({other})' for other, duel in duels if duel)}"
    yield matrix_caption(summary)
    for name, (records, *asked) in looked_at().items():
        summary = summarize(records, planned(records, *asked))
        yield from ("", f"## {name}", "", verdict_text(summary))
        yield from (f"- {heading}: {said}" for heading, said in at_a_glance(summary) if heading != "Cost")
        yield f"- {QUESTIONS['results']} {answers(summary)['results']}"
        if summary.interim and summary.interim.taken:
            yield f"- log: {interim_text(summary.interim)}"
    summary = given(summarize(studies()["tuned at the edge"]))
    yield from ("", "## tuned at the edge of a given range", "", *tuning_warnings(summary))
    for name, records in suites().items():
        suite = summarize_suite({one: summarize(found) for one, found in records.items()})
        yield from ("", f"## suite: {name}", "", *suite_notes(suite))
    below = (caption for name in ("few seeds", "one run", "tuned", "a perplexity") for caption in captions(name))
    yield from ("", "## below tables", "", *dict.fromkeys(below), PRINTED_CAPTION, TIE, MATRIX)
    yield from ("", "## a range test", "", what_it_is(2, 100, (1e-6, 1.0), 3.0), DRAWN, IS_NOT, TO_USE)
    yield from (f"- {why}" for why in REASONS.values())


def captions(name: str) -> Iterator[str]:
    """What stands below the page's tables."""
    summary = summarize(studies()[name])
    tables = [table(summary, "page"), arrival_table(summary), ledger(summary), cumulative_table(summary)]
    yield from (caption for one in tables if one for caption in one.captions)


def golden() -> str:
    return "\n".join(sentences()) + "\n"


def test_every_sentence_is_as_it_was():
    assert golden() == SENTENCES.read_text(encoding="utf-8")


def test_a_margin_of_one_point_is_one_point():
    assert [Written(Metric()).margin(Margin(size)) for size in (0.01, 0.011)] == ["1 point", "1.1 points"]


def calls(node: ast.AST) -> bool:
    """Whether a piece of code takes a formatted text apart."""
    return isinstance(node, ast.Attribute) and node.attr in ("removesuffix", "removeprefix", "partition")


@pytest.mark.parametrize("room", ["words", "report"])
def test_nobody_takes_a_cell_apart(room):
    allowed = {"numbers.py"}  # the exponent of a number
    for path in (Path(surefoot.__file__).parent / room).glob("*.py"):
        if path.name not in allowed:
            assert not any(map(calls, ast.walk(ast.parse(path.read_text(encoding="utf-8"))))), path


def test_the_analysis_writes_no_sentence():
    """Five words are a sentence; errors and docstrings are for programmers, and `check` names what it checks."""
    for path in (Path(surefoot.__file__).parent / "analysis").glob("*.py"):
        if path.name in ("calibration.py", "published.py"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        spoken = {id(part) for node in ast.walk(tree) if isinstance(node, ast.Raise) for part in ast.walk(node)}
        spoken |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in spoken:
                assert sum(map(str.isalpha, node.value.split())) < 5, f"{path.name}: {node.value!r}"


def test_a_column_is_one_entry_and_stands_everywhere(monkeypatch, capsys):
    digits = Unit(lambda value: f"{value:.1f}", "nats")
    doubled = Column("Twice", lambda row, _: of(row.test_loss, digits, "x2"), "Twice is only a test.")
    monkeypatch.setattr("surefoot.words.results.COLUMNS", [*COLUMNS, doubled])
    summary = summarize(article(3))
    row = summary.rows[1]
    mean, bounds = f"{row.test_loss.mean:.1f} nats", f"[{row.test_loss.low:.1f}, {row.test_loss.high:.1f}] (x2)"
    print_result(summary)
    places = {
        "terminal": capsys.readouterr().out,
        "print": str(table(summary)),
        "notebook": table(summary)._repr_html_(),
        "markdown": markdown(summary).replace("\\", ""),
        "latex": latex(summary),
    }
    for place, text in places.items():
        assert "Twice" in text, place
        assert f"{mean} {bounds}" in text, place
    assert as_json(summary)["table"][1]["Twice"] == {
        "value": row.test_loss.mean,
        "low": row.test_loss.low,
        "high": row.test_loss.high,
        "unit": "nats",
        "note": "x2",
    }
    page = html(content(summary), {}).replace("\u00a0", " ")
    assert '<th scope="col">Twice</th>' in page
    assert f'data-name="Twice"><div>{mean}</div><small>{bounds}</small>' in page
    assert "Twice is only a test." in page


def test_two_metrics_of_an_older_store_have_a_column_each():
    """A store may have a further metric that is called as the loss, or as the metric that judges."""
    others = {"loss": 0.5, "metric loss": 0.25, "accuracy": 0.125}
    summary = summarize([replace(one, outcome=replace(one.outcome, others=others)) for one in article(3)])
    told, row = as_json(summary)["table"][0], summary.rows[0]
    found = {name: told[name]["value"] for name in told if name.startswith("Test ")}
    assert found == {
        "Test loss": row.test_loss.mean,
        "Test accuracy": row.test_metric.mean,
        "Test metric loss": 0.5,
        "Test metric metric loss": 0.25,
        "Test metric accuracy": 0.125,
    }


def test_a_table_of_two_equal_headings_cannot_be():
    with pytest.raises(ValueError, match="two columns have one heading"):
        plain_table(("a", "a"), [("1", "2")])


def test_json_has_the_unit_of_the_number_and_not_of_what_is_printed():
    summary = summarize(article(3))
    row, told = summary.rows[1], as_json(summary)["table"][1]
    assert {told[name]["unit"] for name in ("Test accuracy", "Accuracy gap")} == {"fraction"}
    assert (told["Time per step"]["value"], told["Time per step"]["unit"]) == (row.step_seconds, "s")
    assert told["Training"]["unit"] == "s"
    assert told["State memory"]["unit"] == "bytes"
    assert told["Test loss"]["unit"] == ""


if __name__ == "__main__":
    SENTENCES.parent.mkdir(exist_ok=True)
    sys.exit(None if SENTENCES.write_text(golden(), encoding="utf-8") else 1)


def test_a_users_name_that_begins_with_a_word_of_ours_stays_as_it_is():
    records = [r for label, score in (("tuned by hand", 0.9), ("b", 0.5)) for r in scored(label, [score] * 6)]
    assert verdict_text(summarize(records)).startswith("tuned by hand has the highest")
