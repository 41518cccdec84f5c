"""Combinators: they make a rule from a rule by a change before it, to its step, or to the whole update.

    @combinator(source=...)
    def cautious(step, g, state, t): ...
        return step.scaled(where(step.move * g > 0, 1, 0) / ...)

    cautious(adamw)

The function's first argument says what it changes: `g`, the gradient that the rule will see; `step`, what the rule has
returned; or `w`, the weights after the whole update, decay included. Behind it stand those of the others that it reads,
then `state` and `t`, and its own hyperparameters; one without a default is the rule's, as `lr`. A combinator of
steps sees the weights as decay leaves them, if that stands before the move. It returns the same thing changed, and the
new value of each of its slots: `(g, {"p": p})`, `Step(..., z=z)`, `(w, {"slow": slow})`. What comes out is a rule like
any other: it is compiled, printed and compared, and may be combined again.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from surefoot.about import About
from surefoot.errors import UsageError, unknown
from surefoot.hyperparameters import HYPERPARAMETERS
from surefoot.mathops import Array
from surefoot.rule import Evaluate, Rule, Slot, Step, arguments
from surefoot.update import decayed_before, decayed_inside

KINDS = ("g", "step", "w")

_FOR_DECAY = ("lr", "weight_decay", "decoupled", "decay")
"""The facts that decide whether weight decay is inside a combinator's step."""

_FOR_WEIGHTS = ("decay_by_lr", "base_lr")
"""Further facts that decide how far decay pulls the weights of such a combinator."""


