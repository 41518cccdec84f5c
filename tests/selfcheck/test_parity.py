"""`surefoot check --parity`: what it measures, what it calls wrong, and how it says so."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from typer.testing import CliRunner

import surefoot.cli.check_parity as command
from keras_backends import on_each_backend
from paths import ROOT
from surefoot.cli.app import app
from surefoot.cli.check_parity import limits
from surefoot.conventions import FRAMEWORKS, resolve
from surefoot.errors import UsageError
from surefoot.rule import WEIGHT
from surefoot.rules import RULES
from surefoot.selfcheck.parity import FRONT_ENDS, Distance, Flaw, ParityResult, run
from surefoot.selfcheck.parity.findings import FORMULAS, PACKAGES, findings
from surefoot.selfcheck.parity.grid import NOT_ON_GRID, ON_GRID, SCALES, distances, grid
from surefoot.selfcheck.parity.result import BOUND
from surefoot.update import update

SOME = ("nesterov", "adam")


class NumPy:
    """A front-end in float32, with what is wrong with it."""

    name = framework = "optax"

    def __init__(self, **fault) -> None:
        self.fault = fault

    def drive(self, setups, starts, rows):
        return [self.path(setup, start, rows) for setup, start in zip(setups, starts, strict=True)]

    def path(self, setup, weight, rows):
        rule = RULES[setup.rule]
        hyper = {
            **resolve(setup.rule, setup.convention, {"lr": setup.lr, "weight_decay": setup.weight_decay}),
            **self.fault,
        }
        starts, numbers, path = rule.starts(hyper), rule.numbers(hyper), []
        state = {
            slot: x if slot in numbers else np.full_like(weight, weight if x is WEIGHT else x)
            for slot, x in starts.items()
        }
        for t, gradient in enumerate(rows, start=1):
            weight, state, _ = update(rule, weight, gradient, state, t, hyper)
            assert weight.dtype == np.float32
            path.append(weight)
        return np.array(path)


def worst(front_end, rules=SOME) -> float:
    return max(row.ours for row in distances(front_end, rules))


def test_float32_keeps_to_the_bound():
    assert 0.5 < worst(NumPy(), ON_GRID) < BOUND / 4


@pytest.mark.parametrize(
    "fault", [{"bias_correction": False}, {"eps": 2e-7}, {"lr": 0.01 * (1 + 1e-5)}, {"beta2": 0.9991}], ids=str
)
def test_small_faults_exceed_it(fault):
    assert worst(NumPy(**fault), ["adam"]) > BOUND


def test_the_grid_is_whole():
    found = list(distances(NumPy(), ["adam"]))
    assert {(row.convention, row.decay, row.scale) for row in found} == {
        (framework, decay, scale) for framework in FRAMEWORKS for decay in (False, True) for scale in SCALES
    }
    assert {row.convention for row in found if row.theirs is not None} == {"optax"}


def test_only_rules_for_matrices_are_not_on_it():
    assert {name for name in RULES if RULES[name].shape == "matrix"} == {*NOT_ON_GRID}
    assert {*ON_GRID, *NOT_ON_GRID} == {*RULES}


def test_torch():
    pytest.importorskip("torch")
    pytest.importorskip("pytorch_optimizer")
    from surefoot.selfcheck.parity.drive_torch import Torch

    assert worst(Torch()) < BOUND
    found = list(findings(Torch()))
    assert all(finding.holds for finding in found)
    wrong = {finding.what: finding.theirs for finding in found if finding.wrong}
    packages = {finding.what: wrong.pop(finding.what) for finding in found if finding.front_end != "torch"}
    assert packages["LAMB: error / way"] == pytest.approx(9, rel=0.01)  # its first step is 10 times too long
    assert packages["ADOPT: error / way"] > 0.15
    if find_spec("timm"):
        assert packages["Lookahead around SGD: error / way"] > 1
    if find_spec("mars"):
        assert packages["MARS around AdamW, gradients in one buffer: error / way"] > 0.2
    assert wrong.keys() == {
        "Adam, bfloat16, lr 0.01: way gone",
        "Adam, bfloat16, lr 0.001: way gone",
        _LOST,
        _SILENT,
        "Adam, float16, gradient 1e-05: first step / lr",
    }
    assert math.isnan(wrong[_SILENT])
    assert wrong["Adam, bfloat16, lr 0.001: way gone"] == 0.0
    assert wrong[_LOST] > 0


_LOST = "RMSprop, centred: NaN of 1000 weights"
_FIRST = "Adam, first step: relative error"
_SILENT = "Adam, float16, gradient 0: first step / lr"


def test_optax_can_run_the_whole_grid():
    pytest.importorskip("jax")
    from surefoot.selfcheck.parity.drive_optax import Optax

    for setup in (setup for rule in ON_GRID for setup in grid(rule)):
        Optax().drive([setup], [np.zeros(1, "float32")], np.zeros((0, 1), "float32"))


def test_optax():
    jax = pytest.importorskip("jax")
    from surefoot.selfcheck.parity.drive_optax import Optax

    with jax.enable_x64(False):  # as a user's process is; conftest has it on
        found = list(distances(Optax(), SOME))
        beside = {finding.what: finding for finding in findings(Optax())}
    assert max(row.ours for row in found) < BOUND
    assert max(row.theirs for row in found if row.theirs is not None and row.rule == "adam") > BOUND
    assert max(row.theirs for row in found if row.theirs is not None and row.rule == "nesterov") < BOUND
    assert all(finding.holds for finding in beside.values())
    assert beside[_FIRST].theirs == pytest.approx(6.6e-6, rel=0.02)
    assert beside[_FIRST].ours < 2e-7
    assert math.isnan(beside[_SILENT].theirs)
    assert beside["Adan: error / way"].theirs > 0.3
    assert beside["NAdam by its paper: error / way"].theirs > 0.3
    assert beside["NAdamW by AlgoPerf's code: error / way"].theirs > 0.2
    assert beside["Schedule-Free AdamW, warm-up: error / way"].theirs > 0.5
    assert math.isnan(beside["Prodigy, first gradient 0: error / way"].theirs)
    assert math.isnan(beside["D-Adaptation, first gradient 0: error / way"].theirs)


@on_each_backend
def test_keras():
    import keras

    from surefoot.selfcheck.parity.drive_keras import Keras

    found = list(distances(Keras(), SOME))
    assert max(row.ours for row in found) < BOUND
    assert max(row.theirs for row in found if row.theirs is not None and row.rule == "adam") > BOUND
    beside = {finding.what: finding for finding in findings(Keras())}
    assert all(finding.holds for finding in beside.values())
    assert beside["Adam, bfloat16, lr 0.01: way gone"].theirs == 0.0
    assert beside["NAdam by its paper: error / way"].theirs > 0.05
    assert beside["Schedule-Free AdamW, warm-up: error / way"].theirs > 0.3
    assert beside["Schedule-Free AdamW, predict(): error / way"].theirs > 0.02
    written = "Schedule-Free AdamW: error / way"
    assert (written in beside) == (keras.backend.backend() != "jax")
    if written in beside:
        assert beside[written].theirs > 0.05
    twice = "Adagrad, a row twice: relative error"
    assert (twice in beside) == (keras.backend.backend() == "tensorflow")
    if twice in beside:
        assert beside[twice].theirs > 0.3


def test_decay_beside_another_place_for_it_is_not_compared():
    """optax.signum has no decay, and decay put into its gradient is another rule."""
    found = list(distances(NumPy(), ["signum", "sgd"]))
    assert {(row.rule, row.decay) for row in found if row.theirs is not None} == {
        ("signum", False),
        ("sgd", False),
        ("sgd", True),
    }


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("surefoot.selfcheck.parity.processes._measure", lambda _: {"rows": [], "findings": []})
    monkeypatch.setattr(
        "surefoot.selfcheck.parity.processes.find_spec", lambda name: None if name in PACKAGES["torch"] else name
    )
    missing = run(["torch"]).missing
    assert missing["pytorch_optimizer"] == "not installed (pip install pytorch_optimizer)"
    assert missing["timm"] == "not installed (pip install timm)"
    assert missing["mars"] == "not installed (PYTHONPATH=MARS/optimizers of github.com/AGI-Arena/MARS)"
    assert run(["optax"]).missing == {}


_BY_REFERENCE = """
import torch
class MARS(torch.optim.SGD):
    last = None
    def __init__(self, params, lr, weight_decay, optimize_1d):
        super().__init__(params, lr=lr, weight_decay=weight_decay)
    def step(self):
        p, = self.param_groups[0]["params"]
        with torch.no_grad():
            p -= p.grad - (0 if self.last is None else self.last)
        self.last = p.grad
