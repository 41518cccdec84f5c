"""The GPU engine: bit for bit the rule on NumPy in one launch, and captured whole; elsewhere it says what to do.

Whole steps run in Triton's interpreter (`gpu_steps.py`, `gpu_capture.py`), and what a GPU would be given is compiled
for one that is not there. What that cannot show: speed, memory that is pinned, and CUDA's own graphs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import Parameter

import interpreter
import surefoot.torch
from gpu_interpreter import CASES
from settings import FUSED, Setting
from surefoot.compiler.kernel_plan import plan, stages
from surefoot.compiler.trace import trace
from surefoot.engines import engine_choice, gpu, kernel_choice, triton_setup
from surefoot.engines.fits import fit
from surefoot.engines.launch_tables import Launch, chunks_of
from surefoot.engines.rounding import key, key_before_steps, keys_at
from surefoot.errors import SurefootWarning
from surefoot.mathops import maximum, where
from surefoot.rule import Step, rule

CUDA = torch.device("cuda")


@pytest.fixture
def _anew(monkeypatch):
    """Nobody has been warned, and nothing is known about this machine."""
    known = engine_choice._usable, triton_setup._driver_problem
    for each in known:
        each.cache_clear()
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    yield
    for each in known:
        each.cache_clear()


def installed(name):
    if find_spec(name) is None:
        pytest.skip("Triton is not installed: there is no wheel for this system, or not all test dependencies are")


# Steps


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What went wrong in each case."""
    installed("triton")
    return interpreter.results("gpu_interpreter.py", tmp_path_factory.mktemp("gpu"))


@pytest.mark.parametrize("name", CASES)
def test_steps(name, results):
    assert not results[name]


# What a GPU would be given

COMPILED = """
import sys, warnings
from pathlib import Path
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from surefoot.engines.gpu import compiled
from surefoot.engines.triton_setup import with_cache
import triton

kernel = compiled(Path(sys.argv[1]).read_text())
tables = {"chunks": "*i64", "pointers": "*i64", "strides": "*i64", "scalars": "*fp64", "keys": "*i64"}
source = ASTSource(kernel, signature={**tables, "BLOCK": "constexpr"}, constexprs={(5,): 1024})
target, options = GPUTarget("cuda", 90, 32), {"enable_fp_fusion": False, "num_warps": 4}
with warnings.catch_warnings(record=True) as said:
    made = with_cache(lambda: triton.compile(source, target=target, options=options))
assert "div.rn.f32" in made.asm["ptx"]
print(kernel.cache_key, *(str(one.message) for one in said))
"""


