"""The role of each variable of a Keras model by its layer's type, and the reason.

Keras writes kernels as inputs by outputs, and convolutions with the outputs last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keras import layers

from surefoot.errors import UsageError
from surefoot.frontends.roles import (
    HEADS,
    NAMED_EMBEDDING,
    FoundRole,
    Overrides,
    heads_said,
    is_vector,
    overridden,
    shape_text,
)

KERNELS = ("kernel", "recurrent_kernel")
NO_MATRIX = ("Depthwise", "Separable", "Transpose")
"""Convolutions whose kernel is no matrix of outputs by all else."""


def roles(
    model: Any, *, head: str | Sequence[str] | None = None, overrides: Overrides | None = None
) -> dict[str, FoundRole]:
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
    return overridden(found, {path: v for path, (_, v) in places.items()}, overrides or {})


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
    said = heads_said(dict.fromkeys((layer.name for layer in kernels), ()), head)
    return {id(layer): said[layer.name] for layer in kernels if layer.name in said}


def _read(layer: Any, variable: Any, heads: Mapping[int, str], stem: Sequence[Any]) -> FoundRole:
    kind, name, shape = type(layer).__name__, variable.name, variable.shape
    if "Embedding" in kind and not is_vector(shape):
        return FoundRole("embedding", f"by its layer, {kind}")
    if "Normalization" in kind or ("norm" in kind.lower() and is_vector(shape)):
        return FoundRole("norm", f"by its layer, {kind}")
    if "bias" in name and is_vector(shape):
        return FoundRole("bias", f"by its name, in {kind}")
    if name in KERNELS and id(layer) in heads:
        return FoundRole("head", f"{heads[id(layer)]} ({kind})")
    if name not in KERNELS and NAMED_EMBEDDING.search(name):
        return FoundRole("embedding", f"by its name, in {kind}")
    if is_vector(shape):
        return FoundRole("gain", f"by its shape, {shape_text(shape)}")
    return _kernel(layer, kind, name, shape, stem)


def _kernel(layer: Any, kind: str, name: str, shape: Sequence[int], stem: Sequence[Any]) -> FoundRole:
    if _is_conv(layer) and not any(word in kind for word in NO_MATRIX):
        first = any(layer is one for one in stem)
        return FoundRole("first conv" if first else "conv", f"{'the first, ' if first else ''}by its layer, {kind}")
    known = isinstance(layer, layers.Dense | layers.EinsumDense) or hasattr(layer, "recurrent_kernel")
    if name in KERNELS and known and len(shape) == 2:
        return FoundRole("hidden", f"by its layer, {kind}")
    return FoundRole("other", f"in a layer of unknown kind, {kind} ({shape_text(shape)}); set it by overrides=")
