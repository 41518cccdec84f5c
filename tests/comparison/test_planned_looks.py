"""Planned looks in whole comparisons: early stops, arms that leave, questions, resuming, and what is said of it."""

import json
import re
from dataclasses import replace

import pytest
import torch

import surefoot
from drawn_scores import drawn
from surefoot.analysis import summarize
from surefoot.analysis.interim import Left
from surefoot.comparison.ask import ask
from surefoot.comparison.looks import AskedLooks
from surefoot.comparison.time_budget import TimeBudget
from surefoot.errors import UsageError
from surefoot.options import Options
from surefoot.statistics.intervals import holm
from surefoot.statistics.looks import Looks, even_looks, first_look, p_value
from surefoot.store import Store
from surefoot.store.design import Sizing, Timing
from surefoot.store.looks import LookPlan, Question
from surefoot.study import newest_run
from surefoot.training.events import Finished
from surefoot.training.function_task import function_task
from surefoot.words import as_json, verdict_text
from surefoot.words.answers import answers
from surefoot.words.glance import at_a_glance
from surefoot.words.pairs import standing

pytestmark = pytest.mark.usefixtures("workers_here")

CLOSE = ("a=sgd(lr=0.5)", "b=sgd(lr=0.497)")
APART = ("a=sgd(lr=0.5)", "b=sgd(lr=0.45)")
THREE = ("a=sgd(lr=0.5)", "b=sgd(lr=0.497)", "c=sgd(lr=0.44)")


def asked(path, optimizers, **options):
    given = {"trials": 0, "epochs": 1, "workers": 1, "device": "cpu", "better": "max", "metric": "score"}
    return {"train": drawn, "optimizers": optimizers, "store": path, **given, **options}


def compared(path, optimizers, **options):
    return surefoot.compare(**asked(path, optimizers, **options))


def counts(study):
    return {row.label: len(row.seeds) for row in study.summary.rows}


def scores(study, label):
    return [r.outcome.test_metric for r in study.records if r.label == label]


def test_a_study_stops_at_the_look_that_decides(tmp_path, surefoot_command, capsys):
    study = compared(tmp_path / "r.sqlite", APART, seeds=20, looks="8,12,16", spending="pocock")
    assert counts(study) == {"a": 8, "b": 8}
    assert "Decided after 8 of at most 20 seeds." in study.verdict
    (row,) = study.summary.comparisons
    looks = Looks((8,), 20, 0, "pocock", (8,))
    assert row.p == p_value(scores(study, "a"), scores(study, "b"), looks) <= 0.05
    assert "Look at 8 seeds. No more seeds after 8: b (behind a). The question is decided." in capsys.readouterr().err
    assert list(study.plan.design.looked) == [8]
    design, records = newest_run("drawn", tmp_path / "r.sqlite")
    assert verdict_text(summarize(records, design)) == study.verdict
    found = as_json(study.summary)["looks"]
    assert (found["taken"], found["decided"], found["planned"]["at"]) == ([8], True, [8, 12, 16, 20])
    code, out, err = surefoot_command("report", "drawn", "--store", tmp_path / "r.sqlite", "--json")
    assert code == 0, err
    assert json.loads(out)["verdict"]["text"] == study.verdict
    page = study.report(tmp_path / "r.html").read_text(encoding="utf-8").replace("\xa0", " ")
    assert "Decided after 8 of at most 20 seeds." in page
    assert "Planned looks at 8, 12, 16 and 20 seeds, spending: Pocock; 8 seeds on " in page


def test_what_is_not_decided_goes_to_the_end(tmp_path):
    study = compared(tmp_path / "r.sqlite", CLOSE, seeds=12, looks="auto")
    assert counts(study) == {"a": 12, "b": 12}
    assert study.summary.interim.taken == even_looks(12, "obrien-fleming") == (8, 9, 11, 12)
    assert "Decided after" not in study.verdict
    assert "p-values count the looks at 8, 9, 11 and 12 seeds." in study.verdict
    (row,) = study.summary.comparisons
    at = (8, 9, 11, 12)
    assert row.p == p_value(scores(study, "a"), scores(study, "b"), Looks(at, 12, due=at))