def test_compiled_without_a_file_and_where_nothing_can_be_written(tmp_path):
    """No file has the source; Triton finds what it compiled by the same key in every process; one warning."""
    installed("triton")
    setting = next(s for s in FUSED if str(s) == "adam-torch")
    kinds = tuple((name, "float32") for name in ("w", "g", "state.m", "state.v"))
    form = kernel_choice.form(setting.hyper)
    text = kernel_choice.kernel("gpu", setting.rule, form, kinds, stochastic=False, strided=False).text
    (tmp_path / "text").write_text(text, encoding="utf-8")
    folders = [tmp_path / "kept", tmp_path / "text" / "no folder"]
    keys, warned = [], []
    for folder in folders:
        environment = {**os.environ, "TRITON_CACHE_DIR": str(folder), "TRITON_INTERPRET": "0"}
        command = [sys.executable, "-c", COMPILED, tmp_path / "text"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        key_of, *message = done.stdout.split(maxsplit=1)
        keys.append(key_of)
        warned += message
    assert keys[0] == keys[1]
    assert len(warned) == 1
    assert "cannot keep compiled kernels" in warned[0]
    assert "TRITON_CACHE_DIR" in warned[0]


def test_an_error_that_no_other_folder_cures_is_raised(monkeypatch):
    monkeypatch.setattr(triton_setup, "_moved", [])
    monkeypatch.setenv("TRITON_CACHE_DIR", "somewhere")
    calls = []

    def full():
        calls.append(os.environ["TRITON_CACHE_DIR"])
        raise OSError(28, "No space left on device")

    with pytest.warns(SurefootWarning, match="No space"), pytest.raises(OSError, match="No space"):
        triton_setup.with_cache(full)
    with pytest.raises(OSError, match="No space"):
        triton_setup.with_cache(full)
    assert len(calls) == 3
    assert calls[0] != calls[1] == calls[2]


# Which engine


@pytest.mark.usefixtures("_anew")
def test_cuda_tensors_are_the_gpus(monkeypatch):
    monkeypatch.setattr(triton_setup, "find_spec", lambda _: True)
    monkeypatch.setattr(triton_setup, "_driver_problem", lambda: "")
    assert [engine_choice.engine(wanted, CUDA) for wanted in ("auto", "gpu", "eager")] == ["gpu", "gpu", ""]
    assert engine_choice.engine("auto", CUDA, counted=True) == "gpu"


@pytest.mark.usefixtures("_anew")
def test_the_cpu_cannot_count_on_the_device():
    cpu = torch.device("cpu")
    assert engine_choice.engine("auto", cpu) == "cpu"
    assert not engine_choice.engine("auto", cpu, counted=True)


@pytest.mark.usefixtures("_anew")
def test_no_triton(monkeypatch):
    monkeypatch.setattr(triton_setup, "find_spec", lambda _: None)
    with pytest.warns(SurefootWarning, match=r"tensors on cuda run on the eager engine.*pip install triton"):
        assert not engine_choice.engine("auto", CUDA)
    assert not engine_choice.engine("auto", CUDA)  # a second warning would be an error


@pytest.mark.usefixtures("_anew")
def test_a_triton_that_does_not_work(monkeypatch):
    def broken(_):
        raise RuntimeError("Failed to find C compiler.")

    monkeypatch.setattr(triton_setup, "find_spec", lambda _: True)
    monkeypatch.setattr(triton_setup, "import_module", broken)
    with pytest.warns(SurefootWarning, match=r"Triton does not work here: Failed to find C compiler"):
        assert not engine_choice.engine("auto", CUDA)


@pytest.mark.usefixtures("_anew")
def test_the_interpreter_does_not_step_on_a_gpu(monkeypatch):
    """It would take addresses on the GPU for its own."""
    monkeypatch.setattr(triton_setup, "find_spec", lambda _: True)
    monkeypatch.setattr(triton_setup, "_driver_problem", lambda: "")
    monkeypatch.setenv("TRITON_INTERPRET", "True")
    with pytest.warns(SurefootWarning, match="TRITON_INTERPRET=1.*unset it"):
        assert not engine_choice.engine("auto", CUDA)


@pytest.mark.usefixtures("_anew")
def test_cpu_tensors_on_the_gpu_engine(monkeypatch):
    monkeypatch.setattr(triton_setup, "find_spec", lambda _: True)
    p = Parameter(torch.ones(3))
    optimizer = surefoot.torch.SGD([p], lr=0.5, engine="gpu")
    with pytest.warns(SurefootWarning, match=r"Move the model with \.to\('cuda'\), or set TRITON_INTERPRET=1"):
        assert optimizer.engine == "eager"
    p.grad = torch.ones_like(p)
    optimizer.step()
    assert optimizer.engine == "eager"
    assert (p == 0.5).all()


@pytest.mark.usefixtures("_anew")
def test_gpu_tensors_on_the_cpu_engine():
    with pytest.warns(SurefootWarning, match="engine='cpu' steps tensors on the CPU only"):
        assert not engine_choice.engine("cpu", CUDA)


def test_other_devices_are_eager():
    assert not engine_choice.engine("auto", torch.device("meta"))


def test_tensors_on_two_devices_are_torchs_to_refuse():
    w = torch.ones(3)
    assert fit(w, torch.ones(3), {"m": torch.ones(3, device="meta")}) == ""


# Tables


def test_chunks_are_the_engines():
    kernel = SimpleNamespace(before=())
    assert engine_choice.launch("gpu", kernel, 0).chunk == gpu.BLOCK
    assert engine_choice.launch("cpu", kernel, 0).chunk > gpu.BLOCK


def test_an_enormous_tensor_overflows_nothing():
    size = 2**31 + 1
    chunks = chunks_of([(3, 0, 0), (size, 1, 7), (0, 1, 0), (5, 1, 0)], gpu.BLOCK)
    assert chunks.dtype == np.int64
    assert chunks.flags.c_contiguous
    assert chunks[1:-1, 2].sum() == size
    assert chunks[-2].tolist() == [1, size - 1, 1, 1, size + 6]
    assert chunks[-1].tolist() == [3, 0, 5, 1, 0]
    assert chunks[0].tolist() == [0, 0, 3, 0, 0]


def test_keys_on_the_device_are_the_hosts():
    cases = [(s, k, t) for s in (0, 7, 2**63 + 5, -1) for k in (0, 3, 10**6) for t in (1, 2, 10**9, 2**53)]
    before = torch.tensor([key_before_steps(s, k) for s, k, _ in cases])
    found = keys_at(before, torch.tensor([t for _, _, t in cases], dtype=torch.float64))
    assert found.tolist() == [key(*each) for each in cases]


def test_of_which_rules_the_host_counts_the_steps():
    names = {each.rule.name for each in FUSED if by_host(each)}
    sums = {"lars", "lamb", "stableadamw", "dadapt_sgd", "dadapt_adam", "prodigy", "dog", "dowg"}
    assert names == sums | {"nadam", "schedule_free_sgd", "schedule_free_adamw", "schedule_free_radam"}
    assert not any(by_host(each) for each in FUSED if (each.rule.name, each.framework) == ("nadam", "optax"))


def rows_on(settings, counts):
    """The rows of scalars as the device computes them, of groups with some step counts each."""
    made = plan(trace(settings[0].rule, settings[0].hyper))
    launch = Launch(SimpleNamespace(before=(), plan=made), 0, counted=True)
    launch.rows = [(group, torch.tensor(t)) for group, ts in enumerate(counts) for t in ts]
    found = gpu.device_scalars(launch, [s.hyper for s in settings], gpu.step_counts(launch))
    expected = [made.host({**settings[group].hyper, "t": float(t)}) for group, t in launch.rows]
    return found, torch.tensor(expected, dtype=torch.float64).view(len(expected), -1)


def by_host(setting: Setting) -> bool:
    """Whether no device can count the steps, since the host computes with sums over tensors and with numbers kept."""
    *before, last = stages(trace(setting.rule, setting.hyper))
    return bool(before or last.numbers) or last.by_tensor


@pytest.mark.parametrize("setting", [each for each in FUSED if not by_host(each)], ids=str)
def test_scalars_on_the_device_are_the_hosts(setting):
    """Powers in float64 differ in the last digit at most; 1 - 0.999**t makes up to 1000 times as much of it."""
    faster = SimpleNamespace(rule=setting.rule, hyper={**setting.hyper, "lr": 0.5})
    found, expected = rows_on([setting, faster], [(1.0, 2.0, 999.0), (5.0,)])
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1000 * 2**-52, atol=0)


