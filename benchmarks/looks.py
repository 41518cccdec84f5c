"""What looks cost and save: false verdicts of whoever adds seeds and forgets, the power that is held back for later
looks, and how many seeds planned looks take.

    python benchmarks/looks.py
    python benchmarks/looks.py docs/looks.svg  # draws seeds and power of planned looks instead

Differences of two optimizers are normal, in units of their own spread. The p-values are those of the exact paired
permutation test, for many studies at once.
"""

import sys
from pathlib import Path

import altair as alt
import numpy as np
import vl_convert

from surefoot.report.theme import PALETTE, config
from surefoot.statistics.intervals import ALPHA, PLANNED
from surefoot.statistics.look_power import course
from surefoot.statistics.looks import SPENDING, Looks, even_looks
from surefoot.statistics.permutation import signs

STUDIES = 20_000
LOOKS = (6, 8, 10, 12)
SEEDS = 10
MOST = 20
"""Seeds of a study with planned looks, at most."""

EFFECTS = (0.0, 0.66, 1.0, 1.5, 2.0)
"""True differences, in units of their own spread."""

DRAWN = tuple(np.linspace(0, 2, 17))
"""Those of the picture."""

TICKS = (0, 0.5, 1, 1.5, 2)
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])

PART = 500
"""Studies at a time."""


def p_values(gaps):
    """Return the p-value of each row of paired differences."""
    parts = [np.abs(part @ signs(gaps.shape[1]).T) for part in np.array_split(gaps, max(1, len(gaps) // PART))]
    return np.concatenate([(sums >= sums[:, :1] - 1e-12).mean(axis=1) for sums in parts])


def main():
    """Draw the picture, where a path is given; else simulate and print all."""
    if paths := sys.argv[1:]:
        draw(Path(paths[0]))
    else:
        print_forgetful()
        print_planned()


def print_forgetful():
    """Print false verdicts of looks that forget each other, and what power is held back."""
    rng = np.random.default_rng(0)
    equal, better = rng.normal(0, 1, (STUDIES, LOOKS[-1])), rng.normal(1, 1, (STUDIES, SEEDS))
    found = np.zeros(STUDIES, dtype=bool)
    for seeds in LOOKS:
        found |= p_values(equal[:, :seeds]) <= ALPHA
        print(f"Equal, a look at {seeds:2d} seeds that forgets the others: {found.mean():6.1%} false verdicts so far")
    p = p_values(better)
    print(f"Better by its own spread, {SEEDS} seeds: {(p <= ALPHA).mean():.1%} found at 5 %")
    print(f"The same with a part held back: {(p <= PLANNED).mean():.1%} found")


def plans():
    """Yield the name of each plan, the seeds at which it looks, and these looks."""
    for name, at in [("one look", (MOST,)), *((spending, even_looks(MOST, spending)) for spending in SPENDING)]:
        spending = name if name in SPENDING else "obrien-fleming"
        yield name, at, Looks(at, MOST, 0, spending, at)


def print_planned():
    """Print how many seeds planned looks take in the mean, and what they find of the small difference."""
    head = "".join(f"{effect:>7g}" for effect in EFFECTS)
    print(f"{'spending':16}{'looks':14}{f'found, {EFFECTS[1]:g}':>12}  mean seeds at{head}")
    for name, at, looks in plans():
        found = [course(looks, effect, studies=STUDIES // 4) for effect in EFFECTS]
        seeds = "".join(f"{one.seeds:7.1f}" for one in found)
        print(f"{name:16}{' '.join(map(str, at)):14}{found[1].power:12.1%}{'':15}{seeds}")


def draw(path):
    """Draw seeds and power against the true difference."""
    rows = [
        {"looks": name, "difference": effect, "seeds": found.seeds, "found": found.power}
        for name, _, looks in plans()
        for effect in DRAWN
        for found in [course(looks, effect, studies=STUDIES // 4)]
    ]
    names = [name for name, *_ in plans()]
    lines = alt.Chart(alt.Data(values=rows), width=260, height=220).mark_line(strokeWidth=2)
    legend = alt.Legend(symbolType="stroke", symbolSize=400, symbolStrokeWidth=2)
    base = lines.encode(
        alt.X(
            "difference:Q",
            title="true difference (1: its own spread over seeds)",
            axis=alt.Axis(values=[0, 0.5, 1, 1.5, 2]),
        ),
        alt.Color("looks:N", legend=legend, scale=alt.Scale(domain=names, range=[light for light, _ in PALETTE[:4]])),
        alt.StrokeDash("looks:N", legend=legend, scale=alt.Scale(domain=names, range=DASHES)),
    )
    seeds = base.encode(alt.Y("seeds:Q", title=None, scale=alt.Scale(domain=[0, MOST])))
    found = base.encode(alt.Y("found:Q", title=None, axis=alt.Axis(format=".0%")))
    titles = (f"Average seeds, of at most {MOST}", "How often the difference is found")
    panels = [panel.properties(title=title) for panel, title in zip((seeds, found), titles, strict=True)]
    chart = alt.hconcat(*panels, spacing=40).to_dict()
    path.write_text(vl_convert.vegalite_to_svg({**chart, "config": config(legend=True)}), encoding="utf-8")


if __name__ == "__main__":
    main()