def test_an_arm_that_is_behind_leaves_and_keeps_its_row_and_its_p_values(tmp_path):
    study = compared(tmp_path / "r.sqlite", THREE, seeds=16, looks="10,13")
    assert counts(study) == {"a": 16, "b": 16, "c": 10}
    (left,) = study.summary.interim.left
    assert (left.label, left.seeds) == ("c", 10)
    assert "no more after a look" in str(study.table())
    assert f"No more seeds after 10: c (behind {left.behind})." in study.verdict
    plans = {"c": Looks((10,), 16, due=(10,)), "b": Looks((10, 13, 16), 16, due=(10, 13, 16))}
    rows = study.summary.comparisons
    raw = [
        p_value(*(scores(study, label)[: row.n] for label in (row.a, row.b)), plans["c" if "c" in row.b else "b"])
        for row in rows
    ]
    assert [row.p for row in rows] == holm(raw)


def test_the_mean_of_an_arm_that_left_does_not_make_it_the_best(tmp_path):
    study = compared(tmp_path / "r.sqlite", THREE, seeds=16, looks="10,13")
    lucky = [
        replace(r, outcome=replace(r.outcome, test_metric=r.outcome.test_metric - (r.seed >= 10) * 0.2))
        for r in study.records
    ]
    found = summarize(lucky, study.plan.design)
    means = {row.label: row.test_metric.mean for row in found.rows}
    assert max(means, key=means.get) == "c"
    assert found.verdict.best in ("a", "b")
    assert "c" not in found.verdict.ties


def test_the_same_call_again_trains_nothing_and_more_seeds_are_another_look(tmp_path, capsys):
    path = tmp_path / "r.sqlite"
    first = compared(path, APART, seeds=20, looks="8,12,16", spending="pocock")
    capsys.readouterr()
    assert compared(path, APART, seeds=20, looks="8,12,16", spending="pocock").verdict == first.verdict
    assert "nothing to run" in " ".join(capsys.readouterr().err.split())
    more = compared(path, APART, seeds=22)
    (row,) = more.summary.comparisons
    assert row.looks == (8, 22)
    due = Looks((8, 22), 20, 0, "pocock", (8, 21))
    assert row.p == p_value(scores(more, "a"), scores(more, "b"), due)


def test_a_run_that_is_stopped_between_looks_goes_on_as_if_it_had_not_been(tmp_path):
    options = {"seeds": 16, "looks": "10,13"}
    undisturbed = compared(tmp_path / "a.sqlite", THREE, **options)
    request = ask(
        function_task(drawn, better="max", metric="score", name=""),
        Options(optimizers=THREE, trials=0, epochs=1, workers=1, device="cpu", store=tmp_path / "b.sqlite", **options),
    )
    for moment in (3, 25, 34, 39):
        ended = []

        def stop(_trial, event, ended=ended, moment=moment):
            ended += [event.key] if isinstance(event, Finished) else []
            if len(ended) == moment:
                raise KeyboardInterrupt

        with Store(tmp_path / "b.sqlite") as store:
            run = request.prepare(store)
            try:
                run.run(store, stop)
            except KeyboardInterrupt:
                continue
            records = run.records(store)
            break
    keys = [(r.label, r.seed, r.outcome.test_metric) for r in undisturbed.records]
    assert [(r.label, r.seed, r.outcome.test_metric) for r in records] == keys
    assert summarize(records, run.design).verdict == undisturbed.summary.verdict


def test_another_question_goes_on_from_the_looks_that_were_taken(tmp_path):
    """Seeds that the first run never had stand in no one's way."""
    path = tmp_path / "r.sqlite"
    compared(path, APART, seeds=20, looks="8,12,16", spending="pocock")
    study = compared(path, APART, seeds=20, looks="10,14", spending="pocock", question="against b")
    (row,) = study.summary.comparisons
    assert row.looks == (8, 10)
    assert row.p == p_value(scores(study, "a"), scores(study, "b"), Looks((8, 10), 20, 0, "pocock", (8, 21)))
    assert counts(study) == {"a": 10, "b": 10}


