"""The interface of a rule: a function that returns a rate, a direction and the new state.

    def adagrad(g, state, t, *, lr=1e-2, eps=1e-10): ...
        return Step(rate=lr / (sqrt(s) + eps), direction=g, s=s)

The function sees one weight (or an array of independent weights): its gradient `g`, its state slots, its own step
count `t` (from 1), and the hyperparameters; `(g, w, state, t, *, ...)` sees the weight too. The weight moves by
`-rate * direction`. The decorator `@rule` adds what a reader and a machine need to know besides: name, state slots,
hyperparameters with defaults, source. The function stays callable on floats, NumPy arrays and torch tensors; engines
and front-ends only ever call it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np

from surefoot.about import About
from surefoot.errors import UsageError, unknown
from surefoot.hyperparameters import HYPERPARAMETERS, Hyperparameter
from surefoot.mathops import Array, precision_of

WRAPPER_OPTIONS: dict[str, Any] = {
    "weight_decay": 0.0,
    "decoupled": False,
    "decay_by_lr": True,
    "decay": None,
    "base_lr": None,
    "maximize": False,
    "gradient_factor": None,
    "max_grad_value": None,
    "ema": 0.0,
}
"""Hyperparameters that surround every rule; `update.py` applies them. None: not in use (`base_lr`: the rate stays)."""

SET_BY_FRONT_END = ("base_lr", "gradient_factor", "ema")
"""The options among them that an optimizer sets itself or offers as its own argument."""

WEIGHT = "weight"
"""The start of a slot that begins as a copy of the weight."""

Evaluate = Callable[[Array, Any, Mapping[str, Any]], Array]
"""`(w, state, hyper)` to the weights of an evaluation, where they are not the training weights."""


class Step:
    """What a rule returns: how far each weight moves, and the state after the step.

    Args:
        rate: the step size of each weight; a number, or an array of the gradient's shape.
        direction: what the rate multiplies; of the gradient's shape.
        move: what is subtracted from the weight; `rate * direction` unless a momentum buffer stands behind the rate.
        decay: the share of decoupled weight decay that this step takes: 1, or 0 of a step that takes none.
        state: the new value of each slot; None for a slot that is not in use.
    """

    __slots__ = ("_move", "decay", "direction", "rate", "state")

    def __init__(
        self,
        *,
        rate: Array,
        direction: Array,
        move: Array | None = None,
        decay: Array | None = None,
        **state: Array | None,
    ) -> None:
        self.rate = rate
        self.direction = direction
        self._move = move
        self.decay = decay
        self.state: dict[str, Array] = {name: value for name, value in state.items() if value is not None}

    @property
    def move(self) -> Array:
        """The amount that is subtracted from the weight."""
        return self.rate * self.direction if self._move is None else self._move

    def with_rate(self, rate: Array) -> Step:
        """Return the same step taken at another rate."""
        return Step(rate=rate, direction=self.direction, decay=self.decay, **self.state)

    def scaled(self, factor: Array) -> Step:
        """Return the same step, so many times as long; what it keeps stays."""
        move = None if self._move is None else factor * self._move
        return Step(rate=factor * self.rate, direction=self.direction, move=move, decay=self.decay, **self.state)

    def moving(self, move: Array) -> Step:
        """Return a step that moves otherwise, with the same rate, direction and state."""
        return Step(rate=self.rate, direction=self.direction, move=move, decay=self.decay, **self.state)

    def keeping(self, **state: Array | None) -> Step:
        """Return the same step with more, or other, new values of slots."""
        kept = {**self.state, **state}
        return Step(rate=self.rate, direction=self.direction, move=self._move, decay=self.decay, **kept)


@dataclass(frozen=True)
class Slot:
    """What a rule keeps from step to step: by default one array of the weight's shape.

    `per` tells what there is one of it for: each `weight`, each `tensor` (see `Number`), or the whole `optimizer` (see
    `Shared`); of a rule for matrices also each `row` or `column`, or each pair of rows (`left`) or columns (`right`).
    `when` names the hyperparameter that must be non-zero for the slot to exist. `start` is its value before
    the first step: a number, the name of the hyperparameter that holds it, or `WEIGHT`. `positive` promises that no
    value is ever negative, as of a mean of squares: 8-bit state then spends the sign on a wider range, and never
    makes zero of what is not, by whose root a rule may divide. `meaning` says in a few words what the slot holds, to
    those who read the formula.
    """

    name: str
    when: str | None = None
    start: float | str = 0.0
    positive: bool = False
    meaning: str = ""
    per: str = "weight"


def Number(name: str, start: float | str = 0.0, meaning: str = "") -> Slot:  # noqa: N802  it makes a slot, as `Slot` does
    """Return a slot that is one number for each tensor, in float64 whatever the weights are."""
    return Slot(name, start=start, meaning=meaning, per="tensor")


def Shared(name: str, start: float | str = 0.0, meaning: str = "") -> Slot:  # noqa: N802
    """Return a slot that is one number for the whole optimizer, in float64: of sums over all tensors (`total_all`)."""
    return Slot(name, start=start, meaning=meaning, per="optimizer")


def Rows(name: str, start: float = 0.0, meaning: str = "", *, positive: bool = False) -> Slot:  # noqa: N802
    """Return a slot that has one number for each row of a matrix: an array of shape (rows, 1)."""
    return Slot(name, start=start, positive=positive, meaning=meaning, per="row")


def Cols(name: str, start: float = 0.0, meaning: str = "", *, positive: bool = False) -> Slot:  # noqa: N802
    """Return a slot that has one number for each column of a matrix: an array of shape (1, columns)."""
    return Slot(name, start=start, positive=positive, meaning=meaning, per="column")


def Left(name: str, meaning: str = "") -> Slot:  # noqa: N802
    """Return a slot that is a square matrix as high as the weights': what stands on their left."""
    return Slot(name, meaning=meaning, per="left")


