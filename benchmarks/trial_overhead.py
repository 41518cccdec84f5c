"""What a trial costs besides its training steps, and how long a study of 10,000 finished trials takes to see its end.

    python benchmarks/trial_overhead.py [--trials 200] [--study rosenbrock] [--stored 10000]

The overhead is the time of the workers, from the first event to the last, less the seconds on the trials' own clocks:
making models and optimizers, evaluation, rates, checkpoints, messages and the store. The start of the workers, once a
study, is printed apart. The study is run again as its own second command would, and then with all of `--stored` trials
finished.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from surefoot.comparison.ask import ask
from surefoot.comparison.driver import Run
from surefoot.design.trial import Trial
from surefoot.options import Options
from surefoot.store import RATE_QUANTILES, Epoch, Outcome, Rates, Store
from surefoot.store.design import TrialPart
from surefoot.training.events import Finished, Started

EPOCHS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--study", default="rosenbrock")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--stored", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        options = Options(
            optimizers=("sgd", "adam", "adabound", "momentum"),
            only=True,
            epochs=asked.epochs,
            seeds=-(-asked.trials // 4),
            trials=0,
            workers=asked.workers,
            device="cpu",
        )
        request = ask(asked.study, options)
        overhead(request.plan(request.wanted), Path(folder) / "run.sqlite")
        resumed(asked.study, asked.stored, Path(folder) / "many.sqlite")


def overhead(planned: Run, path: Path) -> None:
    """Run the study and print what each of its trials cost."""
    seen: list[float] = []

    def observe(_trial: object, event: object) -> None:
        if isinstance(event, Finished) or (isinstance(event, Started) and not seen):
            seen.append(time.perf_counter())

    with Store(path) as store:
        begun = time.perf_counter()
        records = planned.run(store, observe)
        begin = time.perf_counter()
        planned.standing(store)
        again = time.perf_counter() - begin
    assert all(record.status == "finished" for record in records), [record.reason for record in records][:3]
    wall = (seen[-1] - seen[0]) * planned.workers
    trained = sum(record.epochs[-1].seconds for record in records)
    steps = planned.protocol.steps
    print(f"{len(records)} trials of {planned.name}, {steps} steps each, {planned.workers} workers")
    print(f"start of the workers        {seen[0] - begun:8.2f} s")
    print(f"a trial                     {wall / len(records) * 1e3:8.1f} ms")
    print(f"its training                {trained / len(records) * 1e3:8.1f} ms")
    print(f"its overhead                {(wall - trained) / len(records) * 1e3:8.1f} ms")
    print(f"what is left to run, asked  {again * 1e3:8.1f} ms")


def resumed(study: str, count: int, path: Path) -> None:
    """Time the decision that nothing is left to run of a finished tuned study."""
    with Store(path) as store:
        tuned = filled(study, count, store)
        begin = time.perf_counter()
        known, todo = tuned.standing(store)
        took = time.perf_counter() - begin
    assert not todo
    print(f"nothing left to run of {len(known)} finished trials of {EPOCHS} epochs: found in {took:.2f} s")


def filled(study: str, count: int, store: Store) -> Run:
    """Fill a store with about `count` finished trials of a tuned study."""
    request = ask(study, Options(trials=16, seeds=10, epochs=EPOCHS, device="cpu"))
    tuned = request.plan(request.wanted)
    assert tuned.tuning is not None
    arms = tuned.tuning.arms
    measure = tuple(range(count // (2 * len(arms))))
    trials = tuple(tuned.tuning.make(arm, seed, TrialPart()) for seed in measure for arm in arms)
    tuned = replace(tuned, trials=trials, tuning=replace(tuned.tuning, measure=measure))
    store._connection.execute("PRAGMA synchronous = OFF")  # how a store is filled is not what is measured
    tuned = tuned.freeze(store)
    while todo := tuned.standing(store)[1]:
        for trial in todo:
            fill(store, trial)
    return tuned


def fill(store: Store, trial: Trial) -> None:
    """Enter a finished trial, its curve made up, as long as a real one's."""
    store.begin(trial.record({}))
    for epoch in range(1, EPOCHS + 1):
        rates = [Rates(10 * epoch + step, (0.1,) * len(RATE_QUANTILES)) for step in range(3)]
        value = 1.0 / epoch + float(trial.arm.hyper["lr"])
        store.save_epoch(trial.key, Epoch(epoch, epoch, value, value, value, value), rates, b"")
    store.finish(trial.key, Outcome(1.0, 1.0, 1.0, 1.0, 0.001, 100, 10))


if __name__ == "__main__":
    main()