def test_against_one_asks_about_its_pairs_alone_and_stops_when_they_are_decided(tmp_path):
    study = compared(tmp_path / "r.sqlite", THREE, seeds=20, looks="9,14", spending="pocock", question="against C")
    assert {(row.a, row.b) for row in study.summary.comparisons} == {("a", "c"), ("b", "c")}
    verdict = study.summary.verdict
    assert (verdict.basis, verdict.against, verdict.ahead, verdict.behind) == ("against", "c", ("a", "b"), ())
    assert "Against c (mean test score " in study.verdict
    assert ", ahead: a by " in study.verdict
    assert "Decided after 9 of at most 20 seeds." in study.verdict
    assert counts(study) == dict.fromkeys("abc", 9)


def test_all_pairs_go_on_until_every_pair_is_decided(tmp_path):
    study = compared(tmp_path / "r.sqlite", THREE, seeds=14, looks="10,12", question="all-pairs")
    assert counts(study) == {"a": 14, "b": 14, "c": 10}
    assert not study.summary.interim.decided
    assert study.summary.interim.left == (Left("c", 10, "a"),) or study.summary.interim.left == (Left("c", 10, "b"),)


def test_tuned_optimizers_are_looked_at_when_both_are_measured(tmp_path):
    study = compared(tmp_path / "r.sqlite", ("momentum", "adam"), seeds=12, looks="10", trials=4)
    interim = study.summary.interim
    assert interim.taken[0] == 10
    measured = {(r.label, r.seed) for r in study.records if r.purpose == "measure"}
    for row in study.summary.rows:
        left = next((one.seeds for one in interim.left if one.label == row.label), interim.taken[-1])
        assert {seed for label, seed in measured if label == row.label} == set(range(left))


def test_looks_apply_as_far_as_a_clock_lets_a_study_go(tmp_path, monkeypatch):
    """The clock ends it at 14 seeds, of which the last one spends its own share."""
    monkeypatch.setattr(TimeBudget, "fitting", lambda _, todo: [trial for trial in todo if trial.seed < 14])
    monkeypatch.setattr(TimeBudget, "left", 1e9)
    given = {"trials": 0, "epochs": 1, "workers": 1, "device": "cpu", "looks": "auto", "budget": "1h"}
    task = function_task(drawn, better="max", metric="score", name="")
    request = ask(task, Options(optimizers=CLOSE, store=tmp_path / "r.sqlite", **given))
    timings = {label: Timing(1.0, 0.1, 0.0) for label in "ab"}
    with Store(tmp_path / "r.sqlite") as store:
        run = request.plan(Sizing(1, 0, 20), timings)
        assert run.design.looks.at == (10, 13, 17, 20)
        records = run.run(store, lambda *_: None)
    summary = summarize(records, run.design)
    assert (summary.interim.taken, summary.interim.due) == ((10, 13), 17)
    (row,) = summary.comparisons
    a, b = ([r.outcome.test_metric for r in records if r.label == label] for label in "ab")
    assert row.p == p_value(a, b, Looks((10, 13, 14), 20, due=(10, 13, 14)))
    assert "Not decided after 13 of at most 20 seeds: the next look is at 17." in verdict_text(summary)


def clocked(path, monkeypatch, seeds, budget):
    """A run whose clock ends it after so many of at most 12 seeds."""
    monkeypatch.setattr(TimeBudget, "fitting", lambda _, todo: [trial for trial in todo if trial.seed < seeds])
    monkeypatch.setattr(TimeBudget, "left", 1e9)
    given = {"trials": 0, "epochs": 1, "workers": 1, "device": "cpu", "budget": budget}
    request = ask(function_task(drawn, better="max", metric="score", name=""), Options(optimizers=CLOSE, **given))
    with Store(path) as store:
        run = request.plan(Sizing(1, 0, 12), {label: Timing(1.0, 0.1, 0.0) for label in "ab"})
        return summarize(run.run(store, lambda *_: None), store.design(run.design.hash))


