"""CONTRIBUTING's own example goes its own way: its code, its commands and its row of a test are taken from the page."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from textwrap import dedent

import cloudpickle
import pytest

import cases
import papers
import surefoot
from paths import ROOT
from surefoot import rules
from surefoot.arms.arm_list import parse_arms
from surefoot.arms.optimizer_text import parse_rule
from surefoot.store import Store

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = [
    dedent(block) for block in re.findall(r"^ *```(?:python|console)\n(.*?)^ *```", TEXT, re.DOTALL | re.MULTILINE)
]
RULE, COMMANDS, LOOP, ROW = BLOCKS

pytestmark = pytest.mark.usefixtures("workers_here")


@pytest.fixture
def qhm(tmp_path, monkeypatch):
    """The rule of the page, in the file that the page names, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("qhm.py").write_text(RULE, encoding="utf-8")
    yield parse_rule("qhm.py:qhm")[0]
    cloudpickle.unregister_pickle_by_value(sys.modules.pop("qhm"))


@pytest.mark.usefixtures("qhm")
@pytest.mark.parametrize("command", COMMANDS.splitlines())
def test_its_commands_run(surefoot_command, command):
    program, *arguments = shlex.split(command)
    few = ["--epochs", "1"] if arguments[0] == "compare" else []
    code, out, err = surefoot_command(*arguments, *few)
    assert (program, code) == ("surefoot", 0), err
    assert re.search("qhm|QHM", out)
    if arguments[0] == "compare":
        with Store("surefoot-results/results.sqlite", readonly=True) as store:
            tuning = {one.hyper["lr"] for one in store.records() if one.purpose == "tune" and "qhm" in one.rule}
        assert len(tuning) >= 4
        assert all(lr > 1e-3 / 32 for lr in tuning)


def test_its_calls_in_python_work(qhm):
    import torch

    assert surefoot.Opt(qhm, lr=0.01).arm.label == "QHM(lr=0.01)"
    surefoot.torch.RuleOptimizer([torch.nn.Parameter(torch.ones(3))], qhm)


def test_its_row_of_a_test_proves_it(qhm, monkeypatch):
    written = {}
    exec(LOOP, {**vars(papers), "PAPERS": written})
    monkeypatch.setitem(papers.PAPERS, "qhm", written["qhm"])
    monkeypatch.setitem(rules.RULES, "qhm", qhm)
    case = eval(ROW, vars(cases))
    assert case.error() <= cases.TOLERANCE
    assert not case.error(qhm.variant("faulty", "", pin={"beta1": 0.8}, source="")) <= cases.TOLERANCE


def test_a_built_in_rule_of_which_nothing_more_is_said_works_everywhere(qhm, surefoot_command, monkeypatch):
    """Once it is in the list of rules, its plain name does what the file did."""
    monkeypatch.setitem(rules.RULES, "qhm", qhm)
    assert "Beyond Momentum, it averages instead of adding up" in " ".join(
        surefoot_command("explain", "qhm")[1].split()
    )
    assert "QHM" in surefoot_command("explain")[1]
    for command in (
        ["explain", "qhm", "--conventions"],
        ["explain", "qhm", "--json"],
        ["kernel", "qhm"],
        ["list"],
    ):
        code, out, err = surefoot_command(*command)
        assert (code, err) == (0, ""), command
        assert re.search("qhm|QHM", out)
    assert "QHM" in (surefoot_command("explain", "--web", "--out", "page.html"), Path("page.html").read_text())[1]
    (arm,) = parse_arms(["qhm"], "keras")
    assert (arm.label, arm.rule) == ("QHM", "qhm")
    assert arm.space(30).sources["lr"] == "the rule's own default in the middle"
