"""A rule of the user's own, in a file that no package holds, is a guest everywhere that a built-in rule is."""

from __future__ import annotations

import html
import importlib
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import guests
import surefoot
from keras_backends import on
from surefoot.arms.arm_list import arms_of, parse_arms
from surefoot.arms.optimizer_text import parse_rule
from surefoot.compiler.emit.targets import TARGETS
from surefoot.conventions import FRAMEWORKS
from surefoot.errors import UsageError
from surefoot.explain.explanation import rule_html
from surefoot.explain.page import render
from surefoot.rule import Rule
from surefoot.store import Store
from surefoot.torch import RuleOptimizer
from surefoot.update import update

pytestmark = pytest.mark.usefixtures("workers_here")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with the user's files, which leave no module and no path behind."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "my_rules.py").write_text(guests.RULES)
    (tmp_path / "my_task.py").write_text(guests.TASK)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    guests.forget("my_rules", "my_task")


@pytest.fixture
def run(surefoot_command):
    """Run a command that must end well and say nothing but its result."""

    def command(*arguments):
        code, out, err = surefoot_command(*arguments)
        assert code == 0, err
        return out

    return command


def guest(name: str) -> Rule:
    return parse_rule(f"my_rules.py:{name}")[0]


# Commands


@pytest.mark.parametrize("name", guests.NAMES)
def test_explain(run, name):
    text = f"my_rules.py:{name}"
    for framework in FRAMEWORKS:
        page = run("explain", text, "--convention", framework)
        assert guest(name).doc in page
        assert f"surefoot explain {text} --time" in page
    assert json.loads(run("explain", text, "--json"))["rule"] == guest(name).name
    page = run("explain", text, "--conventions")
    assert "what each framework means by it" in page
    assert "learning_rate" in page
    assert json.loads(run("explain", text, "--conventions", "--json"))["drift"]["rows"] == []
    assert "w_t" in run("explain", text, "--latex")
    assert "steps on: Beale" in run("explain", f"{text}(lr=0.01)", "--surface", "beale")


def test_the_playground_has_a_guest_beside_the_built_in_rules(run, folder):
    run("explain", "my_rules.py:calm", "--web", "--out", "page.html")
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert f'"own0":{{"name":"own0","doc":"{guest("calm").doc}"' in page
    assert '"racers":["sgd","momentum","adagrad","adam","adabound","own0"]' in page
    page = render([guest(name) for name in guests.NAMES])
    for k, name in enumerate(guests.NAMES):
        assert f'"own{k}":{{"name":"own{k}","doc":"{guest(name).doc}"' in page


@pytest.mark.parametrize("name", guests.NAMES)
@pytest.mark.parametrize("target", TARGETS)
def test_kernel(surefoot_command, name, target):
    code, out, err = surefoot_command("kernel", f"my_rules.py:{name}", "--target", target)
    assert (code, err) == (0, "")
    assert out
    assert surefoot_command("kernel", f"my_rules.py:{name}(lr=0.5)", "--convention", "keras")[0] == 0


def test_list(run):
    out = run("list", "--all", *(f"my_rules.py:{name}" for name in guests.NAMES))
    assert "my_rules.py:calm Follow the sign of the mean gradient." in out
    assert "lr=0.02, beta1=0.8" in out


def test_bench(run, monkeypatch):
    from surefoot.bench import shapes

    small = {name: (summary, lambda: iter([(3, 5)])) for name, (summary, _) in shapes._NETWORKS.items()}
    monkeypatch.setattr(shapes, "_NETWORKS", small)
    rules = [part for name in guests.NAMES for part in ("-r", f"my_rules.py:{name}")]
    result = json.loads(run("bench", "--set", "cnn", "--rounds", "2", "--json", *rules))
    timed = {(row["case"], row["contender"]) for row in result["sets"][0]["rows"]}
    assert timed >= {(f"my_rules.py:{name}", "surefoot eager") for name in guests.NAMES}
    assert timed >= {(f"my_rules.py:{name}", "surefoot cpu") for name in guests.NAMES}


