"""The roles of a model's parameters in every framework, and the overrides of them.

A front-end finds the role of each parameter by what its framework knows: modules in torch, layers in Keras, names in a
tree of JAX. A matrix rule takes what is a matrix for certain, and the usual decay is of what decays here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from surefoot.errors import UsageError, unknown


class Role(NamedTuple):
    """The role of a parameter: whether a matrix rule takes it, and whether it decays by default."""

    means: str
    is_matrix: bool = False
    decays: bool = True


ROLES: Mapping[str, Role] = {
    "hidden": Role("a matrix from one hidden layer to the next", is_matrix=True),
    "qkv": Role("query, key and value in one matrix", is_matrix=True),
    "conv": Role("a convolution, as a matrix of outputs by all else", is_matrix=True),
    "first conv": Role("the convolution that sees the input"),
    "embedding": Role("a row for each token, position or class", decays=False),
    "head": Role("the layer whose outputs are the model's"),
    "norm": Role("gain and shift of a normalization", decays=False),
    "bias": Role("what is added to each output", decays=False),
    "gain": Role("a number, or one for each channel", decays=False),
    "other": Role("its kind is not known"),
}
"""Every role by its name, in the order of the param groups."""

ALIASES = {"matrices": "hidden", "rest": "other"}
"""Words for an override that stand for a role, where only the rule matters."""

HEADS = {"head", "heads", "lm_head", "classifier", "logits", "embed_out", "output_layer"}
"""Names of an output head at the top of a model."""

NAMED_EMBEDDING = re.compile(r"embed|token|bias_table|position", re.IGNORECASE)
"""Names of parameters that are embeddings without a module for it."""


def is_vector(shape: Iterable[int]) -> bool:
    """Return whether at most one axis of a shape is longer than 1."""
    return sum(n > 1 for n in shape) < 2


def shape_text(shape: Iterable[int]) -> str:
    """Return a shape as people write it: `64 x 3 x 3 x 3`."""
    return " x ".join(map(str, shape)) or "a number"


def part_of(role: str) -> str:
    """Return which rule steps a role: that of the `matrices`, or that of the `rest`."""
    return "matrices" if ROLES[role].is_matrix else "rest"


def said_role(name: str, shape: Iterable[int], said: str) -> str:
    """Return the role that an override gives a parameter. `UsageError` if that role is unknown or impossible."""
    role, lengths = ALIASES.get(said, said), [*shape]
    if role not in ROLES:
        raise unknown("role", said, [*ROLES, *ALIASES])
    if ROLES[role].is_matrix and is_vector(lengths):
        raise UsageError(
            f"overrides give {name} the role {said!r}, and its shape, {shape_text(lengths)}, is no matrix; leave it to "
            "the rest."
        )
    return role


def fitting(names: Mapping[str, Iterable[str]], pattern: str, argument: str) -> set[str]:
    """Return the names that a pattern fits, each with its other names; `UsageError` without any."""
    fits = {name for name, others in names.items() if any(fnmatchcase(one, pattern) for one in (name, *others))}
    if not fits:
        raise unknown(f"parameter in {argument}", pattern, names)
    return fits
