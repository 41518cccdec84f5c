"""Parameters of a rule for matrices: those that are matrices, and their blocks.

A layer that computes queries, keys and values at once has three matrices in one parameter, one below the other:
`blocks=3` in the param group makes the rule see each by itself, `blocks=(768, 256, 256)` matrices of these heights.
What is kept for each weight lies as the parameter does. What is kept for rows, columns or pairs of them lies block by
block, one below the other, as wide as the widest.

`transposed=True` in the param group says that the outputs of its weights are their columns (Hugging Face's Conv1D). The
rule then sees each turned, in the same memory: rows, columns and blocks are those of the turned matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional

from surefoot.engines import matrices as engine
from surefoot.engines.eager import SlotValue, TensorPart, Write
from surefoot.engines.matrices import is_matrix
from surefoot.engines.scratch import Layout
from surefoot.engines.scratch import layout as found_layout
from surefoot.errors import UsageError
from surefoot.frontends import matrices as frontend
from surefoot.frontends.matrices import Blocks
from surefoot.rule import Rule, slot_shape
from surefoot.torch.group_settings import Group, Settings
from surefoot.torch.sharded_matrices import ShardedMatrix, is_divided
from surefoot.torch.state import decoded

BLOCKS = "blocks"
"""The key of a param group for the matrices in each of its parameters."""

TRANSPOSED = "transposed"
"""The key of a param group for parameters whose outputs are columns."""

_MIX = 0x9E3779B1


def check(rule: Rule, group: Group, number: int) -> None:
    """Raise `UsageError` if the rule cannot step a new param group, or its blocks do not fit.

    Args:
        rule: which rule.
        group: the param group.
        number: its place among the groups.
    """
    if rule.shared:
        raise UsageError(
            f"{rule.name} steps matrices and keeps {', '.join(sorted(rule.shared))} for the whole optimizer: torch's "
            "front-end steps the matrices of one shape at a time. Use total of each matrix."
        )
    if not isinstance(group[TRANSPOSED], bool):
        raise UsageError(
            f"transposed={group[TRANSPOSED]!r} of group {number} is neither True nor False; say True if the outputs of "
            "its weights are their columns."
        )
    names = group.get("param_names") or [None] * len(group["params"])
    for k, (p, name) in enumerate(zip(group["params"], names, strict=True)):
        said = f"parameter {k} of group {number}" if name is None else f"parameter {name!r}"
        if is_matrix(p):
            if p.is_complex():
                raise UsageError(f"{said} is complex, and {rule.name} steps real matrices; give it to another rule.")
            heights(p, group[BLOCKS], said, transposed=group[TRANSPOSED])
        elif rule.vector is None:
            raise UsageError(
                f"{said} has the shape {[*p.shape]}, and {rule.name} steps matrices alone. Give vectors and numbers "
                "(biases, gains) to another optimizer, such as surefoot.torch.AdamW; surefoot.torch.split(model) "
                "parts them."
            )


def heights(p: Tensor, blocks: Blocks, said: str = "a parameter", *, transposed: bool = False) -> tuple[int, ...]:
    """Return the rows of each matrix in a parameter, or the columns if it is transposed.

    Raises:
        UsageError: they do not add up to its rows.
    """
    return frontend.heights(blocks, p.shape[transposed], said, p.shape, "columns" if transposed else "rows")


def of_vectors(settings: Settings) -> Settings:
    """Return what the parameters of a group that are no matrix follow."""
    rule = settings.rule.vector
    if rule is None:
        raise UsageError(f"{settings.rule.name} steps matrices alone, and a parameter is none.")
    given = {name: value for name, value in settings.hyper.items() if name in rule.defaults}
    hyper = {**rule.complete(given), **{k: v for k, v in settings.hyper.items() if k == "gradient_factor"}}
    return settings._replace(hyper=hyper, starts=rule.starts(hyper), form=None, rule=rule, blocks=1, transposed=False)


def layout(settings: Settings, p: Tensor) -> Layout | None:
    """Return how a kernel sees the matrices of a parameter; None if the eager engine is to step it."""
    tall = _heights(p, settings)
    if is_divided(p) or len({*tall}) > 1:
        return None
    return found_layout(p, len(tall), transposed=settings.transposed)


def count(settings: Settings, p: Tensor) -> int:
    """Return the number of matrices in a parameter; 1 for a rule that does not need any."""
    return len(_heights(p, settings)) if settings.rule.shape == "matrix" else 1


def _heights(p: Tensor, settings: Settings) -> tuple[int, ...]:
    return heights(p, settings.blocks, transposed=settings.transposed)


def kept_shape(settings: Settings, slot: str, p: Tensor) -> tuple[int, ...] | None:
    """Return the shape of a slot for rows, columns or pairs of them; None for other slots."""
    kind = settings.rule.per[slot]
    if kind in ("weight", "tensor", "optimizer"):
        return None
    inputs = p.shape[not settings.transposed] * p.shape[2:].numel()
    return frontend.joined_shape(kind, _heights(p, settings), inputs)


def check_kept(settings: Settings, slot: str, name: str, p: Tensor, x: Tensor) -> None:
    """Raise `UsageError` if a slot for rows, columns or pairs does not fit its parameter."""
    wanted = kept_shape(settings, slot, p)
    if wanted is not None and tuple(x.shape) != wanted:
        layout = f"blocks={settings.blocks!r}" + ", transposed" * settings.transposed
        raise UsageError(
            f"state {name!r} has the shape {[*x.shape]}, and {settings.rule.name} keeps {[*wanted]} for a parameter of "
            f"shape {[*p.shape]} with {layout}: it is of another model, or of one that takes kernels of "
            "convolutions otherwise. To start anew, delete the parameter's whole state."
        )


def turned(part: TensorPart, rule: Rule) -> TensorPart:
    """Return the step of a transposed parameter's matrix, in the same memory."""
    state = {slot: _plain(x).transpose(0, 1) if slot in rule.each_weight else x for slot, x in part.state.items()}
    weight, gradient = (x.transpose(0, 1) for x in (part.weight, part.gradient))
    return part._replace(weight=weight, gradient=gradient, state=state)