def test_a_verdict_that_a_clock_ended_is_a_look_at_the_seeds_that_it_reached(tmp_path, monkeypatch):
    """And not at those that it had planned: these come with the next budget."""
    first = clocked(tmp_path / "r.sqlite", monkeypatch, 6, "1h")
    (row,) = clocked(tmp_path / "r.sqlite", monkeypatch, 12, "2h").comparisons
    assert (row.n, row.looks) == (12, (6, 12))
    assert (first.comparisons[0].looks, list(first.design.looked)) == ((6,), [6])


def test_a_verdict_between_the_halves_of_a_run_is_a_look(tmp_path):
    """Twelve seeds are begun and stopped, six are judged, then the twelve go on."""
    path, ended = tmp_path / "r.sqlite", []
    task = function_task(drawn, better="max", metric="score", name="")
    given = {"optimizers": CLOSE, "trials": 0, "epochs": 1, "workers": 1, "device": "cpu", "store": path}

    def stop(_trial, event):
        ended.extend([event] if isinstance(event, Finished) else [])
        if len(ended) == 5:
            raise KeyboardInterrupt

    with Store(path) as store, pytest.raises(KeyboardInterrupt):
        ask(task, Options(seeds=12, **given)).prepare(store).run(store, stop)
    (row,) = compared(path, CLOSE, seeds=6).summary.comparisons
    assert row.looks == (6,)
    with Store(path, readonly=True) as store:
        begun = store.designs()[0]
        records = store.run(begun)
    assert "one look more" not in verdict_text(summarize(records, begun)), "the other run's verdict was on these"
    fresh = summarize([replace(r, judged=frozenset()) for r in records], begun)
    assert "The run has had 6 of its 12 seeds. A verdict before its end is one look more" in verdict_text(fresh)
    study = compared(path, CLOSE, seeds=12)
    assert "one look more" not in study.verdict
    (row,) = study.summary.comparisons
    assert row.looks == (6, 12)
    assert verdict_text(summarize(*reversed(newest_run("drawn", path)))) == study.verdict
    (row,) = compared(path, CLOSE, seeds=6).summary.comparisons
    assert row.looks == (6,)


FOUR = (*CLOSE, "c=sgd(lr=0.498)", "d=sgd(lr=0.499)")


@pytest.mark.parametrize(
    ("optimizers", "question"), [(FOUR, "against a"), (CLOSE, "best")], ids=["one as the reference", "two of four"]
)
def test_pairs_that_may_have_been_chosen_by_a_verdict_are_corrected_for_all_that_it_had(tmp_path, optimizers, question):
    compared(tmp_path / "r.sqlite", FOUR, seeds=9)
    study = compared(tmp_path / "r.sqlite", optimizers, seeds=9, question=question)
    rows = study.summary.comparisons
    raw = [p_value(scores(study, row.a), scores(study, row.b), Looks((9,), 9)) for row in rows]
    assert [row.p for row in rows] == holm([*raw, *[1.0] * (6 - len(raw))])[: len(raw)]
    assert "An earlier verdict on these seeds tested 6 pairs: p-values are adjusted for as many." in study.verdict
    fresh = compared(tmp_path / "other.sqlite", optimizers, seeds=9, question=question)
    assert [row.together for row in fresh.summary.comparisons] == [len(raw)] * len(raw)
    assert "earlier verdict" not in fresh.verdict


def test_a_gain_that_may_have_been_chosen_by_a_verdict_is_corrected_for_all_gains_that_it_had(tmp_path):
    for optimizers in (("sgd", "momentum", "adam"), ("adam",)):
        study = compared(tmp_path / "r.sqlite", optimizers, seeds=6, trials=4)
        gains = [row for row in study.summary.comparisons if row.family == "gain"]
        assert {row.together for row in gains} == {3}
    (row,) = gains
    assert row.p == min(1, 3 * row.difference.p)
    assert "An earlier verdict on these seeds tested 3 pairs: p-values" in study.verdict


def test_seeds_that_are_added_to_the_same_question_are_no_other_question(tmp_path):
    """One of three is tuned: families of three pairs, two and one, at both verdicts."""
    for seeds in (6, 8):
        study = compared(tmp_path / "r.sqlite", (*CLOSE, "adam"), seeds=seeds, trials=4)
        found = {row.family: row.together for row in study.summary.comparisons}
        assert found == {"tuned": 3, "untuned": 2, "gain": 1}
    assert "p-values are adjusted for as many" not in study.verdict


