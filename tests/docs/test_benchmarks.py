"""Every script of `benchmarks/`, in its smallest form, run to its last printed line."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from doc_pages import command_line
from paths import ROOT

FOLDER = ROOT / "benchmarks"
DATA = ROOT / "docs" / "data"

pytestmark = pytest.mark.usefixtures("workers_here")


@pytest.fixture
def printed(monkeypatch, capfd, tmp_path):
    """Runs a script (or its function `call`) with some of its constants smaller; returns the lines that it prints."""

    def run(name, *arguments, call=None, **constants):
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        monkeypatch.syspath_prepend(str(FOLDER))
        script = runpy.run_path(str(FOLDER / name))
        main = script[call or "main"]
        for constant, value in constants.items():
            assert constant in script, f"{name} has no {constant} any more"
            monkeypatch.setitem(main.__globals__, constant, value)
        main(*([tmp_path] if call else []))
        return capfd.readouterr().out.splitlines()

    return run


def test_every_script_is_run_here():
    text = (ROOT / "tests" / "docs" / "test_benchmarks.py").read_text()
    assert [path.name for path in FOLDER.glob("*.py") if path.name.replace(".", "_") not in text] == []


@pytest.mark.frameworks
def test_article_py_beside_keras_article_py(printed, tmp_path):
    kept = tmp_path / "figures.json"
    small = ["--epochs", "1", "--train-size", "500", "--keras-python", sys.executable, "--json", str(kept)]
    lines = printed("article.py", *small, MATRIX=64)
    assert lines[-1].startswith("Per optimizer, Surefoot is ")
    rows = json.loads(kept.read_text())
    assert (len(rows["surefoot"]["rows"]), len(rows["keras"]["rows"])) == (4, 3)


def test_article_py_keeps_what_it_measured_before_it_prints_it(printed, tmp_path):
    def broken(*_):
        raise KeyError("test_metric")

    kept = tmp_path / "figures.json"
    with pytest.raises(KeyError):
        printed(
            "article.py",
            "--json",
            str(kept),
            floor=dict,
            print_floor=print,
            run_ours=lambda *_: {"seconds": 93.0},
            print_sides=broken,
        )
    assert json.loads(kept.read_text())["surefoot"] == {"seconds": 93.0}


def test_jax_step_py(printed):
    lines = printed("jax_step.py", "--sets", "tiny", "--rules", "sgd", "--turns", "2", "--seconds", "0.001")
    assert lines[-1].split()[:2] == ["tiny", "sgd"]


@pytest.mark.usefixtures("little_mnist")
def test_overhead_py(printed):
    lines = printed("overhead.py", "--epochs", "1", "--train-size", "60", ROUNDS=1)
    assert [line.split("  ")[1] for line in lines[1:]] == ["surefoot trial", "bare loop", "bare loop, torch.optim.Adam"]


@pytest.mark.browser
def test_pictures_py(printed, tmp_path):
    (tmp_path / "data").mkdir()
    shutil.copy(DATA / "article.sqlite", tmp_path / "data")
    printed("pictures.py", DOCS=tmp_path)
    assert {"report.png", "step-sizes.svg", "playground.png"} <= {path.name for path in tmp_path.iterdir()}


def test_site_data_py_takes_the_json_of_a_command(tmp_path):
    script = runpy.run_path(str(FOLDER / "site_data.py"))
    assert script["printed"]("surefoot explain adam --json", tmp_path)["rule"] == "adam"


@pytest.fixture
def in_this_process(monkeypatch, tmp_path):
    """What stands for the script's own `printed`, which the test above runs."""
    monkeypatch.chdir(tmp_path)
    return {"printed": lambda command, _: json.loads(command_line.printed(command.removeprefix("surefoot ")))}


def test_site_data_py_the_article(printed, in_this_process, tmp_path):
    small = "surefoot compare booth --epochs 1 --seeds 1 --trials 0 -o adam --only --json"
    printed("site_data.py", call="article", DATA=tmp_path, ARTICLE=small, **in_this_process)
    assert (tmp_path / "article.sqlite").exists()


def test_site_data_py_rate_free(printed, in_this_process, tmp_path):
    small = "quadratic-deep --epochs 1 --only -o adam --trials 1"
    printed("site_data.py", call="rate_free", DATA=tmp_path, RATE_FREE={small: (5, 6)}, **in_this_process)
    kept = json.loads((tmp_path / "rate-free-quadratic-deep.json").read_text())
    first, last = kept["command"].splitlines()
    assert (first, last) == tuple(f"surefoot compare rate-free {small} --seeds {n} --json" for n in (5, 6))
    assert {row["lost"]["n"] for row in kept["result"]["price"]["rows"]} == {kept["result"]["looks"][-1]} == {6}
    assert {row["label"] for row in kept["result"]["price"]["rows"]} < set(kept["result"]["settings"])


