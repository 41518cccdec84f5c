"""What a person does after a comparison: more seeds, another range, a moved folder, a deleted store, two terminals.

Each with a task in a file and with a training function in one.
"""

import re
import shutil
from pathlib import Path

import pytest

import surefoot
from surefoot.store import Store

pytestmark = pytest.mark.usefixtures("workers_here")

STORE = Path("surefoot-results/results.sqlite")

DATA = """
import torch
import surefoot

x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
y = (x[:, 0] * x[:, 1] > 0).long()
"""

TASK = """
def net():
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))

mine = surefoot.task(model=net, data=((x[:200], y[:200]), (x[200:], y[200:])), batch_size=20, name="mine")
"""

FUNCTION = """
def mine(run):
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    optimizer = run.optimizer(model)

    def accuracy(part):
        with torch.no_grad():
            return (model(x[part]).argmax(1) == y[part]).float().mean()

    for _ in run.epochs():
        for rows in torch.randperm(200).split(20):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            run.step(loss)
        run.report(lambda: accuracy(slice(200, 250)))
    run.test(lambda: accuracy(slice(250, 300)))
"""


class Compared:
    """A file of the user's in a folder, and the command that compares with it."""

    def __init__(self, command, code, *flags):
        self.command, self.flags = command, ("my_file.py:mine", "--only", "-o", "sgd", "-o", "adam", *flags)
        Path("my_file.py").write_text(DATA + code)

    def __call__(self, *more, seeds=2, trials=0):
        sizes = ["--epochs", 1, "--seeds", seeds, "--trials", trials, "--device", "cpu", "--workers", 1]
        return self.command("compare", *self.flags, *sizes, *more)

    def ran(self, *more, **sizes):
        """How many trials were there, and how many have been run; and what was printed."""
        code, out, err = self(*more, **sizes)
        assert code == 0, err
        words = " ".join(err.split())
        finished, todo = (re.search(rf"(\d+) {what}", words) for what in ("already finished", "to run"))
        return int(finished[1]) if finished else 0, int(todo[1]) if todo else 0, out


@pytest.fixture(params=["task", "function"])
def compared(request, surefoot_command):
    code, flags = (TASK, ()) if request.param == "task" else (FUNCTION, ("--better", "max"))
    return Compared(surefoot_command, code, *flags)


def scores(out):
    return re.findall(r"Test \w+ using .*", out)


def test_more_seeds_later_train_these_alone(compared):
    assert compared.ran(seeds=2)[:2] == (0, 4)
    assert compared.ran(seeds=5)[:2] == (4, 6)


def test_fewer_seeds_later_train_nothing(compared):
    compared.ran(seeds=3)
    finished, todo, out = compared.ran(seeds=2)
    assert (finished, todo) == (4, 0)
    assert "(mean of 2 seeds)" in out


def test_tuning_later_keeps_what_was_measured_without(compared):
    compared.ran(seeds=2)
    assert compared.ran(seeds=2, trials=4)[:2] == (4, 8)


def test_another_range_later_searches_there_alone(compared, capsys):
    """What was measured as given, and the search of the other optimizer, are there already."""
    compared.ran(trials=4)
    with Store(STORE, readonly=True) as store:
        before = {one.key for one in store.records()}
    own = {"better": "max"} if "--better" in compared.flags else {}
    adam = surefoot.Opt("adam", lr=surefoot.log(1e-3, 1e-1))
    asked = {"epochs": 1, "trials": 4, "seeds": 2, "device": "cpu", "workers": 1, "store": STORE}
    study = surefoot.compare("my_file.py:mine", optimizers=["sgd", adam], **own, **asked)
    new = [one for one in study.records if one.key not in before]
    assert {one.part.tuned_from for one in new} == {"Adam"}
    assert all(1e-3 <= one.hyper["lr"] <= 1e-1 for one in new)
    assert {one.key for one in study.records if one.label == "SGD tuned"} <= before
    assert "Study" in capsys.readouterr().err


def test_a_moved_folder_goes_on_with_what_it_has(compared, tmp_path, monkeypatch):
    _, _, first = compared.ran()
    shutil.copytree(tmp_path, moved := tmp_path.parent / f"{tmp_path.name} moved", dirs_exist_ok=True)
    shutil.rmtree(STORE.parent)
    monkeypatch.chdir(moved)
    finished, todo, again = compared.ran()
    assert (finished, todo) == (4, 0)
    assert scores(again) == scores(first)
    assert compared.ran(seeds=3)[:2] == (4, 2)


def test_a_deleted_store_is_made_again_with_the_same_numbers(compared, surefoot_command):
    _, _, first = compared.ran()
    shutil.rmtree(STORE.parent)
    code, _, err = surefoot_command("report", "mine")
    assert code == 2
    assert "there is no results store" in err
    assert "surefoot compare" in err
    finished, todo, again = compared.ran()
    assert (finished, todo) == (0, 4)
    assert scores(again) == scores(first)
    assert len(scores(first)) >= 2


def test_in_two_terminals_the_second_is_told_what_it_can_do(compared, surefoot_command):
    _, _, first = compared.ran()
    with Store(STORE):  # as the first terminal has it
        code, _, err = compared(seeds=3)
        assert code == 2
        assert "another process is writing the results store" in err
        assert "--store" in err
        assert surefoot_command("report", "mine")[0] == 0
        code, out, _ = compared("--dry-run", seeds=3)
        assert (code, "Each optimizer as given" in out) == (0, True)
        finished, todo, again = compared.ran("--store", "another.sqlite")
    assert (finished, todo) == (0, 4)
    assert scores(again) == scores(first)
