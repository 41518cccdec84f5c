"""Time to a target as staircases: the share of trials still under way, and the performance profile.

*Time to a target* has a panel for each of two or three targets, with Kaplan-Meier's steps: a line falls where trials
arrive. A trial that ended without arriving counts as under way until the last of its optimizer's ended. One that
diverged never arrives, so its optimizer's line cannot reach the ground. Each clock has rows of its own, because trials
that arrive in the same epoch do so at different seconds.

The *profile* shows on how many problems an optimizer is within r times the fastest one's time, over three problems or
more. A study of one problem shows it over its seeds instead, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import altair as alt

from surefoot.analysis import SeedProfiles, Setting
from surefoot.analysis.target import Arrivals
from surefoot.report.axes import linear_axis, log_axis
from surefoot.report.clocks import EPOCHS, SECONDS, STEPS, TimeAxis, clock_switch, clock_views, clocks, times
from surefoot.report.figure import LINE, Panel, ReportFigure, Rows, chart_of, colour, steps, thinned
from surefoot.report.theme import Style
from surefoot.statistics.suites import R_MAX, Profile
from surefoot.statistics.survival import Survival
from surefoot.store.protocol import Protocol
from surefoot.words import Written

CAPTION = (
    "What to see: the line that falls first belongs to the fastest, and one that stays up has trials that never arrive."
)
HOW = (
    "The share of each optimizer's trials that have not yet reached a validation {metric}, one panel for each target "
    "(Kaplan-Meier). A trial that diverged never arrives. One that ended before it got there is counted until the last "
    "of its optimizer's ended."
)
BANDS = "Bands: 95 % intervals."
SEE_PROFILE = (
    "What to see: the height at the left is how often an optimizer is the fastest. The height at the right is how "
    "often it arrives within {r_max:g} times the fastest one's time."
)
PROFILE = "The share of {of} on which an optimizer reaches the target within r times the time of the fastest one there."
SEEDS = (
    "This study has one problem, so the profile is over its seeds: it shows luck within the problem, and says nothing "
    "about other problems. Over problems it needs three at least."
)
PERCENT = "format(100 * datum.value, 'd') + ' %'"

Ends = Mapping[str, Mapping[str, float]]


def survival(arrivals: Sequence[Arrivals], looks: Sequence[Style], protocol: Protocol, ends: Ends) -> ReportFigure:
    """Return a panel for each target. `ends` has where each optimizer's training ended, by the clock's field."""
    metric, written = protocol.metric, Written(protocol.metric)
    known = tuple(clock for clock in clocks(protocol) if all(_by(one, clock) for one in arrivals))
    tables = {
        f"target {place}": [row for clock in known for row in _waiting(one, clock, ends)]
        for place, one in enumerate(arrivals)
    }
    panels = tuple(
        Panel(
            f"Not yet at {written.target(one.target)}",
            _survival_panel(name, table, looks, known),
            clock_views(known, table, zero=True),
        )
        for (name, table), one in zip(tables.items(), arrivals, strict=True)
    )
    several = any(way.of > 1 for one in arrivals for way in one.epochs.values())
    return ReportFigure(
        name="time-to-target",
        title="Time to a target",
        caption=CAPTION,
        panels=panels,
        datasets=tables,
        columns=3 if len(panels) != 2 else 2,
        legend=True,
        switches=(clock_switch(known),) if panels else (),
        note=BANDS if several else "",
        how=" ".join([HOW.format(metric=metric.title), *([BANDS] if several else [])]),
    )


def ends_of(arms: Sequence[Setting]) -> dict[str, dict[str, float]]:
    """Return where the longest trial of each arm ended, on each clock of its protocol."""
    ended = {arm.label: [times(t.epochs[-1], t.protocol) for t in arm.judged if t.epochs] for arm in arms}
    return {label: {name: max(end[name] for end in ends) for name in ends[0]} for label, ends in ended.items() if ends}


def over_problems(profiles: Mapping[str, Profile], looks: Sequence[Style]) -> ReportFigure:
    """Return the profile over three problems or more, each with a target of its own."""
    panels = {"Within r times the fastest, problem by problem": profiles}
    return _profile("Performance profile", "", panels, looks, "problems")


def over_seeds(profiles: SeedProfiles, looks: Sequence[Style], protocol: Protocol) -> ReportFigure:
    """Return the profile of one problem over its seeds, in epochs or steps and in seconds."""
    metric = protocol.metric
    target = f"validation {metric.title} of {Written(metric).target(profiles.target)}"
    panels = {
        f"In {protocol.unit.word}s, to a {target}": profiles.epochs,
        f"In seconds, to a {target}": profiles.seconds,
    }
    return _profile("Performance profile over seeds", f" {SEEDS}", panels, looks, "seeds")


def _by(one: Arrivals, clock: TimeAxis) -> Mapping[str, Survival]:
    return {EPOCHS: one.epochs, STEPS: one.steps, SECONDS: one.seconds}[clock]


def _waiting(one: Arrivals, clock: TimeAxis, ends: Ends) -> Iterator[dict[str, Any]]:
    """Yield the stairs from time 0 to the end of training. An unknown bound stands at the ground."""
    for label, way in _by(one, clock).items():
        told: dict[str, Any] = {"optimizer": label, "reached": way.reached, "of": way.of}
        last: dict[str, Any] = {"waiting": 1, "low": 1, "high": 1}
        yield told | {clock.field: 0} | last | {"mark": False}
        stairs = list(zip(way.times, way.waiting, way.low, way.high, strict=True))
        for time, waiting, low, high in thinned(stairs, LINE):
            last = {"waiting": waiting, "low": low if waiting > 0 else 0, "high": high if waiting > 0 else 0}
            yield told | {clock.field: time, "mark": True} | last
        end = ends.get(label, {}).get(clock.field)
        if end is not None and end > max(way.times, default=0):
            yield told | {clock.field: end, "mark": False} | last


def _survival_panel(data: str, table: Rows, looks: Sequence[Style], clocks: Sequence[TimeAxis]) -> alt.LayerChart:
    first = clocks[0]
    x = first.axis((row.get(first.field) for row in table), zero=True).x(first.field)
    up = linear_axis("trials still under way", (0, 1.02), label=PERCENT)
    tooltip = [
        alt.Tooltip("optimizer:N"),
        *(alt.Tooltip(f"{clock.field}:Q", title=clock.title, format=",.6~r") for clock in clocks),
        alt.Tooltip("waiting:Q", title="still under way", format=".0%"),
        alt.Tooltip("reached:Q", title="trials that arrived"),
        alt.Tooltip("of:Q", title="of"),
    ]
    band = chart_of(data).mark_area(opacity=0.1, interpolate="step-after", invalid="filter", clip=True)
    stairs = steps(data, looks, x, up.y("waiting"), tooltip)
    return alt.LayerChart(layer=[band.encode(x, up.y("low"), alt.Y2("high"), colour(looks)), *stairs])


def _profile(
    title: str, more: str, panels: Mapping[str, Mapping[str, Profile]], looks: Sequence[Style], of: str
) -> ReportFigure:
    tables = {f"profile {place}": list(_shares(profiles)) for place, profiles in enumerate(panels.values())}
    drawn = tuple(Panel(head, _profile_panel(name, looks, of)) for name, head in zip(tables, panels, strict=True))
    see, how = SEE_PROFILE.format(r_max=R_MAX), PROFILE.format(of=of) + more
    return ReportFigure("profile", title, see, drawn, tables, columns=len(drawn), legend=True, how=how)


def _shares(profiles: Mapping[str, Profile]) -> Iterator[dict[str, Any]]:
    for label, one in profiles.items():
        before = -1.0
        for ratio, share in zip(one.ratios, one.shares, strict=True):
            yield {"optimizer": label, "ratio": ratio, "share": share, "mark": share > before}
            before = share


def _profile_panel(data: str, looks: Sequence[Style], of: str) -> alt.LayerChart:
    x = log_axis("r: time to target over that of the fastest (log scale)", (0.97, 1.05 * R_MAX)).x("ratio")
    y = linear_axis(f"share of {of}", (0, 1.02), label=PERCENT).y("share")
    tooltip = [
        alt.Tooltip("optimizer:N"),
        alt.Tooltip("ratio:Q", title="within r =", format=".3~r"),
        alt.Tooltip("share:Q", title=f"share of {of}", format=".0%"),
    ]
    return alt.LayerChart(layer=steps(data, looks, x, y, tooltip))