def in_blocks(part: TensorPart, rule: Rule, tall: Sequence[int]) -> list[TensorPart]:
    """Return the matrices of a parameter, in the same memory; `tall` are their heights."""
    if len(tall) == 1:
        return [part]
    found = []
    for k, (start, height) in enumerate(zip(accumulate(tall, initial=0), tall, strict=False)):
        state = {
            slot: _block(x, rule.per[slot], k, tall, part.weight.shape[1:].numel()) for slot, x in part.state.items()
        }
        key = None if part.key is None else part.key ^ (k * _MIX & 0xFFFFFFFF)
        weight, gradient = (x.narrow(0, start, height) for x in (part.weight, part.gradient))
        found.append(part._replace(weight=weight, gradient=gradient, state=state, key=key))
    return found


class Matrix:
    """A parameter for a rule for matrices: whole, and in blocks.

    Args:
        p: the parameter.
        part: its step, on what this process has of it.
        settings: what its group says.
        turn: its number, which tells who steps it where processes share it; None if each process is to know its rate.
    """

    def __init__(self, p: Tensor, part: TensorPart, settings: Settings, turn: int | None = None) -> None:
        self.part, self._rule = part, settings.rule
        tall, self._transposed = _heights(p, settings), settings.transposed
        self._divided = ShardedMatrix(p, part, settings.rule, turn) if is_divided(p) else None
        whole = part if self._divided is None else self._divided.whole
        if whole is not None and self._transposed:
            whole = turned(whole, settings.rule)
        self.blocks = [] if whole is None else in_blocks(whole, settings.rule, tall)
        self.copied = self._divided is not None
        """Whether the blocks are copies, so that the parameter must be written after them."""
        if settings.differentiable and (self._transposed or len(tall) > 1):  # of views autograd would follow one
            self.copied, self.blocks = True, [block._replace(weight=block.weight.clone()) for block in self.blocks]

    def slot(self, name: str) -> Tensor:
        """Return a slot as the step has made it, where autograd looks on."""
        slot = joined(self.blocks, self._rule, name)
        return self._as_kept(slot) if name in self._rule.each_weight else slot

    def rate(self) -> Tensor:
        """Return the rate of each weight here."""
        rate = self._as_kept(torch.cat(engine.rates(self._rule, self.blocks)))
        return rate if self._divided is None else self._divided.mine(rate)

    def back(self) -> list[Write]:
        """Return what writes the copies' new numbers where they belong."""
        if self._divided is not None:
            return self._divided.back()
        new = self._as_kept(torch.cat([block.weight for block in self.blocks]))
        return [partial(self.part.weight.copy_, new)]

    def _as_kept(self, x: Tensor) -> Tensor:
        """Return what has a number for each weight as the parameter lies."""
        return x.transpose(0, 1) if self._transposed else x


def step_matrices(found: Sequence[Matrix], settings: Settings) -> list[Write]:
    """Return what writes a step of matrices of one group."""
    writes: dict[bool, list[Write]] = {}
    for copied in (False, True):
        parts = [block for matrix in found for block in matrix.blocks if matrix.copied is copied]
        writes[copied] = engine.prepare(settings.rule, parts, differentiable=settings.differentiable)
    for write in writes[True]:
        write()
    return writes[False] + [write for matrix in found if matrix.copied for write in matrix.back()]


def _block(x: SlotValue, kind: str, k: int, tall: Sequence[int], columns: int) -> SlotValue:
    """Return what belongs to one block of a slot."""
    x = _plain(x)
    if kind in ("tensor", "optimizer"):
        return x[k] if x.dim() else x
    if kind == "weight":
        return x.narrow(0, sum(tall[:k]), tall[k])
    shapes = [slot_shape(kind, (height, columns)) for height in tall[: k + 1]]
    rows, width = shapes[k]
    return x.narrow(0, sum(high for high, _ in shapes[:k]), rows).narrow(1, 0, width)


def _plain(x: SlotValue) -> Tensor:
    """Return a slot of several matrices or a transposed one. State in 8 bits is refused."""
    if not isinstance(x, Tensor):
        raise UsageError("state in 8 bits is of whole parameters; one in blocks, or a transposed one, has none.")
    return x


def joined(parts: Iterable[TensorPart], rule: Rule, slot: str) -> Tensor:
    """Return a slot of a parameter, of what its blocks have: the inverse of `in_blocks`."""
    found = [decoded(part.state[slot]) for part in parts]
    if len(found) == 1:
        return found[0]
    kind = rule.per[slot]
    if kind in ("tensor", "optimizer"):
        return torch.stack(found)
    if kind == "weight":
        return torch.cat(found)
    width = max(x.shape[1] for x in found)
    return torch.cat([functional.pad(x, (0, width - x.shape[1])) for x in found])
