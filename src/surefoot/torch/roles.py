"""The role of each parameter of a model, such as embedding, hidden matrix or gain, and the reason.

A shape cannot tell an embedding from a hidden matrix, and nothing raises where one is taken for the other. So roles are
read from the modules that parameters stand in, then from names, and from a shape only where it leaves no doubt. What
none of these tells is `other`, and no matrix rule takes it. Every decision has its reason, as text to be shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from surefoot.errors import UsageError
from surefoot.frontends.roles import NAMED_EMBEDDING, ROLES, FoundRole, Overrides, fitting, overridden, shape_text
from surefoot.torch.layers import CONVS, TRANSPOSED_CONVS, Heads, Use, is_linear, owners, stacked

EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
NORMS = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase)
GATES = {"LSTM": 4, "LSTMCell": 4, "GRU": 3, "GRUCell": 3}
"""The matrices in a recurrent layer's weight, by class name."""

NAMED_QKV = re.compile(r"(^|\.)(in_proj|qkv|qkv_proj|to_qkv|wqkv|c_attn|query_key_value)\.weight$", re.IGNORECASE)

Blocks = int | tuple[int, ...]
"""Matrices of one parameter along its outputs: a count of equal ones, or their heights."""


@dataclass(frozen=True)
class Placed:
    """A parameter with its role.

    Attributes:
        name: its name in the model; the first, if it has several.
        parameter: itself.
        role: a name of `ROLES`.
        reason: why, in words.
        others: its other names, of a tied parameter.
        blocks: how it falls into matrices along its outputs; None if it is one.
        transposed: whether its outputs are its columns, as in Hugging Face's Conv1D.
    """

    name: str
    parameter: Tensor
    role: str
    reason: str
    others: tuple[str, ...] = ()
    blocks: Blocks | None = None
    transposed: bool = False

    @property
    def outputs(self) -> int:
        """The rows of its matrix, or the columns if it is transposed."""
        return self.parameter.shape[1 if self.transposed else 0]

    @property
    def inputs(self) -> int:
        """The length of such a row."""
        return self.parameter.numel() // self.outputs


def roles(
    model: nn.Module,
    *,
    head: str | Sequence[str] | None = None,
    overrides: Overrides | None = None,
    blocks: Mapping[str, Blocks] | None = None,
) -> list[Placed]:
    """Return every trainable parameter of a model, once, with its role and the reason.

    Args:
        model: a module; wrapped by DDP or `torch.compile`, what they wrap is read.
        head: the output layer by its module's name, or several, or patterns (`"*.head"`); `()` if there is none. By
            default it is found: what the model says, else a layer called head or classifier, else the last layer.
        overrides: for a pattern of parameter names (`"blocks.*.mixer.weight"`) a role, or `matrices` or `rest`; or a
            function of name and parameter that returns one, or None to leave it.
        blocks: for a pattern of names, how a parameter falls into matrices along its outputs: 3 of equal height, or
            their heights, `(1024, 256, 256)`.

    Raises:
        UsageError: no module, nothing to train, a pattern that fits nothing, a role or blocks that cannot be.

    Example:
        >>> [(one.name, one.role) for one in roles(torch.nn.Sequential(torch.nn.Linear(4, 2)))]
        [('0.weight', 'head'), ('0.bias', 'bias')]
    """
    uses = owners(model)
    reader = _Reader(uses, Heads(model, uses, head))
    placed = [reader.place(names) for names in uses.values()]
    return [_hinted(one) for one in _in_blocks(_overridden(placed, overrides or {}), blocks or {})]


class _Reader:
    """Reads the role of a parameter from where it stands."""

    def __init__(self, uses: Mapping[int, list[Use]], heads: Heads) -> None:
        self.heads = heads
        convs = [use for names in uses.values() for use in names if isinstance(use.module, CONVS) and use.is_weight]
        self.stem = convs[0].module if convs and not stacked(convs[0], convs) else None

    def place(self, uses: list[Use]) -> Placed:
        """Return a parameter that stands in all these places, with its role."""
        role, reason = next(filter(None, (read(use) for read in self._readers() for use in uses)))
        use = uses[0]
        others = tuple(other.name for other in uses if other is not use)
        tied = f"; {' and '.join(others)} is the same" if others else ""
        transposed = use.kind == "Conv1D" and use.is_weight
        made = Placed(use.name, use.parameter, role, reason + tied, others, transposed=transposed)
        return replace(made, blocks=_known_blocks(use, made)) if ROLES[role].is_matrix else made

    def _readers(self) -> Sequence[Callable[[Use], tuple[str, str] | None]]:
        """Return the readers of a role, the surest first."""
        certain = (_embedding, _norm, _bias, self._head, _called_embedding, _gain)
        return (*certain, self._conv, _qkv, self._hidden, _other)

    def _head(self, use: Use) -> tuple[str, str] | None:
        reason = self.heads.reason(use)
        return ("head", f"{reason} ({use.kind})") if reason and use.is_weight else None

    def _conv(self, use: Use) -> tuple[str, str] | None:
        if not isinstance(use.module, CONVS):
            return None
        if isinstance(use.module, TRANSPOSED_CONVS):
            return "other", f"by its module, {use.kind}, whose outputs are no rows"
        if use.module is self.stem:
            return "first conv", f"the first of the convolutions ({use.kind})"
        rows, rest = use.parameter.shape[0], use.parameter[0].numel()
        return "conv", f"by its module, {use.kind}: as {rows} x {rest}{self.heads.passed_over(use)}"

    def _hidden(self, use: Use) -> tuple[str, str] | None:
        if use.parameter.dim() != 2 or not use.is_layer:
            return None
        return "hidden", f"by its module, {use.kind}{self.heads.passed_over(use)}"


