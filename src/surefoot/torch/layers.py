"""The place of each parameter in a model, and the layer that is the output head.

A model does not say which layer comes last: what Hugging Face's models say is believed, then names, then the order in
which layers were made. A layer of a stack of equal blocks is not the head, though it be the last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from surefoot.errors import UsageError
from surefoot.frontends.roles import HEADS, heads_said, is_vector

TRANSPOSED_CONVS = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED_CONVS)
LINEAR = re.compile(r"Linear|Dense|^Conv1D$")
"""Class names of other libraries' linear layers. Conv1D is Hugging Face's, with outputs as columns."""

PARAMETRIZED = re.compile(r"(?:(?P<owner>.*)\.)?parametrizations\.[^.]+")
"""The path of a parametrized weight in torch, such as the two parts of a `weight_norm`."""

COMPILED = re.compile(r"(^|\.)_orig_mod(?=\.|$)")
"""The prefix that `torch.compile` adds to a path."""


@dataclass(frozen=True, eq=False)
class Use:
    """One place of a parameter: a module and the name that it has there."""

    path: str
    attribute: str
    module: nn.Module
    parameter: Tensor

    @property
    def name(self) -> str:
        """Its name in the model."""
        return f"{self.path}.{self.attribute}" if self.path else self.attribute

    @property
    def kind(self) -> str:
        """The class name of its module."""
        return type(self.module).__name__

    @property
    def is_layer(self) -> bool:
        """Whether its module is known to multiply by it."""
        known = (nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention, *CONVS)
        return is_linear(self.module) or isinstance(self.module, known)

    @property
    def is_vector(self) -> bool:
        """Whether at most one axis is longer than 1."""
        return is_vector(self.parameter.shape)

    @property
    def is_weight(self) -> bool:
        """Whether it is a layer's weight."""
        return self.attribute == "weight" and self.parameter.dim() > 1


def is_linear(module: nn.Module) -> bool:
    """Return whether a module is a linear layer, by its type or its class name."""
    return isinstance(module, nn.Linear) or bool(LINEAR.search(type(module).__name__))


def owners(model: nn.Module) -> dict[int, list[Use]]:
    """Return the places of each trainable parameter, under its `id`, in the model's order.

    Raises:
        UsageError: what is given is no module, or has nothing to train; or weights whose shape is not known yet.
    """
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"a {type(model).__name__} is given, and roles are read from a model's modules; give the model itself. A "
            "bag of parameters takes one rule: surefoot.torch.RuleOptimizer(parameters, 'adamw')."
        )
    inner = model.module if isinstance(model, nn.parallel.DistributedDataParallel | nn.DataParallel) else model
    found: dict[int, list[Use]] = {}
    for use in _uses(inner):
        if is_lazy(use.parameter):
            raise UsageError(f"{use.name} has no shape yet; run a batch through the model first.")
        if use.parameter.requires_grad:
            found.setdefault(id(use.parameter), []).append(use)
    if not found:
        raise UsageError(
            f"{type(model).__name__} has no parameter that requires a gradient; there is nothing to train."
        )
    return found


def _uses(model: nn.Module) -> Iterable[Use]:
    modules = {COMPILED.sub("", path).lstrip("."): module for path, module in model.named_modules()}
    for path, module in modules.items():
        for attribute, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            part = PARAMETRIZED.fullmatch(path)
            yield (
                _Part(path, attribute, modules[part["owner"] or ""], parameter)
                if part
                else Use(path, attribute, module, parameter)
            )


class _Part(Use):
    """A part of what torch's parametrizations make a weight of, such as direction and length."""

    @property
    def is_weight(self) -> bool:
        """Whether it is as wide as the weight."""
        return not self.is_vector


def stacked(use: Use, among: Iterable[Use]) -> int:
    """Return how many other layers have the same place in equal blocks; 0 for a single one."""
    others = (other for other in among if other is not use and other.parameter.shape == use.parameter.shape)
    return sum(_place(other.path) == _place(use.path) for other in others)


def _place(path: str) -> str:
    """Return a path without the numbers of blocks: `h.11.mlp.c_proj` as `h.*.mlp.c_proj`."""
    return re.sub(r"(?<=\.)\d+(?=\.)", "*", f".{path}")


class Heads:
    """The output layers of a model.

    Args:
        model: the model.
        uses: its parameters' places.
        given: names or patterns of modules; None to find the head.
    """

    def __init__(self, model: nn.Module, uses: Mapping[int, list[Use]], given: str | Sequence[str] | None) -> None:
        every = [use for names in uses.values() for use in names]
        self.layers = [
            use for use in every if use.is_weight and (is_linear(use.module) or isinstance(use.module, CONVS))
        ]
        self._passed: Use | None = None
        self._reasons: dict[int, str] = self._given(given) if given is not None else self._found(model)

    def reason(self, use: Use) -> str:
        """Return why a parameter's module is an output layer; nothing if it is none."""
        return self._reasons.get(id(use.module), "")

    def passed_over(self, use: Use) -> str:
        """Return what to say of the last layer, where it is not the head."""
        last = self._passed is not None and use.module is self._passed.module
        return "; the last layer, but one of a stack: head= can name a head" if last else ""

    def _given(self, given: str | Sequence[str]) -> dict[int, str]:
        said = heads_said(dict.fromkeys((use.path for use in self.layers), ()), given)
        return {id(use.module): said[use.path] for use in self.layers if use.path in said}

    def _found(self, model: nn.Module) -> dict[int, str]:
        says = getattr(model, "get_output_embeddings", None)
        said = says() if callable(says) else None
        if said is not None:
            return {id(said): "get_output_embeddings() says so"}
        if called := self._called():
            return {id(use.module): "by its name" for use in called}
        if not self.layers:
            return {}
        last = self.layers[-1]
        if stacked(last, self.layers):
            self._passed = last
            return {}
        return {id(last.module): "the last layer"}

    def _called(self) -> list[Use]:
        """Return the last top-level layer under each name that means a head."""
        under: dict[str, Use] = {}
        for use in self.layers:
            parts = use.path.split(".")
            named = next((i for i, part in enumerate(parts) if part in HEADS or part.isdigit()), None)
            if named is not None and parts[named] in HEADS:
                under[".".join(parts[: named + 1])] = use
        return list(under.values())
