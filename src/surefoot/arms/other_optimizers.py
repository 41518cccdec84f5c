"""Optimizers that are not ours: any class that is made as torch's are, `cls(parameters, lr=..., ...)`.

What it can be tuned in is read from its signature, so that it gets as many dimensions, as wide, as an optimizer of
ours. A pair `betas` is searched, stored and shown as `beta1` and `beta2`, the names that every other optimizer has.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from surefoot.arms.code_hash import written
from surefoot.errors import TrialError, UsageError, unknown
from surefoot.search.space import DECAY, DECAY_SOURCE, EPS, ORDER, SHARE, Space, dimensions_for, lr_window
from surefoot.store.ranges import GIVEN_BY_USER, Dimension

Make = Callable[..., Any]
"""An optimizer class, or a function that returns an optimizer."""

PAIR = ("beta1", "beta2")
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
    if isinstance(make, type) and (needed := _needed(make)):
        raise UsageError(
            f"{name_of(make)} cannot be compared: its step() needs {' and '.join(needed)}, and every optimizer gets "
            "the same: one gradient of each batch, and step(). Leave it out; a class of yours may take closure=None."
        )
    made: Make = make
    return made


def _needed(make: Any) -> list[str]:
    """The arguments without which a class takes no step, such as the closure of torch's LBFGS."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = list(inspect.signature(make.step).parameters.values())[1:]
    return [p.name for p in parameters if p.default is MISSING and p.kind in positional]


def hyper(make: Make, given: Mapping[str, Any], ranges: Mapping[str, Dimension]) -> dict[str, Any]:
    """Return the value of every option that can be told: given, the class's own, or the middle of its range.

    Raises:
        UsageError: an option that the class does not take, or a learning rate that nobody gives.
    """
    defaults, open_ended = _signature(make)
    known = _paired(defaults)
    for name in (*given, *ranges):
        if not open_ended and name not in known and name not in defaults:
            raise unknown(f"option of {name_of(make)}", name, known)
    middles = {name: dimension.at(0.5) for name, dimension in ranges.items()}
    values = {**middles, **{name: value for name, value in known.items() if value is not MISSING}, **_paired(given)}
    if "lr" in known and "lr" not in values:
        raise UsageError(
            f"{name_of(make)} has no learning rate of its own; give one: surefoot.Opt({make.__qualname__}, lr=0.1)."
        )
    return {name: plain_value(value) for name, value in values.items()}


def build(make: Make, parameters: Any, label: str, given: Mapping[str, Any], ranges: Mapping[str, Dimension]) -> Any:
    """Make the optimizer; `TrialError` with the options it takes if it refuses those that were given.

    What the class has no default for is in the middle of its range, as `hyper` says.
    """
    known = _paired(_signature(make)[0])
    middles = {name: range_.at(0.5) for name, range_ in ranges.items() if known.get(name, MISSING) is MISSING}
    options = {**middles, **given}
    try:
        return make(parameters, **_torchs(make, options))
    except (TypeError, ValueError) as error:
        takes = ", ".join(_signature(make)[0])
        raise TrialError(
            f"optimizer {label}: {name_of(make)} refuses its options {dict(options)}: {error}. It takes {takes}."
        ) from error


def space(make: Make, trials: int, given: Mapping[str, Any], ranges: Mapping[str, Dimension]) -> Space:
    """Return what is searched, by the same list and as wide as for our own optimizers.

    The learning-rate window is centred on the class's default, or on the value given.
    """
    values = hyper(make, {}, ranges)
    fixed = _paired(given)
    searched = {name for name, value in values.items() if _searchable(name, value)}
    names = [name for name in dimensions_for(searched, trials) if name not in fixed]
    found: dict[str, tuple[Dimension, str]] = {name: _informed(name, values) for name in names if name not in ranges}
    found |= {name: (range_, GIVEN_BY_USER) for name, range_ in ranges.items()}
    order = sorted(found, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    return Space({name: found[name][0] for name in order}, {name: found[name][1] for name in order})


def _informed(name: str, values: Mapping[str, Any]) -> tuple[Dimension, str]:
    if name == "lr":
        return lr_window(float(values["lr"])), "the class's own default in the middle"
    if name == "weight_decay":
        return DECAY, DECAY_SOURCE
    return (EPS, "as Adam's [assumed]") if name == "eps" else (SHARE, "as beta1 and momentum [assumed]")


def _searchable(name: str, value: Any) -> bool:
    """Whether an option is one of those that are searched, and a part that this optimizer has."""
    return name in ORDER and isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _signature(make: Make) -> tuple[dict[str, Any], bool]:
    """Return the defaults of all options, and whether it takes others too."""
    parameters = list(inspect.signature(make).parameters.values())[1:]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
    return {p.name: p.default for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}, open_ended


def _paired(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with `betas` as two."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        pair = name == "betas" and isinstance(value, tuple | list) and len(value) == len(PAIR)
        found |= dict(zip(PAIR, value, strict=True)) if pair else {name: value}
    return found


def _torchs(make: Make, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as the class takes them: beta1 and beta2 as `betas` again."""
    defaults = _signature(make)[0]
    betas = defaults.get("betas")
    own = _paired(options)
    if not isinstance(betas, tuple | list) or not set(own) & set(PAIR):
        return dict(options)
    pair = tuple(own.pop(name, default) for name, default in zip(PAIR, betas, strict=True))
    return {**own, "betas": pair}


def plain_value(value: Any) -> Any:
    """Return the value, or how it is written if JSON has no such thing."""
    if isinstance(value, tuple | list):
        return [plain_value(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else written(value, repr)
