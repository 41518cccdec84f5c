"""`surefoot check --parity`: every rule on every front-end against the rule in float64."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from surefoot.cli.printing import grid as draw
from surefoot.cli.printing import print_json, with_clock
from surefoot.files import check_writable, write_whole
from surefoot.progress.console import console_for_people
from surefoot.selfcheck.parity import FRONT_ENDS, Distance, ParityResult, run
from surefoot.selfcheck.parity.grid import NOT_ON_GRID
from surefoot.selfcheck.parity.limits import LIMITS
from surefoot.selfcheck.parity.result import BOUND

HEADS = {
    "torch": ("torch", "its"),
    "optax": ("optax", "its"),
    "keras-jax": ("Keras jax", "its"),
    "keras-torch": ("Keras torch", "its"),
    "keras-tensorflow": ("Keras TF", "its"),
}
"""Heads of the columns of a front-end: ours, and the framework's own."""

NONE = "·"
WRONG = "!"


def check_parity(*, every_row: bool, markdown: Path | None, as_json: bool) -> bool:
    """Measure and print. Return whether everything of ours keeps to its bound.

    Args:
        every_row: print a row for each convention, weight decay and size of gradients, not the largest of each rule.
        markdown: also write all of it to this file, as a page of the documentation.
        as_json: print one JSON object, which has every row.
    """
    if markdown:
        check_writable(markdown)
    result = run(observe=with_clock())
    if markdown:
        write_whole(markdown, to_markdown(result, f"surefoot check --parity --markdown {markdown}"))
    if as_json:
        print_json(result_json(result))
    else:
        print_result(result, every_row=every_row)
    if markdown:
        typer.echo(f"Written: {markdown}", err=True)
    return result.holds


def result_json(result: ParityResult) -> dict[str, Any]:
    """Return a result as plain dicts and lists; each entry says whether ours `holds`."""
    return {
        "holds": result.holds,
        "bound": BOUND,
        "versions": result.versions,
        "missing": result.missing,
        "rows": [{**asdict(row), "holds": row.holds} for row in result.rows],
        "findings": [{**asdict(finding), "holds": finding.holds} for finding in result.findings],
    }


def print_result(result: ParityResult, *, every_row: bool) -> None:
    """Print a result for people."""
    console = console_for_people()
    for grid in (long(result) if every_row else short(result), findings(result)):
        if grid.rows:
            console.print(grid.title, style="bold")
            heads = [head.replace(" ", "\n", 1) for head in grid.heads]
            console.print(draw(heads, grid.rows, left=grid.left, padding=(0, 1, 0, 0)), "")
    for text in notes(result):
        console.print(text)


