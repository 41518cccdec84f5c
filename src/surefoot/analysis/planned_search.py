"""What a design says of the search of each optimizer, for those who have only records to read.

Records show what was tried. That a search went on beyond its plan, and that a range was the user's and never left,
is known from the design alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from surefoot.store.ranges import GIVEN_BY_USER
from surefoot.store.records import Design


@dataclass(frozen=True)
class PlannedSearch:
    """The search of one optimizer as it was planned: how many configurations, each range decoded, and its source."""

    trials: int
    ranges: Mapping[str, str]
    sources: Mapping[str, str]

    @property
    def lr_is_users(self) -> bool:
        """Whether the learning rates were searched in a range that the user gave, which a search does not leave."""
        return self.sources.get("lr") == GIVEN_BY_USER


def planned_searches(design: Design | None) -> dict[str, PlannedSearch]:
    """What was planned for each optimizer that is searched, by its untuned label; nothing without a design."""
    search = design.content.get("search", {}) if design else {}
    return {
        label: PlannedSearch(len(found["configurations"]), found["ranges"], found["sources"])
        for label, found in search.items()
        if found["ranges"]
    }
