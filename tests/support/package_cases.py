"""The table of the modern oracles and who else computes them: torch, optax, Keras, and packages made for the tests.

What a package cannot do, or does another way, stands at its row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import dadaptation
import lion_pytorch
import numpy as np
import optax
import prodigyopt
import pytorch_optimizer as po
import schedulefree
import torch
from optax import contrib

import oracles
from package_runs import optax_path, split, synced, torch_path
from papers import PAPERS
from papers_modern import MODERN

ORACLES = PAPERS | MODERN
TREEWISE = {"prodigy", "dadapt_adam", "dadapt_sgd", "dog", "dowg"}
DECAYS = (0.0, 0.1)


class Situation(NamedTuple):
    """The size of gradients, whether the first is zero, and whether the rate changes."""

    scale: float
    quiet: bool
    scheduled: bool


SITUATIONS = (
    Situation(1.0, False, False),
    Situation(1e-4, True, False),
    Situation(1e-8, False, True),
    Situation(1.0, True, True),
)


@dataclass(frozen=True)
class Row:
    """An oracle and who else computes it.

    Attributes:
        name: which oracle.
        make: the optimizer of torch, of parameters and decay, or of optax, of a schedule and decay; or Keras's name.
        lr: the learning rate.
        options: the oracle's.
        decays: which weight decays.
        within: the bound.
        leave: situations that this package cannot do.
        evaluate: optax's evaluation weights, of the last state and weights.
    """

    name: str
    make: Callable[[Any, float], Any] | str
    lr: float = 1e-3
    options: Mapping[str, Any] = field(default_factory=dict)
    decays: tuple[float, ...] = DECAYS
    within: float = 1e-12
    leave: Callable[[Situation], bool] = lambda _: False
    evaluate: Callable[[Any, Any], Any] = lambda _, weights: weights

    def settings(self, decay: float) -> dict[str, Any]:
        return {"lr": self.lr, **self.options, "weight_decay": decay}

    def ours(self, gradients: np.ndarray, start: np.ndarray, rates: np.ndarray, **settings: Any) -> np.ndarray:
        run = partial(ORACLES[self.name].run, settings, rates=rates)
        if self.name in TREEWISE or isinstance(self.make, str):
            return run(gradients, start)
        return np.concatenate([run(*parts) for parts in zip(split(gradients), split(start), strict=True)], axis=1)

    def __str__(self) -> str:
        options = (f"{name}={value}" for name, value in self.options.items())
        return "-".join((self.name, type(self).__name__.lower(), *options))


class Torch(Row):
    def theirs(self, decay: float) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
        return partial(torch_path, lambda parameters: self.make(parameters, decay))


class Optax(Row):
    def theirs(self, decay: float) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
        return optax_path(lambda schedule: self.make(schedule, decay), self.evaluate)


class Keras(Row):
    """Keras's own, to which all weights are one tensor."""

    def theirs(self, decay: float) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
        def run(gradients: np.ndarray, start: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            options = {"learning_rate": self.lr} | ({"weight_decay": decay} if decay else {})
            path = oracles.run(f"keras.optimizers.{self.make}", options, gradients, start, rates)
            return path, path[-1]

        return run


def _scheduled(situation: Situation) -> bool:
    return situation.scheduled


def _quiet(situation: Situation) -> bool:
    return situation.quiet


def _training(optimizer: Any) -> Any:
    optimizer.train()
    return optimizer


def _stable_adamw(parameters: Any, decay: float) -> Any:
    import optimi  # brings Triton and torch's compiler, 150 MB, which every process would import to collect this file

    return optimi.StableAdamW(parameters, lr=1e-3, weight_decay=decay, triton=False)


def _weightwise() -> Iterator[Row]:
    coupled = {"decay": "coupled"}
    nadam = partial(torch.optim.NAdam, foreach=False)
    yield Torch("nadam_torch", lambda p, λ: nadam(p, weight_decay=λ, decoupled_weight_decay=True), 2e-3)
    yield Torch("nadam_torch", lambda p, λ: nadam(p, weight_decay=λ), 2e-3, coupled)
    yield Keras("nadam_keras", "Nadam", leave=lambda at: at.scale == 1)
    yield Optax("nadam_optax", lambda rate, λ: optax.nadamw(rate, weight_decay=λ))
    yield Torch("lion", lambda p, λ: lion_pytorch.Lion(p, weight_decay=λ))
    yield Torch("signum", lambda p, λ: po.SignSGD(p, weight_decay=λ))
    yield Optax("signum", lambda rate, _: optax.signum(rate), decays=(0.0,))
    # It adds 1e-15 below the root, which large gradients do not feel, and eps before the root is corrected.
    corrected = {"decay": "corrected", "ε": 1e-30}
    yield Torch(
        "adam_decayed",
        lambda p, λ: po.AdamC([{"params": p, "normalized": True}], lr=1e-3, weight_decay=λ, eps=1e-30),
        options=corrected,
        leave=lambda at: at.scale < 1,
        within=1e-10,
    )
    filtered = {"β₂": 0.99, "ε": 1e-30}  # it keeps the root at eps or more, where Adam adds eps
    yield Torch("grokfast", lambda p, λ: po.GrokFastAdamW(p, weight_decay=λ, eps=1e-30), options=filtered)
    # The same 1e-15.
    yield Torch("mars", lambda p, λ: po.MARS(p, weight_decay=λ), 3e-3, leave=lambda at: at.scale < 1, within=1e-6)


def _tensorwise() -> Iterator[Row]:
    yield Optax("lamb", lambda rate, λ: optax.lamb(rate, weight_decay=λ))
    yield Keras("lamb_keras", "Lamb", leave=lambda at: at.scale == 1)
    yield Optax("lars_optax", lambda rate, λ: optax.lars(rate, weight_decay=λ), 1.0)
    yield Torch("lars_beside", lambda p, λ: po.LARS(p, weight_decay=λ), 1.0)
    yield Torch("stable_adamw", _stable_adamw)
    momentum = partial(torch.optim.SGD, momentum=0.9)
    yield Torch(
        "lookahead_sgd",
        lambda p, λ: po.Lookahead(momentum(p, lr=0.1, weight_decay=λ)),
        0.1,
        {"decay": "coupled"},
    )
    yield Torch("lookahead_adam", lambda p, λ: po.Lookahead(torch.optim.AdamW(p, weight_decay=λ)))
    yield Optax(
        "lookahead_adam",
        lambda rate, λ: synced(optax.lookahead(optax.adamw(rate, weight_decay=λ), 5, 0.5)),
        evaluate=lambda state, _: state[1].slow,
    )


def _averaged() -> Iterator[Row]:
    for warmup in (0, 30):
        h = {"warmup": warmup}
        sgd, adamw = (
            partial(made, warmup_steps=warmup)
            for made in (schedulefree.SGDScheduleFree, schedulefree.AdamWScheduleFree)
        )
        yield Torch("schedule_free_sgd", lambda p, λ, sgd=sgd: _training(sgd(p, weight_decay=λ)), 1.0, h)
        yield Torch("schedule_free_adamw", lambda p, λ, adamw=adamw: _training(adamw(p, weight_decay=λ)), 2.5e-3, h)
    for silent in (True, False):
        radam = partial(schedulefree.RAdamScheduleFree, silent_sgd_phase=silent)
        yield Torch(
            "schedule_free_radam",
            lambda p, λ, radam=radam: _training(radam(p, weight_decay=λ)),
            2.5e-3,
            {"silent": silent},
        )
    # Where the rate changes, optax weighs the average by the rate of the step to come.
    of = {"leave": _scheduled, "evaluate": contrib.schedule_free_eval_params}
    yield Optax("schedule_free_sgd", lambda rate, λ: contrib.schedule_free_sgd(rate, weight_decay=λ), 1.0, **of)
    yield Optax("schedule_free_adamw", lambda rate, λ: contrib.schedule_free_adamw(rate, weight_decay=λ), 2.5e-3, **of)


def _treewise() -> Iterator[Row]:
    guarded = {"use_bias_correction": True, "safeguard_warmup": True, "d_coef": 0.5}
    for options in ({}, guarded, {"growth_rate": 1.02}):
        prodigy = partial(prodigyopt.Prodigy, **options)
        yield Torch("prodigy", lambda p, λ, prodigy=prodigy: prodigy(p, weight_decay=λ), 1.0, options)
    coupled = partial(prodigyopt.Prodigy, decouple=False)
    yield Torch("prodigy", lambda p, λ: coupled(p, weight_decay=λ), 1.0, {"decay": "coupled"})
    corrected = {"use_bias_correction": True}
    # A first gradient of zeros makes both of optax's NaN for ever.
    # x0 - x is 1e-6 at first, which has ten digits where weights are near 1, and optax rounds weights another way.
    yield Optax(
        "prodigy", lambda rate, λ: contrib.prodigy(rate, weight_decay=λ), 1.0, corrected, within=1e-11, leave=_quiet
    )
    decoupled = {**corrected, "decay": "decoupled"}
    yield Optax("dadapt_adam", lambda rate, λ: contrib.dadapt_adamw(rate, weight_decay=λ), 1.0, decoupled, leave=_quiet)
    yield Torch("dadapt_adam", lambda p, λ: dadaptation.DAdaptAdam(p, weight_decay=λ), 1.0)
    adamw = partial(dadaptation.DAdaptAdam, decouple=True, use_bias_correction=True)
    yield Torch("dadapt_adam", lambda p, λ: adamw(p, weight_decay=λ), 1.0, decoupled)
    for momentum in (0.0, 0.9):
        sgd = partial(dadaptation.DAdaptSGD, momentum=momentum)
        # It divides by the first gradient's size, without decay: it cannot be 0, and steps explode if it is small.
        yield Torch(
            "dadapt_sgd",
            lambda p, λ, sgd=sgd: sgd(p, weight_decay=λ),
            1.0,
            {"momentum": momentum},
            leave=lambda at: at.quiet or at.scale < 1,
        )
    yield Optax("dog", lambda rate, λ: contrib.dog(rate, weight_decay=λ), 1.0)
    yield Optax("dowg", lambda rate, λ: contrib.dowg(rate, weight_decay=λ), 1.0)


ROWS = (*_weightwise(), *_tensorwise(), *_averaged(), *_treewise())
