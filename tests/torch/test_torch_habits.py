"""What a user may do between two steps is noticed, or harmless, or torch's own error: all rules, both engines.

Every habit of `torch_habits.py` comes after two ordinary steps, and an ordinary one follows: tables that were right for
one step too few or one too many would show. From the habit on, each step is compared with what is visible right before
it: weights, gradients, groups and state, copied into a new optimizer on the eager engine. Where torch has the rule, its
optimizer does the same beside ours: the numbers are the same, or both raise the same kind of error.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

import surefoot.torch
from near import assert_near
from numbered import estimating, measuring
from surefoot.errors import UsageError
from surefoot.mathops import Array, maximum
from surefoot.rule import Slot, Step, rule
from surefoot.torch import RuleOptimizer
from torch_habits import CHANGES, WAYS, give_gradients, numbers, parameters, twin_of, visible
from torch_runs import NUMBERS

pytestmark = [
    pytest.mark.usefixtures("kernel_cache", "settings_put_back"),
    pytest.mark.filterwarnings("ignore:Sparse invariant checks", "ignore:a parameter runs on the eager engine"),
]


@rule(slots=("m", Slot("d", positive=True)), source="this test")
def slowing(g: Array, state: Any, t: Array, *, lr: float = 0.1, beta1: float = 0.9) -> Step:
    """A rule of a user's own: a mean of gradients over the largest so far, slower with every step."""
    m = beta1 * state.m + (1 - beta1) * g
    d = maximum(state.d, maximum(g, -g))
    return Step(rate=lr / (d + 0.1) / t, direction=m, m=m, d=d)


RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD": ("SGD", {"lr": 0.1}),
    "momentum": ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    "Adagrad": ("Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
    "Adadelta": ("Adadelta", {"lr": 0.5}),
    "RMSprop": ("RMSprop", {"lr": 0.1, "alpha": 0.9, "momentum": 0.9, "centered": True}),
    "Adam": ("Adam", {"lr": 0.1}),
    "AdamW": ("AdamW", {"lr": 0.1, "weight_decay": 0.3}),
    "amsgrad": ("Adam", {"lr": 0.1, "amsgrad": True}),
    "NAdam": ("NAdam", {"lr": 0.1}),
    "AdaBound": ("AdaBound", {"lr": 0.1}),
    "AMSBound": ("AMSBound", {"lr": 0.1}),
    "own": ("", {"lr": 0.1}),
    "numbers": ("", {"lr": 0.1, "rule": measuring}),
    "shared": ("", {"rule": estimating}),
}
EAGER = ("momentum", "Adam", "shared")
"""Rules of each kind: the eager engine has no tables that could be old, and steps them all in the same lines."""

ALIKE = ("Adadelta", "RMSprop", "Adam", "AdamW", "AMSBound")
"""Rules that keep arrays as `amsgrad` or `AdaBound` does, so that on kernels the same tables serve them.

What happens to weights, state and groups is tried with those two; with these, what happens to gradients, at which
torch's own rules differ.
"""

EACH = [(name, engine) for name in RULES for engine in ("cpu", "eager") if engine == "cpu" or name in EAGER]


def shows(habit: str, name: str, engine: str) -> bool:
    """Tell whether a habit can show of a rule what it does not of others; numbers are edited where there are some."""
    if habit.startswith("numbers_of_all"):
        return name == "shared"
    if habit.startswith("numbers"):
        return name in ("NAdam", "numbers")
    return engine == "eager" or name not in ALIKE or habit.startswith("gradient")


def cases(habits: Iterable[str]) -> list[tuple[str, str, str]]:
    return [(habit, name, engine) for habit in habits for name, engine in EACH if shows(habit, name, engine)]


TORCH_LIKE = {
    "rate_of_numpy_in_single_precision": "rate_of_numpy",
    "rate_in_bfloat16": "rate_of_numpy",
    "steps_replaced_by_numbers": "steps_replaced",
    "numbers_plain": "numbers_edited",
}
"""What torch does instead: it goes on in single precision with such rates, or fails, and refuses plain numbers."""

