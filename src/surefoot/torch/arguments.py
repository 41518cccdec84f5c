"""The constructor arguments of the torch optimizers: torch's checks in its words, and other conventions' defaults."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from torch import Tensor

from surefoot.conventions import convention as find_convention
from surefoot.errors import UsageError

Init = TypeVar("Init", bound=Callable[..., None])

_RANGES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "lr": ("Invalid learning rate: {}", lambda x: x >= 0.0),
    "eps": ("Invalid epsilon value: {}", lambda x: x >= 0.0),
    "momentum": ("Invalid momentum value: {}", lambda x: x >= 0.0),
    "weight_decay": ("Invalid weight_decay value: {}", lambda x: x >= 0.0),
    "lr_decay": ("Invalid lr_decay value: {}", lambda x: x >= 0.0),
    "initial_accumulator_value": ("Invalid initial_accumulator_value value: {}", lambda x: x >= 0.0),
    "alpha": ("Invalid alpha value: {}", lambda x: x >= 0.0),
    "rho": ("Invalid rho value: {}", lambda x: 0.0 <= x <= 1.0),
    "final_lr": ("Invalid final learning rate: {}", lambda x: x >= 0.0),
    "gamma": ("Invalid gamma parameter: {}; it must be above 0 and below 1", lambda x: 0.0 < x < 1.0),
}


def check(defaults: Mapping[str, Any]) -> None:
    """Raise torch's error for the first argument that torch.optim would refuse."""
    if isinstance(defaults["lr"], Tensor):
        _check_tensor_lr(defaults)
    for name, (message, allows) in _RANGES.items():
        if name in defaults and not allows(defaults[name]):
            raise ValueError(message.format(defaults[name]))
    if "betas" in defaults:
        _check_betas(defaults)
    if defaults.get("nesterov") and (defaults["momentum"] <= 0 or defaults["dampening"] != 0):
        raise ValueError("Nesterov momentum requires a momentum and zero dampening")
    _check_implementation(defaults)


def _check_tensor_lr(defaults: Mapping[str, Any]) -> None:
    if "betas" in defaults and defaults["foreach"] and not defaults["capturable"]:
        raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
    if defaults["lr"].numel() != 1:
        raise ValueError("Tensor lr must be 1-element")


def _check_betas(defaults: Mapping[str, Any]) -> None:
    betas = defaults["betas"]
    for index in (0, 1):
        if not 0.0 <= betas[index] < 1.0:
            raise ValueError(f"Invalid beta parameter at index {index}: {betas[index]}")
    if not any(all(isinstance(beta, kind) for beta in betas[:2]) for kind in (float, Tensor)):
        raise ValueError("betas must be either both floats or both Tensors")
    if isinstance(betas[0], Tensor) and defaults["foreach"] and not defaults["capturable"]:
        raise ValueError("betas[0] as a Tensor is not supported for capturable=False and foreach=True")


def _check_implementation(defaults: Mapping[str, Any]) -> None:
    if defaults.get("fused"):
        if defaults["differentiable"]:
            raise RuntimeError("`fused` does not support `differentiable`")
        if defaults["foreach"]:
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def conventional(init: Init) -> Init:
    """Let a constructor with torch's defaults take those of its `convention=` for every argument not given."""
    signature = inspect.signature(init)

    @functools.wraps(init)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> None:
        framework = kwargs.get("convention", "torch")
        if framework != "torch":
            given = signature.bind(self, *args, **kwargs).arguments
            kwargs.update(_defaults(self.name, framework, given))
        init(self, *args, **kwargs)

    return wrapper  # type: ignore[return-value]


def _defaults(rule: str, framework: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a convention's defaults in torch's spelling, for what is not given. The betas are the same everywhere."""
    names, defaults = find_convention(rule, "torch").names, find_convention(rule, framework).defaults
    if "lr" not in defaults and "lr" not in given:
        raise UsageError(f"{rule}: the {framework} convention has no default learning rate; give one: lr=...")
    spelled = {theirs: defaults[ours] for ours, theirs in names.items() if ours in defaults and "[" not in theirs}
    return {name: value for name, value in spelled.items() if name not in given}
