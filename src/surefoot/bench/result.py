"""The figures of a benchmark: a row for each contender and case, and the floor of each set.

Ratios are of step times, so smaller is better: to the fastest of torch.optim in the same case (of the other libraries,
where torch lacks the rule), and to the floor of the case's own bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from surefoot.bench.cases import BenchCase, bytes_per_weight
from surefoot.bench.turns import Quartiles, spread
from surefoot.words import plain


@dataclass(frozen=True)
class Measured:
    """A measured contender of a case: name, library, bytes of state per weight, seconds per step."""

    name: str
    library: str
    state_bytes: float
    times: list[float]


@dataclass(frozen=True)
class BenchRow:
    """A contender of a case.

    Attributes:
        case: what was timed.
        contender, library: who.
        seconds: per step.
        bytes_per_weight: what the case has to move, whatever this contender moves.
        gigabytes_per_second: that, over the median.
        x_best: times the best peer's median; None for a case without peers.
        x_floor: times the floor's median.
        state_bytes: per weight.
    """

    case: str
    contender: str
    library: str
    seconds: Quartiles
    bytes_per_weight: int
    gigabytes_per_second: float
    x_best: float | None
    x_floor: float
    state_bytes: float


@dataclass(frozen=True)
class Floor:
    """The machine's own speed: seconds to move Adam's bytes without computing, over a set's whole run."""

    seconds: Quartiles
    bytes_per_weight: int
    gigabytes_per_second: float


@dataclass
class SetResult:
    """The measurements on a parameter set. `floor` is None at first."""

    name: str
    tensors: int
    weights: int
    rows: list[BenchRow] = field(default_factory=list)
    floor: Floor | None = None


@dataclass(frozen=True)
class FirstStep:
    """Seconds of the first step in a fresh process without imports: with empty caches, and again."""

    case: str
    contender: str
    library: str
    empty_cache: float
    cached: float


@dataclass
class BenchResult:
    """A whole benchmark.

    Attributes:
        environment: machine and versions.
        dtype, threads, rounds: as asked for.
        sets: in the order in which they ran.
        cold: first steps, if asked for.
        notes: who is absent, and why.
        interrupted: whether Ctrl-C ended it.
    """

    environment: dict[str, Any]
    dtype: str
    threads: int
    rounds: int
    sets: list[SetResult] = field(default_factory=list)
    cold: list[FirstStep] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON knows it; times in seconds."""
        made: dict[str, Any] = plain(self)
        return made


def rows(case: BenchCase, timed: Sequence[Measured], floor: list[float], weights: int, size: int) -> list[BenchRow]:
    """Return the rows of a case. `floor`: seconds to move its own bytes; `size`: bytes of a number."""
    spreads = {entry.name: spread(entry.times) for entry in timed}
    torch = [spreads[entry.name].median for entry in timed if entry.library == "torch"]
    others = [spreads[entry.name].median for entry in timed if entry.library not in ("torch", "surefoot")]
    peer = min(torch or others, default=None)
    moved = bytes_per_weight(case.passes, size)
    return [
        BenchRow(
            case=case.name,
            contender=entry.name,
            library=entry.library,
            seconds=spreads[entry.name],
            bytes_per_weight=moved,
            gigabytes_per_second=moved * weights / spreads[entry.name].median / 1e9,
            x_best=spreads[entry.name].median / peer if peer else None,
            x_floor=spreads[entry.name].median / spread(floor).median,
            state_bytes=entry.state_bytes,
        )
        for entry in timed
    ]


def floor_of(times: list[float], weights: int, moved: int) -> Floor:
    """Return the floor of a set from the seconds that `moved` bytes a weight took."""
    taken = spread(times)
    return Floor(taken, moved, moved * weights / taken.median / 1e9)


def milliseconds(seconds: float) -> str:
    """Return a time in milliseconds with about three digits."""
    value = 1e3 * seconds
    return f"{value:.{3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0}f}"