def test_an_optimizer_that_fails_makes_no_pair(tmp_path):
    for seeds in (6, 8):
        study = compared(tmp_path / "r.sqlite", (*CLOSE, surefoot.Opt(Broken, lr=0.1)), seeds=seeds)
    (row,) = study.summary.comparisons
    assert (row.looks, row.together) == ((6, 8), 1)
    assert "earlier verdict" not in study.verdict


class Broken(torch.optim.SGD):
    def __init__(self, *_, **__):
        raise RuntimeError("broken")


def test_one_that_left_as_it_was_ahead_of_all_stays_the_best(tmp_path):
    """Its seeds were fewer, and the later ones are easy."""
    three = ("a=sgd(lr=0.44)", "b=sgd(lr=0.443)", "c=sgd(lr=0.5)")
    study = compared(tmp_path / "r.sqlite", three, seeds=14, looks="10,12", question="all-pairs")
    assert study.summary.interim.left == (Left("c", 10),)
    easy = [
        replace(r, outcome=replace(r.outcome, test_metric=r.outcome.test_metric + (r.seed >= 10) * 0.5))
        for r in study.records
    ]
    found = summarize(easy, study.plan.design)
    means = {row.label: row.test_metric.mean for row in found.rows}
    assert min(means, key=means.get) == "c"
    assert (found.verdict.best, set(found.verdict.behind)) == ("c", {"a", "b"})
    assert "c has the highest mean test score of those that none is ahead of (" in verdict_text(found)
    assert "cannot be ranked" not in verdict_text(found)


def test_a_report_against_one_names_no_best(tmp_path):
    study = compared(tmp_path / "r.sqlite", THREE, seeds=20, looks="9,14", spending="pocock", question="against C")
    said = dict(at_a_glance(study.summary))
    assert said["Compared with"].startswith("c: test score 0.4")
    assert said["Ahead of it"] == "a and b"
    assert said["How sure"].startswith("2 of 2 are told apart from it by paired tests over 9 seeds.")
    assert "Best" not in said
    assert answers(study.summary)["results"] == "Compared with c. Ahead of it: a and b."
    assert [standing(label, study.summary) for label in "abc"] == ["better", "better", "reference"]
    assert study.summary.ranks == ()


def test_a_look_that_is_noted_stays_as_it_was_noted(tmp_path):
    with Store(tmp_path / "r.sqlite") as store:
        task = function_task(drawn, better="max", metric="score", name="")
        run = ask(task, Options(optimizers=CLOSE, seeds=12, looks="8", store=store.path)).plan(Sizing(1, 0, 12))
        store.freeze(run.design)
        store.look(run.design.hash, [8], "2026-01-01T00:00:00+00:00")
        store.look(run.design.hash, [8, 12], "2026-01-02T00:00:00+00:00")
        assert store.design(run.design.hash).looked == {8: "2026-01-01T00:00:00+00:00", 12: "2026-01-02T00:00:00+00:00"}
        assert store.design(run.design.hash).looks == run.design.looks == LookPlan((8, 12))


def test_a_tie_within_a_margin_ends_a_study(tmp_path, capsys):
    study = compared(tmp_path / "r.sqlite", CLOSE, seeds=20, looks="12,16", spending="pocock", margin=0.05)
    (row,) = study.summary.comparisons
    assert (row.distinguishable, row.closeness.equal) == (False, True)
    assert counts(study) == {"a": 12, "b": 12}
    assert "within 0.05" in study.verdict
    assert "24 trials up to the next look, 24 to run" in " ".join(capsys.readouterr().err.split())
    assert "Decided after 12 of at most 20 seeds." in study.verdict


