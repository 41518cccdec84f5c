"""Rules for matrices against independent implementations in float64, and what is special about them.

A case runs on matrices that are tall, wide and square, by turns with decay and without; on gradients of size 1, 1e-4
and 1e-8, and on some that begin with zeros; square ones with decay also over 10,000 steps. The figure is the largest
difference of a weight after any step, as a share of the longest way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import cycle, product
from types import FunctionType
from typing import Any

import numpy as np
import pytest
import pytorch_optimizer
import torch

import oracles
import reference
from surefoot.conventions import FRAMEWORKS, convention, forms, resolve
from surefoot.errors import UsageError
from surefoot.hyperparameters import HYPERPARAMETERS
from surefoot.mathops import cols, eigenbasis, every, mean, orthogonalize, rows
from surefoot.rule import Rule, Step
from surefoot.rules.adafactor import adafactor, adafactor_vector
from surefoot.rules.adam import adam
from surefoot.rules.hyperball import hyperball
from surefoot.rules.muon import muon
from surefoot.rules.normuon import normuon
from surefoot.rules.polynomials import POLAR_EXPRESS, POLYNOMIALS
from surefoot.rules.soap import soap

SHAPES = {"tall": (8, 6), "wide": (6, 8), "square": (6, 6)}
STEPS, LONG = 120, 10_000


@dataclass(frozen=True)
class Case:
    """A rule in a convention, what it is compared with, and how near it comes."""

    rule: Rule
    framework: str
    call: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    decays: tuple[float, ...] = (0.0, 0.1)
    within: float = 1e-12
    shapes: tuple[str, ...] = tuple(SHAPES)
    long: bool = True
    leave: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "-".join((self.rule.name, self.framework, self.oracle, *map(str, {**self.options, **self.extra})))

    @property
    def oracle(self) -> str:
        return self.call or convention(self.rule, self.framework).call

    def error(self, shape: tuple[int, ...], situation: Situation, decay: float, rule: Rule | None = None) -> float:
        """Return the largest relative error of our rule, or of a faulty one, against the oracle."""
        start, gradients = make(shape, situation, begun=bool(decay) or self.rule.combinator is not None)
        known = convention(self.rule, self.framework)
        options = {**self.options, known.names.get("weight_decay", "weight_decay"): decay}
        rates = np.full(situation.steps, reference.shown(self.rule, self.framework, options)["lr"])
        ours = reference.run(self.rule, self.framework, options, gradients, start, rule=rule)
        paper = {"weight_decay": decay} if self.oracle.startswith("paper.") else {}
        turned = start.ndim == 2 and not paper and self.framework in ("keras", "optax")  # whose rows are inputs
        seen = (gradients.swapaxes(1, 2), start.T) if turned else (gradients, start)
        theirs = oracles.run(self.oracle, {**options, **self.extra, **paper}, *seen, rates)
        return relative(ours, theirs.swapaxes(1, 2) if turned else theirs, start)


@dataclass(frozen=True)
class Situation:
    """What the gradients are like: their size, how many of the first are zero, how many there are."""

    scale: float = 1.0
    quiet: int = 0
    steps: int = STEPS


SITUATIONS = {
    "large": Situation(),
    "small": Situation(1e-4),
    "tiny": Situation(1e-8),
    "zeros first": Situation(1e-4, 1),
    "late": Situation(1.0, 50),
}


def make(shape: tuple[int, ...], situation: Situation, *, begun: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights before the first step, and gradients with a mean and noise."""
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((situation.steps, *shape)) + rng.standard_normal(shape)
    gradients[: situation.quiet] = 0.0
    return rng.uniform(0.5, 1.5, shape) * begun, situation.scale * gradients


def relative(ours: np.ndarray, theirs: np.ndarray, start: np.ndarray) -> float:
    """Return the largest difference as a share of the longest way; infinite if there is none, or what is no number."""
    gap, way = np.abs(ours - theirs).max(), np.abs(theirs - start).max()
    return float(gap / way) if 0 < way < np.inf and gap < np.inf else np.inf