def test_site_data_py_language(printed, in_this_process, tmp_path):
    small = "surefoot compare booth --only -o adamw --epochs 1 --seeds 1 --trials 0 --json"
    printed("site_data.py", call="language", DATA=tmp_path, LANGUAGE=small, **in_this_process)
    kept = json.loads((tmp_path / "char-lm.json").read_text())
    assert kept["command"] == small
    assert [row["label"] for row in kept["result"]["rows"]] == ["AdamW"]


def test_startup_py(printed):
    lines = printed("startup.py", ROUNDS=1)
    assert len(lines) == 6
    assert lines[-1].split()[:2] == ["import", "torch"]


def test_state8_py(printed):
    small = {
        "SCENES": {"10": (1, 2)},
        "LAST": 1,
        "TRAIN": 60,
        "VALIDATION": 100,
        "SEEDS": 1,
        "SIZE": 1000,
        "ROUNDS": 1,
    }
    lines = printed("state8.py", **small)
    assert [line.split("  ")[1] for line in lines if line.endswith("bytes a weight")] == [
        "float32",
        "bfloat16",
        "uint8",
        "uint8, to nearest",
    ]


def test_state_time_py(capsys):
    runpy.run_path(str(FOLDER / "state_time.py"))["main"]("cnn", rounds=1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["float32", "bfloat16", "8"]
    assert all(line.endswith("times float32") for line in lines)


def test_sharded_step_py():
    """In a process of its own, for the reason that `without_teardown` names."""
    small = "import sharded_step, without_teardown; sharded_step.main(4, 1); without_teardown.end_at_once()"
    path = os.pathsep.join([str(FOLDER), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path}
    ran = subprocess.run([sys.executable, "-c", small], env=environment, capture_output=True, text=True, check=True)
    lines = ran.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["Surefoot", "torch fused", "torch foreach"]
    assert all(line.endswith("times torch fused") for line in lines)


def test_report_time_py(printed):
    lines = printed("report_time.py", "--trials", "8")
    assert lines[-1].startswith("the report ")


def test_trial_overhead_py(printed):
    lines = printed("trial_overhead.py", "--trials", "4", "--stored", "8", "--epochs", "1")
    assert lines[-1]


def test_muon_py(printed):
    small = SimpleNamespace(shapes=[(4, 4)] * 2 + [(16, 48)] * 4)
    lines = printed("muon.py", "--blocks", "1", "--rounds", "1", find_set=lambda _: small)
    assert [line[:28].strip() for line in lines[2:]] == [
        "torch.optim.Muon",
        "surefoot, bfloat16 products",
        "surefoot, float32 products",
    ]
    assert [len(line[28:].split()) for line in lines[2:]] == [4, 4, 4]


def test_looks_py(printed):
    lines = printed("looks.py", STUDIES=400, LOOKS=(6, 8))
    assert [line.split(":")[0] for line in lines[2:4]] == [
        "Better by its own spread, 10 seeds",
        "The same with a part held back",
    ]
    assert [line[:16].strip() for line in lines[4:]] == ["spending", "one look", "obrien-fleming", "pocock", "linear"]
    assert [len(line[42:].split()) for line in lines[5:]] == [5] * 4


def test_looks_py_draws(printed, tmp_path):
    printed("looks.py", str(tmp_path / "looks.svg"), STUDIES=400, DRAWN=(0.0, 1.0))
    assert all(name in (tmp_path / "looks.svg").read_text() for name in ("one look", "obrien-fleming", "linear"))


def test_look_time_py(printed):
    lines = printed("look_time.py", OPTIMIZERS=2, TUNED=3, SEEDS=6, EPOCHS=2, REPEATS=1)
    assert lines[0] == "18 records, 2 optimizers, 6 seeds: best is optimizer 1"
    assert [part.split()[0] for part in lines[1].split(", ")] == ["reading", "judging", "a"]


def test_soap_py(printed):
    lines = printed("soap.py", "--widths", "8", "--periods", "1")
    assert [line.split()[1] for line in lines[2:]] == ["AdamW", "Muon", "SOAP"]
    assert [len(line.split()) for line in lines[2:]] == [6, 6, 6]
