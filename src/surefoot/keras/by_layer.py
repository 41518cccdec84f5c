"""The role of each variable of a Keras model by its layer's type, and the reason.

Keras writes kernels as inputs by outputs, and convolutions with the outputs last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from keras import layers

from surefoot.errors import UsageError, unknown
from surefoot.frontends.roles import HEADS, NAMED_EMBEDDING, fitting, is_vector, said_role, shape_text

KERNELS = ("kernel", "recurrent_kernel")
NO_MATRIX = ("Depthwise", "Separable", "Transpose")
"""Convolutions whose kernel is no matrix of outputs by all else."""

Overrides = Mapping[str, str] | Callable[[str, Any], str | None]


class VariableRole(NamedTuple):
    """The role of a variable, a name of `surefoot.frontends.roles.ROLES`, and the reason."""

    role: str
    reason: str


def roles(
    model: Any, *, head: str | Sequence[str] | None = None, overrides: Overrides | None = None
) -> dict[str, VariableRole]:
    """Return the role of each trainable variable by its path, `mlp/dense/kernel`, with the reason.

    Args:
        model: a model that is built.
        head: names or patterns of the output layers; `()` if there is none. By default one called head, classifier or
            logits, else the last dense or convolutional layer.
        overrides: for a pattern of paths (`"*/mixer/kernel"`) a role, or `matrices` or `rest`; or a function of path
            and variable that returns one, or None to leave it.

    Raises:
        UsageError: a model without trainable variables; a pattern that fits nothing; a role that cannot be.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="logits")])
        >>> [one.role for one in roles(model).values()]
        ['head', 'bias']
    """
    owners = {id(v): (layer, v) for layer in _layers(model) for v in layer.trainable_variables}  # the innermost is last
    if not owners:
        raise UsageError(f"{model.name} has no trainable variable; build it first, by a batch or an Input layer.")
    stems = [layer for layer in _layers(model) if _is_conv(layer)]
    heads = _heads([layer for layer, v in owners.values() if v.name in KERNELS], head)
    places = {v.path: (layer, v) for layer, v in owners.values()}
    found = {path: _read(layer, v, heads, stems[:1]) for path, (layer, v) in places.items()}
    return {**found, **dict(_overridden({path: v for path, (_, v) in places.items()}, found, overrides or {}))}


def _layers(model: Any) -> list[Any]:
    return [layer for layer in model._flatten_layers() if layer is not model or not model.layers]


def _is_conv(layer: Any) -> bool:
    kernel = getattr(layer, "kernel", None)
    return kernel is not None and "Conv" in type(layer).__name__ and len(kernel.shape) > 2


def _heads(kernels: Sequence[Any], head: str | Sequence[str] | None) -> dict[int, str]:
    """Return the output layers by their `id`, each with the reason."""
    if head is None:
        called = [layer for layer in kernels if layer.name in HEADS]
        last = {id(layer): "the last layer" for layer in kernels[-1:]}
        return {id(layer): "by its name" for layer in called} or last
    reasons = {}
    for pattern in [head] if isinstance(head, str) else head:
        fits = [layer for layer in kernels if fnmatchcase(layer.name, pattern)]
        if not fits:
            raise unknown("layer in head", pattern, [layer.name for layer in kernels])
        reasons.update({id(layer): "head= says so" for layer in fits})
    return reasons


def _read(layer: Any, variable: Any, heads: Mapping[int, str], stem: Sequence[Any]) -> VariableRole:
    kind, name, shape = type(layer).__name__, variable.name, variable.shape
    if "Embedding" in kind and not is_vector(shape):
        return VariableRole("embedding", f"by its layer, {kind}")
    if "Normalization" in kind or ("norm" in kind.lower() and is_vector(shape)):
        return VariableRole("norm", f"by its layer, {kind}")
    if "bias" in name and is_vector(shape):
        return VariableRole("bias", f"by its name, in {kind}")
    if name in KERNELS and id(layer) in heads:
        return VariableRole("head", f"{heads[id(layer)]} ({kind})")
    if name not in KERNELS and NAMED_EMBEDDING.search(name):
        return VariableRole("embedding", f"by its name, in {kind}")
    if is_vector(shape):
        return VariableRole("gain", f"by its shape, {shape_text(shape)}")
    return _kernel(layer, kind, name, shape, stem)


def _kernel(layer: Any, kind: str, name: str, shape: Sequence[int], stem: Sequence[Any]) -> VariableRole:
    if _is_conv(layer) and not any(word in kind for word in NO_MATRIX):
        first = any(layer is one for one in stem)
        return VariableRole("first conv" if first else "conv", f"{'the first, ' if first else ''}by its layer, {kind}")
    known = isinstance(layer, layers.Dense | layers.EinsumDense) or hasattr(layer, "recurrent_kernel")
    if name in KERNELS and known and len(shape) == 2:
        return VariableRole("hidden", f"by its layer, {kind}")
    return VariableRole("other", f"in a layer of unknown kind, {kind} ({shape_text(shape)}); set it by overrides=")


def _overridden(
    variables: Mapping[str, Any], found: Mapping[str, VariableRole], overrides: Overrides
) -> Iterator[tuple[str, VariableRole]]:
    if callable(overrides):
        answers = [(path, overrides(path, variable), "a function") for path, variable in variables.items()]
    else:
        names = dict.fromkeys(variables, ())
        every = [(fitting(names, pattern, "overrides"), pattern, role) for pattern, role in overrides.items()]
        answers = [(path, role, repr(pattern)) for fits, pattern, role in every for path in fits]
    for path, said, by in answers:
        if said:
            role, before = said_role(path, variables[path].shape, said), found[path]
            yield path, VariableRole(role, f"overrides say so ({by}), and not {before.role}; {before.reason}")
