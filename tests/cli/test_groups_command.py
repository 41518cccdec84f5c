"""`surefoot groups`: the table of a task's model, for people and as JSON."""

import json
from pathlib import Path

import pytest

FILE = """
import torch, surefoot
from torch import nn

def net():
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2))

x = torch.randn(80, 4, generator=torch.Generator().manual_seed(0))
task = surefoot.task(model=net, data=((x, (x[:, 0] > 0).long()), (x, (x[:, 0] > 0).long())), name="mine")
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "grouped.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("here")
def test_roles_are_told_before_there_is_a_rule(surefoot_command):
    code, out, err = surefoot_command("groups", "grouped.py:task")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "mine: 86 weights in 6 tensors",
        "",
        "Role    Rule      Tensors  Weights  Decay",
        "hidden  matrices        2       60      -",
        "head    rest            1       12      -",
        "bias    rest            3       14      0",
        "",
        "hidden: matrices",
        "  0.weight, 6 x 4: by its module, Linear",
        "  2.weight, 6 x 6: by its module, Linear",
        "",
        "head: rest",
        "  4.weight, 2 x 6: the last layer (Linear)",
        "",
        "bias: rest",
        "  *.bias, 6 (2 of them): by its name, in Linear",
        "  4.bias, 2: by its name, in Linear",
    ]


@pytest.mark.usefixtures("here", "kernel_cache")
def test_each_optimizer_tells_what_it_does_with_them(surefoot_command):
    words = ["-o", "lion(weight_decay=0.1, rest=adamw)", "-o", "adam", "--batch-size", "8"]
    code, out, err = surefoot_command("groups", "grouped.py:task", *words)
    assert (code, err) == (0, "")
    assert "hidden  lion         2       60  0.0001    0.1  11,111 epochs" in out  # 1e5 steps of 9: 72 examples by 8
    assert "Adam: 86 weights in 6 tensors" in out
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = surefoot_command("groups", "grouped.py:task", *words, "--json")
    told = json.loads(out)
    assert [row["rule"] for row in told["Lion(weight_decay=0.1, rest=adamw)"]["rows"]] == ["lion", "adamw", "adamw"]


def test_a_class_of_another_library_does_not_tell(surefoot_command):
    code, _, err = surefoot_command("groups", "booth", "-o", "torch.optim.NAdam")
    assert code == 2
    assert "NAdam is no optimizer of Surefoot's" in err


def test_a_rule_for_matrices_finds_none_in_a_point(surefoot_command):
    code, _, err = surefoot_command("groups", "booth", "-o", "lion(rest=adamw)")
    assert code == 2
    assert "is a hidden matrix" in err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("command", "why"), [("groups", "makes its own model"), ("lr-find", "takes its own; give a")])
def test_a_training_function_is_refused_without_a_question_that_there_is_no_flag_for(surefoot_command, command, why):
    Path("loop.py").write_text("def train(run): ...")
    code, _, err = surefoot_command(command, "loop.py:train")
    assert code == 2
    assert why in err
    assert "--better" not in err
