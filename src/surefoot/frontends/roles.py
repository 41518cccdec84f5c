"""The roles of a model's parameters in every framework, and the overrides of them.

A front-end finds the role of each parameter by what its framework knows: modules in torch, layers in Keras, names in a
tree of JAX. A matrix rule takes what is a matrix for certain, and the usual decay is of what decays here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from surefoot.errors import UsageError, unknown


class Role(NamedTuple):
    """The role of a parameter: whether a matrix rule takes it, and whether it decays by default."""

    means: str
    is_matrix: bool = False
    decays: bool = True


class FoundRole(NamedTuple):
    """The role of a parameter, a name of `ROLES`, and the reason."""

    role: str
    reason: str


Overrides = Mapping[str, str] | Callable[[str, Any], str | None]
"""Roles by patterns of names, or a function of a name and its parameter."""

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


def fitting(names: Mapping[str, Iterable[str]], pattern: str, kind: str) -> set[str]:
    """Return the names that a pattern fits, each with its other names; `UsageError` without any."""
    fits = {name for name, others in names.items() if any(fnmatchcase(one, pattern) for one in (name, *others))}
    if not fits:
        raise unknown(kind, pattern, names)
    return fits


def heads_said(layers: Mapping[str, Iterable[str]], head: str | Sequence[str]) -> dict[str, str]:
    """Return the layers that `head=` names, each with the reason; `UsageError` if a pattern fits none."""
    patterns = [head] if isinstance(head, str) else head
    return {name: "head= says so" for pattern in patterns for name in fitting(layers, pattern, "layer in head")}


def overridden(
    found: Mapping[str, FoundRole],
    values: Mapping[str, Any],
    overrides: Overrides,
    others: Mapping[str, Iterable[str]] | None = None,
) -> dict[str, FoundRole]:
    """Return each parameter's role, with what overrides say of it. Of several patterns that fit, the last holds.

    Args:
        found: the role of each parameter, by its name.
        values: the parameters.
        overrides: what the user says.
        others: the other names of each, that patterns may fit too.

    Raises:
        UsageError: a pattern that fits nothing; a role that cannot be.
    """
    if callable(overrides):
        answers = [(name, overrides(name, value), "a function") for name, value in values.items()]
    else:
        names, kind = others or dict.fromkeys(values, ()), "parameter in overrides"
        answers = [(name, said, repr(p)) for p, said in overrides.items() for name in fitting(names, p, kind)]
    made = dict(found)
    for name, said, by in answers:
        if said:
            role, before = said_role(name, getattr(values[name], "shape", ()), said), found[name]
            made[name] = FoundRole(role, f"overrides say so ({by}), and not {before.role}; {before.reason}")
    return made


def no_matrix(parameter: str, told_by: str, *, key: str = "PATH", one: str = "rule") -> UsageError:
    """Return the error of a split whose model has no matrix, in the nouns of a front-end."""
    return UsageError(
        f"no {parameter} is a hidden matrix (`surefoot.{told_by}` says what they are); use the {one} of the rest "
        f"alone, or say otherwise by overrides={{{key!r}: 'matrices'}}."
    )
