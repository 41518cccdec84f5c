"""What a second look costs: false verdicts of whoever adds seeds and forgets, and the power that is held back for it.

    python benchmarks/looks.py

Differences of two optimizers are normal, in units of their own spread. The p-values are those of the exact paired
permutation test, for many studies at once.
"""

import numpy as np

from surefoot.statistics.intervals import ALPHA, PLANNED
from surefoot.statistics.permutation import signs

STUDIES = 20_000
LOOKS = (6, 8, 10, 12)
SEEDS = 10
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


if __name__ == "__main__":
    main()
