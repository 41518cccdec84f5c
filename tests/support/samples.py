"""Synthetic trials with the look of the real ones, for tests of everything that reads records.

`article` has the tutorial's four optimizers on MNIST, near the tutorial's numbers; `study` any number of optimizers
and seeds; `trial` one record to bend with `dataclasses.replace`. The same arguments give the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from surefoot.analysis import Summary
from surefoot.store import Store
from surefoot.store.design import Budget, Design, Planned, Search, Sizing, TrialPart
from surefoot.store.protocol import Protocol
from surefoot.store.records import RATE_QUANTILES, Epoch, Outcome, Rates, Record

PROTOCOL = Protocol(
    task="cnn",
    dataset="mnist",
    epochs=5,
    batch_size=250,
    train_size=48_000,
    validation_size=12_000,
    test_size=10_000,
    device="cpu",
)
ENVIRONMENT: dict[str, Any] = {
    "machine": "Linux x86_64, 2 cores",
    "python": "3.12.4",
    "surefoot": "0.1.0",
    "torch": "2.13.0",
}


@dataclass(frozen=True)
class Setting:
    rule: str
    hyper: dict[str, Any]
    loss: float
    accuracy: float
    speed: float
    """Share of the way to the end that is gone in one epoch."""
    slots: int


SETTINGS = {
    "Adagrad": Setting("adagrad", {"lr": 0.001, "initial_accumulator": 0.1, "eps": 1e-7}, 0.127, 0.965, 0.55, 1),
    "Adadelta": Setting("adadelta", {"lr": 0.001, "rho": 0.95, "eps": 1e-7}, 1.014, 0.690, 0.30, 2),
    "Adam": Setting("adam", {"lr": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-7}, 0.085, 0.980, 0.85, 2),
    "AdaBound": Setting(
        "adabound",
        {"lr": 0.001, "final_lr": 0.1, "beta1": 0.9, "beta2": 0.999, "gamma": 0.001, "eps": 1e-8},
        0.040,
        0.9885,
        0.80,
        2,
    ),
}


def article(seeds: int = 1, epochs: int = 5) -> list[Record]:
    """The tutorial's study: four optimizers, `seeds` trials each."""
    return [trial(label, seed=seed, epochs=epochs) for label in SETTINGS for seed in range(seeds)]


def study(arms: int, seeds: int, epochs: int = 5) -> list[Record]:
    """`arms` optimizers named "Optimizer 1" and so on, each like one of the four."""
    kinds = list(SETTINGS)
    names = {f"Optimizer {i + 1}": kinds[i % len(kinds)] for i in range(arms)}
    return [
        replace(trial(kind, seed=seed, epochs=epochs, salt=i), label=label, key=f"{label}-{seed}")
        for i, (label, kind) in enumerate(names.items())
        for seed in range(seeds)
    ]


@cache
def trial(label: str = "Adam", *, seed: int = 0, epochs: int = 5, salt: int = 0) -> Record:
    """One finished trial of one of the four optimizers; made once, as its step sizes take longest."""
    setting = SETTINGS[label]
    rng = np.random.default_rng([seed, salt, list(SETTINGS).index(label)])
    luck = float(np.random.default_rng([seed, 77]).normal() * 0.0004 + rng.normal() * 0.0008)
    curve = tuple(_epoch(setting, number, luck, rng) for number in range(1, epochs + 1))
    parameters = 432_010
    return Record(
        key=f"{label}-{seed}",
        study="article",
        label=label,
        rule=setting.rule,
        convention="keras",
        hyper=setting.hyper,
        seed=seed,
        protocol=replace(PROTOCOL, epochs=epochs),
        environment=ENVIRONMENT,
        status="finished",
        epochs=curve,
        rates=tuple(_rates(setting, step, rng) for step in _steps(192 * epochs)),
        outcome=Outcome(
            test_loss=setting.loss * (1 - 20 * luck),
            test_metric=round(setting.accuracy + luck, 4),
            train_loss=curve[-1].validation_loss * 0.6,
            train_metric=1 - (1 - curve[-1].validation_metric) * 0.5,
            step_seconds=0.131 + 0.002 * setting.slots + float(rng.normal()) * 0.001,
            optimizer_bytes=4 * parameters * setting.slots,
            parameters=parameters,
            engine="cpu",
        ),
    )


def diverged(record: Record, after: int = 0) -> Record:
    """The trial as if its loss had become NaN in epoch `after + 1`."""
    kept = record.epochs[:after]
    return replace(
        record, status="diverged", reason=f"loss became NaN in epoch {after + 1}", epochs=kept, outcome=None, rates=()
    )


def running(record: Record, after: int = 2) -> Record:
    """The trial as the store has it while it runs."""
    return replace(record, status="running", epochs=record.epochs[:after], outcome=None, rates=record.rates[:10])


