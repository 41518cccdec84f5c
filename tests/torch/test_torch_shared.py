"""Optimizers in company: other optimizers, threads and processes that hold the same weights, gradients or state.

Each step is that of a new optimizer, made from what can be seen right before it; torch.optim does the same beside ours.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import threading
from typing import Any

import pytest
import torch
from torch.nn import Parameter

import surefoot.torch
from paths import SUPPORT
from surefoot.errors import UsageError
from surefoot.torch import RuleOptimizer
from torch_habits import give_gradients, numbers, twin_of
from torch_runs import NAMES, parameters, params_of

pytestmark = pytest.mark.usefixtures("kernel_cache")
ENGINES = ("cpu", "eager")
every_engine = pytest.mark.parametrize("engine", ENGINES)
every_name = pytest.mark.parametrize("name", [*NAMES, "AdaBound", "AMSBound"])
OPTIONS: dict[str, dict[str, Any]] = {"SGD": {"momentum": 0.9}, "RMSprop": {"momentum": 0.9}}


def made(name: str, params: Any, engine: str = "cpu", **options: Any) -> Any:
    return getattr(surefoot.torch, name)(params, **{"lr": 0.1, **OPTIONS.get(name, {}), **options}, engine=engine)


def torchs(name: str, params: Any) -> Any:
    return getattr(torch.optim, name)(params, lr=0.1, **OPTIONS.get(name, {}), foreach=False)


def close(found: Any, expected: Any) -> None:
    """Check weights and state, to 1e-12; torch's SGD keeps no step count."""
    for mine, theirs in zip(numbers(found), numbers(expected), strict=True):
        for key in theirs:
            torch.testing.assert_close(mine[key], theirs[key], rtol=1e-12, atol=1e-12, check_dtype=key != "step")


def step_checked(optimizer: Any, name: str, **options: Any) -> None:
    """Step, beside a twin on the eager engine that is made from what can be seen."""
    twin = twin_of(optimizer, lambda params: made(name, params, "eager", **options))
    optimizer.step()
    twin.step()
    close(optimizer, twin)


# Two optimizers


@every_engine
@every_name
def test_two_optimizers_share_their_parameters(name, engine):
    """Each has state of its own, and finds the weights where the other left them."""

    def train(make):
        params = parameters()
        both = make(params), make(params)
        for k in range(6):
            give_gradients(both[0], k)
            for optimizer in both:
                step_checked(optimizer, name) if make is ours else optimizer.step()
        return both

    def ours(params):
        return made(name, params, engine)

    mine = train(ours)
    if name in NAMES:
        for one, other in zip(mine, train(lambda params: torchs(name, params)), strict=True):
            close(one, other)


@every_engine
@pytest.mark.parametrize("name", ["SGD", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "AMSBound"])
def test_two_optimizers_share_their_state(name, engine):
    """As a trainer does that hands state over and goes on with both; step counts are shared too."""

    def train(make, check):
        params = parameters()
        first, second = make(params), make(params)
        for k in range(6):
            give_gradients(first, k)
            if k == 2:
                for p in params:
                    second.state[p] = first.state[p]
            optimizer = second if k > 2 and k % 2 else first
            check(optimizer)
        return first, second

    mine = train(lambda params: made(name, params, engine), lambda optimizer: step_checked(optimizer, name))
    assert mine[0].state[params_of(mine[0])[0]]["step"] == 6
    if name in NAMES:
        theirs = train(lambda params: torchs(name, params), lambda optimizer: optimizer.step())
        close(mine[0], theirs[0])