def fixed(x: np.ndarray) -> np.ndarray:
    return eigenbasis(x, 0 * x)


_EPS = {"eps[0]": 2.0**-23, "eps[1]": 1e-3}
SINGLE = 2.0**-23
"""Keras takes the length that Muon divides by, and keeps Adafactor's state, in float32: their rounding."""


def _cases() -> Iterator[Case]:
    rate = {"learning_rate": 0.01}
    brief: dict[str, Any] = {"shapes": ("tall",), "long": False}
    yield Case(muon, "optax", options=rate)
    yield Case(muon, "optax", options={**rate, "beta": 0.8, "eps": 1e-3}, **brief)
    yield Case(muon, "optax", options={**rate, "nesterov": False}, **brief)
    yield Case(muon, "keras", within=SINGLE, long=False)
    yield Case(muon, "keras", options={"nesterov": False, "rms_rate": 0.3, "momentum": 0.8}, within=SINGLE, **brief)
    yield Case(muon, "paper", "paper.muon")
    yield Case(muon, "moonlight", "paper.muon_moonlight", long=False)
    yield Case(normuon, "paper", "paper.normuon", {"lr": 1e-3})
    for framework, options in {"torch": {}, "keras": {}, "optax": {"learning_rate": 0.02}}.items():
        yield Case(normuon, framework, "paper.normuon_code", options, long=framework == "torch")
    yield Case(hyperball(adam), "torch", "paper.hyperball_adam", {"lr": 0.01}, decays=(0.0,))
    yield Case(adafactor, "torch", options=_EPS)
    yield Case(adafactor, "torch", options={**_EPS, "beta2_decay": -0.5, "d": 2.0, "lr": 0.1}, **brief)
    other = {"beta_2_decay": -0.5, "clip_threshold": 0.5, "epsilon_2": 0.1}
    yield Case(adafactor, "keras", within=SINGLE)
    yield Case(adafactor, "keras", options=other, within=SINGLE, **brief)
    # optax takes 1 - t^-0.8 in float32, and all but loses t^-0.8 in the long run
    factored = {"min_dim_size_to_factor": 2}
    yield Case(adafactor, "optax", options=rate, extra=factored, decays=(0.0, 1e-4), within=1e-7, long=False)
    yield Case(adafactor, "paper", "paper.adafactor")
    for framework, options in {"paper": {}, "torch": {}, "keras": {}, "optax": {"learning_rate": 3e-3}}.items():
        yield Case(soap, framework, "paper.soap", options, shapes=("square",), long=framework == "paper")
    yield Case(soap, "paper", "paper.soap", {"β₁": 0.8, "β₂": 0.9, "f": 3}, shapes=("square",), long=False)
    # after gradients of zeros a later basis is the first that is of a singular matrix, and left to rounding
    yield Case(soap, "paper", "paper.soap", extra={"Q": fixed}, leave=("late",))


CASES = tuple(_cases())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule_equals_independent_implementation(case):
    turns = zip(case.shapes, cycle(case.decays)) if len(case.shapes) > 1 else product(case.shapes, case.decays)
    for (shape, decay), name in product(turns, SITUATIONS.keys() - case.leave):
        assert case.error(SHAPES[shape], SITUATIONS[name], decay) <= case.within, (shape, decay, name)


@pytest.mark.parametrize("case", [case for case in CASES if case.long], ids=str)
def test_rule_equals_independent_implementation_in_the_long_run(case):
    assert case.error(SHAPES["square"], Situation(steps=LONG), case.decays[-1]) <= case.within


