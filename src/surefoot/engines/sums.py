"""Sums over tensors, and over all tensors of a step, from the sums of chunks.

Sums over several launches (other kinds of numbers, other layouts, groups of another form) belong together: a stage of
all launches comes before the next stage of any. A tensor's chunks are added one after the other, so the sum is the same
to the last bit for any number of threads. Where a tensor is divided among processes, one call for each stage adds up
what all of them have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from surefoot.engines.launch_tables import Launch
from surefoot.errors import UsageError

Across = Callable[[NDArray[np.float64], NDArray[np.int64]], None]
"""Adds up a stage's sums in place over all processes' shards, given each parameter's number in ascending order.
Undivided parameters are left alone.
"""


def stages_of(launches: Sequence[Launch]) -> Iterator[tuple[int, list[Launch]]]:
    """Return the number of each stage of sums, and the launches that have it.

    Raises:
        UsageError: of a step's launches some add up over all tensors what others do not, or at another stage.
    """
    plans = [[stage.kernel.plan.everywhere for stage in launch.before] for launch in launches]
    if any(plans) and any(any(each) for each in plans) and any(each != plans[0] for each in plans):
        raise UsageError(
            "the rule sums over all tensors (total_all), and not alike in all param groups. An option that is zero in "
            "one group, such as weight_decay, has to be zero in all of them."
        )
    for k in range(max((len(launch.before) for launch in launches), default=0)):
        yield k, [launch for launch in launches if k < len(launch.before)]


def add_up(launches: Sequence[Launch], k: int, chunks: Sequence[NDArray[np.float64]], across: Across | None) -> None:
    """Let launches know the sums of stage `k`.

    Args:
        launches: all of a step that have this stage.
        k: the number of the stage.
        chunks: of each launch, what each chunk adds up to: a row for each chunk, a column for each sum.
        across: adds up what is divided among processes; None if nothing is.
    """
    found = [launch.before[k].by_parameter(table) for launch, table in zip(launches, chunks, strict=True)]
    if across is not None:
        _add_shards(launches, found, across)
    everywhere: dict[str, list[NDArray[np.float64]]] = {}
    for launch, table in zip(launches, found, strict=True):
        plan = launch.before[k].kernel.plan
        for column, name in enumerate(plan.sums):
            launch.sums[name] = table[:, column]
            if name in plan.everywhere:
                everywhere.setdefault(name, []).append(table[:, column])
    order = np.argsort(np.concatenate([launch.numbers_of for launch in launches]), kind="stable")
    for name, parts in everywhere.items():  # in the order of parameters, whatever launches they are in
        of_all = float(np.concatenate(parts)[order].sum())
        for launch in launches:
            launch.sums[name] = of_all


def _add_shards(launches: Sequence[Launch], found: Sequence[NDArray[np.float64]], across: Across) -> None:
    """Add up over processes all sums in one table, in the order of their parameters."""
    numbers = [np.repeat(launch.numbers_of, table.shape[1]) for launch, table in zip(launches, found, strict=True)]
    order = np.argsort(np.concatenate(numbers), kind="stable")
    flat = np.concatenate([table.ravel() for table in found])
    summed = flat[order]
    across(summed, np.concatenate(numbers)[order])
    flat[order] = summed
    first = 0
    for table in found:
        table[:] = flat[first : first + table.size].reshape(table.shape)
        first += table.size
