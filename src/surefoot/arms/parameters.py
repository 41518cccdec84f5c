"""The first argument of an optimizer: parameters, groups, named parameters or the model itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from surefoot.errors import TrialError, UsageError

MODEL = ("model", "module", "net", "network")
NAMED = ("named_parameters", "named_params")

Groups = Callable[[list[tuple[str, Any]]], Iterable[Mapping[str, Any]]]
"""A user's function from the names and parameters of a model to torch's param groups."""


def parameters_of(given: Any, groups: Groups | None = None) -> list[Any]:
    """Return the parameters of a model, in groups if a function says so.

    Args:
        given: a model, or parameters.
        groups: makes groups of the named parameters.

    Raises:
        TrialError: groups without a model, that raise, that leave a parameter out or have one twice.
    """
    if groups is None:
        return list(given.parameters()) if _is_model(given) else list(given)
    named = named_of(given, "groups=")
    try:
        made = [dict(group, params=list(group["params"])) for group in groups(named)]
    except Exception as error:
        raise TrialError(
            f"groups= raises {type(error).__name__}: {error}; it gets a list of names and parameters, and has to "
            "return param groups, such as [{'params': [...], 'weight_decay': 0.0}]."
        ) from error
    counts: dict[int, int] = {}
    for group in made:
        for parameter in group["params"]:
            counts[id(parameter)] = counts.get(id(parameter), 0) + 1
    wrong = [name for name, parameter in named if parameter.requires_grad and counts.get(id(parameter), 0) != 1]
    if wrong:
        raise TrialError(f"groups= has to have every parameter once; missing or repeated: {', '.join(wrong)}.")
    return made


def argument_of(name: str, given: Any, groups: Groups | None = None) -> Any:
    """Return the first argument of a class, by its name there: a model, named parameters or parameters.

    Raises:
        TrialError: a class that takes a model or names, and parameters are given, or groups are.
    """
    if name not in MODEL and name not in NAMED:
        return parameters_of(given, groups)
    if groups is not None:
        raise TrialError(f"it takes {name} and makes its groups itself; leave groups= out.")
    named = named_of(given, f"a class that takes {name}")
    return given if name in MODEL else named


def named_of(given: Any, who: str) -> list[tuple[str, Any]]:
    """Return the names and parameters of a model; `TrialError` if it is none."""
    if not _is_model(given):
        raise TrialError(f"{who} needs the model; give the model in the place of its parameters.")
    return list(given.named_parameters())


def check_groups(groups: Any) -> None:
    """Raise `UsageError` for groups that are no function."""
    if groups is not None and not callable(groups):
        raise UsageError(
            f"groups is {groups!r}; give a function that makes param groups of a list of names and parameters."
        )


def _is_model(given: Any) -> bool:
    return callable(getattr(given, "named_parameters", None))