@rule(source="this test")
def chooses(g, state, t, *, lr=0.1, eps=1e-3):  # noqa: ARG001
    """Asks the step count, and takes the larger of numbers."""
    early = maximum(where(t < 3, lr, eps), 1 / t)
    return Step(rate=maximum(early, maximum(lr, eps)), direction=where(t == 2, g, -g))


def test_scalars_that_are_chosen():
    setting = SimpleNamespace(rule=chooses, hyper=chooses.complete({}))
    found, expected = rows_on([setting], [(1.0, 2.0, 5.0, 1000.0)])
    assert found.tolist() == expected.tolist()


def test_a_rule_that_asks_a_tensor_is_eager():
    """AdaBound asks whether the rate is zero if it began at zero."""
    optimizer = surefoot.torch.AdaBound([Parameter(torch.ones(3))], lr=torch.tensor(0.0), capturable=True)
    with pytest.warns(SurefootWarning, match="whether lr is zero, and that is a tensor"):
        assert optimizer.engine == "eager"


def test_step_counts_of_a_checkpoint_come_to_the_host(monkeypatch):
    """Torch leaves those of a fused optimizer on the GPU."""
    p = Parameter(torch.ones(3))
    optimizer = surefoot.torch.Adam([p])
    p.grad = torch.ones_like(p)
    optimizer.step()
    checkpoint = optimizer.state_dict()
    came = []
    monkeypatch.setattr(torch.Tensor, "cpu", lambda x: came.append(x) or x)
    optimizer.load_state_dict(checkpoint)
    assert [float(x) for x in came] == [1.0]
