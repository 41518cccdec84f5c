"""A comparison keeps what it knows: labels are labels, ranges are numbers, and a report reads what was run."""

import json
import math
import shlex
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import surefoot
from made_trials import made_trials
from surefoot.analysis import group
from surefoot.arms.arm_list import arms_of
from surefoot.arms.opt import Opt
from surefoot.cli import result
from surefoot.comparison.ask import ask
from surefoot.options import Options
from surefoot.progress.words import figures
from surefoot.report.curve_rows import quantities
from surefoot.report.repeat import repeat
from surefoot.store import Store
from surefoot.store.protocol import LOSS, Metric, Protocol

__all__ = ["made_trials"]

pytestmark = pytest.mark.usefixtures("made_trials")

QUICK = settings(max_examples=25, suppress_health_check=list(HealthCheck))

ODD = [
    "Adam tuned",
    "Adam tuned tuned",
    "tuned Adam",
    "untuned Adam",
    "x",
    "x tuned",
    "x tuned (2)",
    " tuned",
    "loss",
    "accuracy",
    "distance to minimum",
    "Test loss",
    "Optimizer",
    "<script>",
    "a [1, 2]",
    "a (3)",
    "=()",
    "a, b",
    "50 %",
    "1 pp",
    "{{ x }}",
    "100",
]
LETTERS = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])  # a name of several lines is refused
LABELS = st.lists(
    st.one_of(st.sampled_from(ODD), st.text(LETTERS, min_size=1, max_size=8).filter(lambda text: not text.isspace())),
    min_size=3,
    max_size=3,
    unique=True,
)


def compared(folder, labels, trials, **options):
    """Three settings under these labels, on a function of two variables."""
    optimizers = [
        Opt("adam", name=labels[0]),
        Opt("adam", name=labels[1], beta1=0.8),
        Opt("sgd", name=labels[2], lr=0.1),
    ]
    store = folder / f"{len(list(folder.iterdir()))}.sqlite"
    return surefoot.compare("booth", optimizers=optimizers, trials=trials, seeds=6, epochs=2, store=store, **options)


def shape(study):
    """All that a study says of its optimizers, by their places and not by their labels."""
    summary = study.summary
    place = {row.label: number for number, row in enumerate(summary.rows)}
    return {
        "pairs": [(place[row.a], place[row.b], row.family, row.p) for row in summary.comparisons],
        "verdict": [[place[label] for label in part] for part in (summary.verdict.ties, summary.verdict.behind)],
        "tuning": [
            (place[row.label], None if row.defaults is None else place[row.defaults], row.gain)
            for row in summary.tuning
        ],
        "means": [row.test_metric for row in summary.rows],
    }


@pytest.fixture(scope="module")
def neutral(tmp_path_factory):
    """What the same studies say under names that mean nothing, by their tuning trials."""
    return {trials: shape(compared(tmp_path_factory.mktemp("n"), "ABC", trials)) for trials in (0, 4)}


@pytest.mark.parametrize("trials", [0, 4])
@given(labels=LABELS)
@QUICK
def test_any_label_is_only_a_label(tmp_path_factory, neutral, trials, labels):
    study = compared(tmp_path_factory.mktemp("any"), labels, trials)
    assert [row.label for row in study.summary.rows][:3] == labels
    assert shape(study) == neutral[trials]
    assert study.verdict
    assert study.table()


def test_the_label_that_a_tuned_optimizer_would_have_can_be_taken(tmp_path):
    """The review's case: everything was trained, and then the verdict was an error."""
    optimizers = ["adam", Opt("adam", lr=3e-3, name="Adam tuned")]
    study = surefoot.compare("booth", optimizers=optimizers, seeds=5, store=tmp_path / "r.sqlite")
    assert len({row.label for row in study.summary.rows}) == len(study.summary.rows) >= 3
    assert "Adam tuned" in study.verdict


def test_a_label_that_ends_like_a_tuned_one_makes_no_claim_of_tuning(tmp_path):
    optimizers = [Opt("adam", name="x"), Opt("sgd", lr=0.1, name="x tuned"), "momentum"]
    study = surefoot.compare("booth", optimizers=optimizers, trials=0, seeds=5, store=tmp_path / "r.sqlite")
    assert "untuned" not in study.verdict
    assert {row.family for row in study.summary.comparisons} == {"all"}
    assert len(study.summary.comparisons) == 3


