"""Several matrices in one parameter, in JAX and Keras: which parameters, and each stepped by itself.

Arrays are sliced and put together again, which compilers turn into what they like; torch's front-end steps views.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from surefoot.errors import UsageError
from surefoot.frontends.matrices import Blocks, Layout, MatrixView, heights
from surefoot.frontends.number import plain
from surefoot.frontends.roles import fitting
from surefoot.rule import Rule, Step, slot_shape
from surefoot.update import Update, evaluated

Arrays = Mapping[str, Any]
"""Slots of a parameter by their names."""


def blocks_of(path: str, blocks: Mapping[str, Blocks]) -> Blocks:
    """Return the count of matrices in a parameter, or their heights, by the last matching pattern; else 1."""
    return next((said for pattern, said in [*blocks.items()][::-1] if fnmatchcase(path, pattern)), 1)


def check_blocks(
    blocks: Mapping[str, Blocks], shapes: Mapping[str, tuple[int, ...]], rule_of: Callable[[str], Rule], layout: Layout
) -> None:
    """Raise `UsageError` if a pattern fits nothing, or a parameter that is no such matrix.

    Args:
        blocks: what the user says, by patterns of paths.
        shapes: the shape of each parameter by its path.
        rule_of: which rule steps a parameter.
        layout: where outputs are.
    """
    if not isinstance(blocks, Mapping):
        raise UsageError(f"blocks={blocks!r} names no parameters; give patterns of paths, {{'*qkv*': 3}}, say.")
    names = dict.fromkeys(shapes, ())
    fits = [sorted(fitting(names, pattern, "parameter in blocks")) for pattern in blocks]
    for path in dict.fromkeys(path for paths in fits for path in paths):
        rule, shape = rule_of(path), shapes[path]
        if rule.shape != "matrix" or len(shape) < 2:
            raise UsageError(f"blocks are given of {path}, which {rule.name} steps, not as a matrix; leave them out.")
        if rule.shared:
            raise UsageError(
                f"{rule.name} keeps {', '.join(sorted(rule.shared))} for the whole optimizer, and each block is "
                "stepped by itself; leave blocks out."
            )
        heights(blocks_of(path, blocks), MatrixView(shape, layout).matrix[0], path, shape)


def in_blocks(
    step: Callable[[Any, Any, dict[str, Any]], Update],
    view: MatrixView | None,
    rule: Rule,
    weight: Any,
    gradient: Any,
    state: Arrays,
    ops: Any,
) -> Update:
    """Return what a step makes of a parameter, each of its matrices stepped by itself.

    Args:
        step: makes the update of one matrix, from weight, gradient and slots.
        view: how the rule sees the parameter.
        rule: which rule.
        weight: the parameter as it is seen.
        gradient: the same of its gradient.
        state: its slots.
        ops: has the framework's `concatenate`, `stack`, `pad`, `reshape` and `zeros_like`.
    """
    if view is None or len(view.heights) == 1:
        return step(weight, gradient, dict(state))
    weights, gradients = (list(_parts(x, "weight", view)) for x in (weight, gradient))
    made = [step(*each) for each in zip(weights, gradients, _states(view, rule, state), strict=True)]
    slots = {slot: _joined(rule.per[slot], [one.state[slot] for one in made], ops) for slot in state}
    rate, direction = (
        ops.concatenate([plain(x) + ops.zeros_like(g) for x, g in zip(values, gradients, strict=True)])
        for values in ([one.step.rate for one in made], [one.step.direction for one in made])
    )
    return Update(ops.concatenate([one.weight for one in made]), slots, Step(rate=rate, direction=direction))


def evaluated_in_blocks(
    view: MatrixView | None, rule: Rule, weight: Any, state: Arrays, hyper: Mapping[str, Any], ops: Any
) -> Any:
    """Return the weights that a model is evaluated with, of a parameter: see `in_blocks`."""
    if view is None or len(view.heights) == 1:
        return evaluated(rule, weight, state, hyper)
    each = zip(_parts(weight, "weight", view), _states(view, rule, state), strict=True)
    return ops.concatenate([evaluated(rule, part, own, hyper) for part, own in each])


def _states(view: MatrixView, rule: Rule, state: Arrays) -> list[dict[str, Any]]:
    """Return the slots of each matrix."""
    parts = {slot: list(_parts(x, rule.per[slot], view)) for slot, x in state.items()}
    return [{slot: some[k] for slot, some in parts.items()} for k in range(len(view.heights))]


def _parts(x: Any, per: str, view: MatrixView) -> Iterator[Any]:
    """Yield what each matrix has of an array of all."""
    if per == "tensor":
        yield from (x[k] for k in range(len(view.heights)))
        return
    shapes = [slot_shape(per, (height, view.matrix[1])) for height in view.heights]
    start = 0
    for rows, width in shapes:
        yield x[start : start + rows, :width]
        start += rows


def _joined(per: str, parts: Sequence[Any], ops: Any) -> Any:
    """Return an array of all from what each matrix has of it."""
    if per == "tensor":
        return ops.stack([ops.reshape(plain(x), ()) for x in parts])
    width = max(x.shape[1] for x in parts)
    return ops.concatenate([ops.pad(x, ((0, 0), (0, width - x.shape[1]))) for x in parts])
