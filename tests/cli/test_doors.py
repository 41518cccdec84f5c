"""The doors: one list of options behind the command line and Python, and words that fit the one who asked."""

import ast
import inspect
import json
import re
import shlex
import subprocess
import sys
from dataclasses import asdict, fields

import pytest
import typer

import surefoot
from paths import ROOT
from surefoot.cli.app import COMMANDS, app
from surefoot.cli.flags import flag, message
from surefoot.cli.options import OWN
from surefoot.comparison.ask import ask
from surefoot.comparison.request import Request
from surefoot.errors import Argument, UsageError
from surefoot.options import Options
from surefoot.store.protocol import Recipe
from surefoot.study import run
from surefoot.workers.runner import Runner

SOURCE = ROOT / "src" / "surefoot"
GROUP = typer.main.get_command(app)
OPTIONS = {one.name for one in fields(Options)}
NO_FLAG = {"runner"}
"""The option that is several flags: those of `Runner`."""

LATE = {
    ("compare.py", "surefoot.training.process"): "loads torch, which only the range test of rate-free needs",
    ("__main__.py", "surefoot.cli.app"): "needs a package that may be missing, which is then named",
    ("explain.py", "surefoot.bench.run"): "loads torch, which only --time needs",
}


def in_words(text):
    return " ".join((text or "").split())


@pytest.mark.parametrize("room", ["surefoot", "surefoot.bridge"])
def test_what_is_loaded_when_it_is_first_used_is_offered_before(room):
    names = f"import {room} as room; print({{*room.__all__}} <= {{*dir(room)}})"
    assert subprocess.run([sys.executable, "-c", names], capture_output=True, text=True, check=True).stdout == "True\n"


@pytest.mark.parametrize("one", fields(Options), ids=lambda one: one.name)
def test_an_option_is_an_argument_of_compare_with_the_same_default_and_words(one):
    argument = inspect.signature(surefoot.compare).parameters[one.name]
    assert argument.default == one.default
    assert f"{one.name}: {one.metadata['help']}" in in_words(surefoot.compare.__doc__)


@pytest.mark.parametrize("one", fields(Runner), ids=lambda one: one.name)
def test_an_option_of_the_runner_is_documented_and_a_flag(one):
    assert f"{one.name}: " in Runner.__doc__
    flags = {name for param in GROUP.commands["compare"].params for name in param.opts}
    assert flag(one.metadata.get("flag", one.name)) in flags


@pytest.mark.parametrize("name", [one.name for one in fields(Options) if one.name not in NO_FLAG])
def test_an_option_is_a_flag_of_the_command_with_the_same_words(name):
    options = {one.name: one for one in fields(Options)}
    (param,) = (param for param in GROUP.commands["compare"].params if param.name == name)
    assert flag(name) in param.opts
    if name not in OWN:
        assert param.help.lower() == options[name].metadata["help"].lower()


def test_compare_has_no_argument_that_the_command_lacks():
    """A model and what belongs to it are named on a command line by the file that has them."""
    known = {one.name for one in fields(Options)}
    of_a_task = {"task", "train", "model", "data", "loss", "metric", "better", "name", "transform", *asdict(Recipe())}
    assert inspect.signature(surefoot.compare).parameters.keys() == known | of_a_task
    assert inspect.signature(surefoot.forecast).parameters == inspect.signature(surefoot.compare).parameters


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json_help_with_an_example_and_one_line_in_the_list(name, surefoot_command):
    code, out, _ = surefoot_command(name, "--help")
    assert code == 0
    assert f"Example: surefoot {name}" in in_words(out)
    assert "--json" in out
    assert max(map(len, out.splitlines())) <= 80
    shown = next(line for line in surefoot_command("--help")[1].splitlines() if line.startswith(f"  {name} "))
    assert shown.endswith(COMMANDS[name][1])


def statements(path):
    """Every import that stands within a function, with the module that it loads."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield from (one.module for one in ast.walk(node) if isinstance(one, ast.ImportFrom))
            yield from (one.names[0].name for one in ast.walk(node) if isinstance(one, ast.Import))


def test_what_a_command_imports_stands_at_the_top_of_its_file():
    found = {(path.name, module) for path in (SOURCE / "cli").glob("*.py") for module in statements(path)}
    assert found == set(LATE)


def texts(path):
    """Every text of a file but its docstrings, formatted ones whole."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield ast.unparse(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs | parts:
            yield node.value


WHOLE_COMMAND = re.compile(r"(surefoot \w+|\.command\}|ray \w+|apt \w+|pip \w+|torchrun|XLA_FLAGS)[^`]*--[a-z]")


@pytest.mark.parametrize("path", [path for path in SOURCE.rglob("*.py") if "cli" not in path.parts], ids=str)
def test_no_message_outside_the_command_line_names_a_flag(path):
    """A command that is quoted whole may have flags; an argument has its name, and `cli` writes the flag."""
    if path.name == "repeat.py":
        pytest.skip("it writes whole commands, part by part")
    named = [text for text in texts(path) if re.search(r"--[a-z{]", text) and not WHOLE_COMMAND.search(text)]
    assert named == []


