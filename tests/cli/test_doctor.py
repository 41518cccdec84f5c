"""`surefoot doctor`: what it prints, also where packages are missing or broken."""

import importlib
import json
import subprocess
import sys

import pytest

import surefoot
from surefoot import doctor


def test_it_names_versions_devices_threads_compilers_and_the_cache_and_takes_a_step(surefoot_command, kernel_cache):
    code, out, err = surefoot_command("doctor", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["Surefoot"]["version"] == surefoot.__version__
    assert found["Packages"]["numba"][0].isdigit()
    assert found["Devices"]["torch"].startswith("cpu")
    assert found["Threads"]["torch"] >= 1
    assert found["Compilers"]["LLVM"][0].isdigit()
    assert found["Kernel cache"]["folder"].endswith(str(kernel_cache)[-20:])
    assert found["Kernel cache"]["kernels"] >= 1
    assert found["One step"]["cpu"] == "right, by a kernel that Numba compiled (engine cpu)"


def test_people_read_lines_under_heads(surefoot_command):
    code, out, _ = surefoot_command("doctor")
    lines = out.splitlines()
    assert code == 0
    assert lines[:2] == ["Surefoot:", f"  version            {surefoot.__version__}"]
    assert [line for line in lines if line and not line.startswith("  ") and not line.endswith(":")] == []


def test_it_needs_nothing_but_python():
    done = subprocess.run(
        [sys.executable, "-S", "-m", "surefoot.doctor"],
        env={"PYTHONPATH": str(next(iter(surefoot.__path__)).removesuffix("surefoot"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "torch is not installed" in done.stdout
    assert "  numpy              not installed" in done.stdout


@pytest.mark.parametrize("error", [OSError("libcudart.so is missing"), ImportError("DLL load failed\nnext line")])
def test_a_broken_package_is_a_finding_on_one_line_and_no_error(monkeypatch, error):
    def broken(name):
        if name == "torch":
            raise error
        return importlib.__import__(name)

    monkeypatch.setattr(doctor, "import_module", broken)
    found = doctor.examine()
    said = " ".join(str(error).split())
    assert found["Devices"]["torch"] == f"failed: {type(error).__name__}: {said}"
    assert all("\n" not in str(value) for facts in found.values() for value in facts.values())


def test_a_step_with_a_wrong_result_has_failed(monkeypatch):
    def wrong(self):
        for group in self.param_groups:
            for weight in group["params"]:
                weight.data.add_(1.0)

    monkeypatch.setattr("surefoot.torch.Adam.step", wrong)
    assert doctor.examine()["One step"]["cpu"].endswith("gives 2.0, not 0.75")


def test_no_line_shows_the_users_name(monkeypatch):
    monkeypatch.setattr(doctor.Path, "home", staticmethod(lambda: doctor.Path(surefoot.__file__).parents[1]))
    assert doctor.examine()["Surefoot"]["from"] == "~/surefoot"


def test_a_missing_backend_of_keras_is_named_as_such(monkeypatch):
    def without_tensorflow(name):
        if name == "keras":
            raise ModuleNotFoundError(name="tensorflow")
        return importlib.import_module(name)

    monkeypatch.setattr(doctor, "import_module", without_tensorflow)
    said = "backend tensorflow is not installed; KERAS_BACKEND=torch or jax sets another"
    assert doctor.examine()["Devices"]["keras"] == said
