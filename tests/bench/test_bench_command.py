"""`surefoot bench`: what it prints, draws and refuses."""

import importlib.util
import json
import os
import signal
import sys
from functools import partial

import pytest

from surefoot.bench import contenders as contenders_module
from surefoot.bench import memory, shapes
from surefoot.bench.cases import BenchCase, case_names
from surefoot.bench.chart import spec, write_chart
from surefoot.bench.result import BenchResult, Measured, SetResult, rows
from surefoot.bench.run import CaseRun

pytestmark = pytest.mark.usefixtures("kernel_cache")

alone = pytest.mark.usefixtures("no_optional_library")


@pytest.fixture
def run(monkeypatch, surefoot_command):
    """Run `surefoot bench` with sets that are done in no time."""
    small = {name: (summary, lambda: iter([(3, 5), (40,)])) for name, (summary, _) in shapes._NETWORKS.items()}
    monkeypatch.setattr(shapes, "_NETWORKS", small)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0), raising=False)
    return partial(surefoot_command, "bench", "--rounds", "2")


@pytest.fixture
def no_optional_library(monkeypatch):
    """Take the optional libraries away."""
    optional = ("pytorch_optimizer", "optax", "jax")
    monkeypatch.setattr(
        contenders_module, "find_spec", lambda name: None if name in optional else importlib.util.find_spec(name)
    )


SPREAD = ["median", "low", "high", "turns"]


@alone
def test_json_is_one_object_with_all_that_was_measured(run):
    code, out, err = run("--set", "cnn", "--set", "gpt2", "-r", "adam", "--json")
    assert code == 0
    assert "cnn: adam" in err
    result = json.loads(out)
    assert list(result) == ["environment", "dtype", "threads", "rounds", "sets", "cold", "notes", "interrupted"]
    assert {"processor", "torch", "numba", "optax", "jax", "pytorch-optimizer"} <= result["environment"].keys()
    assert (result["dtype"], result["rounds"], result["cold"], result["interrupted"]) == ("float32", 2, [], False)
    assert [entry["name"] for entry in result["sets"]] == ["cnn", "gpt2"]
    entry = result["sets"][0]
    assert list(entry) == ["name", "tensors", "weights", "rows", "floor"]
    assert (entry["tensors"], entry["weights"]) == (2, 55)
    assert list(entry["floor"]) == ["seconds", "bytes_per_weight", "gigabytes_per_second"]
    assert [row["contender"] for row in entry["rows"]] == [
        "surefoot cpu",
        "surefoot eager",
        "torch for-loop",
        "torch foreach",
        "torch fused",
    ]
    for row in entry["rows"]:
        assert list(row) == [
            "case",
            "contender",
            "library",
            "seconds",
            "bytes_per_weight",
            "gigabytes_per_second",
            "x_best",
            "x_floor",
            "state_bytes",
        ]
        assert list(row["seconds"]) == SPREAD
        assert row["bytes_per_weight"] == 28


@alone
def test_the_table_fits_80_columns_and_ends_with_the_floor(run):
    code, out, _ = run("--set", "cnn", "-r", "adam", "-r", "clip+adamw+ema")
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in out
    assert lines[0].startswith("cnn: 2 tensors, 55 weights, float32, ")
    assert lines[1].split() == ["ms", "quartiles", "x", "best", "GB/s", "x", "floor", "state"]
    table = [line.strip() for line in lines[2 : lines.index("")]]
    assert [line.split("  ")[0] for line in table] == [
        "adam, 28 bytes",
        "surefoot cpu",
        "surefoot eager",
        "torch for-loop",
        "torch foreach",
        "torch fused",
        "clip+adamw+ema, 40 bytes",
        "surefoot cpu",
        "surefoot eager",
        "torch fused, 3 calls",
        "floor, 28 bytes",
    ]


@alone
def test_absent_libraries_are_named_with_how_to_add_them(run):
    out = " ".join(run("--set", "cnn", "-r", "sgd")[1].split())
    assert "pytorch_optimizer is not installed; to time it: pip install pytorch-optimizer" in out
    assert "optax is not installed; to time it: pip install optax jax" in out