@dataclass(frozen=True, eq=False)
class Combinator:
    """A rule of rules; made by `@combinator`, and called with a rule.

    Attributes:
        name: lower case: `cautious`.
        function: see the module.
        kind: its first argument: `g`, `step` or `w`.
        own: its hyperparameters and their defaults.
        reads: hyperparameters of the rule inside that it reads.
        slots: what it keeps beside the rule's own.
        source: the paper.
        doc: what it does, in a sentence.
        about: what else is said of it; its title, by which `Cautious AdamW` is called, among it.
        pin: hyperparameters of the rule inside that it decides.
        defaults: other defaults of those of the rule inside.
        evaluate: the weights to evaluate with, if they are others.
    """

    name: str
    function: Callable[..., Any]
    kind: str
    own: Mapping[str, Any]
    reads: frozenset[str]
    slots: tuple[Slot, ...]
    source: str
    doc: str
    about: About = field(default_factory=About)
    pin: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    evaluate: Evaluate | None = None

    def __call__(self, inner: Rule, name: str = "", about: About | None = None, **defaults: Any) -> Rule:
        """Return the rule that this makes of another.

        Args:
            inner: the rule.
            name: of the new rule; `cautious(adamw)`, by default.
            about: what else is said of it.
            defaults: new defaults.

        Raises:
            UsageError: both have a hyperparameter or a slot of one name, or the rule lacks one that this reads.
        """
        return _combined(self, inner) if not (name or about or defaults) else self._made(inner, name, about, defaults)

    def _made(self, inner: Rule, name: str, about: About | None, defaults: Mapping[str, Any]) -> Rule:
        self._check(inner)
        pin = {key: value for key, value in self.pin.items() if key in inner.own and key not in self.own}
        around = (*_FOR_DECAY, *(_FOR_WEIGHTS if self._sees else ())) if self.kind == "step" else ()
        known = {**inner.defaults, **self.own, **self.defaults, **defaults}
        return replace(
            inner,
            name=name or f"{self.name}({inner.name})",
            function=self._around(inner),
            own=inner.own | self.own.keys() | self.reads | {*around},
            slots=(*inner.slots, *self.slots),
            defaults={key: value for key, value in known.items() if key not in pin},
            source=f"{self.source}; {inner.source}",
            doc=f"{self.doc} Inside: {inner.doc}",
            family=name or f"{self.name}({inner.family})",
            parent=inner,
            about=about or self._said(inner),
            pinned={**inner.pinned, **pin},
            sees_weight=inner.sees_weight or self.kind == "step" or self._sees,
            after=self._after if self.kind == "w" else inner.after,
            evaluate=self.evaluate or inner.evaluate,
            combinator=self,
            vector=inner.vector and self(inner.vector, **defaults),
        )

    @property
    def title(self) -> str:
        """Its usual written name."""
        return self.about.title or self.name

    def _check(self, inner: Rule) -> None:
        slots = {slot.name for slot in inner.slots} & {slot.name for slot in self.slots}
        for twice in (*slots, *(inner.own & self.own.keys() - self.pin.keys())):
            raise UsageError(
                f"{self.name}({inner.name}): both have {twice!r}; what stands around a rule needs names of its own."
            )
        for name in self.reads - inner.complete({}).keys():
            raise UsageError(
                f"{self.name}({inner.name}): {self.name} reads {name!r}, which {inner.name} lacks; choose a rule "
                "that has it."
            )
        if self.kind == "w" and inner.after is not None:
            raise UsageError(f"{self.name}({inner.name}): {inner.name} ends with other weights already; leave one out.")

    def _said(self, inner: Rule) -> About:
        """Return what is said of the rule that this makes."""
        rate = self.about if self.about.lr else inner.about.lent(inner.title)
        meanings = {**inner.about.meanings, **self.about.meanings}
        scheduled = self.about.scheduled and inner.about.scheduled
        made = replace(self.about, lr=rate.lr, lr_at=rate.lr_at, meanings=meanings, scheduled=scheduled)
        return replace(made, title=f"{self.title}({inner.title})")

    def _around(self, inner: Rule) -> Callable[..., Step]:
        """Return the function of the rule that this makes."""
        sees = inner.sees_weight

        def function(g: Array, w: Array, state: Any, t: Array, **hyper: Any) -> Step:
            kept: Mapping[str, Array] = {}
            if self.kind == "g":
                g, kept = self._run(g, w=w, state=state, t=t, hyper=hyper)
            own = {name: self.pin.get(name, hyper[name]) for name in inner.own}
            step = inner.function(*((g, w, state, t) if sees else (g, state, t)), **own)
            if self.kind != "step":
                return step.keeping(**kept)
            step = decayed_inside(step, w, hyper)
            seen = decayed_before(step, w, hyper) if self._sees else w
            made: Step = self._run(step, g, w=seen, state=state, t=t, hyper=hyper)
            return made.keeping(**{**step.state, **made.state})

        if sees or self.kind == "step" or self._sees:
            return function
        return lambda g, state, t, **hyper: function(g, None, state, t, **hyper)

    @functools.cached_property
    def _sees(self) -> bool:
        """Whether the function takes the weight as well."""
        return "w" in arguments(self.function)[0][1:]

    def _run(self, *first: Any, w: Array, state: Any, t: Array, hyper: Mapping[str, Any]) -> Any:
        arrays = (*first, w, state, t) if self._sees else (*first, state, t)
        return self.function(*arrays, **{name: hyper[name] for name in (*self.own, *self.reads)})

    def _after(self, w: Array, state: Any, t: Array, hyper: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
        made: tuple[Array, dict[str, Array]] = self._run(w, w=None, state=state, t=t, hyper=hyper)
        return made


@functools.cache
def _combined(outer: Combinator, inner: Rule) -> Rule:
    """Return the same rule each time: kernels, checkpoints and names know rules by their identity."""
    return outer._made(inner, "", None, {})


def combinator(
    *,
    source: str,
    slots: Iterable[str | Slot] = (),
    about: About | None = None,
    pin: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
    evaluate: Evaluate | None = None,
) -> Callable[[Callable[..., Any]], Combinator]:
    """Make a `Combinator` of a function; see the module for what it takes and returns.

    Args:
        source: the paper that it comes from.
        slots: what it keeps, each a name (starts at zero) or a `Slot`.
        about: what else is said of it; everything has a default.
        pin: hyperparameters of the rule inside that it decides, as `{"beta1": 0.0}`.
        defaults: other defaults of the rule inside, as `{"decay": "inside"}`.
        evaluate: `(w, state, hyper)` to the weights to evaluate with, if they are others.

    Raises:
        UsageError: the function's first argument is none of `g`, `step` and `w`, or a keyword is no hyperparameter.
    """

    def decorate(function: Callable[..., Any]) -> Combinator:
        name, ((first, *_), given) = function.__name__, arguments(function)
        if first not in KINDS:
            raise UsageError(f"combinator {name} takes {first!r} first; write g, step or w: what it changes.")
        for keyword in given:
            if keyword not in HYPERPARAMETERS:
                raise unknown(f"hyperparameter of combinator {name}", keyword, HYPERPARAMETERS)
        own = {keyword: value for keyword, value in given.items() if value is not inspect.Parameter.empty}
        reads = frozenset(given.keys() - own.keys())
        made = tuple(slot if isinstance(slot, Slot) else Slot(slot) for slot in slots)
        doc = inspect.getdoc(function) or ""
        return Combinator(
            name, function, first, own, reads, made, source, doc, about or About(), pin or {}, defaults or {}, evaluate
        )

    return decorate