@pytest.mark.parametrize("framework", ["torch", "keras", "paper"])
def test_what_is_no_matrix_takes_adafactor_s_plain_form(framework):
    case = Case(
        adafactor_vector,
        framework,
        "paper.adafactor" if framework == "paper" else "",
        _EPS if framework == "torch" else {},
        within=SINGLE if framework == "keras" else 1e-12,
    )
    assert adafactor.vector is adafactor_vector
    for decay in case.decays:
        for situation in SITUATIONS.values():
            assert case.error((7,), situation, decay) <= case.within


def test_torch_s_adafactor_without_an_eps_takes_that_of_the_first_parameter_s_type_for_all():
    """Ours is float32's for all of them, whatever comes first."""
    ends = []
    for eps in (None, torch.finfo(torch.bfloat16).eps):
        one, two = torch.zeros(4, 3, dtype=torch.bfloat16), torch.zeros(4, 3)
        for p in (one, two):
            p.grad = torch.linspace(1e-3, 2e-3, 12).reshape(4, 3).to(p.dtype)
        torch.optim.Adafactor([one, two], eps=(eps, 1e-3), foreach=False).step()
        ends.append(two)
    assert torch.equal(*ends)
    two.zero_()
    torch.optim.Adafactor([two], eps=(None, 1e-3), foreach=False).step()
    assert not torch.allclose(two, ends[0], rtol=0.5)


IN_BFLOAT16 = {
    "torch": lambda p: torch.optim.Muon([p]),
    "paper": lambda p: pytorch_optimizer.Muon([{"params": [p], "use_muon": True}]),  # Keller Jordan's code
}


@pytest.mark.parametrize("framework", IN_BFLOAT16)
def test_muon_elsewhere_is_ours_within_what_bfloat16_allows(framework):
    start, gradients = make((8, 6), Situation(), begun=True)
    p, path = torch.nn.Parameter(torch.tensor(start)), np.empty_like(gradients)
    optimizer = IN_BFLOAT16[framework](p)
    for i, g in enumerate(gradients):
        p.grad = torch.tensor(g)
        optimizer.step()
        path[i] = p.detach().numpy()
    assert relative(reference.run(muon, framework, {}, gradients, start), path, start) < 1e-2


ENDS = {"keller": (0.68, 1.21), "quintic": (0.97, 1.15), "polar_express": (0.87, 1.13)}


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_where_singular_values_from_3_thousandths_up_end(name):
    low, high = ENDS[name]
    x = applied(POLYNOMIALS[name])
    assert low <= x.min() <= low + 0.01
    assert high - 0.01 <= x.max() <= high


def test_all_steps_of_polar_express_end_at_1():
    np.testing.assert_allclose(applied(POLAR_EXPRESS), 1.0, atol=1e-12)


def applied(polynomials) -> np.ndarray:
    x = np.concatenate([np.linspace(3e-3, 1, 100_000), np.geomspace(3e-3, 1, 100_000)])
    for a, b, c in polynomials:
        x = a * x + b * x**3 + c * x**5
    return x


def test_singular_values_of_a_matrix_are_those_of_the_polynomial():
    u, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((9, 5)))
    v, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((5, 5)))
    size = np.array([0.9, 0.4, 0.15, 0.05, 0.01])
    for turned in (False, True):
        x = (u * size) @ v.T
        made = orthogonalize(x.T if turned else x, POLAR_EXPRESS, 0.0)
        np.testing.assert_allclose(made.T if turned else made, u @ v.T, atol=1e-9)


SIDES = {
    "square": (90, 90),
    "wide": (90, 150),
    "tall": (150, 90),
    "row": (1, 9),
    "column": (9, 1),
    "conv": (90, 12, 3, 3),
}
"""Of a convolution's kernel outputs come first, and all the rest is one side."""


def from_3_thousandths_up(shape: tuple[int, ...]) -> np.ndarray:
    """Return weights whose matrix is as long as 1, and has its least singular value, if one of several, at .003."""
    high, wide = shape[0], int(np.prod(shape[1:]))
    rng, count = np.random.default_rng(0), min(high, wide)
    u, v = (np.linalg.qr(rng.standard_normal((side, count)))[0] for side in (high, wide))
    others = np.geomspace(0.01, 1, count - 1 or 1)
    others *= np.sqrt(1 - 9e-6 * (count > 1)) / np.linalg.norm(others)
    return ((u * np.array([3e-3, *others][-count:])) @ v.T).reshape(shape)


