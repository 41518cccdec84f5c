"""The description of an optimizer: a table of its parameters and their treatment, before training.

Rows are param groups. The decay's timescale is how many steps it takes, at the rate of now, to shrink a weight that
nothing else moves to 1/e: 1 / (lr x decay). It is the number that decides what a decay means, and none of the options
shows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from textwrap import wrap
from typing import Any

from torch import Tensor

from surefoot.frontends.roles import part_of, shape_text
from surefoot.rule import Rule
from surefoot.torch.group_settings import Group
from surefoot.torch.state import number

COLUMNS = 80
HEADS = ("Role", "Rule", "Tensors", "Weights", "lr", "Decay", "Timescale")

TIMESCALE = (
    "Timescale: how long decay alone takes to shrink a weight to 1/e, 1 / (lr x decay) steps at the current rates."
)


@dataclass(frozen=True)
class DescriptionEntry:
    """Parameters of one kind: their pattern of names (`*` for a number), count, shape and reason."""

    name: str
    count: int
    shape: str
    reason: str


@dataclass(frozen=True)
class Row:
    """A param group.

    `blocks` is how many matrices each of its parameters is. `steps` is the decay's timescale, None where there is none,
    or not of this kind; `decay` says in a word which.
    """

    role: str
    blocks: int
    rule: str
    tensors: int
    weights: int
    lr: float | None
    weight_decay: float | None
    decay: str
    steps: float | None
    entries: tuple[DescriptionEntry, ...]


@dataclass(frozen=True)
class Description:
    """The param groups of an optimizer; print it.

    Attributes:
        rows: a row for each group.
        steps_per_epoch: None if it is not known.
    """

    rows: tuple[Row, ...]
    steps_per_epoch: int | None = None

    def __str__(self) -> str:
        """Return the table and the reasons, for a terminal of 80 columns."""
        cells = [[_title(row), row.rule, *_numbers(row), self._timescale(row)] for row in self.rows]
        columns = [column for column in zip(HEADS, *cells, strict=True) if {*column[1:]} - {"", "-"}]
        widths = [max(map(len, column)) for column in columns]
        lines = [self._line(line, widths) for line in zip(*columns, strict=True)]
        tensors, weights = sum(row.tensors for row in self.rows), sum(row.weights for row in self.rows)
        total = f"{weights:,} weights in {tensors} tensors"
        return "\n".join([total, "", *lines, *self._legend(), *self._reasons()])

    def _legend(self) -> list[str]:
        timed = any(row.steps is not None for row in self.rows)
        return ["", *wrap(TIMESCALE, COLUMNS)] if timed else []

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return asdict(self)

    @staticmethod
    def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
        sides = [str.ljust] * 2 + [str.rjust] * (len(cells) - 2)
        return "  ".join(side(cell, n) for side, cell, n in zip(sides, cells, widths, strict=True)).rstrip()

    def _timescale(self, row: Row) -> str:
        if row.steps is None:
            return row.decay
        if self.steps_per_epoch:
            return f"{_figures(row.steps / self.steps_per_epoch)} epochs"
        return f"{_figures(row.steps)} steps"

    def _reasons(self) -> list[str]:
        lines = []
        for row in self.rows:
            lines += ["", f"{_title(row)}: {row.rule}"] if row.entries else []
            for one in row.entries:
                times = f" ({one.count} of them)" if one.count > 1 else ""
                text = f"{one.name}, {one.shape}{times}: {one.reason}"
                lines += wrap(text, COLUMNS, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
        return lines


def describe(groups: Sequence[tuple[Any, int]], steps_per_epoch: int | None) -> Description:
    """Return the description of param groups, each given as its `RuleOptimizer` and its place there."""
    return Description(tuple(_row(optimizer, index) for optimizer, index in groups), steps_per_epoch)


def outline(groups: Sequence[Group]) -> Description:
    """Return the description of the groups that `surefoot.torch.groups` makes, before a rule has them."""
    return Description(tuple(map(_outlined, groups)))


def _outlined(group: Group) -> Row:
    names, params = zip(*group["params"], strict=True)
    made = {**group, "params": params, "param_names": names}
    return Row(
        **_facts(made),
        rule=part_of(group["role"]),
        lr=None,
        weight_decay=group.get("weight_decay"),
        decay="",
        steps=None,
    )


def _row(optimizer: Any, index: int) -> Row:
    group: Group = optimizer.param_groups[index]
    hyper = {name: number(x) if isinstance(x, Tensor) else x for name, x in optimizer._settings(group).hyper.items()}
    decay, steps = _decay(optimizer.rule, hyper)
    return Row(
        **_facts(group, f"group {index}"),
        rule=optimizer.rule.name,
        lr=hyper["lr"] if "lr" in group else None,
        weight_decay=hyper["weight_decay"],
        decay=decay,
        steps=steps,
    )


def _facts(group: Group, name: str = "") -> dict[str, Any]:
    """Return the facts about a group's parameters, apart from their optimizer."""
    blocks = group.get("blocks", 1)
    return {
        "role": group.get("role", name),
        "blocks": len(blocks) if isinstance(blocks, tuple | list) else blocks,
        "tensors": len(group["params"]),
        "weights": sum(p.numel() for p in group["params"]),
        "entries": _entries(group),
    }


def _decay(rule: Rule, hyper: Mapping[str, Any]) -> tuple[str, float | None]:
    """Return the kind of decay in one or two words, and its timescale in steps if known."""
    if not hyper["weight_decay"]:
        return "none", None
    if not hyper["decoupled"]:
        return "coupled", None
    if hyper["decay"] == "inside" or rule.shared:
        return "inside", None
    progress = hyper["lr"] / hyper["base_lr"] if hyper["base_lr"] else 1.0
    share = (hyper["lr"] if hyper["decay_by_lr"] else progress) * hyper["weight_decay"]
    share *= progress if hyper["decay"] == "corrected" else 1.0
    return ("decoupled", 1 / share) if share else ("lr is 0", None)


def _entries(group: Group) -> tuple[DescriptionEntry, ...]:
    """Return the parameters of a group. Names that differ in one number only become one entry."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for name, reason, p in zip(group.get("param_names", ()), group.get("reasons", ()), group["params"], strict=False):
        alike.setdefault((re.sub(r"(?<![^.])\d+(?=\.)", "*", name), shape_text(p.shape), reason), []).append(name)
    return tuple(
        DescriptionEntry(name if len(names) > 1 else names[0], len(names), shape, reason)
        for (name, shape, reason), names in alike.items()
    )


def _figures(x: float) -> str:
    """Return a number with three figures, or as many as it has before the point."""
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def _title(row: Row) -> str:
    return row.role if row.blocks == 1 else f"{row.role} in {row.blocks}"


def _numbers(row: Row) -> list[str]:
    lr, decay = ("-" if x is None else f"{x:g}" for x in (row.lr, row.weight_decay))
    return [f"{row.tensors}", f"{row.weights:,}", lr, decay]
