"""The performance profile: for how many problems an optimizer is within r times the fastest one's time.

Over three problems or more; a study of one problem shows it over its seeds instead, and says so. A line that starts
high is often the fastest; one that ends below 100 % misses the target, or takes very long, on the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from surefoot.analysis import SeedProfiles
from surefoot.report.figure import Figure, Panel, Rows, steps
from surefoot.report.scales import linear_axis, log_axis
from surefoot.report.theme import Style
from surefoot.statistics.suites import R_MAX, Profile
from surefoot.store.protocol import Metric
from surefoot.words import Written

CAPTION = (
    "The share of {of} on which an optimizer reaches the target within r times the time of the fastest one there. What "
    "to see: the height at r = 1 tells how often it is the fastest, the height at the right how often it gets there in "
    "{r_max:g} times that at all."
)
SEEDS = (
    "This study has one problem, so the profile is over its seeds: it shows luck within the problem, and says nothing "
    "about other problems. Over problems it needs three at least."
)


def over_problems(profiles: Mapping[str, Profile], looks: Sequence[Style]) -> Figure:
    """The profile over three problems or more, each with a target of its own."""
    panels = {"Within r times the fastest, problem by problem": profiles}
    return _figure("Performance profile", CAPTION.format(of="problems", r_max=R_MAX), panels, looks, "problems")


def over_seeds(profiles: SeedProfiles, looks: Sequence[Style], metric: Metric) -> Figure:
    """The profile of one problem over its seeds, in epochs and in seconds."""
    target = f"validation {metric.title} of {Written(metric).target(profiles.target)}"
    panels = {f"In epochs, to a {target}": profiles.epochs, f"In seconds, to a {target}": profiles.seconds}
    caption = f"{SEEDS} {CAPTION.format(of='seeds', r_max=R_MAX)}"
    return _figure("Performance profile over seeds", caption, panels, looks, "seeds")


def _figure(
    title: str, caption: str, panels: Mapping[str, Mapping[str, Profile]], looks: Sequence[Style], of: str
) -> Figure:
    tables = {f"profile {place}": _table(profiles) for place, profiles in enumerate(panels.values())}
    drawn = tuple(Panel(head, _panel(name, looks, of)) for name, head in zip(tables, panels, strict=True))
    return Figure("profile", title, caption, drawn, tables, columns=len(drawn), legend=True)


def _table(profiles: Mapping[str, Profile]) -> Rows:
    return [row for label, one in profiles.items() for row in _rows(label, one)]


def _rows(label: str, one: Profile) -> Rows:
    stairs = list(zip(one.ratios, one.shares, strict=True))
    changed: list[dict[str, Any]] = [
        {"optimizer": label, "ratio": ratio, "share": share, "mark": place == 0 or share > stairs[place - 1][1]}
        for place, (ratio, share) in enumerate(stairs)
    ]
    return changed


def _panel(data: str, looks: Sequence[Style], of: str) -> alt.LayerChart:
    x = log_axis("r: time to target over that of the fastest (log scale)", (0.97, 1.05 * R_MAX)).x("ratio")
    y = linear_axis(f"share of {of}", (0, 1.02), label="format(100 * datum.value, 'd') + ' %'").y("share")
    tooltip = [
        alt.Tooltip("optimizer:N"),
        alt.Tooltip("ratio:Q", title="within r =", format=".3~r"),
        alt.Tooltip("share:Q", title=f"share of {of}", format=".0%"),
    ]
    return alt.LayerChart(layer=steps(data, looks, x, y, tooltip))