@pytest.mark.parametrize("path", [path for path in SOURCE.rglob("*.py") if "cli" not in path.parts], ids=str)
def test_a_message_that_begins_with_an_option_gives_it_as_an_argument(path):
    """Else the command line cannot write its flag. What only Python can give wrong has no flag: `budget=20`."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call) and node.args]
    heads = [node.args[0] for node in calls if ast.unparse(node.func) == "UsageError"]
    heads = [head.values[0] if isinstance(head, ast.JoinedStr) else head for head in heads]
    first = [str(head.value).split() for head in heads if isinstance(head, ast.Constant)]
    bare = [words for words in first if words[0] in OPTIONS and words[1:2] in ([], ["is"], ["and"])]
    assert [words for words in bare if words[:3] != ["budget", "is"]] == []


def test_an_error_names_arguments_in_python_and_flags_on_the_command_line():
    error = UsageError(Argument("train_size"), " is 0, and ", Argument("optimizers"), " is empty; train_size stays.")
    assert str(error) == "train_size is 0, and optimizers is empty; train_size stays."
    assert message(error) == "--train-size is 0, and -o is empty; train_size stays."


def test_what_is_compared_is_said_before_anything_is_prepared(monkeypatch, capsys, tmp_path):
    """Also before a budget's pilot, which takes seconds for each optimizer."""
    options = Options(("adam", "sgd"), budget="1min", device="cpu", workers=1, store=tmp_path / "r.sqlite")
    said = []

    def prepare(*_):
        said.append(capsys.readouterr().err)
        raise UsageError("stop here")

    monkeypatch.setattr(Request, "prepare", prepare)
    with pytest.raises(UsageError, match="stop here"):
        run(ask("rosenbrock", options), options)
    (words,) = said
    assert words.startswith("Study rosenbrock: Adam and SGD, on cpu. Each is timed for a second or two")


@pytest.mark.usefixtures("workers_here")
@pytest.mark.parametrize("study", ["task", "articl"])
def test_a_report_of_a_study_that_is_not_there_names_those_that_are(surefoot_command, tmp_path, study):
    stored = surefoot.compare(
        "booth", optimizers=["sgd"], epochs=1, seeds=1, trials=0, workers=1, device="cpu", store=tmp_path / "r.sqlite"
    )
    code, out, err = surefoot_command("report", study, "--store", stored.store)
    assert (code, out) == (2, "")
    assert f"unknown study in this store '{study}'" in err
    assert "Known: booth" in err
    code, out, err = surefoot_command("report", "article", "--store", stored.store)
    assert "has no trial of study 'article'. Run `surefoot compare` on it first." in err


def test_the_command_and_the_call_foretell_the_same(surefoot_command, tmp_path):
    words = "compare booth --seeds 6 --trials 4 --device cpu --workers 2 --dry-run --json"
    code, out, err = surefoot_command(*shlex.split(words))
    assert (code, err) == (0, "")
    called = surefoot.forecast("booth", seeds=6, trials=4, device="cpu", workers=2)
    assert json.loads(out) == json.loads(json.dumps(called.to_json()))
    assert "What 6 seeds can find" in str(called) or "nothing is assumed" in str(called)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("workers_here")
def test_studies_are_compared_together_from_python(tmp_path):
    given = {"optimizers": ["sgd", "adam"], "epochs": 1, "seeds": 2, "trials": 0, "device": "cpu", "workers": 1}
    suite = surefoot.compare_suite(["booth", "beale"], store=tmp_path / "r.sqlite", **given)
    assert list(suite.studies) == ["booth", "beale"]
    assert suite.summary.optimizers == ("SGD", "Adam")
    assert "Optimizer" in str(suite.table())
    page = suite.report(tmp_path / "pages")
    assert sorted(path.name for path in page.parent.iterdir()) == ["all-small.html", "beale.html", "booth.html"]


def test_an_option_that_no_study_takes_is_named():
    with pytest.raises(TypeError, match="epoch"):
        surefoot.compare_suite(["booth"], epoch=1)


def test_the_range_test_is_a_call_and_the_command_shows_the_same(surefoot_command):
    words = "lr-find booth -o sgd --seeds 3 --steps 100 --device cpu --json"
    code, out, err = surefoot_command(*shlex.split(words))
    assert code == 0, err
    called = surefoot.lr_find("booth", optimizers=["sgd"], seeds=3, steps=100, device="cpu")
    told = json.loads(out)
    del told["report"]
    assert told == json.loads(json.dumps(called.to_json()))
    assert "SGD" in called.text()
    with pytest.raises(UsageError, match="steps is 5"):
        surefoot.lr_find("booth", steps=5)
