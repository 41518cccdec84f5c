"""The role of each leaf of a tree by its path, and labels for `optax.multi_transform`.

A tree has names and shapes, and no modules; its order is the alphabet's and tells nothing. So the names decide that
Flax, Haiku and Equinox give, and of what they leave open the user is asked: which layer is the output head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from surefoot.errors import UsageError
from surefoot.frontends.roles import (
    HEADS,
    NAMED_EMBEDDING,
    FoundRole,
    Overrides,
    heads_said,
    is_vector,
    overridden,
    part_of,
    shape_text,
)
from surefoot.optax.leaves import described, dtype_of, moves

KERNELS = ("kernel", "w", "weight")
BIASES = ("bias", "b", "offset", "beta")
QKV = ("qkv", "qkv_proj", "to_qkv", "wqkv", "c_attn", "in_proj", "query_key_value")
FEW = 4
"""The most input channels of a convolution that sees an image."""


def roles(
    params: Any, *, head: str | Sequence[str] | None = None, overrides: Overrides | None = None
) -> dict[str, FoundRole]:
    """Return the role of each leaf by its path, `params.Dense_0.kernel`, with the reason.

    Args:
        params: a tree of weights, or of their shapes.
        head: the output layer by its path without the leaf's own name, or its end, or a pattern (`"Dense_2"`); or
            several; `()` if there is none. By default one called head, logits or classifier.
        overrides: for a pattern of paths (`"*.mixer.kernel"`) a role, or `matrices` or `rest`; or a function of path
            and leaf that returns one, or None to leave it.

    Raises:
        UsageError: no head is found or said; a pattern that fits nothing; a role that cannot be.
    """
    leaves = {path_text(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(params)}
    heads = _heads([*leaves], head)
    made = {path: _read(path.split("."), described(leaf), heads) for path, leaf in leaves.items()}
    return overridden(made, leaves, overrides or {})


def labels(params: Any, *, head: str | Sequence[str] | None = None, overrides: Overrides | None = None) -> Any:
    """Return a tree like the weights', of `"matrices"` and `"rest"`, for `optax.multi_transform`.

    `roles` of the same arguments tells why.

    Args:
        params: a tree of weights, or of their shapes.
        head: the output layer, as for `roles`.
        overrides: roles by patterns of paths, as for `roles`.

    Raises:
        UsageError: as `roles`.

    Example:
        >>> rules = {"matrices": surefoot.optax.lion(1e-4), "rest": surefoot.optax.adamw(1e-3)}
        >>> optimizer = optax.multi_transform(rules, surefoot.optax.labels(params, head="Dense_2"))
    """
    found = roles(params, head=head, overrides=overrides)
    return jax.tree_util.tree_map_with_path(lambda path, _: part_of(found[path_text(path)].role), params)


def path_text(path: Sequence[Any]) -> str:
    """Return a path in a tree as text, such as `params.Dense_0.kernel`, without Flax's box around a weight."""
    boxed = len(path) > 1 and getattr(path[-1], "name", "") == "value"
    keys = ((getattr(key, name) for name in ("key", "name", "idx") if hasattr(key, name)) for key in path)
    return ".".join([str(next(key)) for key in keys][: -1 if boxed else None])


def _heads(paths: Sequence[str], head: str | Sequence[str] | None) -> Mapping[str, str]:
    """Return the paths of the output layers, each with the reason."""
    layers = dict.fromkeys(path.rpartition(".")[0] for path in paths)
    if head is None:
        called = {path: "by its name" for path in layers if _called_head(path.split("."))}
        if not called:
            raise UsageError(
                "no leaf is called head, logits or classifier, and a tree's order does not say which layer is the "
                f"output head; name it, as in head={([*layers] or ['out'])[-1]!r}, or say head=() if there is none."
            )
        return called
    return heads_said({path: _ends(path) for path in layers}, head)


def _ends(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[i:]) for i in range(1, len(parts))]


def _called_head(parts: Sequence[str]) -> bool:
    """Return whether a name means head before any that ends with a block's number."""
    named = next((part for part in parts if part in HEADS or part[-1:].isdigit()), "")
    return named in HEADS


def _read(parts: Sequence[str], leaf: Any, heads: Mapping[str, str]) -> FoundRole:
    name, owner, shape = parts[-1].lower(), parts[-2].lower() if len(parts) > 1 else "", leaf.shape
    normalizes = "norm" in owner or owner.startswith(("ln", "bn"))
    if not moves(dtype_of(leaf)):
        return FoundRole("other", "no weight, by its kind of number")
    if is_vector(shape) and (normalizes or name in BIASES):
        return FoundRole("norm" if normalizes else "bias", "by its name")
    if len(shape) < 4 and not is_vector(shape) and ("embed" in owner or NAMED_EMBEDDING.search(name)):
        return FoundRole("embedding", "by its name")
    if name in KERNELS and (reason := heads.get(".".join(parts[:-1]))):
        return FoundRole("head", reason)
    if is_vector(shape):
        return FoundRole("gain", f"by its shape, {shape_text(shape)}")
    return _kernel(parts, shape) if name in KERNELS else FoundRole("other", "by no name that is known; say overrides=")


def _kernel(parts: Sequence[str], shape: Sequence[int]) -> FoundRole:
    owner = parts[-2].lower() if len(parts) > 1 else ""
    if len(shape) == 2:
        return FoundRole("qkv" if owner in QKV else "hidden", "by its name and two axes")
    if len(shape) == 3 and "conv" not in owner:
        return FoundRole("other", "three axes, and not by its name a convolution; say overrides=")
    if shape[-2] <= FEW or "patch" in owner or "stem" in owner:
        return FoundRole("first conv", f"a convolution of {shape[-2]} inputs, or by its name")
    return FoundRole("conv", f"by its name and {len(shape)} axes")
