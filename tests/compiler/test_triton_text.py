"""Each Triton kernel, run by Triton's interpreter on the CPU, equals the rule on NumPy bit for bit.

What the interpreter cannot show: speed, and what a GPU's own compiler makes of the text.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest

import interpreter
from kernel_cases import Case
from settings import SETTINGS
from summed import chained, trusted
from surefoot.compiler.emit.triton import emit
from surefoot.compiler.kernel_plan import plan, stages
from surefoot.compiler.trace import trace
from surefoot.mathops import atan2
from surefoot.rule import Step, rule
from triton_interpreter import CASES


@pytest.fixture(scope="module")
def _installed():
    if importlib.util.find_spec("triton") is None:
        pytest.skip(
            "Triton is not installed: there is no wheel for this system, or not all test dependencies are there"
        )


@pytest.fixture(scope="module")
def results(_installed, tmp_path_factory):
    """What went wrong in each case."""
    return interpreter.results("triton_interpreter.py", tmp_path_factory.mktemp("triton"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_kernel_equals_the_rule_and_touches_nothing_else(case, results):
    assert not results[str(case)]


TO_PTX = """
import importlib, json, sys, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
tables = {"chunks": "*i64", "pointers": "*i64", "strides": "*i64", "scalars": "*fp64", "keys": "*i64"}
made = {}
for name in sys.argv[1:]:
    step = importlib.import_module(name).step
    source = ASTSource(step, signature={**tables, "BLOCK": "constexpr"}, constexprs={(5,): 1024})
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"enable_fp_fusion": False})
    made[name] = compiled.asm["ptx"]
json.dump(made, sys.stdout)
"""


GPU = [
    ("float32", {}, r"ld\.global\.b32"),
    ("bfloat16", {}, r"ld\.global\.b16"),
    ("bfloat16", {"stochastic": True}, r"mul\.lo\.s32"),
    ("float16", {"strides": {"w": 2}}, r"cvt\.rn\.f16\.f32"),
]


@rule(source="this test")
def turning(g, w, state, t, *, lr=0.1):  # noqa: ARG001
    return Step(rate=lr, direction=atan2(g, w))


KINDS = ("float32", "bfloat16", "float64")
SUMMED = {
    f"{own.name}_{kind}_{k}": (stage, kind)
    for own in (trusted, chained, turning)
    for kind in KINDS
    for k, stage in enumerate(stages(trace(own, own.complete({}))))
}


@pytest.fixture(scope="module")
def ptx(_installed, tmp_path_factory):
    """The code of every kernel for a GPU that is not there, which one process compiles."""
    folder, adabound = tmp_path_factory.mktemp("ptx"), next(s for s in SETTINGS if str(s) == "adabound-torch")
    texts = {f"gpu_{k}": Case(adabound, kind, **how).text(emit) for k, (kind, how, _) in enumerate(GPU)}
    texts |= {name: emit(stage, "own", kind) for name, (stage, kind) in SUMMED.items()}
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    environment = {**os.environ, "TRITON_CACHE_DIR": str(folder / "cache"), "TRITON_INTERPRET": "0"}
    command = [sys.executable, "-c", TO_PTX, *texts]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("k", range(len(GPU)))
def test_a_gpu_would_round_as_numpy_does(k, ptx):
    """Triton compiles for a GPU that is not there: every operation rounds to nearest, none is fused, NaN wins."""
    made, (*_, typical) = ptx[f"gpu_{k}"], GPU[k]
    assert all(part in made for part in ("div.rn.f32", "sqrt.rn.f32", "max.NaN.f32", "min.NaN.f32"))
    assert not re.search(r"\bfma\.|\.approx|\.ftz", made)
    assert re.search(typical, made)


@pytest.mark.parametrize("name", SUMMED)
def test_a_gpu_would_add_up_in_double_precision(name, ptx):
    """Each stage compiles, the arc tangent too, and no operation is fused."""
    stage, _ = SUMMED[name]
    assert not stage.sums or re.search(r"add(\.rn)?\.f64", ptx[name])
    assert not re.search(r"\bfma\.|\.approx|\.ftz", ptx[name])


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
        "state_v = tl.load(at_state_v, mask)",
        "new_state_v = c1 * state_v + c4 * g * g",
        "new_w = w - tl.div_rn(c6, tl.div_rn(tl.sqrt_rn(new_state_v), c5) + c2) * new_state_m",
        "tl.store(at_state_m, new_state_m, mask)",
    ):
        assert f"    {line}\n" in text


def test_a_title_is_only_a_title():
    compile(emit(plan(trace(SETTINGS[0].rule, SETTINGS[0].hyper)), '"""\nimport os', "float32"), "kernel", "exec")