"""
_AROUND = """
class Lookahead:
    def __init__(self, inner, k):
        self.param_groups, self.inner, self.k = inner.param_groups, inner, k
    def step(self):
        self.inner.step()
        self.param_groups[0]["params"][0].data += self.k
"""


def test_packages_of_one_file_run_and_one_buffer_is_one(tmp_path, monkeypatch):
    """timm's packages, which load all models, are not run."""
    from surefoot.selfcheck.parity.drive_torch import Torch

    (tmp_path / "mars.py").write_text(_BY_REFERENCE)
    for package in (tmp_path / "timm", tmp_path / "timm" / "optim"):
        package.mkdir()
        (package / "__init__.py").write_text("raise ImportError('torchvision')")
    (tmp_path / "timm" / "optim" / "lookahead.py").write_text(_AROUND)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("mars", "timm")]:
        monkeypatch.delitem(sys.modules, name)
    lookahead, mars = FORMULAS[-2:]
    rows, start = np.array([[1.0], [3.0]], "float32"), np.zeros(1, "float32")
    setups = [replace(one.ours, call=one.call, options=one.options) for one in (lookahead, mars)]
    setups.append(replace(setups[1], one_buffer=False))
    paths = Torch().drive(setups, [start] * 3, rows)
    np.testing.assert_allclose([path[:, 0] for path in paths], [[4.99, 9.96], [-1, -1], [-1, -3]], rtol=1e-6)