def Right(name: str, meaning: str = "") -> Slot:  # noqa: N802
    """Return a slot that is a square matrix as wide as the weights': what stands on their right."""
    return Slot(name, meaning=meaning, per="right")


def slot_shape(per: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a slot beside weights of this shape."""
    if per in ("tensor", "optimizer"):
        return ()
    if per == "weight":
        return shape
    rows, columns = shape
    return {"row": (rows, 1), "column": (1, columns), "left": (rows, rows), "right": (columns, columns)}[per]


SLOTS_AROUND = (Slot("ema", when="ema", start=WEIGHT, meaning="running mean of the weight"),)
"""Slots that may exist beside a rule's own."""


@dataclass(frozen=True, eq=False)
class Rule:
    """An update rule: the function and what is known about it. Made by `@rule` and by `Rule.variant`.

    Attributes:
        name: the rule's name, lower case: `adabound`.
        function: `(g, state, t, **own) -> Step`, or `(g, w, state, t, **own) -> Step`.
        own: names of the hyperparameters that the function takes.
        slots: every slot that the rule may use; `active` tells which ones some hyperparameters ask for.
        defaults: the hyperparameters that a user can set, those around every rule included, with their defaults.
        source: the paper or papers.
        doc: what the rule does, in a sentence.
        family: the name that all rules with this formula and this state share: that of the first of them.
        parent: the rule that it builds on, if any.
        about: what else is said of it.
        pinned: hyperparameters that a variant fixes: they are what makes it this rule.
        sees_weight: whether the function takes the weight.
        after: `(w, state, t, hyper)` to the weights and slots after all else of an update, if anything comes after it.
        evaluate: the weights to evaluate with, if they are others.
        combinator: what made this rule of `parent`, if it was one.
        shape: `matrix` if the function takes one matrix, a row for each output; else `any`, weights in any arrangement.
        vector: of a rule for matrices, what steps parameters that are none; None if those are refused.
    """

    name: str
    function: Callable[..., Step]
    own: frozenset[str]
    slots: tuple[Slot, ...]
    defaults: Mapping[str, Any]
    source: str
    doc: str
    family: str
    parent: Rule | None = None
    about: About = field(default_factory=About)
    pinned: Mapping[str, Any] = field(default_factory=dict)
    sees_weight: bool = False
    after: Callable[..., tuple[Array, dict[str, Array]]] | None = None
    evaluate: Evaluate | None = None
    combinator: Any = None
    shape: str = "any"
    vector: Rule | None = None

    def __call__(self, g: Array, state: Any, t: Array, *, w: Array = None, **hyper: Any) -> Step:
        """Run the rule: `g`, `w` and each attribute of `state` are arrays of one shape, `t` counts from 1."""
        values = self.complete(hyper)
        arrays = (g, w, state, t) if self.sees_weight else (g, state, t)
        with precision_of(g):
            return self.function(*arrays, **{name: values[name] for name in self.own})

    def complete(self, hyper: Mapping[str, Any]) -> dict[str, Any]:
        """Return a value for every hyperparameter: as given, as the variant fixes it, else the default."""
        return {**self.defaults, **hyper, **self.pinned}

    def active(self, hyper: Mapping[str, Any]) -> tuple[Slot, ...]:
        """Return the slots in use under these hyperparameters."""
        values = self.complete(hyper)
        return tuple(slot for slot in (*self.slots, *SLOTS_AROUND) if slot.when is None or values[slot.when])

    def starts(self, hyper: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value of each slot in use before the first step: a number, or `WEIGHT`."""
        values = self.complete(hyper)
        return {slot.name: values.get(str(slot.start), slot.start) for slot in self.active(hyper)}

    def numbers(self, hyper: Mapping[str, Any]) -> frozenset[str]:
        """Return the slots in use that are one number for a tensor, or for the optimizer."""
        return self.single.intersection(slot.name for slot in self.active(hyper))

    @cached_property
    def per(self) -> Mapping[str, str]:
        """What there is one of each slot for, in use or not: see `Slot.per`."""
        return {slot.name: slot.per for slot in (*self.slots, *SLOTS_AROUND)}

    @cached_property
    def each_weight(self) -> frozenset[str]:
        """The slots with a value for each weight, in use or not."""
        return frozenset(slot for slot, per in self.per.items() if per == "weight")

    @cached_property
    def single(self) -> frozenset[str]:
        """The slots that are one number for a tensor, or for the optimizer, in use or not."""
        return frozenset(slot for slot, per in self.per.items() if per in ("tensor", "optimizer"))

    @cached_property
    def shared(self) -> frozenset[str]:
        """The slots that are one number for the whole optimizer."""
        return frozenset(slot for slot, per in self.per.items() if per == "optimizer")

    @property
    def title(self) -> str:
        """Its usual written name."""
        return self.about.title or self.name

    @property
    def related(self) -> About:
        """The facts about a relative without its own: its learning rate lies where this one's does."""
        return replace(self.about.lent(self.title), meanings=self.about.meanings, scheduled=self.about.scheduled)

    def hyperparameter(self, name: str) -> Hyperparameter:
        """Return what a hyperparameter is: of this rule's own meaning, where it says one."""
        known = HYPERPARAMETERS[name]
        return replace(known, meaning=self.about.meanings.get(name, known.meaning))

    @property
    def positive(self) -> frozenset[str]:
        """The slots whose values are never negative."""
        return frozenset(slot.name for slot in self.slots if slot.positive)

    def variant(
        self,
        name: str,
        doc: str,
        *,
        pin: Mapping[str, Any],
        source: str,
        parent: Rule | None = None,
        about: About | None = None,
        **defaults: Any,
    ) -> Rule:
        """Return this rule under a name of its own, some hyperparameters fixed and some defaults changed.

        Args:
            name: of the new rule.
            doc: what it does, in a sentence.
            pin: the hyperparameters that it fixes, and their values.
            source: the paper.
            parent: the rule that it builds on, if not this one.
            about: what else is said of it; `related`, by default.
            defaults: new defaults.
        """
        return replace(
            self,
            name=name,
            doc=doc,
            defaults={key: value for key, value in {**self.defaults, **defaults}.items() if key not in pin},
            source=source,
            parent=parent or self,
            about=about or self.related,
            pinned={**self.pinned, **pin},
        )

    def __repr__(self) -> str:
        return f"<Rule {self.name}: {self.doc}>"

    def _repr_html_(self) -> str:
        """Return the formula, its symbols and the defaults, for notebooks."""
        # What explains rules stands far above them; they need to know no more of it than its name.
        return str(import_module("surefoot.explain.explanation").rule_html(self))

    def check(self, hyper: Mapping[str, Any]) -> None:
        """Raise `UsageError` if a hyperparameter is unknown, mistyped, out of range or in conflict."""
        for name, value in hyper.items():
            if name not in self.defaults:
                raise unknown(f"option of {self.name}", name, self.defaults)
            if value is not None or self.defaults[name] is not None:
                self.hyperparameter(name).check(self.name, name, value)
        one = np.ones((1, 1))
        state = {slot: one * (1.0 if start is WEIGHT else start) for slot, start in self.starts(hyper).items()}
        self(one, SimpleNamespace(**state), 1, w=one, **hyper)


def rule(
    *,
    source: str,
    slots: Iterable[str | Slot] = (),
    parent: Rule | None = None,
    about: About | None = None,
    pin: Mapping[str, Any] | None = None,
    evaluate: Evaluate | None = None,
    shape: str = "any",
    vector: Rule | None = None,
) -> Callable[[Callable[..., Step]], Rule]:
    """Make a `Rule` of a function `(g, state, t, *, lr=..., ...) -> Step`, or `(g, w, state, t, ...)`.

    Args:
        source: the paper that the formula comes from.
        slots: what it keeps, each a name (an array, starts at zero, always there) or a `Slot`. One that a step does not
            return stays as it is.
        parent: the rule that it builds on, if any.
        about: what else is said of it; everything has a default.
        pin: what surrounds the rule and belongs to it: `{"decoupled": True}` of one whose weight decay is decoupled.
        evaluate: `(w, state, hyper)` to the weights to evaluate with, if they are others.
        shape: `matrix` if the function takes one matrix, a row for each output.
        vector: of such a rule, what steps parameters that are no matrix; None if those are refused.

    Raises:
        UsageError: the function takes other arguments, or a keyword of it is not in `HYPERPARAMETERS`.
    """

    def decorate(function: Callable[..., Step]) -> Rule:
        name, (arrays, own) = function.__name__, arguments(function)
        if len(arrays) not in (3, 4):
            raise UsageError(
                f"rule {name} takes ({', '.join(arrays)}); write (g, state, t, *, ...) or (g, w, state, t, *, ...)."
            )
        for keyword in own:
            if keyword not in HYPERPARAMETERS:
                raise unknown(f"hyperparameter of rule {name}", keyword, HYPERPARAMETERS)
        made = tuple(slot if isinstance(slot, Slot) else Slot(slot) for slot in slots)
        doc = inspect.getdoc(function) or ""
        said = about or About()
        return Rule(
            name,
            function,
            frozenset(own),
            made,
            {key: value for key, value in {**WRAPPER_OPTIONS, **own}.items() if key not in (pin or {})},
            source,
            doc,
            name,
            parent,
            said,
            pinned=dict(pin or {}),
            sees_weight=len(arrays) == 4,
            evaluate=evaluate,
            shape=shape,
            vector=vector,
        )

    return decorate


def arguments(function: Callable[..., Any]) -> tuple[list[str], dict[str, Any]]:
    """Return the names of a function's arrays, and its keywords, which are hyperparameters, with their defaults."""
    parameters, keyword = inspect.signature(function).parameters.values(), inspect.Parameter.KEYWORD_ONLY
    arrays = [p.name for p in parameters if p.kind is not keyword]
    return arrays, {p.name: p.default for p in parameters if p.kind is keyword}