LAXER = {
    "gradient_of_another_dtype": ("RMSprop", "Adam", "AdamW", "amsgrad", "NAdam"),
    "gradient_of_wider_dtype": ("RMSprop", "Adam", "AdamW", "amsgrad", "NAdam"),
    "gradient_yet_to_be_conjugated": ("Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "amsgrad", "NAdam"),
}
"""Habits at which torch raises and ours do not.

They compute in the weight's precision, whatever the gradient's is, and resolve a lazy view of a complex one.
"""

OTHERWISE = {"gradient_is_the_weight": ("AdamW",), "numbers_in_single_precision": ("NAdam",)}
"""Habits at which the numbers differ.

torch's AdamW shrinks the weights first and then reads the gradient there; its NAdam goes on in single precision.
"""

REFUSED = {"parameter_given_twice": ("NAdam",), "numbers_of_another_shape": ("NAdam",)}
"""Habits at which ours raise an error of their own: a rule's number would count one step twice, or be several."""


@pytest.fixture
def settings_put_back():
    """Threads and default dtype as before the test."""
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    yield
    torch.set_num_threads(threads)
    torch.set_default_dtype(dtype)


def ours(name: str, engine: str) -> Callable[..., Any]:
    """Return what makes one of our optimizers."""
    kind, options = RULES[name]
    make = getattr(surefoot.torch, kind) if kind else partial(RuleOptimizer, rule=slowing)
    return partial(make, **options, engine=engine)


def torchs(name: str) -> Callable[..., Any] | None:
    """Return what makes torch's optimizer of the same rule, if it has one."""
    kind, options = RULES[name]
    make = getattr(torch.optim, kind, None) if kind else None
    return make and partial(make, **options, foreach=False)


def check_same(found: list[dict[str, Any]], expected: list[dict[str, Any]], bound: float | None = None) -> None:
    """Check that what is expected was found, to 1e-12 of a number in double precision; counts may be of any dtype."""
    for mine, theirs in zip(found, expected, strict=True):
        for key, x in theirs.items():
            if not isinstance(x, Tensor):
                assert float(mine[key]) == x if key == "step" else mine[key] == x
            elif key == "step":
                assert float(mine[key]) == float(x)
            else:
                wide = torch.float32 not in (x.dtype, mine["weight"].dtype)
                near = bound if bound is not None else 1e-12 if wide else 1e-5
                dense = x.to_dense() if x.is_sparse else x
                # torch casts all that a checkpoint holds to the weights' dtype; a number here is float64 always
                assert_near(mine[key].to(x.dtype) if key in NUMBERS else mine[key], dense, near)


def stepped(
    optimizer: Any, way: Callable[[Any], object], make: Callable[..., Any] | None, bound: float | None
) -> type | None:
    """Step; where there is `make`, beside a twin made of what is visible. Return the kind of error, if there is one."""
    twin = make and twin_of(optimizer, make)
    error = attempt(way, optimizer)
    if twin is not None:
        assert attempt(way, twin) is error
        if error is None:
            check_same(visible(optimizer), visible(twin), bound)
    return error


def attempt(way: Callable[[Any], object], optimizer: Any) -> type | None:
    try:
        way(optimizer)
    except Exception as error:  # which error it is, is the question
        return type(error)
    return None


def history(
    make: Callable[..., Any],
    change: Callable[[Any], Any],
    way: Callable[[Any], object],
    twin: Callable[..., Any] | None = None,
    bound: float | None = None,
) -> list[Any]:
    """Return what is seen after a step that follows the change, taken in that way, and after an ordinary one.

    Where there is `twin`, which makes an optimizer, each step is compared with one on what was visible before it. Two
    ordinary steps come first. They are the same before every change, and looked at where there is none.
    """
    optimizer, seen = make(parameters()), []
    for k in range(4):
        give_gradients(optimizer, k)
        if k == 2:
            optimizer = change(optimizer) or optimizer
        looked_at = k >= 2 or change is nothing
        error = stepped(optimizer, way if k == 2 else WAYS["plainly"], twin if looked_at else None, bound)
        if error is not None:
            return [*seen, error]
        if looked_at:
            seen.append(numbers(optimizer))
    return seen


@functools.lru_cache(maxsize=1)  # the engines follow each other
def torchs_history(name: str, change: Callable[[Any], Any], way: Callable[[Any], Any]) -> list[Any]:
    make = torchs(name)
    return [] if make is None else history(make, change, way)


def check_habit(name: str, engine: str, habit: str, change: Callable[[Any], Any], way: Callable[[Any], Any]) -> None:
    theirs = torchs_history(name, CHANGES.get(TORCH_LIKE.get(habit, ""), change), way)
    alone = engine == "eager" and theirs  # then torch's steps are the check
    mine = history(ours(name, engine), change, way, None if alone else ours(name, "eager"))
    if name in LAXER.get(habit, ()):
        assert isinstance(theirs[-1], type)
        assert not isinstance(mine[-1], type)
    elif name in REFUSED.get(habit, ()):
        assert mine[-1] is UsageError
    elif theirs and name not in OTHERWISE.get(habit, ()):
        for one, other in zip(mine, theirs, strict=True):
            assert one is other if isinstance(one, type) else check_same(one, other) is None


@pytest.mark.parametrize(("habit", "name", "engine"), cases(CHANGES))
def test_a_change_between_two_steps(habit, name, engine):
    check_habit(name, engine, habit, CHANGES[habit], WAYS["plainly"])


@pytest.mark.parametrize(("habit", "name", "engine"), cases(WAYS))
def test_a_way_to_step(habit, name, engine):
    check_habit(name, engine, habit, nothing, WAYS[habit])


AROUND = {"ema": 0.9, "max_grad_norm": 0.5, "max_grad_value": 0.3, "state_dtype": torch.bfloat16, "seed": 7}


@pytest.mark.parametrize("habit", ["nothing", *(habit for habit in CHANGES if shows(habit, "own", "cpu"))])
def test_a_change_with_all_around_a_rule(habit):
    """The same kernel on new tables, made from what can be seen, takes the same step to the last bit."""
    make = partial(ours("Adam", "cpu"), **AROUND)
    history(make, CHANGES.get(habit, nothing), WAYS["plainly"], make, bound=0.0)


def nothing(_: Any) -> None:
    """Change nothing."""