def test_one_front_end_in_its_process(monkeypatch):
    monkeypatch.setattr("surefoot.selfcheck.parity.processes._measure", lambda _: {"rows": [], "findings": []})
    monkeypatch.setattr(
        "surefoot.selfcheck.parity.processes.find_spec", lambda name: None if name == "tensorflow" else name
    )
    told = []
    result = run(observe=told.append)
    assert result.missing == {"keras-tensorflow": "not installed: tensorflow (pip install tensorflow)"}
    assert len(told) == len(FRONT_ENDS) - 1
    assert not result.holds  # nothing was measured


def test_a_process_that_fails_is_told_with_its_words(monkeypatch):
    monkeypatch.setattr("surefoot.selfcheck.parity.processes.find_spec", str)
    monkeypatch.setitem(FRONT_ENDS, "nothing", ())
    with pytest.raises(UsageError, match=r"(?s)nothing could not be measured; its process said:.*No module named"):
        run(["nothing"])


def test_unknown_front_end():
    with pytest.raises(UsageError, match=r"unknown front-end 'torhc'\. Did you mean 'torch'"):
        run(["torhc"])


def result(ours: float = 1.5) -> ParityResult:
    made = [
        Distance(name, rule, convention, scale, decay, ours, 72.3 if convention == "optax" else None)
        for name in FRONT_ENDS
        for rule in ON_GRID
        for convention in FRAMEWORKS
        for scale in SCALES
        for decay in (False, True)
    ]
    wrong = Flaw("keras-tensorflow", "Adam, bfloat16, lr 0.001: way gone", 1.0, 1.01, 0.0, 0.1)
    return ParityResult(
        tuple(made), (wrong, replace(wrong, theirs=1.0)), {"torch": "2.13"}, {"keras-jax": "not installed"}
    )


def check(monkeypatch, *options, found: ParityResult):
    monkeypatch.setattr(command, "run", lambda observe: found)  # noqa: ARG005
    return CliRunner().invoke(app, ["check", "--parity", *options], env={"COLUMNS": "80"})


@pytest.mark.parametrize("options", [(), ("--long",)])
def test_printed_at_80_columns(monkeypatch, options):
    done = check(monkeypatch, *options, found=result())
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    (wrong,) = [line for line in lines if "bfloat16" in line]
    assert wrong.split()[-3:] == ["1", "1.01", "0"]
    assert "Not measured: keras-jax; not installed." in lines
    figures = [line for line in lines if line.startswith("adabound")]
    assert len(figures) == (24 if options else 1)
    assert "…" not in done.stdout
    assert figures[-1 if not options else 12].count("72!") == 5
    assert "Every figure of ours is within its bound." in lines


def test_exit_code_if_ours_is_wrong(monkeypatch):
    done = check(monkeypatch, found=result(ours=BOUND * 1.01))
    assert done.exit_code == 1
    assert "of our figures exceed their bound" in done.stdout


def test_json(monkeypatch):
    done = check(monkeypatch, "--json", found=result())
    content = json.loads(done.stdout.splitlines()[-1])
    assert content["holds"] is True
    assert content["bound"] == BOUND
    assert len(content["rows"]) == len(result().rows)
    assert content["missing"] == {"keras-jax": "not installed"}


def test_markdown(monkeypatch, tmp_path):
    page = tmp_path / "parity.md"
    assert check(monkeypatch, "--markdown", str(page), found=result()).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Parity")
    assert "surefoot check --parity --markdown" in text
    rows_shown = [line for line in text.splitlines() if line.startswith("| amsgrad |")]
    assert len(rows_shown) == 1 + len(FRAMEWORKS) * 2 * len(SCALES)


def test_what_stays_different_is_on_the_page_with_its_reason(monkeypatch, tmp_path):
    page = tmp_path / "parity.md"
    check(monkeypatch, "--markdown", str(page), found=result())
    stored = (ROOT / "docs" / "parity.md").read_text(encoding="utf-8")
    for text in (page.read_text(encoding="utf-8"), stored):
        shown = text.partition(f"## {limits().title}")[2].partition("## ")[0]
        assert [line for line in shown.splitlines() if line.startswith("| ")][2:] == [
            f"| {' | '.join(row)} |" for row in limits().rows
        ]
    assert all(all(cell for cell in row) for row in limits().rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--parity", "--calibration"], "two checks"),
        (["--markdown", "x.md"], "give both"),
    ],
)
def test_options_that_do_not_go_together(options, message):
    done = CliRunner().invoke(app, ["check", *options])
    assert message in str(done.exception)