def test_lr_find(run):
    found = json.loads(
        run("lr-find", "my_task.py:task", "-o", "my_rules.py:calm, my_rules.py:normed", "--seeds", "3", "--json")
    )
    assert [one["label"] for one in found["optimizers"]] == ["calm", "normed"]


ARMS = ("sgd", *(f"my_rules.py:{name}" for name in guests.NAMES), "quick=my_rules.py:calm(lr=0.1)")


def test_compare_untuned_and_what_it_says_can_be_repeated(run, folder):
    options = [part for text in ARMS for part in ("-o", text)]
    shared = ["--store", "s.sqlite", "--report", "r.html", "--seeds", "2", "--epochs", "2", "--device", "cpu"]
    result = json.loads(run("compare", "my_task.py:task", "--only", "--trials", "0", "--json", *options, *shared))
    labels = {"SGD", "calm", "normed", "leashed", "steady", "fenced", "adam", "quick"}
    assert {row["label"] for row in result["rows"]} == labels
    page = html.unescape((folder / "r.html").read_text(encoding="utf-8"))
    assert "surefoot.Opt('my_rules.py:calm')," in page
    with Store(folder / "s.sqlite", readonly=True) as store:
        records = store.records()
    assert {record.status for record in records} == {"finished"}
    assert {record.rule.partition("@")[0] for record in records if record.label in ("adam", "steady")} == {
        "my_rules.adam",
        "my_rules.steady",
    }


def test_compare_tuned(run, folder):
    shared = ["--store", "s.sqlite", "--report", "r.html", "--seeds", "1", "--epochs", "1", "--device", "cpu"]
    options = [part for name in ("calm", "steady", "named_adam") for part in ("-o", f"my_rules.py:{name}")]
    run("compare", "my_task.py:task", "--only", "--trials", "4", *options, *shared)
    with Store(folder / "s.sqlite", readonly=True) as store:
        rates = {one.hyper["lr"] for one in store.records() if one.label.startswith("calm") and one.purpose == "tune"}
    assert len(rates) >= 3
    assert all(0.02 / 32 < rate < 0.02 * 32 for rate in rates), "a window of three decades about the default"


# Python


def study(folder, rule, **options):
    task = importlib.import_module("my_task").task
    return surefoot.compare(task, optimizers=["sgd", rule], store=folder / "s.sqlite", seeds=1, epochs=1, **options)


def test_the_object_itself_is_compared(folder):
    sys.path.insert(0, str(folder))
    rules = importlib.import_module("my_rules")
    done = study(folder, rules.calm, trials=0)
    assert {record.label for record in done.records} == {"SGD", "calm"}
    assert arms_of(rules.calm)[0].space(30).sources["lr"] == "the rule's own default in the middle"
    assert surefoot.Opt(rules.calm, lr=surefoot.log(1e-3, 1)).arm.space(1).ranges["lr"] == surefoot.log(1e-3, 1)
    assert surefoot.Opt(rules.steady, convention="keras", learning_rate=0.5).arm.hyper["lr"] == 0.5
    assert surefoot.Opt(rules.steady).arm.space(1).sources["lr"] == "as Adam [assumed]"


def test_a_rule_that_was_edited_is_trained_anew(folder):
    identities = set()
    texts = [
        guests.RULES,
        guests.RULES.replace("STRENGTH = 1.0", "STRENGTH = 2.0"),
        guests.RULES.replace("+ sign(m)", "- sign(m)"),
        guests.RULES.replace("beta1=0.8", "beta1=0.7"),
    ]
    for k, text in enumerate([*texts, guests.RULES + "\n# a remark\n"]):
        (folder / f"my_rules{k}.py").write_text(text)
        (arm,) = parse_arms([f"my_rules{k}.py:fenced"], "torch")
        identities.add(arm.rule.partition("@")[2])
        assert arm.label == "fenced"
        guests.forget(f"my_rules{k}")
    assert len(identities) == len(texts)


