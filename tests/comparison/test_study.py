"""`surefoot.compare`: three lines from a user's model to a verdict, a table, a report and the best optimizer."""

import json
import subprocess
import sys
import textwrap
from datetime import timedelta

import numpy as np
import pytest
import torch
from torch import nn

import guests
import surefoot
from surefoot.errors import TrialError, UsageError
from surefoot.store import Store
from surefoot.store.margin import Margin
from workers_here import here

pytestmark = pytest.mark.usefixtures("workers_here")


class Refuser(torch.optim.SGD):
    """A class that takes an option and then refuses to be made with it."""

    def __init__(self, params, lr=0.1):
        del params, lr
        raise ValueError("needs a licence")


def pair(size, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(size, 6, generator=generator)
    return x, (x[:, 0] + 0.3 * torch.randn(size, generator=generator) > 0).long()


def net():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))


def compared(store, **changes):
    settings = {
        "model": net,
        "data": (pair(300, 0), pair(200, 1)),
        "optimizers": ["sgd", surefoot.Opt(torch.optim.NAdam, lr=surefoot.log(1e-3, 1), name="mine"), Refuser],
        "trials": 4,
        "seeds": 2,
        "epochs": 2,
        "workers": 1,
        "device": "cpu",
        "store": store,
    }
    return surefoot.compare(**{**settings, **changes})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("study") / "results.sqlite"


@pytest.fixture(scope="module")
def study(store):
    with here():
        return compared(store)


def test_every_optimizer_is_compared_with_its_defaults_and_tuned_and_one_that_fails_stops_no_other(study):
    ends = {(record.label, record.purpose, record.status) for record in study.records}
    for label in ("SGD", "mine"):
        assert {(label, "measure", "finished"), (f"{label} tuned", "tune", "finished")} <= ends
        assert (f"{label} tuned", "measure", "finished") in ends
    assert ("Refuser", "measure", "failed") in ends
    (reason,) = {record.reason for record in study.records if record.label == "Refuser"}
    assert "needs a licence" in reason
    assert "It takes lr" in reason


def test_what_cannot_work_is_named_before_anything_is_trained(tmp_path, capsys):
    compared(tmp_path / "r.sqlite", seeds=1, epochs=1)
    lines = [line for line in capsys.readouterr().err.splitlines() if "] " in line]
    mistaken = [line for line in lines if "Refuser" in line]
    assert "Refuser: failed: it cannot be built on this model: " in lines[0]
    assert "needs a licence. It takes lr" in lines[0]
    assert all("failed: it cannot be built" in line for line in mistaken)
    assert lines.index(mistaken[1]) > lines.index(mistaken[0])


def test_optimizers_are_tried_without_being_compared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {"model": net, "data": (pair(300, 0), pair(200, 1)), "workers": 1, "device": "cpu"}
    found = surefoot.try_out(**given, optimizers=["sgd(lr=0.1)", torch.optim.NAdam, Refuser])
    assert list(found) == ["SGD(lr=0.1)", "NAdam", "Refuser"]
    assert (found["SGD(lr=0.1)"], found["NAdam"]) == ("", "")
    assert found["Refuser"].startswith("it cannot be built on this model")
    assert list(tmp_path.iterdir()) == []


def test_the_verdict_and_the_table_name_all(study):
    assert "SGD" in study.verdict
    text = str(study.table())
    assert all(label in text for label in ("SGD tuned", "mine tuned", "Refuser"))
    assert max(map(len, text.splitlines())) <= 100


def test_the_best_can_be_built_for_another_model(study):
    best = study.best()
    assert best.label in study.verdict or "tuned" in best.label
    made = best.build(net().parameters())
    assert made.param_groups[0]["lr"] == best.hyper["lr"]


def test_the_report_is_a_page(study, tmp_path):
    assert "<html" in study.report(tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_same_call_again_trains_nothing_but_what_failed(study, store):
    def ends():
        with Store(store, readonly=True) as results:
            return [(record.key, record.epochs) for record in results.records() if record.status == "finished"]

    before = ends()
    again = compared(store)
    assert ends() == before
    assert again.verdict == study.verdict


def test_when_nothing_can_be_run_the_reason_is_the_error(tmp_path):
    with pytest.raises(TrialError, match="needs a licence"):
        compared(tmp_path / "r.sqlite", optimizers=[Refuser], trials=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": None}, "nothing to train is given"),
        ({"data": None}, "nothing to train is given"),
        ({"task": "article"}, "a task and model, data are given"),
        ({"optimizers": ["adam", "adam"]}, "is given twice"),
        ({"budget": "soon"}, "cannot be read"),
        ({"budget": "3 epochs"}, "epochs are given twice"),
        ({"schedule": "cosin"}, "Did you mean 'cosine'"),
        ({"seeds": 0}, "seeds is 0; give a whole number from 1"),
        ({"seeds": [1, 2, 3, 4]}, "seeds is [1, 2, 3, 4]; give how many, a whole number, such as seeds=4"),
        ({"epochs": "3"}, "epochs is '3'; give how many, a whole number, such as epochs=3"),
        ({"trials": True}, "trials is True; give how many"),
        ({"workers": 1.5}, "workers is 1.5; give how many"),
        ({"budget": 20}, "budget is 20; say of what, as in budget='20min'"),
        (
            {"loss": "cross_entropy"},
            "loss is 'cross_entropy'; give a function of outputs and targets, such as torch.nn",
        ),
        ({"better": "min"}, "better='min' is for a metric of yours, and the optimizers are judged by their accuracy"),
        ({"better": "max", "metric": "loss"}, "judged by their loss, of which the smaller is better; give metric= too"),
        ({"batch_size": "32"}, "batch_size is '32'; give how many, a whole number, such as batch_size=32"),
        ({"seeds": 2.0}, "seeds is 2.0; give how many, a whole number, such as seeds=2"),
        ({"store": 3}, "store is 3; give a path, such as store='surefoot-results/results.sqlite'"),
        ({"logdir": 3}, "logdir is 3; give a path, such as logdir='runs'"),
        ({"data_dir": b"x"}, "data_dir is b'x'; give a path"),
        ({"runner": "ray"}, "runner is 'ray'; give one, such as surefoot.Runner('ray', address='auto')"),
        ({"device": "gpu"}, "device is gpu; give cuda for a GPU of NVIDIA or AMD"),
        ({"name": 3}, "name is 3; give words on one line"),
        ({"name": " \n"}, r"name is ' \n'; give words on one line"),
        ({"task": net, "model": None, "data": None}, "is no task: it has no chance, data"),
    ],
)
def test_a_mistake_is_told_before_anything_is_made(tmp_path, changes, words):
    with pytest.raises(UsageError) as refused:
        compared(**{"store": tmp_path / "r.sqlite", **changes})
    assert words in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_timedelta_is_a_budget(tmp_path):
    study = compared(tmp_path / "r.sqlite", budget=timedelta(seconds=90), trials=0, seeds=1, optimizers=["sgd"])
    assert study.plan.design.budget.seconds == 90