# A range is two exact numbers

KINDS = {"log": surefoot.log, "uniform": surefoot.uniform, "one_minus": surefoot.one_minus}
ENDS = st.tuples(st.floats(1e-7, 0.4), st.floats(0.5, 0.999))
NARROW = st.floats(1e-6, 0.9).map(lambda low: (low, low * (1 + 4e-16) + 1e-300))


def planned(kind, low, high, store, trials=9):
    """The plan of Adam with this range, as it was first decided in this store."""
    name = "beta1" if kind == "one_minus" else "lr"
    options = Options(optimizers=arms_of([Opt("adam", **{name: KINDS[kind](low, high)}), "sgd"]), only=True)
    return name, ask("booth", replace(options, trials=trials, seeds=2, device="cpu")).prepare(store)


def tried(name, plan):
    """The values of Adam's range that its search begins with."""
    return [trial.arm.hyper[name] for trial in plan.tuning.known({}) if trial.arm.rule == "adam"]


@given(kind=st.sampled_from(sorted(KINDS)), ends=ENDS, place=st.integers(0, 1), ulps=st.integers(1, 3))
@QUICK
def test_ranges_that_differ_in_their_last_digit_are_two_designs(tmp_path_factory, kind, ends, place, ulps):
    near = list(ends)
    for _ in range(ulps):
        near[place] = math.nextafter(near[place], 0.45)
    with Store(tmp_path_factory.mktemp("r") / "r.sqlite") as store:
        (_, one), (_, other) = planned(kind, *ends, store), planned(kind, *near, store)
    assert one.design.hash != other.design.hash


@given(kind=st.sampled_from(["log", "uniform"]), ends=st.one_of(ENDS, NARROW), before=st.floats(0.999, 1.001))
@QUICK
def test_no_point_lies_outside_a_range_whatever_was_searched_before(tmp_path_factory, kind, ends, before):
    low, high = ends
    assume(low < high and low * before < high * before)
    with Store(tmp_path_factory.mktemp("r") / "r.sqlite") as store:
        planned(kind, low * before, high * before, store)
        name, plan = planned(kind, low, high, store)
        assert all(low <= value <= high for value in tried(name, plan))


VALUES = {"lr": 0.003, "beta1": 0.85, "eps": 1e-7}


@given(
    labels=LABELS,
    kinds=st.lists(st.sampled_from([None, *KINDS]), min_size=3, max_size=3),
    ends=ENDS,
    fixed=st.sets(st.sampled_from(sorted(VALUES))),
    convention=st.sampled_from(["torch", "keras"]),
    trials=st.sampled_from([0, 3]),
    budget=st.sampled_from([None, "20min", "90.5 s"]),
)
@QUICK
def test_what_is_printed_to_repeat_a_study_asks_for_the_same_study(
    labels, kinds, ends, fixed, convention, trials, budget
):
    given_ = {name: VALUES[name] for name in fixed}
    arms = []
    for label, kind in zip(labels, kinds, strict=True):
        ranges = {"beta1" if kind == "one_minus" else "lr": KINDS[kind](*ends)} if kind else {}
        own = {name: value for name, value in given_.items() if name not in ranges}
        arms.append(Opt("adam", name=label, convention=convention, weight_decay=0.1 * len(arms), **own, **ranges))
    wanted = {"optimizers": arms_of(arms), "trials": trials, "seeds": 2, "budget": budget, "schedule": "cosine"}
    options = Options(only=True, device="cpu", **wanted)
    request = ask("booth", options)
    told = repeat(request.plan(request.wanted).design)
    assert told.is_command == (all(map(plain, labels)) and not any(kinds) and convention == "torch")
    asked = again(told)
    assert asked.hash == (request if budget is None else ask("booth", replace(options, budget=None, epochs=20))).hash


def plain(label):
    """Whether `-o` can give this name."""
    return label == label.strip() != "" and not set("=(),") & set(label)