def _embedding(use: Use) -> tuple[str, str] | None:
    known = isinstance(use.module, EMBEDDINGS) or ("Embedding" in use.kind and not use.is_vector)
    return ("embedding", f"by its module, {use.kind}") if known else None


def _norm(use: Use) -> tuple[str, str] | None:
    known = isinstance(use.module, NORMS) or ("norm" in use.kind.lower() and use.is_vector)
    return ("norm", f"by its module, {use.kind}") if known else None


def _bias(use: Use) -> tuple[str, str] | None:
    return ("bias", f"by its name, in {use.kind}") if "bias" in use.attribute and use.is_vector else None


def _called_embedding(use: Use) -> tuple[str, str] | None:
    own = not use.is_layer and NAMED_EMBEDDING.search(use.attribute)
    return ("embedding", f"by its name, in {use.kind}") if own else None


def _gain(use: Use) -> tuple[str, str] | None:
    return ("gain", f"by its shape, {shape_text(use.parameter.shape)}") if use.is_vector else None


def _qkv(use: Use) -> tuple[str, str] | None:
    if isinstance(use.module, nn.MultiheadAttention) and use.attribute == "in_proj_weight":
        return "qkv", f"by its module, {use.kind}"
    if is_linear(use.module) and NAMED_QKV.search(use.name):
        return "qkv", f"by its name, in {use.kind}"
    return None


def _other(use: Use) -> tuple[str, str]:
    return "other", f"in a module of unknown kind, {use.kind}; set it by overrides="


def _known_blocks(use: Use, placed: Placed) -> Blocks | None:
    """Return the matrices in a parameter, where its module or its name leaves no doubt."""
    if use.attribute.startswith(("weight_ih", "weight_hh")):
        return GATES.get(use.kind)
    by_heads = "query_key_value" in use.name  # whose query, key and value lie by heads, in an order of their own
    parts, left = divmod(placed.outputs, placed.inputs)
    return parts if placed.role == "qkv" and not left and parts in (2, 3) and not by_heads else None


def _hinted(one: Placed) -> Placed:
    """Return a parameter. Its reason gets a hint if it looks like several matrices."""
    if one.role != "hidden" or one.blocks is not None or one.outputs != 3 * one.inputs:
        return one
    return replace(one, reason=f"{one.reason}; if it holds query, key and value, say blocks=")


def _overridden(placed: Sequence[Placed], overrides: Overrides) -> list[Placed]:
    found = {one.name: FoundRole(one.role, one.reason) for one in placed}
    made = overridden(found, {one.name: one.parameter for one in placed}, overrides, _names(placed))
    return [replace(one, **made[one.name]._asdict()) for one in placed]


def _in_blocks(placed: Sequence[Placed], blocks: Mapping[str, Blocks]) -> list[Placed]:
    made = list(placed)
    for pattern, parts in blocks.items():
        fits = fitting(_names(placed), pattern, "parameter in blocks")
        made = [_parted(one, parts) if one.name in fits else one for one in made]
    return made


def _parted(one: Placed, given: Blocks | Sequence[int]) -> Placed:
    parts = given if isinstance(given, int) else tuple(given)
    heights = parts if isinstance(parts, tuple) else (one.outputs // max(parts, 1),) * parts
    if sum(heights) != one.outputs or min(heights, default=0) < 1:
        raise UsageError(
            f"blocks={parts!r} do not make up the {one.outputs} outputs of {one.name}; give a number that divides "
            "them, or heights that add up to them."
        )
    return replace(one, blocks=parts, reason=f"{one.reason}; parted by blocks=")


def _names(placed: Sequence[Placed]) -> dict[str, tuple[str, ...]]:
    return {one.name: one.others for one in placed}