def test_a_guest_with_a_built_in_name_is_not_the_built_in_rule():
    ours, theirs = parse_arms(["adam", "my_rules.py:named_adam"], "torch")
    assert (ours.label, theirs.label) == ("Adam", "adam")
    assert theirs.hyper["lr"] == 0.3
    assert "beta1" not in theirs.hyper
    assert theirs.space(30).ranges.keys() == {"lr"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("my_rules.py:clam", "Did you mean 'calm'"),
        ("none.py:calm", "there is no file none.py"),
        ("my_rules.py:calm(lr=-1)", "0 <= x"),
        ("my_rules.py:calm(bata1=0.1)", "Did you mean 'beta1'"),
        ("my_rules.py:calm(0.1)", "cannot be read"),
        ("my_rules.py:calm, my_rules.py:calm", "given twice"),
        ("no_such_module:calm", "cannot be imported"),
    ],
)
def test_a_mistake_is_named(text, words):
    with pytest.raises(UsageError, match=words):
        parse_arms([text], "torch")


def test_what_is_no_rule_is_not_explained():
    with pytest.raises(UsageError, match="is not a rule"):
        parse_rule("my_rules.py:pulled")


def test_a_module_is_named_as_a_file_is(folder):
    sys.path.insert(0, str(folder))
    (arm, other) = parse_arms(["one=my_rules:calm(lr=0.5)", "my_rules.calm"], "torch")
    assert (arm.label, arm.name, other.label) == ("one", "my_rules.calm", "calm")


# Front-ends


def numbers(rule: Rule) -> np.ndarray:
    """The weights after three steps of the rule itself on NumPy."""
    w = np.linspace(-1, 1, 6)
    state = {slot: np.full_like(w, start) for slot, start in rule.starts({}).items()}
    for t in range(1, 4):
        hyper = rule.complete({"base_lr": rule.defaults["lr"], "weight_decay": DECAY})
        w, state, _ = update(rule, w, GRADIENTS[t - 1], state, t, hyper)
    return w


DECAY = 0.1


GRADIENTS = np.random.default_rng(3).standard_normal((3, 6))


@pytest.mark.parametrize("name", guests.NAMES)
@pytest.mark.parametrize("engine", ["eager", "auto"])
def test_torch(name, engine):
    p = torch.nn.Parameter(torch.linspace(-1, 1, 6, dtype=torch.float64))
    optimizer = RuleOptimizer([p], guest(name), engine=engine, weight_decay=DECAY)
    for row in GRADIENTS:
        p.grad = torch.tensor(row)
        optimizer.step()
    np.testing.assert_allclose(p.detach().numpy(), numbers(guest(name)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", guests.NAMES)
def test_optax(name):
    import jax.numpy as jnp
    import optax

    import surefoot.optax

    made = surefoot.optax.factory(guest(name))(guest(name).defaults["lr"], weight_decay=DECAY)
    w = jnp.linspace(-1, 1, 6)
    state = made.init(w)
    for row in GRADIENTS:
        moves, state = made.update(jnp.asarray(row), state, w)
        w = optax.apply_updates(w, moves)
    np.testing.assert_allclose(w, numbers(guest(name)), rtol=0, atol=1e-12)


def test_a_rule_that_sees_weights_asks_optax_for_them():
    import jax.numpy as jnp

    import surefoot.optax

    made = surefoot.optax.factory(guest("leashed"))(0.1)
    with pytest.raises(UsageError, match="give params"):
        made.update(jnp.ones(3), made.init(jnp.ones(3)))


@on("jax", "torch")
def test_keras():
    import keras

    import surefoot.keras

    space = SimpleNamespace()
    exec(guests.RULES, vars(space))
    for name in guests.NAMES:
        rule = getattr(space, name)
        w = keras.Variable(np.linspace(-1, 1, 6), dtype="float32")
        optimizer = surefoot.keras.RuleOptimizer(rule, rule.defaults["lr"], weight_decay=DECAY)
        for row in GRADIENTS:
            optimizer.apply([keras.ops.convert_to_tensor(row.astype("float32"))], [w])
        np.testing.assert_allclose(keras.ops.convert_to_numpy(w.value), numbers(rule), rtol=0, atol=1e-5)


def test_a_notebook():
    assert all(guest(name).doc in rule_html(guest(name)) for name in guests.NAMES)
