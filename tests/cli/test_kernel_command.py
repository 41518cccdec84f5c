"""`surefoot kernel`: what it prints, what it refuses, and what it does not load."""

import json
import subprocess
import sys
from functools import partial

import pytest

BEGINS = {
    "numba": '"""One step of adabound in float32: 4 arrays read and 3 written, 28 bytes a weight."""',
    "triton": '"""One step of adabound in float32: 4 arrays read and 3 written, 28 bytes a weight."""',
    "latex": r"\begin{aligned}",
    "js": "// One step of adabound for one weight, in float64.",
}


@pytest.fixture
def run(surefoot_command):
    """Run `surefoot kernel`."""
    return partial(surefoot_command, "kernel")


@pytest.mark.parametrize("target", BEGINS)
def test_each_target_is_printed(run, target):
    code, out, err = run("adabound", "--target", target)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == BEGINS[target]
    assert out.endswith("\n")
    assert not out.endswith("\n\n")


def test_options_and_convention_change_the_text(run):
    plain, centred = run("rmsprop")[1], run("rmsprop(centered=True, momentum=0.9)")[1]
    assert "state_a" in centred
    assert "state_a" not in plain
    assert run("adam", "-t", "latex")[1] != run("adam", "-t", "latex", "--convention", "keras")[1]


@pytest.mark.parametrize("target", ["numba", "triton"])
@pytest.mark.parametrize(("dtype", "size"), [("float32", 28), ("float64", 56), ("bfloat16", 14), ("float16", 14)])
def test_kernels_for_every_kind_of_number(run, target, dtype, size):
    code, out, err = run("adam", "--target", target, "--dtype", dtype)
    assert (code, err) == (0, "")
    assert f"in {dtype}: 4 arrays read and 3 written, {size} bytes a weight" in out
    assert (f"to_{dtype}(new_w)" in out) is (dtype == "bfloat16" or (dtype, target) == ("float16", "numba"))
    assert json.loads(run("adam", "-t", target, "--dtype", dtype, "--json")[1])["bytes_per_weight"] == size


def test_json_is_one_object(run):
    code, out, _ = run("amsgrad", "--target", "js", "--convention", "keras", "--json")
    assert code == 0
    result = json.loads(out)
    assert list(result) == ["rule", "target", "convention", "bytes_per_weight", "text"]
    assert (result["rule"], result["target"], result["convention"]) == ("amsgrad", "js", "keras")
    assert result["bytes_per_weight"] == 4 * (5 + 4)
    assert "function step(w, g, state, t, hyper)" in result["text"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["adabond"], "Did you mean 'adabound'"),
        (["adam(beta=0.9)"], "unknown option of adam 'beta'"),
        (["adam(lr=-1)"], "lr=-1.0 is not allowed"),
        (["adam("], "cannot be read"),
        (["adam,sgd"], "names 2 rules"),
        (["adam", "--target", "latx"], "Did you mean 'latex'"),
        (["adam", "--convention", "keros"], "Did you mean 'keras'"),
        (["adam", "--convention", "optax"], "give one: adam(lr=...)"),
        (["adam", "--dtype", "float23"], "Did you mean 'float32'"),
        ([], "Missing argument"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(run, arguments, words):
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert words in " ".join(err.split())
    assert "Traceback" not in err


def test_no_framework_and_no_compiler_is_loaded():
    heavy = {"torch", "jax", "keras", "numba", "triton", "scipy", "rich.progress"}
    for target in BEGINS:
        code = (
            "import sys, atexit\nfrom surefoot.cli.__main__ import main\n"
            f"atexit.register(lambda: print('LOADED', sorted({heavy!r} & set(sys.modules))))\n"
            f"sys.argv = ['surefoot', 'kernel', 'adam', '--target', {target!r}]; main()"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.endswith("LOADED []\n")