@every_engine
@every_name
def test_two_optimizers_step_in_two_threads_at_once(name, engine):
    """One thread's steps do not show in the other's."""

    def train(optimizer, steps=20):
        for k in range(steps):
            give_gradients(optimizer, k)
            optimizer.step()

    pair, alone = [made(name, parameters(), engine) for _ in range(2)], made(name, parameters(), engine)
    threads = [threading.Thread(target=train, args=(optimizer,)) for optimizer in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    train(alone)
    for optimizer in pair:
        close(optimizer, alone)


# Other processes


@pytest.fixture(scope="module")
def forked(kernel_cache):  # noqa: ARG001
    """What came of each case of the companion file; one that hangs is killed, and fails the tests."""
    command = [sys.executable, SUPPORT / "torch_forked.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr[-500:]}"
    return json.loads(done.stdout.splitlines()[-1])


def test_a_forked_child_steps_after_its_parent_has_with_two_threads(forked):
    assert forked["steps"] == {"child": True, "parent": True}


def test_a_forked_child_writes_into_shared_memory_between_two_steps(forked):
    """Weights, moments and step counts, with no version counter that tells."""
    assert forked["writes"] == {"Adam": True, "AMSBound": True, "SGD": True}


# Checkpoints of other optimizers

OTHERS = [
    ("SGD", {"momentum": 0.9}, "Adam", {}),
    ("SGD", {"momentum": 0.9}, "AdaBound", {}),
    ("SGD", {"momentum": 0.9}, "Adagrad", {}),
    ("SGD", {"momentum": 0.9}, "RMSprop", {}),
    ("SGD", {"momentum": 0.9}, "Adadelta", {}),
    ("Adam", {}, "SGD", {}),
    ("Adam", {}, "SGD", {"momentum": 0.9}),
    ("Adam", {"amsgrad": True}, "RMSprop", {}),
    ("Adam", {}, "Adagrad", {}),
    ("Adam", {}, "NAdam", {}),
    ("NAdam", {}, "Adam", {}),
    ("Adam", {}, "DoWG", {}),
    ("Adagrad", {}, "AdamW", {}),
    ("Adadelta", {}, "RMSprop", {}),
    ("RMSprop", {}, "Adadelta", {}),
    ("RMSprop", {"momentum": 0.9, "centered": True}, "Adam", {}),
]


@pytest.mark.parametrize("library", [torch.optim, surefoot.torch], ids=["torch", "surefoot"])
@pytest.mark.parametrize(("theirs", "options", "mine", "own"), OTHERS, ids=str)
def test_a_checkpoint_of_another_rule_is_refused(theirs, options, mine, own, library):
    """The error names both, and nothing has changed."""
    other = getattr(library, theirs)(parameters(), **options)
    optimizer = getattr(surefoot.torch, mine)(parameters(), lr=0.1, **own)
    for each in (other, optimizer):
        give_gradients(each, 0)
        each.step()
    before = numbers(optimizer)
    with pytest.raises(UsageError, match=rf"has the state of .*\b{theirs}\b.* and this is {mine}, which keeps"):
        optimizer.load_state_dict(other.state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.1
    for found, expected in zip(numbers(optimizer), before, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_plain_sgd_with_only_a_step_count_is_refused_by_who_needs_moments():
    other, optimizer = made("SGD", parameters(), momentum=0), made("Adam", parameters())
    give_gradients(other, 0)
    other.step()
    with pytest.raises(UsageError, match=r"has the state of SGD or .* \(step\), and this is Adam"):
        optimizer.load_state_dict(other.state_dict())


def test_a_rule_of_ones_own_refuses_others():
    other, optimizer = made("Adam", parameters()), RuleOptimizer(parameters(), "adagrad")
    give_gradients(other, 0)
    other.step()
    with pytest.raises(UsageError, match=r"Adam or AdamW.*this is RuleOptimizer\(rule='adagrad'\), which keeps s\."):
        optimizer.load_state_dict(other.state_dict())


KIN = [
    ("Adam", {}, "AdamW"),
    ("AdamW", {"amsgrad": True}, "Adam"),
    ("Adam", {}, "AdaBound"),
    ("AdaBound", {}, "AMSBound"),
    ("AMSBound", {}, "AdaBound"),
    ("RMSprop", {"centered": True, "momentum": 0.9}, "RMSprop"),
    ("SGD", {}, "SGD"),
    ("SGD", {"momentum": 0.9}, "SGD"),
]


@pytest.mark.parametrize(("theirs", "options", "mine"), KIN, ids=str)
def test_kin_with_the_same_slots_goes_on(theirs, options, mine):
    other, optimizer = made(theirs, parameters(), **options), made(mine, parameters())
    for k in range(2):
        give_gradients(other, k)
        other.step()
    optimizer.load_state_dict(other.state_dict())
    assert optimizer.state[params_of(optimizer)[0]]["step"] == 2
    give_gradients(optimizer, 3)
    step_checked(optimizer, mine)


def test_keys_of_a_users_own_are_no_matter():
    """Such as a wrapper's second copy of the weights."""
    other, optimizer = made("Adam", parameters()), made("Adam", parameters())
    give_gradients(other, 0)
    other.step()
    for p in params_of(other):
        other.state[p]["slow"] = p.detach().clone()
    optimizer.load_state_dict(other.state_dict())
    assert "slow" in optimizer.state[params_of(optimizer)[0]]


@every_engine
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64, torch.int64, float, int], ids=str)
@pytest.mark.parametrize("name", ["Adagrad", "Adam", "AMSBound"])
def test_a_checkpoint_with_step_counts_of_another_kind(name, kind, engine):
    """All floats cast to bfloat16, step counts included, as some write checkpoints."""
    other, optimizer = made(name, parameters(), engine), made(name, parameters(), engine)
    for k in range(3):
        give_gradients(other, k)
        other.step()
    checkpoint = copy.deepcopy(other.state_dict())
    for own in checkpoint["state"].values():
        own["step"] = own["step"].to(kind) if isinstance(kind, torch.dtype) else kind(own["step"])
    optimizer.load_state_dict(checkpoint)
    with torch.no_grad():
        for p, q in zip(params_of(optimizer), params_of(other), strict=True):
            p.copy_(q)
    for k in range(3, 6):
        for each in (other, optimizer):
            give_gradients(each, k)
            each.step()
    close(optimizer, other)
    assert all(own["step"] == 6 for own in optimizer.state.values())


def test_counting_does_not_stop_where_the_kind_of_number_ends():
    """In bfloat16, 256 + 1 is 256."""
    p = Parameter(torch.ones(3))
    optimizer = made("Adam", [p])
    p.grad = torch.ones(3)
    optimizer.step()
    optimizer.state[p]["step"] = torch.tensor(256.0, dtype=torch.bfloat16)
    for _ in range(3):
        optimizer.step()
    assert optimizer.state[p]["step"] == 259
