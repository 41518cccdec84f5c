"""What a look costs when a store is large: reading a run's records without curves, and judging them.

    python benchmarks/look_time.py

The store is made here: every optimizer with its tuning trials and its measured seeds, each with ten epochs.
"""

import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from surefoot.analysis.pairwise import compare_all
from surefoot.analysis.scale import scale_of
from surefoot.analysis.settings import group
from surefoot.analysis.verdict import judge
from surefoot.store import Store
from surefoot.store.design import Design, Planned, Sizing, TrialPart
from surefoot.store.protocol import Protocol
from surefoot.store.records import Epoch, Outcome, Record

OPTIMIZERS, TUNED, SEEDS, EPOCHS = 10, 1900, 100, 10
REPEATS = 5

PROTOCOL = Protocol("cnn", "mnist", EPOCHS, 250, 48_000, 12_000, 10_000, "cpu")
ENVIRONMENT = {"machine": "Linux x86_64", "python": "3.12", "torch": "2.9", "surefoot": "0.1.0", "engine": "cpu"}


def records():
    """Yield every trial: what tuned, then what is measured."""
    luck = np.random.default_rng(0)
    for number in range(OPTIMIZERS):
        label = f"optimizer {number}"
        for k in range(TUNED + SEEDS):
            tunes = k < TUNED
            part = TrialPart(
                "tuning" if tunes else "measured", f"{label} untuned", {"lr": 1.0 / (k + 1)} if tunes else {}
            )
            hyper = {"lr": 1.0 / (k + 1) if tunes else 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
            yield Record(
                f"{number} {k}",
                "large",
                label,
                "adam",
                "torch",
                hyper,
                10_000 + k if tunes else k,
                PROTOCOL,
                ENVIRONMENT,
                "tune" if tunes else "measure",
                part=part,
                epochs=tuple(Epoch(n, 1.5 * n, 0.3, 0.9, 0.3, 0.9) for n in range(1, EPOCHS + 1)),
                outcome=Outcome(0.1, float(luck.normal(0.9 + number / 100, 0.002)), 0.1, 0.95, 0.001, 1000, 1000),
            )


def fill(store):
    """Enter all of them, and return the design of their run."""
    design = Design("large", "large", PROTOCOL, (), Sizing(EPOCHS, TUNED, SEEDS))
    store.freeze(design)
    every = list(records())
    store.plan(design.hash, [Planned(one.key, one.label, one.seed, one.part) for one in every], after=-2)
    store._connection.execute("PRAGMA synchronous = OFF")
    for one in every:
        store.begin(one)
        for epoch in one.epochs:
            store.save_epoch(one.key, epoch, (), None)
        store.finish(one.key, one.outcome)
    return design


def look(store, design):
    """Read and judge, and return the seconds of both."""
    start = time.perf_counter()
    found = store.run(design, curves=False)
    read = time.perf_counter()
    arms, scale = group(found), scale_of(found[0].protocol)
    results = {arm.label: arm.results() for arm in arms if arm.judged}
    verdict = judge(results, scale, compare_all(results, scale, looked={arm.label: arm.looked() for arm in arms}))
    return read - start, time.perf_counter() - read, verdict


def main():
    """Make the store, look several times, and print medians."""
    with tempfile.TemporaryDirectory() as folder:
        with Store(Path(folder) / "results.sqlite") as store:
            design = fill(store)
        with Store(Path(folder) / "results.sqlite", readonly=True) as store:
            looks = [look(store, design) for _ in range(REPEATS)]
    reading, judging = (median(one[k] for one in looks) for k in (0, 1))
    size = OPTIMIZERS * (TUNED + SEEDS)
    print(f"{size:,} records, {OPTIMIZERS} optimizers, {SEEDS} seeds: best is {looks[0][2].best}")
    print(f"reading {reading:.2f} s, judging {judging:.2f} s, a look {reading + judging:.2f} s")


if __name__ == "__main__":
    main()
