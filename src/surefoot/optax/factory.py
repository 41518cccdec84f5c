"""A factory for each rule: called with hyperparameters, it makes an optax transformation.

Factories are functions made from the rule and the table of conventions, so that a rule has its optax form the moment
it exists. `inject_hyperparams` reads a factory's signature and passes all of it; a factory that has another
convention's defaults in its signature, `adam.by("keras")`, is how both go together.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import BoundArguments, Signature
from typing import Any, Protocol, cast

import jax
import optax

from surefoot.combinator import Combinator
from surefoot.conventions import FRAMEWORKS
from surefoot.errors import UsageError, unknown
from surefoot.frontends.lookup import check_convention, find
from surefoot.optax.hyper import decide
from surefoot.optax.leaves import moves
from surefoot.optax.spelling import (
    BUILT_IN,
    KEPT,
    MATRICES,
    WITHOUT_RATE,
    around,
    beyond,
    document,
    inmost,
    names,
    signature,
)
from surefoot.optax.transformation import transformation
from surefoot.rule import Rule


class Factory(Protocol):
    """A factory: it makes optax transformations of one rule."""

    rule: Rule
    convention: str
    __signature__: Signature

    def __call__(self, *args: Any, **kwargs: Any) -> optax.GradientTransformationExtraArgs:
        """Return a transformation; `help` of the factory lists the arguments."""

    def by(self, convention: str) -> Factory:
        """Return the factory with another convention's defaults and form of the rule."""


def factory(rule: Rule, convention: str | None = None) -> Factory:
    """Return the factory of a rule, one of Surefoot's or your own.

    Args:
        rule: any rule; `surefoot.rule.rule` makes one of a function.
        convention: whose defaults and form of a built-in rule to use: `optax` unless given. Arguments are spelled as
            in optax in any case.

    Raises:
        UsageError: not a rule, an unknown convention, or one for a rule of your own.

    Example:
        >>> optimizer = factory(surefoot.rules.adabound)(1e-3)
    """
    if not isinstance(rule, Rule):
        raise UsageError(f"{rule!r} is not a rule; give a function decorated with @surefoot.rule.rule.")
    framework = _framework(rule, convention)
    spelled = signature(rule, framework)

    def make(*args: Any, **kwargs: Any) -> optax.GradientTransformationExtraArgs:
        bound = _bind(rule, spelled, args, kwargs)
        asked = bound.arguments.get("convention", framework)
        if asked != framework:
            _refuse_injected(rule, spelled, bound, asked)
        return _make(rule, _framework(rule, asked), bound.arguments)

    made = cast(Any, make)
    made.rule, made.convention, made.__signature__ = rule, framework, spelled
    made.by = lambda convention: factory(rule, convention)
    made.__name__ = made.__qualname__ = rule.name
    made.__doc__ = document(rule, framework)
    return cast(Factory, made)


class Around(Protocol):
    """A combinator: it makes a factory from a factory."""

    combinator: Combinator

    def __call__(self, inner: Factory | Rule | str) -> Factory:
        """Return the factory of the combined rule; `help` describes it."""


def around_rules(combinator: Combinator) -> Around:
    """Return a combinator that takes factories: `cautious(adamw)(1e-3)`.

    Args:
        combinator: one of Surefoot's or your own; `surefoot.combinator.combinator` makes one of a function.

    Example:
        >>> optimizer = around_rules(surefoot.rules.lookahead)(surefoot.optax.adamw)(1e-3, sync_period=6)
    """

    def make(inner: Factory | Rule | str) -> Factory:
        if isinstance(inner, optax.GradientTransformation):
            raise UsageError(
                f"{combinator.name} is given a transformation; it goes around what makes one, as in "
                f"{combinator.name}(adamw)(1e-3)."
            )
        rule: Any = getattr(inner, "rule", inner)
        return factory(combinator(find(rule)), getattr(inner, "convention", None))

    made = cast(Any, make)
    made.combinator, made.__name__, made.__qualname__ = combinator, combinator.name, combinator.name
    made.__doc__ = _AROUND.format(doc=combinator.doc, name=combinator.name, source=combinator.source)
    return cast(Around, made)


_AROUND = """\
{doc}

Args:
    inner: what it goes around: a factory such as `adamw`, a rule, or a built-in rule's name. A convention that the
        factory follows goes on.

Returns:
    a factory, `{name}(adamw)`, whose arguments are those of the one inside, and its own.

Source: {source}."""


def _framework(rule: Rule, asked: str | None) -> str:
    if asked is not None and asked not in FRAMEWORKS:
        raise unknown("convention", asked, FRAMEWORKS)
    check_convention(rule, asked or BUILT_IN, at_home=BUILT_IN)
    return asked or BUILT_IN


def _bind(rule: Rule, spelled: Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> BoundArguments:
    """Return the arguments under optax's names; our own names are understood."""
    theirs = names(rule) | around(rule)
    for name in kwargs:
        if name not in spelled.parameters and name not in theirs:
            raise unknown(f"option of {rule.name}", name, spelled.parameters)
    renamed = {theirs.get(name, name): value for name, value in kwargs.items()}
    if len(renamed) < len(kwargs):
        raise UsageError(f"{rule.name}: {sorted(kwargs)} has one hyperparameter under two names; give it once.")
    return spelled.bind(*args, **renamed)


def _refuse_injected(rule: Rule, spelled: Signature, bound: BoundArguments, asked: str) -> None:
    """Raise if optax has passed the defaults of this factory as the user's own."""
    numbers = [name for name, p in spelled.parameters.items() if isinstance(p.default, float)]
    if numbers and all(isinstance(bound.arguments.get(name), jax.Array) for name in numbers):
        raise UsageError(
            f"{rule.name}: inject_hyperparams passes the defaults of its signature, which are not those of the "
            f"convention {asked!r}; write inject_hyperparams({rule.name}.by({asked!r}))(...)."
        )


def _make(rule: Rule, framework: str, arguments: Mapping[str, Any]) -> optax.GradientTransformationExtraArgs:
    _refuse_beyond(rule, arguments)
    ours = {theirs: name for name, theirs in {**names(rule), **around(rule)}.items()}
    given = {ours[name]: value for name, value in arguments.items() if value is not None and name in ours}
    if framework == BUILT_IN and inmost(rule) in WITHOUT_RATE:
        given.setdefault("lr", 1.0)
    options = {name: given.pop(name, None) for name in around(rule) if name != "base_lr"}
    hyper = decide(rule, framework, given)
    given = {name: options[name] for name in MATRICES if options.get(name) is not None}
    return transformation(rule, hyper, mask=options["mask"], key=options["key"], kept=_kept(rule, options), **given)


def _refuse_beyond(rule: Rule, arguments: Mapping[str, Any]) -> None:
    """Raise for an argument of optax that the rule lacks, unless it has optax's default."""
    for name, default in beyond(rule).items():
        value = arguments.get(name)
        if value is not None and (isinstance(value, jax.Array) or value != default):
            raise UsageError(
                f"{rule.name}: {name}={value!r} is not possible: this rule has no {name}, which optax's has; leave it "
                "out, or use optax's own."
            )


def _kept(rule: Rule, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wanted dtype of each slot that has one."""
    name, slot = KEPT.get(inmost(rule), ("", ""))
    if options.get(name) is None:
        return {}
    dtype = jax.dtypes.canonicalize_dtype(options[name])
    if not moves(dtype):
        raise UsageError(f"{rule.name}: {name}={dtype} is no kind of numbers with a fraction; give float32, say.")
    return {slot: dtype}
