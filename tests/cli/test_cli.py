"""The command line: every command has help with an example, every mistake one message and exit code 2."""

import json
import re
import shlex
import sqlite3
import sys
from contextlib import closing
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from planned_run import plan
from samples import article, diverged, entered
from surefoot.cli.printing import grid
from surefoot.cli.result import print_result
from surefoot.datasets import NAMES
from surefoot.design.studies import STUDIES
from surefoot.errors import SurefootError
from surefoot.options import Options
from surefoot.progress.board import Board
from surefoot.progress.console import console_for_people
from surefoot.progress.words import Lines
from surefoot.report.repeat import repeat
from surefoot.rules import COMBINATORS, RULES
from surefoot.store import Store, schema
from surefoot.training import events


@pytest.fixture
def run(monkeypatch, surefoot_command):
    """Run `surefoot` with data from the package only."""
    monkeypatch.setenv("SUREFOOT_DATA", "")
    return surefoot_command


def stored(records, path):
    with Store(path) as store:
        entered(store, records)
        for record in records:
            for epoch in record.epochs:
                rates = [r for r in record.rates if epoch.epoch == 1]
                store.save_epoch(record.key, epoch, rates, b"checkpoint")
            if record.status == "finished":
                store.finish(record.key, record.outcome)
            elif record.status == "diverged":
                store.diverge(record.key, record.reason)