def stepped(gradient: np.ndarray, coefficients: Any) -> np.ndarray:
    """Return what torch's front-end takes off at a rate of 1, as a matrix."""
    from surefoot.torch import RuleOptimizer

    p = torch.nn.Parameter(torch.zeros(gradient.shape, dtype=torch.float64))
    p.grad = torch.tensor(gradient)
    RuleOptimizer([p], muon, lr=1.0, scale="none", weight_decay=0.0, eps=1e-12, coefficients=coefficients).step()
    return -p.detach().numpy().reshape(len(gradient), -1)


WRONG = {
    "four times": POLYNOMIALS["keller"][:4],
    "another a": ((2.4445, -4.7750, 2.0315),) * 5,
    "another b": ((3.4445, -4.5750, 2.0315),) * 5,
    "another c": ((3.4445, -4.7750, 2.2315),) * 5,
    "Newton's": ((1.875, -1.25, 0.375),) * 5,
}


def within(x: np.ndarray) -> bool:
    size = np.linalg.svd(x, compute_uv=False)
    return bool(size.min() >= 0.68 and size.max() <= 1.21)


@pytest.mark.parametrize("sides", SIDES)
def test_after_five_steps_singular_values_are_near_1(sides):
    gradient = from_3_thousandths_up(SIDES[sides])
    matrix = gradient.reshape(len(gradient), -1)
    assert within(stepped(gradient, "keller"))
    assert within(orthogonalize(matrix, POLYNOMIALS["keller"], 0.0))
    u, _, v = np.linalg.svd(stepped(gradient, POLAR_EXPRESS), full_matrices=False)
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    np.testing.assert_allclose(u @ v, left @ right, atol=1e-9)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_polynomial_leaves_some_elsewhere(wrong):
    """That of a single row ends where the polynomial has 1: it shows less, and Newton's is right there."""
    for sides in ("square", "wide", "tall", "conv"):
        gradient = from_3_thousandths_up(SIDES[sides])
        assert not within(orthogonalize(gradient.reshape(len(gradient), -1), WRONG[wrong], 0.0)), sides


@pytest.mark.parametrize("sides", SIDES)
def test_a_zero_matrix_is_not_moved(sides):
    np.testing.assert_array_equal(stepped(np.zeros(SIDES[sides]), "keller"), 0.0)


def test_polar_express_is_what_its_recipe_gives():
    """Amsel et al. 2025, algorithm 2 and appendix G: the best polynomial for what is left of [.001, 1], each time."""
    low, high, made = 1e-3, 1.0, []
    for _ in range(7):
        a, b, c = best_quintic(max(low, 0.02407327424182761 * high), high)
        ends = [a * x + b * x**3 + c * x**5 for x in (low, high)]
        a, b, c = (2 / sum(ends) * x for x in (a, b, c))
        low = 2 / sum(ends) * ends[0]
        high = 2 - low
        made.append((a / 1.01, b / 1.01**3, c / 1.01**5))
    np.testing.assert_allclose(POLAR_EXPRESS[:-1], made, rtol=1e-10)
    assert POLAR_EXPRESS[-1] == (15 / 8, -10 / 8, 3 / 8)


def best_quintic(low: float, high: float) -> np.ndarray:
    """Return the odd polynomial nearest to 1 on an interval: Remez's exchange between four points."""
    inner = [(3 * low + high) / 4, (low + 3 * high) / 4]
    for _ in range(100):
        points = np.array([low, *inner, high])
        a, b, c, _ = np.linalg.solve(np.stack([points, points**3, points**5, [1, -1, 1, -1]], axis=1), np.ones(4))
        inner = sorted(np.sqrt(np.roots([5 * c, 3 * b, a]).real))
    return np.array([a, b, c])


