"""The clocks of a curve: epochs, optimizer steps or seconds of training. The reader of the page chooses.

Steps are epochs times the batches in one, where the protocol says how many there are. Seconds leave evaluation out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from surefoot.report.axes import Axis, Growth, counting_axis, linear_axis, log_axis, log_domain
from surefoot.report.figure import Switch, View
from surefoot.store.protocol import Protocol
from surefoot.store.records import Epoch

Field = Literal["epoch", "step", "seconds"]


@dataclass(frozen=True)
class TimeAxis:
    """A clock: the field of a row, the word on the switch and the title of the axis."""

    field: Field
    word: str
    title: str

    def axis(self, values: Iterable[float | None], growth: Growth = "linear", *, zero: bool = False) -> Axis:
        """Return the axis that shows these times. With `zero`, epochs begin at 0 too."""
        known = [value for value in values if value is not None]
        last = max(known, default=1)
        if growth == "log":
            return log_axis(self.title, log_domain(known, pad=1.04))
        if self.field == "epoch" and not zero:
            return counting_axis(self.title, (1, last))
        return linear_axis(self.title, (0, last * 1.03))


EPOCHS = TimeAxis("epoch", "epochs", "epoch")
STEPS = TimeAxis("step", "steps", "training step")
SECONDS = TimeAxis("seconds", "seconds", "training time (s)")


def clocks(protocol: Protocol) -> tuple[TimeAxis, ...]:
    """Return the clocks of this protocol. The first is the one that people count in."""
    if protocol.evaluate_every:
        return STEPS, SECONDS
    return (EPOCHS, STEPS, SECONDS) if protocol.steps_per_epoch else (EPOCHS, SECONDS)


def times(epoch: Epoch, protocol: Protocol) -> dict[str, float]:
    """Return the time of an epoch's end on every clock of the protocol."""
    steps = protocol.steps_per_epoch
    known = {"epoch": epoch.epoch, "seconds": round(epoch.seconds, 3)}
    return known | ({"step": epoch.epoch * steps} if steps else {})


def clock_switch(clocks: Sequence[TimeAxis], chosen: TimeAxis | None = None) -> Switch:
    """Return the switch between clocks. Without `chosen`, the first is chosen."""
    return Switch("clock", "Against", tuple(clock.word for clock in clocks), (chosen or clocks[0]).word)


def clock_views(
    clocks: Sequence[TimeAxis], rows: Sequence[Mapping[str, Any]], *, zero: bool = False
) -> tuple[View, ...]:
    """Return what the horizontal axis becomes for each clock."""
    axes = {clock: clock.axis((row.get(clock.field) for row in rows), zero=zero) for clock in clocks}
    return tuple(View({"clock": clock.word}, {"x": axis.patch(clock.field)}) for clock, axis in axes.items())
