"""The study rate-free, laid over a task: its roles, the rate that it finds once, and what the command says."""

import json
import shlex
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import surefoot
from line_task import line
from surefoot.analysis.rate_free import price_of
from surefoot.comparison.ask import ask
from surefoot.design.studies import RATE_FREE, STUDIES
from surefoot.errors import SurefootWarning, UsageError
from surefoot.options import Options
from surefoot.rate_free_price import ask_rate_free, laid_over
from surefoot.report.repeat import repeat
from surefoot.store import Store
from surefoot.store.margin import Margin
from workers_here import here

CENTRE = RATE_FREE.centre
FEW = {"optimizers": ["adam", "dog"], "epochs": 1, "seeds": 5, "trials": 4, "workers": 1, "device": "cpu"}

pytestmark = pytest.mark.usefixtures("workers_here")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("rate-free") / "results.sqlite"


@pytest.fixture(scope="module")
def found(store, kernel_cache):  # noqa: ARG001
    with here():
        return surefoot.rate_free(line(), store=store, **FEW)


def test_one_optimizer_is_tuned_and_all_are_priced(found):
    labels = [row.label for row in found.prices.rows]
    assert labels == ["Adam", "DoG", CENTRE, "AdamW(schedule=cosine)"]
    assert found.prices.tuned == "AdamW(schedule=cosine) tuned"
    tried = {record.part.tuned_from for record in found.study.records if record.purpose == "tune"}
    assert tried == {"AdamW(schedule=cosine)"}
    assert found.prices.trainings == 1 + sum(record.purpose == "tune" for record in found.study.records)


def test_the_centre_costs_the_steps_of_the_range_test(found):
    cost = {row.label: row.trainings for row in found.prices.rows}
    steps = found.study.plan.protocol.steps
    assert cost[CENTRE] == 1 + RATE_FREE.sweep_seeds * RATE_FREE.sweep_steps / steps
    assert cost["Adam"] == 1


def test_the_same_call_again_takes_the_rate_that_was_found_and_trains_nothing(found, store, monkeypatch):
    monkeypatch.setattr("surefoot.range_test.find.range_test", lambda *_, **__: pytest.fail("a second range test"))
    monkeypatch.setattr("surefoot.comparison.driver.open_executor", lambda *_, **__: pytest.fail("a second training"))
    again = surefoot.rate_free(line(), store=store, **FEW)
    assert again.prices == found.prices


def test_the_margin_is_the_users_or_the_usual_one_of_the_metric(found, tmp_path):
    assert found.prices.margin == Margin(0.02, relative=True)  # of a loss
    options = Options(margin="0.5", store=tmp_path / "none.sqlite")
    request = laid_over(ask_rate_free("logreg-digits", options), options, find=False)
    assert request.margin == Margin(0.005)


def test_every_optimizer_of_the_study_is_one_that_every_task_can_have(tmp_path):
    options = Options(store=tmp_path / "none.sqlite")
    for name in ("logreg-digits", "article"):  # in torch's convention, and in Keras's
        request = laid_over(ask_rate_free(name, options), options, find=False)
        assert len(request.arms) == len(RATE_FREE.untuned) + 2
        assert request.tuned == ("AdamW(schedule=cosine)",)
        assert (request.wanted.trials, request.wanted.seeds) == (RATE_FREE.trials, STUDIES[name].seeds)


def test_which_are_tuned_is_part_of_what_was_asked_for(tmp_path):
    options = Options(store=tmp_path / "none.sqlite", optimizers=["adam", "sgd"])
    request = ask("mlp-mnist", options)
    assert replace(request, tuned=("Adam",)).hash != request.hash
    assert len(replace(request, tuned=("Adam",)).plan(request.wanted).tuning.arms) == 1


def test_a_training_function_has_no_range_test_and_says_so(tmp_path):
    def train(run):
        run.report(metric=0.5)

    options = Options(store=tmp_path / "none.sqlite", better="max")
    asked = ask_rate_free(train, options)
    with pytest.warns(SurefootWarning, match="at lr-find's centre is left out"):
        request = laid_over(asked, options)
    assert CENTRE not in [arm.label for arm in request.arms]