@pytest.mark.parametrize("rule", [muon, normuon, adafactor, soap], ids=lambda rule: rule.name)
@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (1, 1), (3, 3)])
def test_a_matrix_of_zeros_stays_and_one_row_or_column_moves(rule, shape):
    for scale in (0.0, 1.0):
        gradients = scale * np.random.default_rng(0).standard_normal((3, *shape))
        path = reference.run(rule, "paper", {}, gradients, np.zeros(shape))
        assert np.isfinite(path).all()
        assert (path[-1] != 0).any() == bool(scale)


def test_a_single_row_s_step_is_its_polynomial_s_end():
    """Keller Jordan's polynomial, five times, makes .70 of 1: so long is the step, at any length of the row."""
    (end,) = reference.run(muon, "paper", {"lr": 1.0}, np.array([[[3.0, 4.0]]]), np.zeros((1, 2)))
    np.testing.assert_allclose(np.linalg.norm(end), 0.70, atol=0.005)


def test_hyperball_keeps_the_length_and_turns_by_the_rate():
    start, gradients = make((8, 6), Situation(), begun=True)
    for inner in (adam, muon, adafactor):
        path = reference.run(hyperball(inner), "torch", {"lr": 0.1}, gradients, start)
        radius = np.linalg.norm(start)
        np.testing.assert_allclose(np.linalg.norm(path, axis=(1, 2)), radius, rtol=1e-13)
        turned = np.linalg.norm(path[1:] - path[:-1], axis=(1, 2)) / radius
        assert 0.05 < turned[0] <= turned.max() < 0.11
    still = reference.run(hyperball(adam), "torch", {"lr": 0.1}, 0 * gradients, start)
    np.testing.assert_allclose(still[-1], start, rtol=1e-13)


def test_hyperball_of_weights_that_begin_at_zero_is_the_rule_inside():
    _, gradients = make((8, 6), Situation(), begun=False)
    ends = [reference.run(rule, "torch", {}, gradients, np.zeros((8, 6))) for rule in (adam, hyperball(adam))]
    np.testing.assert_array_equal(*ends)


def test_soap_s_first_step_moves_nothing_and_decays_nothing():
    start, gradients = make((8, 6), Situation(), begun=True)
    path = reference.run(soap, "paper", {"λ": 0.1}, gradients, start)
    np.testing.assert_array_equal(path[0], start)
    assert (path[1] != start).all()


def test_further_conventions_are_a_rule_s_own():
    assert forms(muon) == (*FRAMEWORKS, "moonlight")
    assert forms(hyperball(muon)) == forms(muon)
    assert forms(adam) == FRAMEWORKS
    assert resolve(muon, "moonlight", {"wd": 0.2})["weight_decay"] == 0.2
    assert resolve(hyperball(muon), "moonlight", {})["lr"] == 1e-3
    with pytest.raises(UsageError, match=r"unknown convention 'moonlight'\. Known: keras, optax, paper, torch"):
        resolve(adam, "moonlight", {})


def test_the_words_of_a_polynomial_are_those_that_there_are():
    assert HYPERPARAMETERS["coefficients"].words == tuple(POLYNOMIALS)


def _word(**words: Any) -> Callable[[Rule], Rule]:
    """Let the rule's function, and those that it calls in its file, have another word for one of `mathops`."""

    def plant(rule: Rule) -> Rule:
        f = rule.function
        names = {**f.__globals__, **words}
        for name, helper in f.__globals__.items():
            if isinstance(helper, FunctionType) and helper.__module__ == f.__module__:
                names[name] = FunctionType(helper.__code__, names, name, helper.__defaults__, helper.__closure__)
                names[name].__kwdefaults__ = helper.__kwdefaults__
        return replace(rule, function=FunctionType(f.__code__, names, f.__name__, f.__defaults__, f.__closure__))

    return plant