def test_a_look_that_cannot_find_anything_is_named_and_left_out(tmp_path, surefoot_command):
    assert first_look(20, "obrien-fleming") == 10
    assert first_look(20, "obrien-fleming", 6) > 10
    code, out, err = surefoot_command(
        "compare", "booth", "--only", "-o", "sgd", "-o", "adam", "--seeds", 20, "--looks", "8,12", "--dry-run"
    )
    assert code == 0, err
    words = " ".join(out.split())
    assert "Planned looks at 12 and 20 seeds. Spending: O'Brien and Fleming. Question: best." in words
    assert "Left out: the look at 8 seeds." in words
    assert "With no difference: 19.9 seeds on average." in words or "With no difference: 20.0" in words
    assert "With a large one (1.5 times its spread over seeds): 12." in words
    assert list(tmp_path.iterdir()) == []


def test_without_looks_nothing_new_decides_a_run():
    assert AskedLooks.read(None, "obrien-fleming", "best", {}).decides(20, 4) == {}
    assert AskedLooks().plan(20, 4) == LookPlan()
    asked = {"looks": "auto", "spending": "pocock", "question": "best"}
    assert AskedLooks.read("auto", "pocock", "best", {}).decides(None, 4) == asked
    ways = ("auto", "7,11,16", [7, 11, 16, 20])
    same = [AskedLooks.read(looks, "pocock", "best", {}).decides(20, 2) for looks in ways]
    assert same == [asked | {"looks": [7, 11, 16, 20]}] * 3


def test_looks_beyond_what_a_clock_buys_fall_away():
    given = AskedLooks.read([12, 16, 30], "obrien-fleming", "best", {})
    assert given.plan(20, 2, at_most=True).at == (12, 16, 20)
    with pytest.raises(UsageError, match="looks goes up to 30 seeds, and the study has 20"):
        given.plan(20, 2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"looks": "soon"}, "looks is 'soon'; give auto, or numbers of seeds that rise"),
        ({"looks": [8, 8]}, "give auto, or numbers of seeds that rise"),
        ({"spending": "all"}, "spending is 'all'; give one of obrien-fleming, pocock, linear"),
        ({"question": "which"}, "question is 'which'; give best, all-pairs, or against and a name"),
        ({"question": "against adm"}, "unknown optimizer of this study 'adm'"),
        ({"question": "against"}, "question is 'against'"),
    ],
)
def test_what_cannot_be_asked_is_refused(given, words):
    with pytest.raises(UsageError, match=words):
        AskedLooks.read(**{"looks": None, "spending": "linear", "question": "best", "rules": {"Adam": "adam"}, **given})


def test_a_question_names_an_optimizer_by_its_rule_too():
    assert Question.read("against adam", {"my Adam": "adam"}) == Question("against", "my Adam")
    assert [Question.read(text, {}).pairs(4) for text in ("best", "all-pairs")] == [6, 6]
    assert Question("against", "x").pairs(4) == 3


@pytest.mark.parametrize(
    ("optimizers", "name", "label"),
    [
        (["adam(lr=0.01)", "adam=sgd(lr=0.1)"], "adam", "adam"),
        (["A=sgd(lr=0.1)", "a=adam"], "a", "a"),
        (["A=sgd(lr=0.1)", "a=adam"], "A", "A"),
        (["Calm=sgd(lr=0.1)", "sgd"], "calm", "Calm"),
        (["Sgd=adam", "sgd(lr=0.1)"], "sgd", "Sgd"),
        (["sgd(lr=0.1)", "adam"], "SGD", "SGD(lr=0.1)"),
        (["torch.optim.NAdam(lr=0.1)", "adam"], "nadam", "NAdam(lr=0.1)"),
    ],
)
def test_a_question_is_about_the_optimizer_whose_name_fits_best(optimizers, name, label):
    given = Options(optimizers=optimizers, only=True, question=f"against {name}")
    assert ask("booth", given).looks.question.against == label


@pytest.mark.parametrize(
    ("optimizers", "name", "words"),
    [
        (["adam(lr=0.1)", "adam(lr=0.01)"], "adam", "may be 'Adam(lr=0.1)' or 'Adam(lr=0.01)'; give the label of one"),
        (["ab=sgd(lr=0.1)", "AB=adam"], "Ab", "question is 'against Ab', which may be 'ab' or 'AB'"),
    ],
)
def test_a_question_that_may_be_about_several_is_refused(optimizers, name, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        ask("booth", Options(optimizers=optimizers, only=True, question=f"against {name}"))