def test_the_command_prints_the_price(surefoot_command, store, found):
    del found
    code, out, err = surefoot_command("compare", "rate-free")
    assert (code, "rate-free runs on a task" in err) == (2, True), out
    code, _, err = surefoot_command("compare", "article", "mlp-mnist")
    assert (code, "one task too many" in err) == (2, True)
    few = ["--only", "-o", "adam", "--epochs", "1", "--seeds", "5", "--trials", "4", "--store", str(store)]
    code, out, _ = surefoot_command("compare", "rate-free", "quadratic-deep", *few, "--workers", "1", "--json")
    price = json.loads(out)["price"]
    assert (code, price["study"], len(price["rows"])) == (0, "rate-free-quadratic-deep", 3)
    code, again, _ = surefoot_command("report", "rate-free-quadratic-deep", "--store", str(store), "--json")
    assert (code, json.loads(again)) == (0, json.loads(out)), "what compare printed is what report prints"
    page = Path(json.loads(out)["report"]).read_text(encoding="utf-8")
    assert '<h2 id="price">What can be had without tuning?</h2>' in page
    assert "AdamW(schedule=cosine) tuned, which took" in page
    code, out, _ = surefoot_command("compare", "rate-free", "quadratic-deep", *few, "--workers", "1")
    assert (code, "The price of not tuning" in out) == (0, True)


def test_what_the_page_says_of_repeating_it_is_the_same_study(surefoot_command, store, found, monkeypatch):
    del found
    few = ["--only", "-o", "adam", "-o", "mine=dog", "--epochs", "1", "--seeds", "5", "--trials", "4", "--workers", "1"]
    code, first, _ = surefoot_command("compare", "rate-free", "quadratic-deep", *few, "--store", str(store), "--json")
    with Store(store, readonly=True) as kept:
        told = repeat(kept.designs("rate-free-quadratic-deep")[-1])
    assert told.is_command
    assert CENTRE not in told.text
    monkeypatch.setattr("surefoot.comparison.driver.open_executor", lambda *_, **__: pytest.fail("a second training"))
    again = surefoot_command(*shlex.split(told.text)[1:], "--store", str(store), "--json")
    assert (code, *again[:2]) == (0, 0, first)


def test_in_python_the_call_is_that_of_the_price(store, found):
    with Store(store, readonly=True) as kept:
        design = kept.designs(found.study.name)[-1]
    text = repeat(replace(design, protocol=replace(design.protocol, fingerprint="0123"))).text
    assert "surefoot.rate_free(\n    ...,  # the task, or model= and data=, of 'line'" in text
    assert "    only=True," in text
    assert "'adamw'" not in text


def make_older(path):
    """Make a store as it was before a design kept what it is the price of."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for run, content in connection.execute("SELECT id, content FROM runs").fetchall():
            design = json.loads(content)
            design.pop("over", None)
            for one in design["optimizers"]:
                one.pop("range_test")
            connection.execute("UPDATE runs SET content = ? WHERE id = ?", (json.dumps(design), run))
        connection.execute("PRAGMA user_version = 6")


def test_a_store_from_before_it_was_kept_has_the_price_that_it_had(surefoot_command, store, found, tmp_path):
    """A study was known by its name, and the range test's rate by its label."""
    name, old = found.study.name, Path(shutil.copy(store, tmp_path / "old.sqlite"))
    make_older(old)
    now, then = (surefoot_command("report", name, "--store", str(path), "--json") for path in (store, old))
    price = json.loads(then[1])["price"]
    assert price == json.loads(now[1])["price"]
    assert price["rows"][2]["trainings"] > 1
    with Store(old) as kept:
        assert kept.designs(name)[-1] == replace(found.study.plan.design, seconds=kept.designs(name)[-1].seconds)


def test_a_study_that_is_only_called_so_has_no_price(tmp_path):
    task = replace(line(), name="rate-free-line")
    study = surefoot.compare(
        task, **{**FEW, "optimizers": ["adam"], "seeds": 2}, only=True, store=tmp_path / "r.sqlite"
    )
    assert study.summary.tuning
    assert price_of(study.summary) is None
    make_older(tmp_path / "r.sqlite")
    with Store(tmp_path / "r.sqlite") as kept:
        assert [design.over for design in kept.designs()] == [""]


def test_a_dry_run_runs_no_range_test(surefoot_command, tmp_path, monkeypatch):
    monkeypatch.setattr("surefoot.range_test.find.range_test", lambda *_, **__: pytest.fail("a range test"))
    store = str(tmp_path / "none.sqlite")
    code, out, _ = surefoot_command("compare", "rate-free", "logreg-digits", "--dry-run", "--store", store)
    assert (code, "rate-free-logreg-digits" in out) == (0, True)


def test_a_task_is_needed():
    with pytest.raises(UsageError):
        surefoot.rate_free()