@alone
def test_the_authors_own_code_is_timed_where_it_is_installed(run):
    rows = json.loads(run("--set", "cnn", "-r", "lion", "--json")[1])["sets"][0]["rows"]
    assert [(row["contender"], row["library"]) for row in rows if row["library"] != "surefoot"] == [
        ("lion_pytorch", "lion_pytorch")
    ]


@alone
def test_rules_sets_and_contenders_are_listed(run):
    code, out, _ = run("--list")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    for name in (*case_names(), "cnn", "resnet50", "gpt2", "surefoot cpu", "torch compiled"):
        assert name in out
    assert "not installed: pip install pytorch-optimizer" in out
    listed = json.loads(run("--list", "--json")[1])
    assert list(listed) == ["sets", "rules", "contenders"]
    assert listed["rules"] == list(case_names())
    assert listed["contenders"]["torch fused"] == "installed"


@alone
def test_a_chart_is_drawn(run, tmp_path):
    code, _, err = run("--set", "cnn", "--set", "gpt2", "-r", "adam", "--chart", "steps.svg")
    assert code == 0
    assert f"Chart: {tmp_path / 'steps.svg'}" in err
    drawn = (tmp_path / "steps.svg").read_text()
    assert drawn.startswith("<svg")
    for words in ("cnn: 2 tensors", "gpt2: 2 tensors", "adam, 28 bytes a weight", "surefoot cpu", "milliseconds"):
        assert words in drawn


def measured(**medians):
    timed = [Measured(name, "torch", 8.0, [seconds]) for name, seconds in medians.items()]
    found = rows(BenchCase("adam", "adam", ((4, 3),)), timed, [0.010], 1000, 4)
    return BenchResult({}, "float32", 2, 20, [SetResult("cnn", 1, 1000, found)])


def test_the_chart_marks_the_floor_and_cuts_off_what_is_too_long():
    (points,) = spec(measured(short=0.020, long=5.0))["datasets"].values()
    assert [point["label"] for point in points] == ["20.0", "5000 →"]
    assert [point["floor"] for point in points] == pytest.approx([10.0, 10.0])
    assert [point["shown"] for point in points] == pytest.approx([20.0, 100.0])


def test_a_chart_can_be_a_png_whatever_the_case_of_its_ending(tmp_path):
    assert write_chart(measured(a=0.020), tmp_path / "steps.PNG").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "resnet"], "unknown parameter set 'resnet'. Did you mean 'resnet50'?"),
        (["-r", "adabond"], "unknown rule 'adabond'. Did you mean 'adabound'"),
        (["-r", "clip+adam+ema"], "Did you mean 'clip+adamw+ema'"),
        (["--dtype", "float16"], "unknown dtype 'float16'"),
        (["--rounds", "0"], "--rounds is 0"),
        (["--threads", "-1"], "--threads is -1"),
        (["--rounds", "few"], "Invalid value for '--rounds'"),
        (["--chart", "steps.pdf"], "unknown chart format 'pdf'"),
        (["--chart", "steps"], "ends in .svg or .png"),
        (["--chart", "/proc/steps.svg"], "cannot write"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2_before_anything_is_timed(run, arguments, words, tmp_path):
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert words in " ".join(err.split())
    assert "Traceback" not in err
    assert "s] cnn:" not in err
    assert list(tmp_path.iterdir()) == []


def test_too_little_memory_is_refused(run, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 1000)
    code, out, err = run("--set", "gpt2")
    assert (code, out) == (2, "")
    assert "gpt2 needs about 0.0 GB of memory" in err


@alone
def test_ctrl_c_prints_what_was_measured_and_ends_with_130(run, monkeypatch):
    whole, seen = CaseRun.run, []

    def interrupted(self, notes, interrupt):
        seen.append(self.case.name)
        if len(seen) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        whole(self, notes, interrupt)

    monkeypatch.setattr(CaseRun, "run", interrupted)
    monkeypatch.setattr("surefoot.cli.__main__._end_at_once", partial(sys.exit, 130))
    code, out, err = run("--set", "cnn", "-r", "sgd", "-r", "adam")
    assert code == 130
    assert "sgd, 12 bytes" in out
    assert "adam" not in out.partition("Behind")[0]
    assert "Stopped early" in out
    assert "Traceback" not in err


def test_the_help_has_an_example_and_fits_80_columns(run):
    code, out, _ = run("--help")
    assert code == 0
    assert "Example: surefoot bench" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80