def _given(**changed: Any) -> Callable[[Rule], Rule]:
    return lambda rule: replace(rule, function=lambda *arrays, **h: rule.function(*arrays, **{**h, **changed}))


def _pinned(**values: Any) -> Callable[[Rule], Rule]:
    return lambda rule: replace(rule, pinned={**rule.pinned, **values})


def _always_decays(rule: Rule) -> Rule:
    def faulty(*arrays: Any, **h: Any) -> Step:
        step = rule.function(*arrays, **h)
        return Step(rate=step.rate, direction=step.direction, **step.state)

    return replace(rule, function=faulty)


def _case(rule: Rule, framework: str = "paper") -> Case:
    """Return the last case of a rule."""
    return [case for case in CASES if case.rule is rule and case.framework == framework][-1]


MUON, NORMUON, FACTORED, SOAP = map(_case, (muon, normuon, adafactor, soap))
BALL = _case(hyperball(adam), "torch")

FAULTS: dict[str, tuple[Callable[[Rule], Rule], Case]] = {
    "the length is not divided by": (_word(orthogonalize=lambda x, *_, **__: x), MUON),
    "one polynomial less": (_word(polynomial=lambda name: POLYNOMIALS[name][:4]), MUON),
    "eps is the floor": (_given(eps_floor=True), MUON),
    "look-ahead dropped": (_given(nesterov=False), MUON),
    "sum, not mean": (_given(buffer_mean=False, eps=1e-4), MUON),
    "the rate of another shape": (_word(rows=cols, cols=rows), MUON),
    "another scale": (_given(scale="rms"), MUON),
    "decay coupled": (_pinned(decoupled=False), MUON),
    "mean of the columns": (
        _word(mean=lambda x, axis=None: mean(x, 1 - axis).T if axis is not None else mean(x)),
        NORMUON,
    ),
    "length of the rows as it comes": (_given(scale="none"), NORMUON),
    "mean of all": (_word(mean=lambda x, axis=None: mean(x) + (0 if axis is None else 0 * mean(x, axis))), FACTORED),
    "eps is the floor, factored": (_given(eps_floor=True, eps=1e-3), FACTORED),
    "rate not relative": (_given(relative_step=False), _case(adafactor, "torch")),
    "rate not a share of the weights": (_given(parameter_scale=False), FACTORED),
    "step not cut": (_given(clip_rms=1e9), FACTORED),
    "weights measured after decay": (_given(scale_decayed=True), FACTORED),
    "no basis": (_word(eigenbasis=lambda x, _: np.eye(len(x))), SOAP),
    "never another basis": (_word(every=lambda p, count, new, old: new() if count == 0 else old), SOAP),  # noqa: ARG005
    "another basis one step late": (_word(every=lambda p, count, new, old: every(p, count + 1, new, old)), SOAP),
    "turned on the wrong side": (_word(transpose=lambda x: x), SOAP),
    "first step decays": (_always_decays, SOAP),
    "decay before the move": (_pinned(decay="before"), SOAP),
    "length not kept": (lambda _: adam, BALL),
}


@pytest.mark.parametrize(("make_faulty", "case"), FAULTS.values(), ids=FAULTS)
def test_the_comparison_catches_a_fault(make_faulty, case):
    assert not case.error(_shape(case), SITUATIONS["small"], case.decays[-1], make_faulty(case.rule)) <= case.within


@pytest.mark.parametrize("case", [MUON, NORMUON, FACTORED, SOAP], ids=str)
def test_the_comparison_passes_the_rule_rebuilt_without_a_fault(case):
    rebuilt = _given()(_word()(case.rule))
    assert case.error(_shape(case), SITUATIONS["small"], case.decays[-1], rebuilt) <= case.within


def _shape(case: Case) -> tuple[int, ...]:
    """Return sides of different lengths, but where a fault takes one for the other."""
    return SHAPES["square" if case in (SOAP, NORMUON) else "tall"]
