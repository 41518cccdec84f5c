"""Interrupts as they come: a step has happened whole or not at all, and training goes on from what can be seen.

A trace function raises KeyboardInterrupt at the k-th line that a call executes in Surefoot or in torch, for every k or
every seventh. Then weights, state and counts are all as before or all as after the call, and what follows is what
follows in an optimizer that was never interrupted. Children with a timer are interrupted at random moments.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import Parameter

import surefoot.torch
from numbered import averaging, estimating, measuring
from paths import SUPPORT
from surefoot.engines import kernels
from surefoot.errors import SurefootWarning
from surefoot.torch import RuleOptimizer, step_tables
from torch_habits import numbers
from torch_runs import params_of

pytestmark = [
    pytest.mark.usefixtures("kernel_cache"),
    pytest.mark.filterwarnings("ignore:Sparse invariant checks", "ignore:Exception ignored"),
]
WATCHED = tuple(str(Path(module.__file__).parent) + os.sep for module in (surefoot, torch))
MOST = 100_000
"""Lines that no call here has."""


def interrupted(call: Callable[[], object], k: int, watched: tuple[str, ...] = WATCHED) -> bool:
    """Run a call with an interrupt at its k-th line in Surefoot or torch; tell whether it came so far."""
    lines, before = 0, sys.gettrace()

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal lines
        if not frame.f_code.co_filename.startswith(watched):
            return None
        lines += event == "line"
        if event == "line" and lines == k:
            raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
        torch.set_grad_enabled(True)  # an interrupt within torch's own `no_grad` leaves that switched off
    return lines >= k


def places(every: int) -> Iterator[int]:
    return iter(range(1, MOST, every))


# Steps


def square() -> list[Parameter]:
    return [Parameter(torch.linspace(-1, 1, 6).double().reshape(shape)) for shape in ((2, 3), (3, 2))]


def small() -> list[Parameter]:
    return [Parameter(torch.linspace(-1, 1, n).double()) for n in (3, 5)]


def mixed() -> list[dict[str, Any]]:
    """Two groups, three dtypes."""
    first = [Parameter(torch.linspace(-1, 1, 4, dtype=dtype)) for dtype in (torch.float64, torch.bfloat16)]
    second = [Parameter(torch.linspace(-1, 1, 6, dtype=dtype)) for dtype in (torch.float32, torch.float64)]
    return [{"params": first}, {"params": second, "lr": 0.02}]


def around(name: str, **options: Any) -> Callable[..., Any]:
    return partial(getattr(surefoot.torch, name), lr=0.1, ema=0.9, max_grad_norm=0.5, **options)


def give_gradients(optimizer: Any, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for k, p in enumerate(params_of(optimizer)):
        grad = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.dtype)
        if k == 0 and getattr(optimizer, "takes_sparse", False):
            grad = grad.to_sparse()
        if p.grad is None or grad.is_sparse:
            p.grad = grad
        else:
            p.grad.copy_(grad)


def with_a_sparse_gradient(params: Any, **options: Any) -> Any:
    """One parameter for the eager engine, the others for kernels."""
    optimizer = surefoot.torch.Adagrad(params, lr=0.1, **options)
    optimizer.takes_sparse = True
    return optimizer


STEPS: dict[str, tuple[Callable[..., Any], Callable[[], Any], int]] = {
    "Adam": (partial(surefoot.torch.Adam, lr=0.1), small, 1),
    "SGD": (partial(surefoot.torch.SGD, lr=0.1), small, 1),
    "momentum": (partial(surefoot.torch.SGD, lr=0.1, momentum=0.9), small, 3),
    "AMSBound": (partial(surefoot.torch.AMSBound, lr=0.1), small, 3),
    "an own rule": (partial(RuleOptimizer, rule="rmsprop", lr=0.1, momentum=0.9), small, 3),
    "matrices": (partial(surefoot.torch.Muon, lr=0.1), square, 3),
    "everything": (around("AdamW"), mixed, 7),
    "with a sparse gradient": (with_a_sparse_gradient, small, 7),
    "numbers of tensors": (partial(RuleOptimizer, rule=measuring), small, 7),
    "numbers of the optimizer": (partial(RuleOptimizer, rule=estimating), small, 7),
    "the eager engine": (partial(surefoot.torch.Adam, lr=0.1, engine="eager"), small, 7),
}
"""By name: what makes the optimizer, its parameters, and which lines are tried: every so many."""

FIRST_STEPS = {"Adam": 7, "momentum": 7, "matrices": 7, "everything": 13}
"""By name: which lines of a first step are tried: every so many."""


def after(make: Callable[..., Any], params: Callable[[], Any], steps: int) -> Any:
    """Return an optimizer after so many steps, with the gradients of the next."""
    optimizer = make(params())
    for k in range(steps + 1):
        give_gradients(optimizer, k)
        if k < steps:
            optimizer.step()
    return optimizer


def same(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    """Tell whether weights and state are the same bit by bit; state that is made but has no step is as good as none."""
    return all(
        torch.equal(a["weight"], b["weight"])
        and (untouched(a) if untouched(b) else a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in b))
        for a, b in zip(one, other, strict=True)
    )


def untouched(own: dict[str, Any]) -> bool:
    return not own.get("step", 0)


def shared_by_all(optimizer: Any) -> list[Any]:
    """Return the numbers that lie in the groups."""
    return [[group.get(name) for name in optimizer.rule.shared] for group in optimizer.param_groups]


Stage = tuple[list[dict[str, Any]], list[Any]]
"""What can be seen of an optimizer: weights and state, and the numbers of its groups."""


def stage(optimizer: Any) -> Stage:
    return numbers(optimizer), shared_by_all(optimizer)


def is_at(optimizer: Any, expected: Stage) -> bool:
    return same(numbers(optimizer), expected[0]) and shared_by_all(optimizer) == expected[1]


def stages(optimizer: Any, seed: int) -> Iterator[Stage]:
    """Yield what can be seen before and after the coming step and two more, each with the gradients of its number."""
    yield stage(optimizer)
    for k in range(seed, seed + 3):
        give_gradients(optimizer, k)
        optimizer.step()
        yield stage(optimizer)


def check_interrupted(optimizer: Any, path: list[Stage], seed: int, k: int, watched: tuple[str, ...]) -> bool:
    """Interrupt a step at a line: it is not begun or done, and what is left of the path follows. Tell if it came."""
    give_gradients(optimizer, seed)
    came = interrupted(optimizer.step, k, watched)
    done = next((n for n in (0, 1) if is_at(optimizer, path[n])), None)
    assert done is not None, f"at line {k}: neither before nor after the step"
    for n in range(done, 3):
        give_gradients(optimizer, seed + n)
        optimizer.step()
        assert is_at(optimizer, path[n + 1]), f"at line {k}: the next steps are not those of what can be seen"
    return came


every_place = pytest.mark.parametrize(
    "watched", [WATCHED, (step_tables.__file__,)], ids=["anywhere", "as it is committed"]
)


@pytest.mark.parametrize("name", STEPS)
@every_place
def test_a_step_interrupted_at_a_line(name, watched):
    """Beside an optimizer that is never interrupted: from one line to the next, both go on."""
    make, params, every = STEPS[name]
    every = every if watched == WATCHED else 1
    optimizer, reference = after(make, params, 2), after(make, params, 2)
    for k in places(every):
        path = [*stages(reference, 3 * k)]
        if not check_interrupted(optimizer, path, 3 * k, k, watched):
            break
    assert k > 10 * every


@pytest.mark.parametrize("name", FIRST_STEPS)
@every_place
def test_a_first_step_interrupted_at_a_line(name, watched):
    make, params, _ = STEPS[name]
    every = FIRST_STEPS[name] if watched == WATCHED else 1
    path = [*stages(after(make, params, 0), 0)]
    for k in places(every):
        if not check_interrupted(after(make, params, 0), path, 0, k, watched):
            break
    assert k > 10 * every


@pytest.fixture(scope="module")
def at_random_moments(tmp_path_factory):
    """What came of each case in a process of its own, with an empty cache of kernels."""
    done = subprocess.run(
        [sys.executable, str(SUPPORT / "torch_interrupted.py")],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))},
    )
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr[-500:]}"
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize(("case", "count"), [("many", 120), ("many again", 120), ("large", 60)])
def test_steps_interrupted_at_random_moments(at_random_moments, case, count):
    assert at_random_moments[case] == {"signals": count, "wrong": []}


@pytest.mark.slow
def test_first_steps_interrupted_as_they_compile(at_random_moments):
    assert at_random_moments["first"]["signals"]
    assert at_random_moments["first"]["wrong"] == []


# Averages


def go_on_alike(optimizer: Any, reference: Any, k: int) -> bool:
    """Tell whether two more steps are those of an optimizer that was never interrupted."""
    for seed in (2 * k, 2 * k + 1):
        for each in (optimizer, reference):
            give_gradients(each, seed)
            each.step()
    return same(numbers(optimizer), numbers(reference))


@pytest.fixture
def _young():
    """What a test makes stays young until it collects: looking at all that torch has, for each line, takes minutes."""
    gc.disable()
    yield
    gc.enable()


AVERAGING = {"ema": around("Adam"), "schedule-free": partial(RuleOptimizer, rule=averaging)}


def in_a_context(optimizer: Any) -> None:
    with optimizer.averaged():
        pass


@pytest.mark.usefixtures("_young")
@pytest.mark.parametrize("name", AVERAGING)
def test_weights_come_back_when_averaging_is_interrupted(name):
    """Wherever it is: as the average is put in place, and as the weights are put back."""
    optimizer, reference = (after(AVERAGING[name], small, 2) for _ in range(2))
    for k in places(1):
        before = numbers(optimizer)
        came = interrupted(partial(in_a_context, optimizer), k, (*WATCHED, contextlib.__file__))
        gc.collect(0)
        assert same(numbers(optimizer), before), f"at line {k}: not all weights are back"
        assert go_on_alike(optimizer, reference, k)
        if not came:
            break
    assert k > 10


@pytest.mark.parametrize("way", ["eval", "train"])
@pytest.mark.parametrize("name", AVERAGING)
def test_turning_to_other_weights_interrupted_at_a_line(name, way):
    """All weights are there or none, and turning again and back leads to the training weights."""
    make = AVERAGING[name]
    optimizer = after(make, small, 2)
    training = numbers(optimizer)
    optimizer.eval()
    evaluation = numbers(optimizer)
    optimizer.train()
    for k in places(1):
        if way == "train":
            optimizer.eval()
        came = interrupted(getattr(optimizer, way), k)
        assert same(numbers(optimizer), training) or same(numbers(optimizer), evaluation), f"at line {k}: of both"
        optimizer.eval()
        assert same(numbers(optimizer), evaluation)
        optimizer.train()
        assert same(numbers(optimizer), training)
        if not came:
            break
    assert k > 10


def test_a_step_in_eval_mode_interrupted_at_a_line():
    """The weights are those of evaluation, or to train with before or after the step, whole."""
    make = AVERAGING["schedule-free"]
    optimizer = after(make, small, 2)
    stages = [numbers(optimizer)]
    optimizer.eval()
    stages.append(numbers(optimizer))
    optimizer.train()
    optimizer.step()
    stages.append(numbers(optimizer))
    for k in places(5):
        optimizer = after(make, small, 2)
        optimizer.eval()
        optimizer._warned = True
        came = interrupted(optimizer.step, k)
        assert any(same(numbers(optimizer), each) for each in stages), f"at line {k}"
        if not came:
            break
    assert k > 50


# Checkpoints


def groups(optimizer: Any) -> list[dict[str, Any]]:
    return [{key: x for key, x in group.items() if key != "params"} for group in optimizer.param_groups]


@pytest.mark.parametrize(
    ("params", "dtype", "every"),
    [(small, None, 1), (mixed, torch.bfloat16, 11)],
    ids=["every line", "mixed"],
)
def test_loading_a_checkpoint_interrupted_at_a_line(params, dtype, every):
    """Old or new, state and groups alike; never of both."""
    make = around("AdamW", state_dtype=dtype)
    others = [after(partial(make, betas=betas), params, 3) for betas in ((0.5, 0.6), (0.7, 0.8))]
    others[0].param_groups[-1]["lr"] = 0.7
    optimizer, reference = after(make, params, 2), after(make, params, 2)
    for k in places(every):
        other = others[0]
        old = numbers(optimizer), groups(optimizer)
        weights = [p.detach().clone() for p in params_of(optimizer)]
        came = interrupted(partial(optimizer.load_state_dict, copy.deepcopy(other.state_dict())), k)
        new = [{**own, "weight": x} for own, x in zip(numbers(other), weights, strict=True)], groups(other)
        found = numbers(optimizer), groups(optimizer)
        is_old, is_new = (same(found[0], x) and found[1] == y for x, y in (old, new))
        assert is_old or is_new, f"at line {k}: neither the old state nor the new"
        assert len(optimizer._optimizer_load_state_dict_pre_hooks) < 2, f"at line {k}: hooks pile up"
        if is_new:  # the next one that is loaded has other groups again
            reference.load_state_dict(copy.deepcopy(other.state_dict()))
            others.reverse()
        assert go_on_alike(optimizer, reference, k)
        if not came:
            break
    assert is_new
    assert k > 50


# Other failures


def test_a_warning_that_is_an_error_leaves_a_first_step_undone(tmp_path, monkeypatch):
    """The cache of kernels cannot be written, which is worth a warning."""
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(file / "below"))
    monkeypatch.setattr(kernels, "_said", [])
    kernels.compiled.cache_clear()
    p = Parameter(torch.ones(3))
    optimizer, p.grad = surefoot.torch.SGD([p], lr=0.1), torch.ones(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SurefootWarning, match="cannot be kept on disk"):
            optimizer.step()
    assert (p == 1).all()
    assert all(untouched(own) for own in optimizer.state.values())
    optimizer.step()
    assert p.tolist() == pytest.approx([0.9] * 3)