@pytest.mark.parametrize("command", ["compare", "report", "list", "kernel"])
def test_every_command_has_help_with_an_example(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"Example: surefoot {command}" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compare", "artcle"], "Did you mean 'article'"),
        (["compare", "rosen"], "Did you mean 'rosenbrock'"),
        (["compare", "mnist"], "Did you mean 'mlp-mnist' or 'vae-mnist'"),
        (["compare", "-o", "adm"], "Did you mean 'adam'"),
        (["compare", "-o", "adam(lr=-1)"], "lr=-1.0 is not allowed"),
        (["compare", "--only"], "no optimizer to compare; -o needs at least one"),
        (["compare", "--epochs", "0"], "--epochs is 0"),
        (["compare", "--seeds", "-1"], "--seeds is -1"),
        (["compare", "--workers", "0"], "--workers is 0"),
        (["compare", "--train-size", "60001"], "--train-size is 60001"),
        (["compare", "--train-size", "1"], "--train-size is 1"),
        (["compare", "--device", "gpu"], "--device is gpu; give cuda"),
        (["compare", "--device", "tpu"], "unknown device"),
        (["compare", "--dataset", "emnist"], "Did you mean 'mnist'"),
        (["compare", "--data-dir", "/nowhere"], "not a folder"),
        (["compare", "--epochs", "many"], "Invalid value for '--epochs'"),
        (["compare", "--lr", "1"], "No such option"),
        (["compute"], "No such command"),
        (["report"], "results.sqlite"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2_and_leaves_nothing(run, arguments, words, tmp_path):
    code, out, err = run(*arguments)
    assert code == 2
    assert words in " ".join(err.split())
    assert "Traceback" not in err
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_suite_that_one_study_refuses_is_refused_before_any_runs(run, tmp_path):
    code, _, err = run("compare", "--all-small", "--train-size", 2000, "--device", "cpu")
    assert code == 2
    assert "quadratic-deep brings its own data" in " ".join(err.split())
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_another_program_is_refused_and_left_alone(run, tmp_path):
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("create table t (x)")
        other.commit()
    before = path.read_bytes()
    code, _, err = run("compare", "--store", path)
    assert code == 2
    assert "database of another program" in err
    assert path.read_bytes() == before


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_trained(run, tmp_path):
    (tmp_path / "file").touch()
    code, out, err = run("compare", "--report", "file/report.html")
    assert code == 2
    assert "cannot write" in err
    assert "epoch" not in err + out
    assert not (tmp_path / "surefoot-results").exists()


@pytest.mark.parametrize(("package", "arguments"), [("typer", ["list"]), ("rich.console", ["compare"])])
def test_a_package_of_the_extra_that_is_missing_is_named_with_the_way_to_get_it(run, monkeypatch, package, arguments):
    for module in [name for name in sys.modules if name.startswith("surefoot.cli.") and "__main__" not in name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err == f"surefoot: {package} is not installed; run: pip install 'surefoot[compare]'\n"


def test_the_version_is_told(run):
    assert run("--version")[1].startswith("surefoot 0.")


def test_list_shows_what_there_is_to_compare(run):
    code, out, _ = run("list", "--all")
    assert code == 0
    assert all(name in out for name in ("article", "adabound", "final_lr", "kmnist"))
    assert "lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.0" in out
    contents = json.loads(run("list", "--json")[1])
    assert contents["optimizers"]["adam"]["options"]["beta2"] == 0.999


def test_list_is_one_screen_and_names_every_study_and_rule(run):
    lines = run("list")[1].splitlines()
    assert len(lines) <= 48
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line.endswith("...")] == []
    words = {word.strip(",") for line in lines for word in line.split()}
    assert {*STUDIES, *RULES, *COMBINATORS, *NAMES} <= words


def test_report_writes_page_figures_and_csv_from_the_store(run, tmp_path):
    stored(article(seeds=1, epochs=2), tmp_path / "results.sqlite")
    files = ["--report", "page.html", "--figures", "figures", "--csv", "epochs.csv"]
    code, out, err = run("report", "--store", "results.sqlite", *files)
    assert (code, err) == (0, "")
    assert "Test loss using Adagrad: 0." in out
    assert Path("page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert {path.suffix for path in Path("figures").iterdir()} == {".svg", ".png"}
    assert Path("epochs.csv").read_text(encoding="utf-8").count("\n") == 1 + 4 * 2


def test_a_report_that_cannot_be_written_leaves_the_result_in_print(run, tmp_path, monkeypatch):
    stored(article(seeds=1, epochs=2), tmp_path / "results.sqlite")

    def broken(*_):
        raise SurefootError("cannot write it")

    monkeypatch.setattr("surefoot.cli.result.write_report", broken)
    code, out, err = run("report", "--store", "results.sqlite")
    assert code != 0
    assert "cannot write it" in err
    assert "has the highest test accuracy" in out
    assert "Report:" not in out


def test_report_json_is_one_object(run, tmp_path):
    stored(article(seeds=2, epochs=1), tmp_path / "results.sqlite")
    code, out, _ = run("report", "--store", "results.sqlite", "--json")
    result = json.loads(out)
    assert code == 0
    assert [row["n"] for row in result["rows"]] == [2, 2, 2, 2]
    assert result["store"] == "results.sqlite"


def test_report_of_an_old_store_gives_each_setting_the_one_name_that_it_had_last(run, tmp_path, monkeypatch):
    """Until version 3 a store did not know which trials a run has."""
    first, second, third, fourth = article(seeds=1, epochs=1)
    again = replace(first, label="mine", seed=1, key="another seed")
    renamed = [replace(first, label="old"), replace(second, label="mine"), third, fourth, again]
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:3])
        patch.setattr(schema, "VERSION", 3)
        with Store(tmp_path / "results.sqlite") as store:
            for record in renamed:
                store.begin(record)
    with closing(sqlite3.connect(tmp_path / "results.sqlite")) as old, old:
        old.execute("UPDATE trials SET status = 'finished'")
        columns = "trial, test_loss, test_metric, train_loss, train_metric, step_seconds, optimizer_bytes, parameters"
        for number, record in enumerate(renamed, start=1):
            row = (number, *astuple(record.outcome)[:7])
            old.execute(f"INSERT INTO outcomes ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    code, out, _ = run("report", "--store", "results.sqlite", "--json")
    assert code == 0
    assert [(row["label"], row["n"]) for row in json.loads(out)["rows"]] == [
        ("mine", 2),
        ("mine (2)", 1),
        (third.label, 1),
        (fourth.label, 1),
    ]


@pytest.mark.parametrize("width", ["80", "200"])
def test_the_result_fits_the_terminal(monkeypatch, capsys, width):
    from surefoot.analysis import summarize

    monkeypatch.setenv("COLUMNS", width)
    records = [*article(seeds=3, epochs=2)[:-1], diverged(article(seeds=3, epochs=2)[-1], after=0)]
    print_result(summarize(records))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= int(width)
    assert [line for line in out.splitlines() if line.endswith(" ")] == []
    assert "(mean of 3 seeds)" in out
    assert "diverged" in out


@pytest.mark.parametrize("color", ["", "1"])
def test_no_line_ends_in_a_blank_and_a_name_stands_beside_the_first_line_of_its_cells(monkeypatch, capsys, color):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", color)
    console = console_for_people(stderr=True)
    console.print("Wraps at a blank, wherever that is. " * 4, style="dim")
    console.print("Goes on", end=" ")
    console.print("here.")
    console.print(grid(("Optimizer", "Test\nloss", ""), [("sgd", "4 finished,\n1 diverged", ""), ("adam", "5", "ok")]))
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().err).splitlines()
    assert [line for line in lines if line.endswith(" ")] == []
    assert "Goes on here." in lines
    assert [line.split() for line in lines[-5:]] == [
        ["Test"],
        ["Optimizer", "loss"],
        ["sgd", "4", "finished,"],
        ["1", "diverged"],
        ["adam", "5", "ok"],
    ]


def test_log_lines_tell_epochs_ends_and_resumes(capsys):
    study = plan("article", Options(optimizers=("mine=sgd(lr=0.1)",), only=True))
    trial = study.trials[0]
    lines = Lines(Board([trial]), many=False)
    for event in (
        events.Started(trial.key, 0),
        events.Started(trial.key, 2),
        events.StepsDone(trial.key, 3, 400, 960, 0.5),
        events.StepsDone(trial.key, 3, 500, 960, 0.4),
        events.EpochDone(trial.key, article(seeds=1, epochs=3)[0].epochs[2], (), b""),
        events.Diverged(trial.key, "training loss became nan"),
    ):
        lines.observe(trial, event)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 6
    assert told[0].endswith("mine: starts")
    assert told[1].endswith("mine: goes on after epoch 2")
    assert told[2].endswith("mine: epoch 3/5, step 400 of 960, loss 0.5000")
    assert "mine: epoch 3/5, loss" in told[3]
    assert "0 of 1 trials done, 1 running, " in told[4]
    assert told[4].endswith(" left.")
    assert told[5].endswith("mine: diverged: training loss became nan")


@pytest.mark.parametrize("study", ["article", "rosenbrock", "char-lm"])
def test_the_reports_command_plans_the_same_trials_again(run, tmp_path, study):
    size = {"train_size": 600} if study == "article" else {}
    planned = plan(study, Options(epochs=2, seeds=2, trials=0, batch_size=7, schedule="cosine", device="cpu", **size))
    words = shlex.split(repeat(planned.design).text)
    code, out, err = run(*words[1:], "--dry-run", "--json", "--store", str(tmp_path / "none.sqlite"))
    assert code == 0, err
    found = json.loads(out)
    assert found["protocol"] == planned.protocol.content
    assert found["trials"]["least"] == found["trials"]["most"] == len(planned.trials)