def _epoch(setting: Setting, number: int, luck: float, rng: np.random.Generator) -> Epoch:
    left = (1 - setting.speed) ** number
    loss = setting.loss * (1 - 20 * luck) * float(1 + 0.03 * rng.normal()) + (2.3 - setting.loss) * left * 0.3
    error = (1 - setting.accuracy - luck) * float(1 + 0.03 * rng.normal()) + 0.35 * left * (1 - setting.accuracy + 0.1)
    return Epoch(
        epoch=number,
        seconds=number * (26.0 + setting.slots) + float(rng.normal()) * 0.3,
        train_loss=loss * (0.7 + 0.9 * left),
        train_metric=1 - min(0.9, error * (0.6 + 1.2 * left)),
        validation_loss=loss,
        validation_metric=1 - error,
    )


def _steps(last: int) -> list[int]:
    return sorted({round(step) for step in np.geomspace(1, last, 40)})


def _rates(setting: Setting, t: int, rng: np.random.Generator) -> Rates:
    """Quantiles of the rule's rate over 4,000 imagined weights whose gradients differ in size, log-normally."""
    g2 = np.exp(rng.normal(np.log(1e-3), 1.2, 4_000)) ** 2 * (0.3 + 2 / np.sqrt(t))
    lr, lower, upper = setting.hyper["lr"], None, None
    if setting.rule == "adagrad":
        rate = lr / np.sqrt(0.1 + 40 * g2 * t)
    elif setting.rule == "adadelta":
        rate = lr * np.sqrt((g2 * 1e-4 + 1e-7) / (g2 * (1 - 0.95**t) + 1e-7))
    else:
        rate = lr / (np.sqrt(g2) + setting.hyper["eps"])
    if setting.rule == "adabound":
        lower, upper = 0.1 * (1 - 1 / (0.001 * t + 1)), 0.1 * (1 + 1 / (0.001 * t))
        rate = np.clip(rate, lower, upper)
    return Rates(t, tuple(float(q) for q in np.quantile(rate, RATE_QUANTILES)), lower, upper)


def tuned(seeds: int = 3, trials: int = 8, labels: tuple[str, ...] = ("Adagrad", "Adam", "AdaBound")) -> list[Record]:
    """A tuned study of some of the four: the defaults, `trials` learning rates each on one seed of their own, and what
    was chosen, half a point better than the defaults.

    The learning rates are spread over four decades around the defaults'; the best is in the middle.
    """
    records = [trial(label, seed=seed) for label in labels for seed in range(seeds)]
    for label in labels:
        search = [tuning(label, lr) for lr in SETTINGS[label].hyper["lr"] * np.logspace(-2, 2, trials)]
        best = max(search, key=lambda record: record.epochs[-1].validation_metric)
        records += [*search, *(chosen(best, trial(label, seed=seed)) for seed in range(seeds))]
    return [replace(record, study="article-tuned") for record in records]


def tuning(label: str, lr: float, **hyper: float) -> Record:
    """A tuning trial: a point of validation accuracy less for each decade from a third above the default rate."""
    setting = SETTINGS[label]
    off = abs(float(np.log10(lr / setting.hyper["lr"])) - 1 / 3)
    base = trial(label, seed=1000)
    last = replace(base.epochs[-1], validation_metric=setting.accuracy - 0.01 * off)
    outcome = replace(base.outcome, test_loss=float("nan"), test_metric=float("nan"))
    changed = {"hyper": {**setting.hyper, "lr": float(lr), **hyper}, "epochs": (*base.epochs[:-1], last)}
    key = f"{label}-tune-{lr:.6g}-{sorted(hyper.items())}"
    part = TrialPart("tuning", label, {"lr": float(lr), **hyper})
    return replace(
        base, key=key, label=f"{label} tuned", purpose="tune", part=part, outcome=outcome, rates=(), **changed
    )


def chosen(winner: Record, measured: Record) -> Record:
    """The measuring trial of a winner: as the default one of this seed, and half a point better."""
    outcome = replace(measured.outcome, test_metric=round(measured.outcome.test_metric + 0.005, 4))
    key = f"{winner.label}-{measured.seed}"
    part = replace(winner.part, role="measured", round=1)
    return replace(measured, key=key, label=winner.label, hyper=winner.hyper, part=part, outcome=outcome)


DESIGN = Design(
    hash="0123abcd4567ef89",
    study="article",
    protocol=PROTOCOL,
    optimizers=(),
    sizing=Sizing(epochs=5, trials=8, seeds=6),
    budget=Budget(seconds=1200.0),
    frozen="2026-01-01T12:00:00+00:00",
    seconds=1199.0,
)
"""A design, as far as the report reads it."""


def at_values(record: Record, **values: float) -> Record:
    """The trial of a search as it would be with these of the searched values."""
    part = replace(record.part, configuration={**record.part.configuration, **values})
    return replace(record, hyper={**record.hyper, **values}, part=part)


def with_plan(summary: Summary, search: Search) -> Summary:
    """The summary as it would be if every search had been planned so."""
    return replace(summary, tuning=tuple(replace(row, planned=search) for row in summary.tuning))


def entered(store: Store, records: list[Record]) -> None:
    """Enter the records of a study into a store as one run of it, begun."""
    first = records[0]
    design = replace(DESIGN, hash=first.study, study=first.study, protocol=first.protocol)
    store.freeze(design)
    store.plan(design.hash, [Planned(one.key, one.label, one.seed, one.part) for one in records], after=-2)
    for record in records:
        store.begin(record)
