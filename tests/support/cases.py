"""The table of cases: every rule in every convention against an independent implementation, and how to compare them.

Each case runs 72 weights at once, in nine blocks of eight: gradients of scale 1, 1e-4 and 1e-8, each without zeros,
always zero, and zero at half of the steps. Each block is judged by itself and after every step: the largest difference
over the largest distance from the start. The bound is the issue's 1e-12, for all cases and never loosened.

Without weight decay the gradients do not depend on the weights, which start at 0, so a relative error of a weight
means something at any scale; 10,000 steps are fine, and are made once for each formula. With decay the weights start
near 1, where their own rounding, 1e-16, has to be small against the way gone: that is judged from step 100 on, when
decay alone has moved them by 1e-3 or more. The largest errors, 6e-13, come from rounding 1 - lr * decay, which is wrong
by up to 2^-54 / (lr * decay) of the decay: 6e-13 where that product is 1e-4.

A rule that looks at all tensors of an optimizer gets the three blocks of one scale as three tensors. Its rate grows for
as long as it gets anywhere, and so would any error, so its gradients are those of a bowl with noise, taken where the
oracle itself goes; they start at 0 with weight decay too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

import oracles
import reference
from papers_modern import MODERN
from surefoot.conventions import convention, shown
from surefoot.rule import Rule
from surefoot.rules import rule_of

TOLERANCE = 1e-12
SCALES = (1.0, 1e-4, 1e-8)
BLOCK = 8
BLOCKS = tuple(slice(i, i + BLOCK) for i in range(0, 9 * BLOCK, BLOCK))
TENSORS = tuple(slice(i, i + 3 * BLOCK) for i in range(0, 9 * BLOCK, 3 * BLOCK))
"""Weights that are a tensor each, 8 x 3 of one scale, where a rule adds tensors up."""
STEPS, LONG = 500, 10_000


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        rule: our rule.
        framework: the convention.
        options: what a user of the framework writes; given to both sides.
        call: the independent implementation; what the convention names, if empty.
        extra: what makes that implementation our rule (`amsgrad=True`); given to it only.
        decay: weight decay, or None where the framework has none.
        scheduled: whether the learning rate changes from step to step, from 0 upwards and down again.
        tensors: whether the weights of `TENSORS` are tensors, as a rule needs that adds them up.
        started: whether the weights start near 1 and -1 even where nothing decays.
        late: whether all gradients of the first step are zero.
        evaluated: whether what is compared are the weights to evaluate with.
        zeros: whether some gradients are zero from the first step on. An algorithm without eps has no answer there.
        steps: how many.
    """

    rule: str
    framework: str
    options: Mapping[str, Any] = field(default_factory=dict)
    call: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    decay: float | None = None
    scheduled: bool = False
    tensors: bool = False
    started: bool = False
    late: bool = False
    evaluated: bool = False
    zeros: bool = True
    steps: int = STEPS

    @property
    def oracle(self) -> str:
        return self.call or convention(self.rule, self.framework).call or f"paper.{self.rule}"

    @property
    def by_optax(self) -> bool:
        """Whether optax's own optimizer of optax's own convention is the oracle."""
        return self.framework == "optax" and self.oracle.startswith("optax.")

    @property
    def begun(self) -> bool:
        """Whether the weights start near 1 and -1, not at 0."""
        return bool(self.started or (self.decay and not self.shared))

    @property
    def shared(self) -> bool:
        """Whether the rule looks at all tensors of an optimizer."""
        return bool(rule_of(self.rule).shared)

    def __str__(self) -> str:
        options = ",".join(f"{name}={value}" for name, value in {**self.options, **self.extra}.items())
        decay = "" if self.decay is None else f"decay={self.decay}"
        steps = "" if self.steps == STEPS else str(self.steps)
        parts = self.rule, self.framework, self.oracle if self.call else "", options, decay, steps
        words = [name for name in ("scheduled", "late", "evaluated") if getattr(self, name)]
        words += ["started"] if self.started and self.shared else []
        return "-".join(filter(None, (*parts, *words)))

    def error(self, rule: Rule | None = None) -> float:
        """Return the largest relative error of our rule, or of the one given, against the oracle."""
        given = self.given()
        return self.judged(self.ours(*given, rule), self.theirs(*given))

    def given(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradients, and the weights before the first step."""
        start = make_start(self.begun)
        gradients = self._followed(start) if self.shared else make_gradients(self.steps, self.zeros)
        return np.where(np.arange(self.steps)[:, None] < self.late, 0.0, gradients), start

    def ours(self, gradients: np.ndarray, start: np.ndarray, rule: Rule | None = None) -> np.ndarray:
        """Return the weights after each step of our rule, or of the one given."""
        options, rates = self._decaying(), self._rates() if self.scheduled else None

        def run(part: slice) -> np.ndarray:
            known = self.rule, self.framework, options, gradients[:, part], start[part], rates
            return reference.run(*known, rule=rule, evaluate=self.evaluated)

        return np.concatenate([run(part) for part in self._parts()], axis=1)

    def theirs(self, gradients: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Return the weights after each step of the oracle."""
        extra = dict(self.extra)
        if self.decay is not None and self.oracle.startswith("paper."):
            extra["weight_decay"] = self.decay
        extra |= {"evaluated": True} if self.evaluated else {}
        options, rates = {**self._decaying(), **extra}, self._rates() if self.scheduled else None
        if not self.shared:
            return oracles.run(self.oracle, options, gradients, start, rates, self._parts())
        alone = [oracles.run(self.oracle, options, gradients[:, part], start[part], rates) for part in TENSORS]
        return np.concatenate(alone, axis=1)

    def judged(self, ours: np.ndarray, theirs: np.ndarray) -> float:
        """Return the largest relative error of our weights, where the case judges them."""
        return relative_error(ours, theirs, make_start(self.begun), first=100 if self.begun else 1)

    def _parts(self) -> tuple[slice, ...]:
        return TENSORS if self.tensors or self.shared else (slice(None),)

    def _decaying(self) -> dict[str, Any]:
        """Return the options with weight decay, by the framework's name."""
        decay = convention(self.rule, self.framework).names.get("weight_decay", "weight_decay")
        return {**self.options} if self.decay is None else {**self.options, decay: self.decay}

    def _followed(self, start: np.ndarray) -> np.ndarray:
        """Return the gradients of a bowl with noise where the paper's algorithm goes."""
        options = {**self.options, **self.extra} if self.oracle.startswith("paper.") else {}
        h = {**MODERN[self.rule].defaults, **options, "weight_decay": self.decay or 0.0}
        rates = self._rates() if self.scheduled else np.full(self.steps, h["lr"])
        noise, made = make_gradients(self.steps, self.zeros), np.zeros((self.steps, 9 * BLOCK))
        for scale, part in zip(SCALES, TENSORS, strict=True):
            made[:, part] = follow(self.rule, h, start[part], noise[:, part], scale, rates, self.late)
        return made

    def _rates(self) -> np.ndarray:
        base = reference.shown(self.rule, self.framework, self.options)["lr"]
        t = np.arange(self.steps)
        return base * np.minimum(t / 50, 1) * np.where(t < STEPS / 2, 1.0, 0.1)


def relative_error(ours: np.ndarray, theirs: np.ndarray, start: np.ndarray, first: int) -> float:
    """Return the largest difference over the largest distance from the start, of any block from step `first` on.

    Not-a-number on either side is an infinite error; no difference is none, even where nothing has moved yet.
    """
    worst = 0.0
    for block in BLOCKS:
        gap = np.abs(ours - theirs)[first - 1 :, block].max(axis=1)
        way = np.abs(theirs - start)[first - 1 :, block].max(axis=1)
        still = np.where(gap == 0, 0.0, np.inf)
        worst = max(worst, np.divide(gap, way, out=still, where=way > 0).max())
    return worst


def follow(
    paper: str, h: Mapping[str, Any], start: np.ndarray, noise: np.ndarray, scale: float, rates: np.ndarray, late: bool
) -> np.ndarray:
    """Return the gradients of a quadratic and a tenth of this noise, where it is not zero, on the algorithm's way."""
    x, made = start, np.zeros_like(noise)
    goal, curvature = np.resize([1.2, -0.7, 0.9], len(x)), np.linspace(0.3, 1.0, len(x))

    def gradients() -> Iterator[np.ndarray]:
        for t, row in enumerate(noise):
            made[t] = np.where(row == 0, 0.0, scale * curvature * (x - goal) + 0.1 * row) * (t >= late)
            yield made[t]

    for point in MODERN[paper].loop(h, start, gradients(), rates):
        x = point
    return made


@cache
def make_gradients(steps: int, zeros: bool) -> np.ndarray:
    """Return a gradient per step and weight: a mean of its own, noise, and bursts that a maximum remembers."""
    rng = np.random.default_rng(steps)
    mean = rng.choice([-1.0, 1.0], 9 * BLOCK) * rng.uniform(0.3, 1.0, 9 * BLOCK)
    bursts = 1 + 9 * (rng.random((steps, 1)) < 0.01)
    gradients = (mean + rng.standard_normal((steps, 9 * BLOCK))) * bursts * np.repeat(SCALES, 3 * BLOCK)
    if zeros:
        for dead, sparse in zip(BLOCKS[1::3], BLOCKS[2::3], strict=True):
            gradients[:, dead] = 0.0
            gradients[:, sparse] *= rng.random((steps, BLOCK)) < 0.5
    gradients.flags.writeable = False
    return gradients


def make_start(begun: object) -> np.ndarray:
    """Return the weights before the first step: 0, or as where there is something to decay, near 1 and -1."""
    sign = np.resize([1.0, -1.0], 9 * BLOCK)
    return sign * np.linspace(0.5, 1.5, 9 * BLOCK) if begun else 0 * sign


def _cases() -> Iterator[Case]:
    yield from _sgd_family()
    yield from _without_momentum()
    yield from _rmsprop()
    yield from _adam_family()
    yield from _adabound_family()
    yield from _lion()
    yield from _adam_relatives()
    yield from _nesterov_adam()
    yield from _angles_and_signs()
    yield from _tensorwise()
    yield from _combined()
    yield from _schedule_free()
    yield from _without_rate()


def _each(
    rule: str, framework: str, variants: list[dict[str, Any]], decays: Any = (None,), *, long: bool = True, **rest: Any
) -> Any:
    """Yield a case per variant and decay, the first one over 10,000 steps if `long`, and one with a schedule.

    Keras's formulas are those of the others with eps elsewhere: 10,000 steps of theirs say it for Keras's too.
    """
    long = long and framework != "keras" and (rule, framework) != ("adagrad", "paper")  # the paper's norm is quadratic
    base = rest.pop("options", {})
    steps = LONG if long else STEPS
    for options in variants:
        for decay in decays:
            yield Case(rule, framework, {**base, **options}, decay=decay, steps=steps, **rest)
            steps = STEPS
    if "sqrt_t" not in convention(rule, framework).switches:
        yield Case(rule, framework, {**base, **variants[-1]}, decay=decays[-1], scheduled=True, **rest)


_BOTH = (0.0, 0.1)


def _sgd_family() -> Iterator[Case]:
    heavy, look = {"momentum": 0.9}, {"momentum": 0.8, "nesterov": True}
    damped = {"momentum": 0.9, "dampening": 0.5}
    yield from _each("sgd", "torch", [{}, damped, look, {"maximize": True}, heavy], _BOTH)
    yield from _each("sgd", "keras", [{}, look, heavy], _BOTH)
    yield from _each("sgd", "optax", [{}, look, heavy], options={"learning_rate": 0.01})
    yield from _each("sgd", "paper", [{"lr": 0.01}])
    for rule, extra in {"momentum": heavy, "nesterov": {"momentum": 0.9, "nesterov": True}}.items():
        yield from _each(rule, "torch", [{}], _BOTH, extra=extra)
        yield from _each(rule, "keras", [{}], _BOTH, extra=extra)
        yield from _each(rule, "optax", [{"learning_rate": 0.01}], extra=extra)
        yield from _each(rule, "paper", [{"lr": 0.01}, {"lr": 0.01, "momentum": 0.5}])


def _without_momentum() -> Iterator[Case]:
    full = {"initial_accumulator_value": 0.1, "lr_decay": 1e-2}
    yield from _each("adagrad", "torch", [{}, {"maximize": True}, {"lr_decay": 1e-2}, full], _BOTH)
    yield from _each("adagrad", "keras", [{}, {"initial_accumulator_value": 0.0}], _BOTH)
    bare = {"initial_accumulator_value": 0.0, "eps": 1e-9}
    yield from _each("adagrad", "optax", [{}, bare], options={"learning_rate": 0.01})
    yield from _each("adagrad", "paper", [{"lr": 0.01, "δ": 1e-8}])
    yield from _each("adadelta", "torch", [{}, {"maximize": True}, {"rho": 0.99, "eps": 1e-8}], _BOTH)
    yield from _each("adadelta", "keras", [{}, {"learning_rate": 1.0}], _BOTH)
    yield from _each("adadelta", "optax", [{"learning_rate": 1.0}], _BOTH)
    yield from _each("adadelta", "paper", [{}])


def _rmsprop() -> Iterator[Case]:
    heavy, centered = {"momentum": 0.9}, {"centered": True}
    variants = [{}, centered, {**heavy, **centered}, heavy]
    yield from _each("rmsprop", "torch", [*variants[:3], {"maximize": True}, heavy], _BOTH)
    for framework, options in {"keras": {}, "optax": {"learning_rate": 0.01}}.items():
        decays = _BOTH if framework == "keras" else (None,)
        yield from _each("rmsprop", framework, variants, decays, options=options)
    yield from _each("rmsprop", "paper", [{}, {"ℵ": 0.9, "ℶ": 0.5, "ℸ": 1e-6}])


def _adam_family() -> Iterator[Case]:
    betas = {"betas[0]": 0.8, "betas[1]": 0.95, "eps": 1e-6}
    yield from _each("adam", "torch", [{}, betas, {"amsgrad": True}, {"maximize": True}], _BOTH)
    yield from _each("adam", "keras", [{}, {"beta_1": 0.8, "beta_2": 0.95}, {"amsgrad": True}], _BOTH)
    yield from _each("adam", "optax", [{}, {"b1": 0.8, "b2": 0.95}], options={"learning_rate": 1e-3})
    yield from _each("adam", "paper", [{}])
    yield from _each("amsgrad", "torch", [{}], _BOTH, extra={"amsgrad": True})
    yield from _each("amsgrad", "keras", [{}], _BOTH, extra={"amsgrad": True})
    yield from _each("amsgrad", "optax", [{"learning_rate": 1e-3}])
    yield from _each("amsgrad", "paper", [{"lr": 1e-3, "eps": 0.0}], zeros=False)
    yield from _each("amsgrad", "paper", [{"lr": 1e-3}], extra={"eps": 1e-8})
    yield from _each("adamw", "torch", [{}, {"amsgrad": True}, {"maximize": True}], _BOTH)
    yield from _each("adamw", "keras", [{}], _BOTH)
    yield from _each("adamw", "optax", [{"learning_rate": 1e-3}], _BOTH)
    yield from _each("adamw", "paper", [{}], (0.0, 1e-3))


def _adabound_family() -> Iterator[Case]:
    other = {"betas[0]": 0.8, "betas[1]": 0.95, "final_lr": 0.01, "gamma": 1e-2, "eps": 1e-6}
    for rule, ams in {"adabound": False, "amsbound": True}.items():
        official: dict[str, Any] = {"call": "adabound.AdaBound", "extra": {"amsbound": ams}}
        yield from _each(rule, "torch", [{}, other], _BOTH, **official)
        yield from _each(rule, "optax", [{"lr": 1e-3}], _BOTH, **official)
        yield from _each(rule, "keras", [{}], (0.0, 0.1), call=f"paper.{rule}_keras")
        yield from _each(rule, "paper", [{"eps": 0.0}], zeros=False)
        yield from _each(rule, "paper", [{}], extra={"eps": 1e-8})


def _lion() -> Iterator[Case]:
    yield from _each("lion", "keras", [{}, {"beta_1": 0.95, "beta_2": 0.98}], _BOTH)
    yield from _each("lion", "optax", [{"learning_rate": 1e-3}], _BOTH)
    yield from _each("lion", "torch", [{"lr": 1e-3}], _BOTH, call="paper.lion")
    yield from _each("lion", "paper", [{"lr": 1e-3}, {"lr": 1e-3, "β₁": 0.95, "β₂": 0.98}], _BOTH)
    yield Case("lion", "paper")


def _adam_relatives() -> Iterator[Case]:
    betas = {"betas[0]": 0.8, "betas[1]": 0.95, "eps": 1e-6}
    decoupled = {"decoupled_weight_decay": True}
    rate = {"learning_rate": 1e-3}
    yield from _each("adamax", "torch", [{}, {"maximize": True}], _BOTH)
    yield Case("adamax", "torch", betas, decay=0.0)  # weights that decay swing about 0, where errors grow in torch too
    yield from _each("adamax", "keras", [{}], _BOTH)
    yield from _each("adamax", "optax", [rate])
    yield from _each("adamax", "paper", [{"eps": 0.0}], zeros=False)
    yield from _each("adamax", "paper", [{}], extra={"eps": 1e-8})
    yield from _each("radam", "torch", [{}, betas, decoupled, {"maximize": True}], _BOTH)
    yield from _each("radam", "optax", [{**rate, "threshold": 6.0}, rate])
    yield from _each("radam", "keras", [{}], _BOTH, call="torch.optim.RAdam", extra={"eps": 1e-7, **decoupled})
    yield from _each("radam", "paper", [{"eps": 0.0}], zeros=False)
    yield from _each("radam", "paper", [{}], extra={"eps": 1e-8})
    yield from _each("adabelief", "optax", [{**rate, "eps": 1e-8}, {**rate, "eps_root": 1e-12}, rate])
    code = {"call": "paper.adabelief", "extra": {"ε": 1e-16}}
    yield from _each("adabelief", "torch", [{}], _BOTH, **code)
    yield from _each("adabelief", "keras", [{}], _BOTH, **code)
    yield from _each("adabelief", "paper", [{}, {"ε": 1e-6}])
    yield from _each("yogi", "optax", [{"learning_rate": 1e-2}, {**rate, "eps": 1e-6}])
    corrected = {"call": "optax.yogi", "extra": {"learning_rate": 1e-2}}
    yield from _each("yogi", "torch", [{}], **corrected)
    yield from _each("yogi", "keras", [{}], **corrected)
    yield from _each("yogi", "paper", [{}, {"ε": 1e-6}])
    yield from _modern()


def _modern() -> Iterator[Case]:
    rate = {"learning_rate": 1e-3}
    code = {"call": "paper.adopt", "extra": {"clip": True}}
    yield from _each("adopt", "optax", [rate, {**rate, "b1": 0.8, "b2": 0.95}])
    yield from _each("adopt", "torch", [{}, {"decouple": True}], _BOTH, **code)
    yield from _each("adopt", "keras", [{}], _BOTH, call="paper.adopt", extra={"clip": True, "decouple": True})
    yield from _each("adopt", "paper", [{}, {"β₁": 0.8, "β₂": 0.95}])
    yield from _each("ademamix", "optax", [{**rate, "b3": 0.99, "alpha": 3.0}, rate], _BOTH)
    for framework in ("torch", "keras"):
        yield from _each("ademamix", framework, [{}], _BOTH, call="paper.ademamix", extra={"α": 2.0})
        yield from _each("adan", framework, [{}], _BOTH, call="paper.adan")
    yield from _each("ademamix", "paper", [{}, {"β₃": 0.99}], _BOTH)
    yield from _each("adan", "optax", [{"lr": 1e-3}], _BOTH, call="paper.adan")
    yield from _each("adan", "paper", [{}, {"β₁": 0.9, "β₂": 0.8, "β₃": 0.95, "ε": 1e-6}], _BOTH)


def _nesterov_adam() -> Iterator[Case]:
    rate, decoupled = {"learning_rate": 1e-3}, {"decoupled_weight_decay": True}
    betas = {"betas[0]": 0.8, "betas[1]": 0.95, "eps": 1e-6, "momentum_decay": 0.02}
    yield from _each("nadam", "torch", [{}, {"maximize": True}, decoupled], _BOTH)
    yield Case("nadam", "torch", betas, decay=0.0)  # with coupled decay as Adamax
    yield from _each("nadam", "keras", [{}, {"beta_1": 0.8, "beta_2": 0.95}], _BOTH)
    yield from _each("nadam", "optax", [rate, {**rate, "b1": 0.8, "b2": 0.95}])
    small = {"β₁": 0.8, "β₂": 0.95, "ε": 1e-6, "ψ": 0.02}
    yield from _each("nadam", "paper", [{}, small], call="paper.nadam_torch")
    yield from _each("nadamw", "optax", [rate], _BOTH)
    for framework, extra in {"torch": {}, "keras": {"ε": 1e-7}, "paper": {}}.items():
        yield from _each(
            "nadamw", framework, [{}], _BOTH, call="paper.nadamw_timm", extra=extra, long=framework == "torch"
        )


def _angles_and_signs() -> Iterator[Case]:
    yield from _each("signum", "optax", [{"learning_rate": 1e-3}, {"learning_rate": 1e-3, "beta": 0.5}])
    yield from _each("signum", "paper", [{"lr": 1e-3}, {"lr": 1e-3, "β": 0.5}], _BOTH)
    yield Case("signum", "paper")
    for framework in ("torch", "keras"):
        yield from _each("signum", framework, [{"lr": 1e-3}], _BOTH, call="paper.signum", long=False)
    for framework in ("torch", "keras", "optax"):
        yield from _each("adamatan2", framework, [{"lr": 1e-3}], _BOTH, call="paper.adam_atan2", long=False)
    other = {"lr": 1e-3, "β₁": 0.8, "β₂": 0.95, "a": 1.0, "b": 2.0}
    yield from _each("adamatan2", "paper", [{"lr": 1e-3}, other], _BOTH, call="paper.adam_atan2")
    yield from _each("adamc", "keras", [{}], (0.0,), call="keras.optimizers.AdamW")
    for framework, options in {"torch": {}, "optax": {"lr": 1e-3}, "paper": {}}.items():
        corrected = {"call": "paper.adam_decayed", "extra": {"decay": "corrected"}, "long": framework == "torch"}
        yield from _each("adamc", framework, [options], _BOTH, **corrected)


def _tensorwise() -> Iterator[Case]:
    whole: dict[str, Any] = {"tensors": True, "started": True}
    rate = {"learning_rate": 1e-3}
    yield from _each("lamb", "keras", [{}, {"beta_1": 0.8, "beta_2": 0.95}], _BOTH, **whole)
    yield from _each("lamb", "optax", [rate], _BOTH, **whole)
    for framework in ("torch", "paper"):
        yield from _each("lamb", framework, [{}], _BOTH, call="paper.lamb", long=False, **whole)
    heavy = {"learning_rate": 1.0, "momentum": 0.5}
    yield from _each("lars", "optax", [{"learning_rate": 1.0}, {**heavy, "nesterov": True}, heavy], _BOTH, **whole)
    for framework, call in {"torch": "lars_beside", "keras": "lars", "paper": "lars"}.items():
        yield from _each("lars", framework, [{}], _BOTH, call=f"paper.{call}", long=False, **whole)
    stable = {"call": "paper.stable_adamw", "tensors": True}
    official = {"call": "optimi.StableAdamW", "extra": {"triton": False}, "tensors": True, "long": False}
    yield from _each("stableadamw", "torch", [{"lr": 1e-3}, {"lr": 1e-3, "eps": 1e-8}], _BOTH, **official)
    for framework, options in {"torch": {}, "keras": {}, "optax": {"lr": 1e-3}, "paper": {}}.items():
        yield from _each("stableadamw", framework, [options], _BOTH, long=framework == "paper", **stable)


def _combined() -> Iterator[Case]:
    whole: dict[str, Any] = {"tensors": True}
    yield from _each("cautious(adamw)", "torch", [{}], _BOTH, call="paper.cautious_adamw_timm", **whole)
    extra = {"ε": 1e-7}
    yield from _each(
        "cautious(adamw)", "keras", [{}], _BOTH, call="paper.cautious_adamw", extra=extra, long=False, **whole
    )
    yield from _each("mars(adamw)", "torch", [{}], _BOTH, call="paper.mars", **whole)
    yield from _each("grokfast(adamw)", "torch", [{}], _BOTH, call="paper.grokfast")
    for evaluated in (False, True):
        adam: dict[str, Any] = {"call": "paper.lookahead_adam", "evaluated": evaluated, "long": not evaluated}
        yield from _each("lookahead(adamw)", "torch", [{}], _BOTH, **adam)
        heavy: dict[str, Any] = {
            "call": "paper.lookahead_sgd",
            "extra": {"decay": "coupled", "lr": 1e-3},
            "long": False,
        }
        yield from _each("lookahead(momentum)", "torch", [{}], _BOTH, evaluated=evaluated, **heavy)


def _schedule_free() -> Iterator[Case]:
    warm = {"warmup": 30.0, "r": 1.0, "p": 1.0}
    rules: dict[str, dict[str, Any]] = {
        "schedule_free_sgd": {**warm, "β": 0.95},
        "schedule_free_adamw": {**warm, "β": 0.95, "β₂": 0.99, "ε": 1e-6},
        "schedule_free_radam": {"r": 1.0, "p": 1.0, "β": 0.95, "β₂": 0.99, "silent": False},
    }
    for rule, other in rules.items():
        yield from _each(rule, "paper", [{}, other], _BOTH)
        for framework in ("torch", "keras"):
            yield from _each(rule, framework, [{}], _BOTH, call=f"paper.{rule}")
        for options in ({}, other):
            for decay in _BOTH:
                yield Case(rule, "paper", options, decay=decay, evaluated=True)
        yield Case(rule, "paper", other, late=True)
    for decay in _BOTH:
        yield Case("schedule_free_sgd", "optax", {"b1": 0.95}, decay=decay)
        yield Case("schedule_free_adamw", "optax", {"b2": 0.99, "eps": 1e-6}, decay=decay)
    yield Case("schedule_free_radam", "optax", {"learning_rate": 2.5e-3}, call="paper.schedule_free_radam")


def _without_rate() -> Iterator[Case]:
    slow = {"growth_rate": 1.02}
    warm = {**slow, "d_coef": 0.5, "use_bias_correction": True, "safeguard_warmup": True}
    for rule, other, extra in (
        ("prodigy", warm, {}),
        ("dadapt_adam", {**slow, "use_bias_correction": True}, {}),
        ("dadapt_sgd", {**slow, "momentum": 0.9}, {"decayed_start": True}),
        ("dog", {"reps_rel": 1e-4}, {}),
        ("dowg", {"r²": 1e-2, "ε": 1e-6}, {}),
    ):
        # D-Adaptation SGD's rates are relative to its first gradient: decay has to be in that, or it is far too much
        relative = rule == "dadapt_sgd"
        decayed, base = {"decay": 0.1, "started": relative}, {"d0": 1e-2} if relative else {}
        for options, steps in (({}, 3_000), (other, STEPS)):  # three tensors of three sizes, one by one
            yield Case(rule, "paper", options, extra=extra, decay=0.0, steps=steps)
            yield Case(rule, "paper", {**base, **options}, extra=extra, **decayed)
        yield Case(rule, "paper", extra={**extra, "skips": False}, scheduled=True, decay=0.0 if relative else 0.1)
        yield Case(rule, "paper", extra=extra, late=True, decay=0.0 if relative else 0.1)
        for framework in ("torch", "keras"):
            yield Case(rule, framework, decay=0.0, call=f"paper.{rule}", extra=extra)
    yield Case("prodigy", "torch", {"decouple": False}, call="paper.prodigy", extra={"decay": "coupled"}, decay=0.1)
    decoupled: dict[str, Any] = {"call": "paper.dadapt_adam", "extra": {"decay": "decoupled"}}
    yield Case("dadapt_adam", "torch", {"decouple": True}, decay=1e-3, **decoupled)
    yield Case("dadapt_adam", "keras", decay=1e-3, **decoupled)
    yield Case("prodigy", "paper", {"d0": 1e-2}, decay=0.1, started=True)
    yield Case("dog", "paper", {"reps_rel": 1e-4}, decay=0.1, started=True)
    yield Case("dowg", "paper", decay=0.1, started=True)
    rate = {"learning_rate": 1.0}
    for rule, call in {"prodigy": "prodigy", "dadapt_adam": "dadapt_adamw", "dog": "dog", "dowg": "dowg"}.items():
        yield Case(rule, "optax", rate, decay=0.0, call=f"optax.contrib.{call}")
    coefficient = {**rate, "estim_lr_coef": 0.5, "safeguard_warmup": True}
    yield Case("prodigy", "optax", coefficient, call="optax.contrib.prodigy", decay=0.1)


def _long_once(cases: Iterator[Case]) -> Iterator[Case]:
    """Shorten a long case that comes to the same hyperparameters as another: its sums are the same.

    Torch's oracles are the slowest, and come last.
    """
    done: list[Any] = []
    for case in sorted(cases, key=lambda case: ("optax", "paper", "keras", "torch").index(case.framework)):
        if case.steps < LONG:
            yield case
        elif (
            means := (case.rule, case.decay or 0.0, {**shown(case.rule, case.framework, case.options), "lr": 0.0})
        ) in done:
            yield replace(case, steps=STEPS)
        else:
            done.append(means)
            yield case


CASES = tuple(_long_once(_cases()))