def again(told):
    """What is asked for by a command line, or a call in Python, that a report prints."""
    if told.is_command:
        words = shlex.split(told.text)[3:]
        pairs = list(zip(words[1::2], words[2::2], strict=True))
        options = {name[2:].replace("-", "_"): value for name, value in pairs if name != "-o"}
        numbers = {n: int(v) if n in ("seeds", "trials", "epochs", "batch_size") else v for n, v in options.items()}
        return ask("booth", Options(tuple(value for name, value in pairs if name == "-o"), only=True, **numbers))
    found = {}

    def compare(task, optimizers, **options):
        found["request"] = ask(task, Options(optimizers=arms_of(optimizers), only=True, **options))

    exec(told.text, {"surefoot": SimpleNamespace(Opt=Opt, compare=compare, **KINDS)})
    return found["request"]


# No name decides what a thing is


def loss(outputs, targets):
    """A metric of the user's, of which more is better, and that is called as our loss is."""
    return (outputs.argmax(1) == targets).float().mean()


@pytest.mark.parametrize("better", ["max", "min"])
def test_a_metric_of_the_users_that_is_called_loss_is_a_metric(tmp_path, better):
    x = torch.linspace(-1, 1, 80).reshape(-1, 2)
    y = (x[:, 0] > 0).long()
    study = surefoot.compare(
        model=lambda: torch.nn.Linear(2, 2),
        data=((x, y), (x, y)),
        metric=loss,
        better=better,
        optimizers=["sgd", "adam"],
        trials=2,
        seeds=2,
        epochs=2,
        store=tmp_path / "r.sqlite",
    )
    assert [name for name in study.table().header if name.startswith("Test")] == ["Test loss", "Test metric loss"]
    assert "metric loss" in study.verdict
    with Store(tmp_path / "r.sqlite", readonly=True) as store:
        found = store.records()
    assert {record.metric for record in found} == {study.summary.metric}
    assert list(quantities(group(found[:2]))) == ["loss", "metric"]
    trial = study.plan.trials[0]
    assert figures(trial, 1.0, 2.0) == "loss 1.000, metric loss 2.0000"


def test_the_loss_itself_is_stored_as_it_always_was_and_read_as_the_loss():
    assert LOSS.to_json() == {"name": "loss", "better": "min", "share": False}
    for metric in (LOSS, Metric(), Metric("loss", "min", share=False), Metric("loss", "max", share=False)):
        assert Metric.from_json(json.loads(json.dumps(metric.to_json()))) == metric


# What compare printed is what report prints

STUDIES = {
    "article": [],
    "article again": ["-o", "sgd(lr=0.5)"],
    "article one name": ["--only", "-o", "a=adagrad", "-o", "Adam=adadelta"],
    "article-tuned": ["--seeds", "3", "--trials", "2"],
    "article-tuned other": ["--seeds", "2", "--trials", "3", "--only", "-o", "adagrad", "-o", "mine=adam"],
    "article-tuned batches": ["--seeds", "2", "--trials", "0", "--batch-size", "125"],
}


@pytest.fixture
def no_page(monkeypatch):
    """Commands write no page, whose figures take longer than all else that they do; what they print is asked for."""
    monkeypatch.setattr(result, "write_report", lambda *_: None)