@dataclass(frozen=True)
class Grid:
    """A table: its title, column heads and cells. The first `left` columns are words."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1


def short(result: ParityResult) -> Grid:
    """Return the largest figure of each rule on each front-end."""
    rows = [
        [rule, *_cells([row for row in result.rows if row.rule == rule], result)]
        for rule in dict.fromkeys(row.rule for row in result.rows)
    ]
    return Grid("Largest difference from the rule in float64, in ulps of float32 a step", _heads(result, "Rule"), rows)


def long(result: ParityResult) -> Grid:
    """Return every figure."""
    keys = dict.fromkeys((row.rule, row.convention, row.decay, row.scale) for row in result.rows)
    rows = []
    for rule, convention, decay, scale in keys:
        mine = [row for row in result.rows if _key(row) == (rule, convention, decay, scale)]
        rows.append([rule, convention, "yes" if decay else "no", f"{scale:g}", *_cells(mine, result)])
    return Grid("Every row, in ulps of float32 a step", _heads(result, "Rule", "Form", "Decay", "Size"), rows, left=4)


def findings(result: ParityResult) -> Grid:
    """Return what is wrong in another framework, as measured beside the grid."""
    rows = [
        [one.what, one.front_end, *(f"{x:.3g}" for x in (one.right, one.ours, one.theirs))]
        for one in result.findings
        if one.wrong or not one.holds
    ]
    return Grid("Wrong elsewhere", ("What", "Where", "Right", "Ours", "Its own"), rows, left=2)


def limits() -> Grid:
    """Return where a front-end differs from its framework, and why."""
    return Grid("Where a front-end differs, and stays so", ("Where", "What", "Its own", "Ours", "Why"), LIMITS, left=5)


def notes(result: ParityResult) -> Iterator[str]:
    """Yield what a reader needs to know beside the tables."""
    yield (
        f"Its: the framework's own ({NONE}: it has no such rule in its form). {WRONG}: above {BOUND:g}, the bound for "
        "ours: no rule rounds more often than that in a step, and a rounding costs less than an ulp."
    )
    yield (
        f"Not on this grid: {', '.join(NOT_ON_GRID)}. Their products of matrices add up the roundings of whole rows, "
        "so that no bound for each weight holds."
    )
    for name, words in result.missing.items():
        yield f"Not measured: {name}; {words}."
    if over := result.over:
        yield f"{len(over)} of our figures exceed their bound, on {', '.join(dict.fromkeys(over))}."
    else:
        yield "Every figure of ours is within its bound." if result.rows else "Nothing was measured."


def to_markdown(result: ParityResult, command: str) -> str:
    """Return the page for the documentation."""
    versions = ", ".join(f"{name} {number}" for name, number in result.versions.items())
    parts = [
        "# Parity: the same rule in every framework",
        f"Made by `{command}` with {versions}; do not edit.",
        *_INTRODUCTION,
        _table(short(result)),
        *notes(result),
        "## Wrong elsewhere",
        *_BESIDE,
        _table(findings(result)),
        "## Where a front-end differs, and stays so",
        _table(limits()),
        "## Every row",
        "Form: whose form and defaults of the rule. Decay: 0.1 or none. Size: of the gradients.",
        _table(long(result)),
    ]
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = (
    "Every rule that steps weight by weight runs on every front-end, in every convention, with weight decay and "
    "without, on gradients of size 1, 1e-4 and 1e-8, for 20 steps in float32; and the rule itself runs on NumPy in "
    "float64 over the same gradients. The figures are the largest difference of a weight after any step, in units of "
    "the last place (ulps) of the largest value that the weight has had, divided by the number of steps. Beside ours "
    "is the framework's own optimizer.",
    "Largest figures of each rule:",
)

_BESIDE = (
    "Measured in the same run, each where it shows best. First step: 1 - beta^t computed from beta^t in float32. "
    "bfloat16: 50 steps from a weight of 1, as a share of the way in float64; ours rounds at random (torch, optax) or "
    "keeps a copy in float32 (Keras). Centred RMSprop: 2000 steps on one gradient, whose variance rounds to less "
    "than nothing. A row twice: a batch on TensorFlow that asks for one row of an embedding two times. float16: its "
    "eps, 1e-8, rounds to 0.",
    "Error / way: 20 steps on the grid's gradients; the largest error after any of them, as a share of the way until "
    "then. What is wrong, row by row: optax's Adan has 1 - b2 where b2 belongs. NAdam is four rules in four "
    "frameworks: torch's is the paper's; momentum warms up in a hundred steps in Keras and not at all in optax, whose "
    "NAdamW corrects the mean for the step to come. After a first gradient of zeros, optax's Prodigy and "
    "D-Adaptation divide 0 by 0. In a warm-up, optax's Schedule-Free moves by the rate of the step before; Keras's "
    "gives each step the same weight in the average. On torch and TensorFlow, Keras's reads a buffer after it was "
    "written; nothing puts the average into the model for predict(). pytorch_optimizer's LAMB corrects the mean's "
    "bias after the trust ratio: its first step is ten times too long. Its ADOPT clips by the limit of the step to "
    "come. timm's Lookahead begins its slow weights at the first pull, which then pulls nothing back. The MARS of its "
    "authors (mars) keeps the last gradient by reference: where gradients are written into one buffer, as "
    "zero_grad(set_to_none=False) has it, the correction is 0.",
)


def _key(row: Distance) -> tuple[Any, ...]:
    return row.rule, row.convention, row.decay, row.scale


def _measured(result: ParityResult) -> list[str]:
    there = {row.front_end for row in result.rows}
    return [name for name in FRONT_ENDS if name in there]


def _heads(result: ParityResult, *first: str) -> list[str]:
    return [*first, *(head for name in _measured(result) for head in HEADS[name])]


def _cells(rows: Sequence[Distance], result: ParityResult) -> list[str]:
    """Return the largest figures of some rows: ours and theirs on each front-end."""
    figures: tuple[Callable[[Distance], float | None], ...] = (lambda row: row.ours, lambda row: row.theirs)
    return [
        _cell([figure(row) for row in rows if row.front_end == name])
        for name in _measured(result)
        for figure in figures
    ]


def _cell(found: Iterable[float | None]) -> str:
    figures = [figure for figure in found if figure is not None]
    if not figures:
        return NONE
    return f"{_number(max(figures))}{WRONG if max(figures) > BOUND else ''}"


def _number(x: float) -> str:
    """Return a figure in two digits."""
    if math.isinf(x):
        return "inf"
    return f"{x:.1f}" if x < 9.95 else f"{x:.0f}" if x < 999.5 else f"{x:.0e}".replace("e+0", "e")


def _table(grid: Grid) -> str:
    rule = ["---"] * grid.left + ["--:"] * (len(grid.heads) - grid.left)
    return "\n".join(f"| {' | '.join(row)} |" for row in (grid.heads, rule, *grid.rows))
