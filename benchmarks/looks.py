"""What looks cost and save: false verdicts of whoever adds seeds and forgets, the power that is held back for later
looks, and how many seeds planned looks take.

    python benchmarks/looks.py

Differences of two optimizers are normal, in units of their own spread. The p-values are those of the exact paired
permutation test, for many studies at once.
"""

import numpy as np

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

PART = 500
"""Studies at a time."""


def p_values(gaps):
    """Return the p-value of each row of paired differences."""
    parts = [np.abs(part @ signs(gaps.shape[1]).T) for part in np.array_split(gaps, max(1, len(gaps) // PART))]
    return np.concatenate([(sums >= sums[:, :1] - 1e-12).mean(axis=1) for sums in parts])


def main():
    """Simulate both, and print them."""
    rng = np.random.default_rng(0)
    equal, better = rng.normal(0, 1, (STUDIES, LOOKS[-1])), rng.normal(1, 1, (STUDIES, SEEDS))
    found = np.zeros(STUDIES, dtype=bool)
    for seeds in LOOKS:
        found |= p_values(equal[:, :seeds]) <= ALPHA
        print(f"Equal, a look at {seeds:2d} seeds that forgets the others: {found.mean():6.1%} false verdicts so far")
    p = p_values(better)
    print(f"Better by its own spread, {SEEDS} seeds: {(p <= ALPHA).mean():.1%} found at 5 %")
    print(f"The same with a part held back: {(p <= PLANNED).mean():.1%} found")
    print_planned()


def print_planned():
    """Print how many seeds planned looks take in the mean, and what they find of the small difference."""
    plans = [(spending, even_looks(MOST, spending)) for spending in SPENDING]
    head = "".join(f"{effect:>7g}" for effect in EFFECTS)
    print(f"{'spending':16}{'looks':14}{f'found, {EFFECTS[1]:g}':>12}  mean seeds at{head}")
    for spending, at in [("obrien-fleming", (MOST,)), *plans]:
        looks = Looks(at, MOST, 0, spending, at)
        found = [course(looks, effect, studies=STUDIES // 4) for effect in EFFECTS]
        seeds = "".join(f"{one.seeds:7.1f}" for one in found)
        name = spending if len(at) > 1 else "one look"
        print(f"{name:16}{' '.join(map(str, at)):14}{found[1].power:12.1%}{'':15}{seeds}")


if __name__ == "__main__":
    main()
