"""Param groups by role, and the optimizer with one rule for matrices and another for the rest.

The usual split of AdamW, no decay on biases, norms and embeddings, is the same call: `AdamW(groups(model), lr=1e-3)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from surefoot.errors import UsageError, unknown
from surefoot.frontends.roles import ROLES, Overrides, no_matrix
from surefoot.rule import Rule
from surefoot.torch.base import RuleOptimizer
from surefoot.torch.composite import SplitOptimizer
from surefoot.torch.group_settings import Group
from surefoot.torch.roles import Blocks, Placed, roles

Chosen = str | Rule | type[RuleOptimizer]
"""A rule by its name, a rule, or a class of `surefoot.torch`."""

Part = Chosen | Mapping[str, Any]
"""A rule, or the options of one, `rule` among them: `dict(rule="adamw", lr=3e-4)`."""


def groups(
    model: nn.Module,
    *,
    head: str | Sequence[str] | None = None,
    overrides: Overrides | None = None,
    blocks: Mapping[str, Blocks] | None = None,
    by_role: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Group]:
    """Return param groups by role: biases, norms, gains and embeddings without decay, for any torch optimizer.

    Each group has its `role`, the names of its parameters (`param_names` once an optimizer has it) and the `reasons`;
    `blocks` where its parameters are several matrices each. `describe()` of a Surefoot optimizer prints them.

    Args:
        model: a module; frozen parameters are left out.
        head: names or patterns of the output layers; see `surefoot.torch.roles.roles`, also for the next two.
        overrides: roles by patterns of names, or a function.
        blocks: how parameters fall into matrices, by patterns of names.
        by_role: options of a role's group: `{"embedding": {"weight_decay": 0.1, "lr": 1e-2}}`.

    Raises:
        UsageError: as `roles`; an unknown role.

    Example:
        >>> optimizer = surefoot.torch.AdamW(groups(model), lr=3e-4, weight_decay=0.1)
    """
    for role in by_role or {}:
        if role not in ROLES:
            raise unknown("role", role, ROLES)
    together: dict[tuple[str, Blocks | None, bool], list[Placed]] = {}
    placed = roles(model, head=head, overrides=overrides, blocks=blocks)
    for one in sorted(placed, key=lambda one: [*ROLES].index(one.role)):
        together.setdefault((one.role, one.blocks, one.transposed), []).append(one)
    return [_group(alike, (by_role or {}).get(role, {})) for (role, *_), alike in together.items()]


def _group(placed: Sequence[Placed], options: Mapping[str, Any]) -> Group:
    one = placed[0]
    made: Group = {
        "params": [(each.name, each.parameter) for each in placed],
        "role": one.role,
        "reasons": [each.reason for each in placed],
    }
    made |= {} if one.blocks is None else {"blocks": one.blocks}
    made |= {"transposed": True} if one.transposed else {}
    made |= {} if ROLES[one.role].decays else {"weight_decay": 0.0}
    return {**made, **options}


def split(
    model: nn.Module,
    *,
    matrices: Part | None = None,
    rest: Part = "adamw",
    head: str | Sequence[str] | None = None,
    overrides: Overrides | None = None,
    blocks: Mapping[str, Blocks] | None = None,
    by_role: Mapping[str, Mapping[str, Any]] | None = None,
    max_grad_norm: float | None = None,
    **rule: Mapping[str, Any],
) -> SplitOptimizer:
    """Return one optimizer with one rule for hidden matrices and another for the rest.

    Hidden matrices are those of linear layers between the first and the last, convolutions but the first, and query,
    key and value. `print(optimizer.describe())` says what went where, and why.

    Args:
        model: a module; frozen parameters are left out.
        matrices: the rule of the matrices; or name it by a keyword of its own, as in `muon=dict(lr=0.02)`.
        rest: the rule of the rest, or AdamW's options: `rest=dict(lr=3e-4)`.
        head: names or patterns of the output layers, as for `groups`; so are the next three.
        overrides: roles by patterns of names, or a function; `matrices` and `rest` will do.
        blocks: how parameters fall into matrices, by patterns of names.
        by_role: options of a role's group.
        max_grad_norm: scale the gradients of all parameters down together where their joint norm is larger.
        rule: one keyword, the name of the matrices' rule, with its options.

    Raises:
        UsageError: no rule for the matrices, or two; an unknown rule, role or option; as `groups`.

    Example:
        >>> optimizer = split(model, lion=dict(lr=1e-4, weight_decay=0.1), rest=dict(lr=1e-3))
        >>> optimizer = split(model, matrices="lion", rest="adamw", overrides={"mixer.*": "matrices"})
    """
    made = groups(model, head=head, overrides=overrides, blocks=blocks, by_role=by_role)
    mine = [group for group in made if ROLES[group["role"]].is_matrix]
    others = [group for group in made if not ROLES[group["role"]].is_matrix]
    if not mine:
        raise no_matrix(f"parameter of {type(model).__name__}", "torch.groups", key="NAME")
    children = {"matrices": _child(mine, *_named(matrices, rule))}
    if others:
        children["rest"] = _child(others, *_part(rest, "adamw"))
    return SplitOptimizer(children, max_grad_norm=max_grad_norm)


def _named(matrices: Part | None, rule: Mapping[str, Any]) -> tuple[Chosen, dict[str, Any]]:
    """Return the rule of the matrices and its options, from a part or a keyword."""
    if len(rule) + (matrices is not None) != 1:
        given = [*(["matrices"] if matrices is not None else []), *rule]
        raise UsageError(
            f"{' and '.join(given) or 'nothing'} says which rule takes the matrices; give one, as in "
            "split(model, lion=dict(lr=1e-4)) or split(model, matrices='lion')."
        )
    if matrices is not None:
        return _part(matrices, "")
    ((name, options),) = rule.items()
    if not isinstance(options, Mapping):
        raise UsageError(f"{name}={options!r} is no rule with its options; write {name}=dict(lr=...).")
    return _part(options, name)


def _part(given: Part, usual: str) -> tuple[Chosen, dict[str, Any]]:
    """Return the rule of a part and its options."""
    options = dict(given) if isinstance(given, Mapping) else {"rule": given}
    chosen = options.pop("rule", usual)
    if not chosen:
        raise UsageError(f"matrices={given!r} names no rule; write matrices=dict(rule='lion', lr=1e-4).")
    if "max_grad_norm" in options:
        raise UsageError("max_grad_norm is of all gradients together; give it to split itself, not to a part.")
    return chosen, options


def _child(mine: list[Group], chosen: Chosen, options: Mapping[str, Any]) -> RuleOptimizer:
    if isinstance(chosen, type) and issubclass(chosen, RuleOptimizer):
        return chosen(mine, **options)
    return RuleOptimizer(mine, chosen, **options)