def printed(command, store, *arguments):
    code, out, err = command(*arguments, "--store", store, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found.pop("report")
    return found


@pytest.mark.usefixtures("no_page")
@given(order=st.lists(st.sampled_from(sorted(STUDIES)), min_size=1, max_size=5))
@settings(QUICK, max_examples=12)
def test_what_compare_printed_is_what_report_prints(surefoot_command, tmp_path, order):
    store, told = tmp_path / f"{len(list(tmp_path.glob('*.sqlite')))}.sqlite", {}
    for choice in order:
        name, *_ = choice.split()
        small = ["--epochs", 1, "--train-size", 500, "--device", "cpu"]
        told[name] = printed(surefoot_command, store, "compare", name, *STUDIES[choice], *small)
        for known, before in told.items():
            assert printed(surefoot_command, store, "report", known) == before


@pytest.mark.usefixtures("no_page")
def test_a_study_keeps_the_seeds_that_another_ran_first(surefoot_command):
    """The review's case: article, then article-tuned; the report of the second lost seed 0 of three optimizers."""
    small = ["--epochs", 1, "--train-size", 500, "--device", "cpu", "--store", "r.sqlite", "--json"]
    assert surefoot_command("compare", "article", *small)[0] == 0
    code, out, _ = surefoot_command("compare", "article-tuned", "--seeds", 3, "--trials", 2, *small)
    assert code == 0
    _, again, _ = surefoot_command("report", "article-tuned", "--store", "r.sqlite", "--json")
    assert [row["n"] for row in json.loads(again)["rows"]] == [row["n"] for row in json.loads(out)["rows"]]


def test_every_pair_of_runs_of_one_study_has_its_own_trials(tmp_path):
    """Runs of one store share trials, and no trial of one shows in another."""
    store = tmp_path / "r.sqlite"
    known = {}
    for names in combinations(["sgd", "adam", "adagrad"], 2):
        study = surefoot.compare("booth", optimizers=names, trials=0, seeds=2, store=store)
        known[names] = [record.key for record in study.records]
    for names, keys in known.items():
        again = surefoot.compare("booth", optimizers=names, trials=0, seeds=2, store=store)
        assert [record.key for record in again.records] == keys


def test_more_seeds_later_are_a_second_look_and_the_first_stays_what_it_was(tmp_path):
    """The store knows every verdict: whoever adds seeds until a difference shows pays for it."""
    asked = {"optimizers": ["sgd", "adam"], "trials": 0, "store": tmp_path / "r.sqlite"}
    first = surefoot.compare("booth", seeds=6, **asked)
    second = surefoot.compare("booth", seeds=9, **asked)
    other = surefoot.compare("booth", seeds=9, **{**asked, "optimizers": ["sgd", "adagrad"]})
    once = surefoot.compare("booth", seeds=9, **{**asked, "store": tmp_path / "once.sqlite"})
    again = surefoot.compare("booth", seeds=6, **asked)
    found = [study.summary.verdict.looks for study in (first, second, other, once, again)]
    assert found == [(6,), (6, 9), (9,), (9,), (6,)]
    assert again.verdict == first.verdict
    (paid,), (unpaid,) = second.summary.comparisons, once.summary.comparisons
    assert paid.p >= unpaid.p
    assert "This is look 2 at the question, after verdicts on 6 seeds" in second.verdict


@pytest.mark.usefixtures("no_page")
def test_a_run_that_has_not_begun_is_not_reported(surefoot_command, tmp_path):
    store = tmp_path / "r.sqlite"
    told = printed(surefoot_command, store, "compare", "booth", "--seeds", 2, "--trials", 0)
    with Store(store) as opened:
        ask("booth", Options(seeds=3, trials=0)).prepare(opened)
    assert printed(surefoot_command, store, "report", "booth") == told


def test_what_followed_from_a_failure_is_decided_again(tmp_path):
    """A trial that failed is tried again; what tuning chose without it must not stand."""
    request = ask("booth", Options(optimizers=arms_of(["adam", "momentum"]), only=True, trials=4, seeds=2))
    with Store(tmp_path / "r.sqlite") as store:
        plan = request.prepare(store)
        records = plan.run(store, lambda *_: None)
        tried = next(record for record in records if record.part.role == "tuning")
        store.fail(tried.key, "out of memory")
        again = request.prepare(store)
        known, todo = again.standing(store)
        assert {trial.part.round for trial in known} == {0}
        assert [trial.key for trial in todo] == [tried.key]
        assert {record.key for record in again.run(store, lambda *_: None)} == {record.key for record in records}


def test_a_plan_asks_the_store_as_often_however_many_trials_it_has(tmp_path):
    def asked(seeds):
        store = tmp_path / "r.sqlite"
        optimizers = ["adam", "sgd", "momentum"]
        run = surefoot.compare("booth", optimizers=optimizers, trials=2, seeds=seeds, epochs=1, store=store).plan
        statements = []
        with Store(store) as opened:
            opened._connection.set_trace_callback(statements.append)
            known, todo = run.standing(opened)
        assert (len(known) > 6 * seeds, todo) == (True, [])
        return len(statements)

    assert asked(2) == asked(40) < 20


def test_a_protocol_of_which_little_is_known_is_written_as_it_was_read():
    content = {"version": 1, "task": "x", "epochs": 5}
    assert Protocol.from_json(content).content == content
    assert Protocol.from_json(content).steps_per_epoch == 0
