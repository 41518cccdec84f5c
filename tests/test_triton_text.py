"""Each Triton kernel, run by Triton's interpreter on the CPU, equals the rule on NumPy bit for bit.

What the interpreter cannot show: speed, and what a GPU's own compiler makes of the text.
"""

import importlib.util
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from settings import SETTINGS
from surefoot.compiler.emit.triton import emit
from surefoot.compiler.plan import plan
from surefoot.compiler.trace import trace
from surefoot.update import update
from triton_interpreter import AROUND, JOBS, LAST, LATE, inputs

TESTS = Path(__file__).parent


@pytest.fixture(scope="module")
def _installed():
    if importlib.util.find_spec("triton") is None:
        pytest.skip(
            "Triton is not installed: there is no wheel for this system, or not all test dependencies are there"
        )


@pytest.fixture(scope="module")
def results(_installed, tmp_path_factory):
    """The arrays after each step of each job."""
    out = tmp_path_factory.mktemp("triton") / "results.pickle"
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, TESTS / "triton_interpreter.py", out], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return pickle.loads(out.read_bytes())


def truncated(array):
    """Return float32 numbers as bfloat16 the way Triton's interpreter makes them: a GPU rounds to nearest instead."""
    return (array.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


def expected(setting, dtype):
    """Return the arrays after each step as the rule itself makes them; half precision is computed in float32."""

    def stored(array):
        return torch.tensor(array).to(getattr(torch, dtype)).to(compute).numpy()

    compute = torch.float64 if dtype == "float64" else torch.float32
    start, gradients = inputs(setting.rule.starts(setting.hyper))
    now = {name: [stored(a) for a in values] for name, values in start.items()}
    for t, row in enumerate(gradients, start=1):
        for k, gradient in enumerate(row):
            inside = slice(AROUND, len(gradient) - AROUND)
            old = {name: values[k][inside] for name, values in now.items()}
            state = {name.removeprefix("state."): value for name, value in old.items() if name != "w"}
            step_count = t + (LATE if k == LAST else 0)
            with np.errstate(all="ignore"):
                w, made = update(setting.rule, old["w"], stored(gradient)[inside], state, step_count, setting.hyper)
            new = {"w": w, **{f"state.{slot}": value for slot, value in made.state.items()}}
            for name, value in new.items():
                now[name][k][inside] = truncated(value) if dtype == "bfloat16" else stored(value)
        yield {name: [a.copy() for a in values] for name, values in now.items()}


@pytest.mark.parametrize(("dtype", "setting"), JOBS, ids=str)
def test_the_kernel_equals_the_rule_and_touches_nothing_else(dtype, setting, results):
    for step, arrays in zip(results[dtype, str(setting)], expected(setting, dtype), strict=True):
        for name, values in arrays.items():
            for ours, theirs in zip(step[name], values, strict=True):
                np.testing.assert_array_equal(ours, theirs, err_msg=name)


TO_PTX = """
import sys, triton, kernel
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
types = {"chunks": "*i64", "pointers": "*i64", "scalars": "*fp64", "BLOCK": "constexpr"}
source = ASTSource(kernel.step, signature=types, constexprs={(3,): 1024})
made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"enable_fp_fusion": False})
sys.stdout.write(made.asm["ptx"])
"""


@pytest.mark.usefixtures("_installed")
def test_a_gpu_would_round_as_numpy_does(tmp_path):
    """Triton compiles for a GPU that is not there: every operation rounds to nearest, none is fused, NaN wins."""
    setting = next(s for s in SETTINGS if str(s) == "adabound-torch")
    text = emit(plan(trace(setting.rule, setting.hyper)), "adabound", "float32")
    (tmp_path / "kernel.py").write_text(text, encoding="utf-8")
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path / "cache"), "TRITON_INTERPRET": "0"}
    done = subprocess.run(
        [sys.executable, "-c", TO_PTX], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert all(part in done.stdout for part in ("div.rn.f32", "sqrt.rn.f32", "max.NaN.f32", "min.NaN.f32"))
    assert not re.search(r"\bfma\.|\.approx|\.ftz", done.stdout)


def test_an_address_is_computed_in_64_bits():
    """The last weight of a tensor of 2^31 + 1 is more than a 32-bit number away from the first."""
    text = emit(plan(trace(SETTINGS[0].rule, SETTINGS[0].hyper)), "sgd", "float32")
    assert "tl.program_id(0).to(tl.int64)" in text
    assert "+ start + inside" in text  # `start` is loaded from a table of 64-bit numbers


def test_the_readable_text_of_adam():
    setting = next(s for s in SETTINGS if str(s) == "adam-torch")
    text = emit(plan(trace(setting.rule, setting.hyper)), "adam", "float32")
    for line in (
        "c6 = tl.load(scalars + 7 * row + 6).to(tl.float32)  # lr / (1 - beta1**t)",
        "state_v = tl.load(at_state_v, mask).to(tl.float32)",
        "new_state_v = c1 * state_v + c4 * g * g",
        "new_w = w - tl.div_rn(c6, tl.div_rn(tl.sqrt_rn(new_state_v), c5) + c2) * new_state_m",
        "tl.store(at_state_m, new_state_m.to(tl.float32), mask)",
    ):
        assert f"    {line}\n" in text


def test_a_title_is_only_a_title():
    compile(emit(plan(trace(SETTINGS[0].rule, SETTINGS[0].hyper)), '"""\nimport os', "float32"), "kernel", "exec")
