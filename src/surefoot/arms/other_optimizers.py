"""Optimizers of other libraries: any class with torch's call, `cls(parameters, lr=..., ...)`.

What it can be tuned in is read from its signature, so that it gets as many dimensions, as wide, as an optimizer of
ours. A pair `betas` is searched, stored and shown as `beta1` and `beta2`, the names that every other optimizer has.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from surefoot.arms.code_hash import written
from surefoot.arms.several_optimizers import together
from surefoot.errors import TrialError, UsageError, unknown
from surefoot.search.space import DECAY, DECAY_SOURCE, EPS, ORDER, SHARE, dimensions_for, lr_window, searched
from surefoot.store.design import Search
from surefoot.store.ranges import Range
from surefoot.values import is_number

Make = Callable[..., Any]
"""An optimizer class, or a function that returns an optimizer."""

PAIR = ("beta1", "beta2")
CLOSURE = "closure"
MISSING = inspect.Parameter.empty


def name_of(make: Make) -> str:
    """Return the full name of a class, as the store keeps it."""
    return f"{make.__module__}.{make.__qualname__}"


def check(make: Any) -> Make:
    """Return what makes an optimizer; `UsageError` if it cannot be one."""
    if not callable(make) or not hasattr(make, "__qualname__"):
        raise UsageError(
            f"{make!r} is no optimizer; give a name such as 'adam', a rule, a class such as torch.optim.NAdam, or "
            "surefoot.Opt."
        )
    if isinstance(make, type) and not hasattr(make, "step"):
        raise UsageError(f"{name_of(make)} has no method step; give an optimizer class such as torch.optim.NAdam.")
    if isinstance(make, type) and (needed := [name for name in _needed(make) if name != CLOSURE]):
        raise UsageError(
            f"{name_of(make)} cannot be compared: its step() needs {' and '.join(needed)}, and a step is given nothing "
            "but a closure, which computes loss and gradients again. Leave it out, or make them optional."
        )
    made: Make = make
    return made


def _needed(make: Any) -> list[str]:
    """Return the arguments that a class's step requires, such as the closure of torch's LBFGS."""
    step = list(inspect.signature(make.step).parameters.values())[1:]
    return [p.name for p in step if p.default is MISSING and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def needs_closure(make: Make) -> bool:
    """Return whether a class requires a closure, as torch's LBFGS does."""
    return isinstance(make, type) and CLOSURE in _needed(make)


def first_argument(make: Make) -> str:
    """Return what a class calls that which it optimizes."""
    return next(iter(inspect.signature(make).parameters), "")


def hyper(make: Make, given: Mapping[str, Any], ranges: Mapping[str, Range]) -> dict[str, Any]:
    """Return the value of every known option: given, the class's default, or the middle of its range.

    Raises:
        UsageError: an option that the class does not take.
    """
    defaults, open_ended = _signature(make)
    known = _paired(defaults)
    for name in (*given, *ranges):
        if not open_ended and name not in known and name not in defaults:
            raise unknown(f"option of {name_of(make)}", name, known)
    middles = {name: dimension.at(0.5) for name, dimension in ranges.items()}
    values = {**middles, **{name: value for name, value in known.items() if value is not MISSING}, **_paired(given)}
    return {name: plain_value(value) for name, value in values.items()}


def check_lr(make: Make, values: Mapping[str, Any]) -> None:
    """Raise `UsageError` if a class has a learning rate without a value."""
    if "lr" in _signature(make)[0] and "lr" not in values:
        raise UsageError(
            f"{name_of(make)} has no learning rate of its own; give one: surefoot.Opt({make.__qualname__}, lr=0.1)."
        )


def build(make: Make, parameters: Any, label: str, given: Mapping[str, Any], ranges: Mapping[str, Range]) -> Any:
    """Make the optimizer; `TrialError` with its options if it refuses the given ones.

    What the class has no default for is in the middle of its range, as `hyper` says.
    """
    takes = _signature(make)[0]
    known = _paired(takes)
    middles = {name: range_.at(0.5) for name, range_ in ranges.items() if known.get(name, MISSING) is MISSING}
    options = {**middles, **given}
    try:
        return together(make(parameters, **_torchs(make, options)))
    except (TypeError, ValueError) as error:
        raise TrialError(
            f"optimizer {label}: {name_of(make)} refuses its options {options}: {error}. It takes {', '.join(takes)}."
        ) from error


def space(make: Make, trials: int, given: Mapping[str, Any], ranges: Mapping[str, Range]) -> Search:
    """Return its search space, from the same list and as wide as for our own optimizers.

    The learning-rate window is centred on the class's default, or on the value given.
    """
    values = hyper(make, {}, ranges)
    fixed = _paired(given)
    numbers = {name for name, value in values.items() if is_number(value) and value > 0}
    names = [name for name in dimensions_for(numbers, trials) if name not in fixed]
    ours = {name: _informed(name, values) for name in names if name not in ranges}
    order = sorted({**ours, **ranges}, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    return searched(order, ours, ranges)


def _informed(name: str, values: Mapping[str, Any]) -> tuple[Range, str]:
    if name == "lr":
        return lr_window(float(values["lr"])), "the class's own default in the middle"
    if name == "weight_decay":
        return DECAY, DECAY_SOURCE
    return (EPS, "as Adam's [assumed]") if name == "eps" else (SHARE, "as beta1 and momentum [assumed]")


def options_of(make: Make) -> Collection[str]:
    """Return the names of the options that a class has itself."""
    return _signature(make)[0].keys()


def _signature(make: Make) -> tuple[dict[str, Any], bool]:
    """Return the defaults of all options, and whether it takes others too."""
    parameters = list(inspect.signature(make).parameters.values())[1:]
    defaults = {p.name: p.default for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    return defaults, any(p.kind is p.VAR_KEYWORD for p in parameters)


def _paired(options: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in options.items():
        pair = name == "betas" and isinstance(value, tuple | list) and len(value) == len(PAIR)
        found |= dict(zip(PAIR, value, strict=True)) if pair else {name: value}
    return found


def _torchs(make: Make, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as the class takes them: beta1 and beta2 as `betas` again."""
    betas, own = _signature(make)[0].get("betas"), _paired(options)
    if not isinstance(betas, tuple | list) or not set(own) & set(PAIR):
        return dict(options)
    pair = tuple(own.pop(name, default) for name, default in zip(PAIR, betas, strict=True))
    return {**own, "betas": pair}


def plain_value(value: Any) -> Any:
    """Return the value, or how it is written if JSON has no such thing."""
    if isinstance(value, tuple | list):
        return [plain_value(item) for item in value]
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {name: plain_value(item) for name, item in value.items()}
    return value if is_plain(value) else written(value, repr)


def is_plain(value: Any) -> bool:
    """Return whether JSON has such a value."""
    if isinstance(value, tuple | list):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(name, str) and is_plain(item) for name, item in value.items())
    return value is None or isinstance(value, bool | int | float | str)
