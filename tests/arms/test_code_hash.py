"""The code of an optimizer that is not ours: what changes it, what does not, and no old result passes for a new one."""

import os
import subprocess
import sys
import types
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
import torch
from torch import nn

from line_task import foreign, trials
from samples import DESIGN
from surefoot.arms.code_hash import code_of
from surefoot.arms.opt import Opt
from surefoot.report.repeat import repeat

CLASS = """
import torch
from functools import wraps

SCALE = {"by": (1.0, 2.0)}

def loud(function):
    @wraps(function)
    def wrapped(*args):
        return function(*args)
    return wrapped

def sign(gradient):
    return gradient.sign()

class Base(torch.optim.Optimizer):
    decay = 0.5

class Mine(Base):
    def __init__(self, params, lr=0.01):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.add_(sign(p.grad) * SCALE["by"][0], alpha=-group["lr"])

    @loud
    def names(self, name):
        return name in {"one", "two", "three"}
"""


@pytest.fixture
def made(monkeypatch):
    """Makes the class of a module with this text, in which `old` stands for `new`."""

    def make(old="", new="", text=CLASS):
        assert old in text
        module = types.ModuleType("users")
        monkeypatch.setitem(sys.modules, "users", module)
        exec(compile(text.replace(old, new) if old else text, "users.py", "exec"), vars(module))
        return module.Mine

    return make


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("alpha=-group", "alpha=group"),
        ("lr=0.01", "lr=0.02"),
        ("gradient.sign()", "gradient.tanh()"),
        ("(1.0, 2.0)", "(1.0, 3.0)"),
        ("decay = 0.5", "decay = 0.25"),
        ("return function(*args)", "return not function(*args)"),
        ('"three"', '"four"'),
        ("class Base(torch.optim.Optimizer)", "class Base(torch.optim.SGD)"),
    ],
)
def test_what_runs_is_in_the_code(made, old, new):
    assert code_of(made(old, new)) != code_of(made())


def test_how_it_is_written_is_not(made):
    assert code_of(made("    def step", "\n    # moves\n    def step")) == code_of(made())
    assert code_of(made("class Mine(Base):", 'class Mine(Base):\n    """Mine."""\n')) == code_of(made())
    assert code_of(made("SCALE =", "OTHER = 3\nSCALE =")) == code_of(made())


def test_using_a_class_does_not_change_its_code(made):
    mine = made()
    before = code_of(mine)
    mine(nn.Linear(1, 1).parameters())  # after which torch has put a step of its own around its step
    assert code_of(mine) == before


def test_another_process_finds_the_same_code(made, tmp_path):
    (tmp_path / "users.py").write_text(CLASS)
    asked = "import users; from surefoot.arms.code_hash import code_of; print(code_of(users.Mine))"
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", asked]
    told = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == code_of(made())


def test_functions_of_modules_that_are_imported_whole_count(made, monkeypatch):
    text = CLASS.replace("import torch\n", "import torch\nimport helpers\n").replace(
        "sign(p.grad)", "helpers.way(p.grad)"
    )
    codes = []
    for way in ("g.sign()", "g"):
        helpers = types.ModuleType("helpers")
        exec(f"def way(g):\n    return {way}\n", vars(helpers))
        monkeypatch.setitem(sys.modules, "helpers", helpers)
        codes.append(code_of(made(text=text)))
    assert codes[0] != codes[1]


def test_what_a_function_closes_over_counts():
    def scaled(by):
        return lambda params, lr=0.1: torch.optim.SGD(params, lr * by)

    assert code_of(scaled(1)) == code_of(scaled(1)) != code_of(scaled(2))


def test_arrays_of_objects_count_one_by_one():
    """Each is read as a list that lives only while it is read; the next one was taken for it, and left out."""

    def holds(*values):
        each = [np.array([{"value": value}, 0], dtype=object) for value in values]
        return lambda params: (params, each)

    assert code_of(holds(*range(9))) == code_of(holds(*range(9)))
    assert len({code_of(holds(*range(last), 77)) for last in range(9)}) == 9
    assert len({code_of(holds(*range(8), last)) for last in range(9)}) == 9


def test_an_installed_library_has_its_version():
    assert code_of(torch.optim.NAdam) == version("torch")
    assert Opt(torch.optim.NAdam).arm.rule == f"torch.optim.nadam.NAdam@{version('torch')}"


def test_a_trial_of_an_edited_class_is_another_trial(made):
    first, edited = foreign(made()), foreign(made("alpha=-group", "alpha=group"))
    assert first.arm.name == edited.arm.name == "users.Mine"
    assert first.key != edited.key
    assert first.record({}).rule != edited.record({}).rule, "a report shows them as two"
    assert first.key == foreign(made()).key


def test_the_reports_command_names_the_class_without_its_version():
    design = replace(DESIGN, optimizers=(foreign(torch.optim.NAdam).arm.asked,))
    assert "torch.optim.nadam.NAdam(lr=0.1)'" in repeat(design).text


def test_a_trial_of_a_rule_of_ours_keeps_the_key_that_stores_have():
    assert trials("adam")[0].key == "c20ae1c7fd041253"


OPTIONS = """
import sys
from dataclasses import dataclass
from functools import partial
import torch
from surefoot.arms.opt import Opt
from surefoot.design.trial import Trial
from line_task import trials

@dataclass
class Named:
    names: set

@dataclass(slots=True)
class Slotted:
    size: int
    names: frozenset = frozenset({"red", "green", "blue", "grey"})

class Slot:
    __slots__ = ("__size",)
    def __init__(self, size):
        self.__size = size

class Part:
    def __init__(self, size):
        self.size = size

def rise(step, by=BY):
    return step * by

class Mine(torch.optim.SGD):
    def __init__(self, params, lr=0.1, option=None):
        super().__init__(params, lr)

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(2, 2)

NAMES = {"red", "green", "blue", "grey"}
PLAIN = (rise, partial(rise, by=3), Part(BY), {"names": {"a", "b", "c"}}, [rise], {"one", "two", "six"})
WITH_SETS = (Named(NAMES), Slotted(BY), partial(rise, NAMES), Part([NAMES]), [Named({*NAMES, BY})])
for option in (*PLAIN, *WITH_SETS, Slot(BY), torch.nn.Linear(2, BY), Net()):
    arm = Opt(Mine, option=option).arm
    print(Trial("line", arm, 0, trials("sgd")[0].protocol).key, arm.label)
"""


def test_options_of_any_kind_have_the_same_key_and_label_in_every_process():
    def told(seed):
        """The lines of two modules that differ in a number."""
        path = os.pathsep.join(sys.path)
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": path}
        both = f"text = {OPTIONS!r}\nfor BY in (2, 4): exec(text)"
        command = [sys.executable, "-c", both]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        lines = ran.stdout.splitlines()
        return lines[:14], lines[14:]

    (first, other), (again, _) = told(0), told(1)
    assert len(first) == len(other) == 14
    assert first == again
    assert " at 0x" not in "".join(first)
    assert [a == b for a, b in zip(first, other, strict=True)] == [
        *(False, False, False, True, False, True),
        *(True, False, False, True, False),  # only some have the number in them
        *(False, False, True),
    ]
