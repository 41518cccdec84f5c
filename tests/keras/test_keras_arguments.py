"""What the Keras optimizers take and refuse, what a missing part says, and the example script."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from keras_backends import on, on_each_backend
from paths import ROOT


@on("jax")
@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("Adam", {"beta1_": 0.9}, "unknown option of adam 'beta1_'. Did you mean 'beta_1' or 'beta1'"),
        ("Adam", {"beta_1": 1.0}, "adam: beta1=1.0 is not allowed"),
        ("Adam", {"learning_rate": -1}, "adam: lr=-1.0 is not allowed"),
        ("Adam", {"lr": 0.1, "learning_rate": 0.1}, "lr is given twice"),
        ("Adam", {"convention": "kears"}, "unknown convention 'kears'. Did you mean 'keras'"),
        ("AdamW", {"weight_decay": None}, "adamw: weight_decay=None is not allowed"),
        ("SGD", {"momentum": 2.0}, "sgd: momentum=2.0 is not allowed: keras.optimizers.SGD takes up to 1"),
        ("Adagrad", {"convention": "optax"}, "the optax convention has no default learning rate"),
        ("AdaBound", {"learning_rate": 0.0}, "give base_learning_rate="),
        ("RuleOptimizer", {"rule": "adm"}, "unknown rule 'adm'. Did you mean 'adam'"),
        ("RuleOptimizer", {"rule": print}, "is not a rule"),
        ("RuleOptimizer", {"rule": "no_such_module:foo"}, "rule 'no_such_module:foo' is not found"),
        ("RuleOptimizer", {"rule": "math:foo"}, "rule 'math:foo' is not found"),
        ("Adam", {"learning_rate": "0.1"}, "learning_rate='0.1' is no learning rate"),
    ],
)
def test_mistakes_are_named(name, options, words):
    import surefoot.keras
    from surefoot.errors import UsageError

    with pytest.raises(UsageError, match=re.escape(words)):
        getattr(surefoot.keras, name)(**options)


@on("jax")
def test_our_spelling_integers_and_numbers_of_numpy_are_understood():
    import surefoot.keras

    optimizer = surefoot.keras.Adam(lr=np.float32(0.5), beta1=0, eps=np.float64(1e-3))
    config = optimizer.get_config()
    assert (config["learning_rate"], config["beta_1"], config["epsilon"]) == (0.5, 0.0, 1e-3)
    assert {type(config[name]) for name in ("learning_rate", "beta_1", "epsilon")} == {float}


@on("jax")
@pytest.mark.parametrize("name", ["SGD", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "AdaBound", "AMSBound"])
@pytest.mark.parametrize("convention", ["keras", "torch", "optax", "paper"])
def test_a_configuration_makes_the_same_optimizer(name, convention):
    import surefoot.keras
    from settings import needs
    from surefoot.conventions import resolve

    kind, more = getattr(surefoot.keras, name), needs(name.lower(), convention)
    one = kind(0.25, convention=convention, maximize=True, **more)
    two = kind.from_config(one.get_config())
    assert two.get_config() == one.get_config()
    assert two._hyper() == one._hyper()
    asked = resolve(name.lower(), convention, {"lr": 0.25, "maximize": True, **more})
    mine = {key: value for key, value in one._hyper().items() if key not in ("lr", "base_lr")}
    assert mine.items() <= asked.items() | set(one.rule.pinned.items())


@on("jax")
def test_amsgrad_is_another_form_in_optax():
    import surefoot.keras

    assert surefoot.keras.Adam(0.1, amsgrad=True, convention="optax").amsgrad_corrected
    assert not surefoot.keras.Adam(0.1, convention="optax").amsgrad_corrected
    assert surefoot.keras.AdaBound(amsbound=True).get_config()["amsbound"]


@on("jax")
def test_a_rule_in_a_function_cannot_be_saved_and_the_message_says_why():
    import surefoot.keras
    from surefoot.errors import UsageError
    from surefoot.rule import Step, rule

    @rule(source="a test")
    def hidden(g, state, t, *, lr=0.1):  # noqa: ARG001
        return Step(rate=lr, direction=g)

    with pytest.raises(UsageError, match="define it at the top level of a module"):
        surefoot.keras.RuleOptimizer(hidden).get_config()


@on_each_backend
def test_total_in_a_rule_sums_the_whole_tensor():
    import keras

    from surefoot.mathops import clip, total

    x = keras.ops.convert_to_tensor(np.arange(5, dtype="float32"))
    assert float(total(x)) == 10.0
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(clip(x, 1.0, None)), [1, 1, 2, 3, 4])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(clip(x, None, 3.0)), [0, 1, 2, 3, 3])


@pytest.mark.parametrize(
    ("hidden", "words"),
    [("keras", "pip install 'surefoot[keras]'"), ("tensorflow", "KERAS_BACKEND=jax")],
)
def test_what_is_missing_is_named_with_what_to_do(hidden, words):
    code = (
        f"import sys; sys.modules[{hidden!r}] = None\ntry:\n import surefoot.keras\nexcept ImportError as e: print(e)"
    )
    env = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert words in done.stdout
    assert "not installed" in done.stdout


def test_surefoot_alone_loads_no_keras():
    code = "import sys, surefoot; print('keras' in dir(surefoot), 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "backend", ["torch", *(pytest.param(name, marks=pytest.mark.frameworks) for name in ("jax", "tensorflow"))]
)
def test_the_tutorials_script_runs(backend):
    command = [sys.executable, ROOT / "examples" / "mnist_keras.py", "--epochs", "1", "--train-size", "500"]
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    env = {**os.environ, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": "0", "PYTHONPATH": path}
    done = subprocess.run([*command, "--test-size", "100"], capture_output=True, text=True, check=True, env=env)
    said = re.findall(r"Test (loss|accuracy) using (\w+): (\d+\.\d+)", done.stdout)
    names = ["Adagrad", "Adadelta", "Adam", "AdaBound"]
    assert [(kind, name) for kind, name, _ in said] == [(k, n) for n in names for k in ("loss", "accuracy")]