def test_whole_numbers_of_any_kind_are_taken(tmp_path):
    counts = {"seeds": np.int64(1), "epochs": np.int32(1), "trials": np.int64(0)}
    assert len(compared(tmp_path / "r.sqlite", **counts, optimizers=["sgd"]).records) == 1


SCRIPT = """
    import torch
    import surefoot
    from torch import nn

    print("read")
    x = torch.linspace(-1, 1, 200).reshape(-1, 2)
    y = (x[:, 0] > 0).long()
    study = surefoot.compare(
        model=lambda: nn.Linear(2, 2), data=((x, y), (x, y)), optimizers=["sgd", "adam"],
        trials=0, seeds=2, epochs=1, workers=1, device="cpu", store="r.sqlite", name="mine",
    )
    print(study.verdict)
"""


@pytest.mark.slow
def test_a_plain_script_needs_no_guard_and_no_importable_functions(tmp_path):
    (tmp_path / "train.py").write_text(textwrap.dedent(SCRIPT))
    ended = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("read") == 1
    assert "test accuracy" in ended.stdout


TASK_FILE = """
    import torch
    import surefoot
    from torch import nn

    x = torch.linspace(-1, 1, 200).reshape(-1, 2)


    def net():
        return nn.Linear(2, 1)


    def squared_error(outputs, targets):
        return ((outputs - targets) ** 2).mean()


    task = surefoot.task(model=net, data=((x, x[:, :1]), (x, x[:, :1])), loss=squared_error, name="line")
"""


CALLING = """

    class Calling(torch.optim.SGD):
        def step(self, closure=None):
            closure()
"""


@pytest.fixture
def command(surefoot_command, tmp_path, monkeypatch):
    """Run a command beside a file `my.py` with this text."""
    monkeypatch.setattr(sys, "path", [*sys.path])

    def run(text, *arguments):
        (tmp_path / "my.py").write_text(textwrap.dedent(text))
        return surefoot_command(*arguments, "--device", "cpu")

    yield run
    guests.forget("my")


def test_optimizers_are_tried_on_a_task_in_a_file_by_the_command(command):
    code, out, err = command(TASK_FILE + CALLING, "try", "my.py:task", "-o", "adam", "-o", "my.Calling")
    works, fails = out.splitlines()
    assert (code, works) == (1, "Adam: works"), err
    assert fails.startswith("Calling: does not work: its step fails on this model: TypeError: 'NoneType'")
    assert "without a closure" in fails


def test_a_task_in_a_file_is_compared_by_the_command(command):
    options = ["-o", "sgd", "-o", "torch.optim.NAdam", "--trials", "0", "--seeds", "2", "--epochs", "1", "--json"]
    code, out, err = command(TASK_FILE, "compare", "my.py:task", "--only", *options)
    assert code == 0, err
    found = json.loads(out)
    assert [row["label"] for row in found["rows"]] == ["SGD", "NAdam"]
    assert found["metric"] == {"name": "loss", "better": "min", "share": False}


def test_a_margin_is_asked_kept_and_trains_nothing_again(tmp_path, surefoot_command, monkeypatch):
    """The report of the newest run knows it, another may be asked of the same results, and none is asked by default."""
    asked = {"optimizers": ["sgd", "sgd(lr=0.0101)"], "trials": 0, "seeds": 5, "epochs": 1, "name": "net"}
    plain = compared(tmp_path / "margin.sqlite", **asked)
    assert plain.plan.design.margin is None
    assert "may still hide a difference" in plain.verdict
    monkeypatch.setattr("surefoot.comparison.driver.open_executor", None)  # nothing is left to train
    study = compared(tmp_path / "margin.sqlite", margin=30, **asked)
    assert study.plan.design.margin == Margin(0.3)
    assert "within 30 points" in study.verdict
    found = ["report", "net", "--store", tmp_path / "margin.sqlite", "--report", tmp_path / "r.html"]
    code, out, _ = surefoot_command(*found)
    assert code == 0
    assert study.verdict in " ".join(out.split())
    code, out, _ = surefoot_command(*found, "--margin", "0.001", "--json")
    verdict = json.loads(out)["verdict"]
    assert (verdict["margin"], verdict["pairs"][0]["answer"]) == ({"size": 1e-5, "relative": False}, "open")
    assert "margin" in (tmp_path / "r.html").read_text(encoding="utf-8")
