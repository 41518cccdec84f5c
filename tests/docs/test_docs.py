"""The documentation: its code runs, its commands exist, its recipes learn something."""

import importlib
import os
import re
import runpy
import shlex
import subprocess
import sys

import pytest
import typer

import without_teardown
from doc_pages import (
    DOCS,
    RULE_PAGES,
    blocks,
    command_line,
    console,
    named,
    other_texts,
    pages_with,
    rate_free,
    studies,
    texts,
)
from short_calibration import few_rows
from surefoot.cli.app import app
from surefoot.selfcheck import calibration, planned_looks

COMPARE = ("README.md", "start.md")
"""Pages whose code trains in processes of its own, and so is a script and not a text that is evaluated."""

RECIPES = {path.stem: path for path in (DOCS / "recipes").glob("*.py")}
FRAMEWORKS = ("with_accelerate", "with_lightning", "with_trainer")
DISTRIBUTED = ("ddp", "fsdp2")

TRAINS = [line for line in console() if line.startswith("surefoot compare article") and "-run" not in line]

SMALLER = ("--epochs", "1", "--train-size", "500", "--seeds", "1", "--workers", "2")
"""Makes a comparison of the docs short; the options that it has itself come before, and these win."""


@pytest.mark.usefixtures("kernel_cache")
@pytest.mark.parametrize("page", sorted({*pages_with("python"), *RULE_PAGES} - {*COMPARE}))
def test_the_python_of_a_page_runs_from_top_to_bottom(page, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    space, code = {"__name__": "docs"}, blocks(page, "python")
    assert code
    for block in code:
        exec(compile(block, page, "exec"), space)
    assert "Traceback" not in capsys.readouterr().out


@pytest.mark.usefixtures("workers_here")
@pytest.mark.slow
@pytest.mark.parametrize("page", COMPARE)
def test_the_python_of_a_page_that_compares_runs_as_a_script(page, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "script.py"
    script.write_text("\n".join(blocks(page, "python")), encoding="utf-8")
    runpy.run_path("script.py", run_name="__main__")
    printed = capsys.readouterr().out
    assert re.search(r"tuned (Momentum|Adam|Lion)", printed, re.IGNORECASE)
    for shown in blocks(page, "text"):  # what it prints, up to the first figure: those depend on the machine
        assert words(shown.split("(")[0]) in words(printed)


def words(text):
    """Return a text with every gap a single space."""
    return " ".join(text.split())


def test_the_commands_that_pages_name_can_be_read_by_the_command_line():
    group, wrong = typer.main.get_command(app), []
    for command in named():
        name, *arguments = shlex.split(command)[1:]
        try:
            known = group.commands[name]
            if arguments and not re.search(r"[A-Z{]", " ".join(arguments)):  # STUDY, RULE: a place to fill
                known.make_context(name, arguments)
        except Exception as error:
            wrong.append((command, repr(error)))
    assert wrong == []


def test_no_page_of_a_rule_has_commands_that_are_not_run():
    assert [page for page in texts() if page not in other_texts() and blocks(page, "console")] == []


@pytest.mark.usefixtures("workers_here", "little_mnist")
@pytest.mark.parametrize("command", [line for line in console() if "--all-small" not in line])
def test_a_command_of_a_page_runs(command, surefoot_command, monkeypatch):
    few_rows(monkeypatch)
    monkeypatch.setattr(calibration, "DESIGNS", ((2, 10, False),))
    monkeypatch.setattr(planned_looks, "BETTER", ())
    arguments = shlex.split(command)[1:]
    more = {"compare": ["--dry-run"], "check": ["--studies", "100"]}.get(arguments[0], [])
    code, out, err = surefoot_command(*arguments, *more)
    assert code == 0, err
    assert out


@pytest.mark.usefixtures("workers_here", "little_mnist")
@pytest.mark.slow
@pytest.mark.parametrize("command", TRAINS)
def test_a_comparison_of_a_page_trains(command, surefoot_command):
    code, out, _ = surefoot_command(*shlex.split(command)[1:], *SMALLER)
    assert code == 0
    assert "Test accuracy using AdaBound" in out


def test_the_reference_of_the_command_line_has_every_help_text(surefoot_command):
    page = texts()["generated/cli.md"]
    for name in ("", *command_line.commands()):
        code, out, _ = surefoot_command(*([name] if name else []), "--help")
        assert code == 0
        assert out.rstrip() in page, name


@pytest.mark.parametrize("name", sorted({path.stem for path in (DOCS / "data").glob("*.json")} - {"keras"}))
def test_stored_results_say_which_command_made_them(name):
    command, result = studies.stored(DOCS / "data", name)
    assert command.startswith("surefoot compare")
    assert command.endswith("--json")
    if "rows" in result:
        assert f" {result['study']} " in command
        assert {len(row["seeds"]) for row in result["rows"]} == {10}


@pytest.mark.parametrize("name", rate_free.STUDIES)
def test_the_page_on_rate_free_has_every_stored_price_and_the_command_that_found_it(name):
    command, result = studies.stored(DOCS / "data", f"rate-free-{name}")
    script = runpy.run_path(str(DOCS.parent / "benchmarks" / "site_data.py"))
    asked = [[f"rate-free {one} --seeds {n}" for n in looks] for one, looks in script["RATE_FREE"].items()]
    assert command in ["\n".join(f"surefoot compare {one} --json" for one in some) for some in asked]
    text = texts()["generated/rate-free.md"].partition(f"## {name}\n")[2]
    assert command in text
    for row in result["price"]["rows"]:
        assert re.search(rf"^\| {re.escape(row['label'])} \|.* {row['claim']} \|$", text, re.MULTILINE), row["label"]


def test_the_page_on_choosing_has_the_language_study_and_the_command_that_found_it():
    command, result = studies.stored(DOCS / "data", "char-lm")
    assert command == runpy.run_path(str(DOCS.parent / "benchmarks" / "site_data.py"))["LANGUAGE"]
    text = texts()["generated/studies.md"]
    assert command in text
    assert result["verdict"]["text"] in text
    lr = {row["label"]: row["hyper"]["lr"] for row in result["rows"]}
    for row in result["tuning"]:
        assert f"| {row['defaults']} | {lr[row['label']]:.3g} |" in text


def test_the_tutorials_script_is_stored_for_every_backend_and_optimizer():
    command, result = studies.stored(DOCS / "data", "keras")
    assert (DOCS.parent / command.removeprefix("python ")).exists()
    assert set(result) == {"tensorflow", "jax", "torch"}
    for runs in result.values():
        assert set(runs) == {"Adagrad", "Adadelta", "Adam", "AdaBound"}
        assert all(set(run) == {"loss", "accuracy"} for run in runs.values())


def test_no_page_names_a_place_of_a_machine_or_a_host_that_is_no_publication():
    for page, text in texts().items():
        assert not re.search(r"(?<![\w.])/(work|tmp|root|home|opt|usr|var)/", text), page
        hosts = {host.split("/")[0] for host in re.findall(r"https?://([^\s)\"'>]+)", text)}
        assert hosts <= {"arxiv.org", "doi.org"}, page


def run(command, folder):
    """Run a command in a folder as a user would, and return what it printed."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "JAX_ENABLE_X64": "0", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def assert_learned(printed):
    """The loss that a recipe prints has fallen to a tenth."""
    ((first, last),) = re.findall(r"^loss (\S+) -> (\S+)$", printed, re.MULTILINE)
    assert float(last) < float(first) / 10


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", sorted(RECIPES.keys() - {*FRAMEWORKS, *DISTRIBUTED}))
def test_a_recipe_learns(name, capsys):
    runpy.run_path(str(RECIPES[name]), run_name="__main__")
    assert_learned(capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTRIBUTED)
def test_a_recipe_of_two_processes_learns(name, tmp_path):
    """Each in a run of its own: a second group of the same two processes hangs now and then."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    assert_learned(run([sys.executable, *launch, without_teardown.__file__, str(RECIPES[name])], tmp_path).stdout)


@pytest.mark.frameworks
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_recipe_of_another_framework_learns(name, tmp_path):
    assert_learned(run([sys.executable, str(RECIPES[name])], tmp_path).stdout)


def test_every_recipe_is_on_the_page():
    assert all(f"recipes/{name}.py" in texts()["recipes.md"] for name in RECIPES)


@pytest.mark.parametrize("room", ["surefoot", "surefoot.torch", "surefoot.optax", "surefoot.keras"])
def test_the_reference_has_every_public_name(room):
    listed = re.findall(r"^\.\. auto\w+:: (\S+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {f"{room}.{name}" for name in importlib.import_module(room).__all__} <= {*listed}
