"""Any rule as a Keras optimizer, by itself or with something around it: `cautious(AdamW(1e-3))`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from surefoot.combinator import Combinator
from surefoot.errors import UsageError, unknown
from surefoot.frontends.declared import Call
from surefoot.frontends.lookup import find, reference
from surefoot.keras.arguments import Common, Rate, declared, understand
from surefoot.keras.base import KerasOptimizer, register
from surefoot.rule import Rule
from surefoot.rules import COMBINATORS


@register
class RuleOptimizer(KerasOptimizer):
    """Run any rule as a Keras optimizer: one of Surefoot's by name, or your own.

    For Adam, SGD and the others that Keras users know, prefer `surefoot.keras.Adam` and so on.

    Args:
        rule: a `Rule`, or the name of a built-in one. To be saved, a rule of your own stands at the top of a module.
        learning_rate: a number, a schedule or a function of no arguments; by default the rule's.
        common: hyperparameters in the rule's spelling, Keras's or the convention's, and what every optimizer takes
            (`Common`).

    Raises:
        UsageError: unknown rule, convention or option, or a value out of range.

    Example:
        >>> optimizer = RuleOptimizer("adam", convention="torch", learning_rate=0.01)
    """

    @declared
    def __init__(self, rule: Rule | str, learning_rate: Rate | None = None, **common: Any) -> None: ...

    def _start(self, call: Call) -> None:
        given = {**call.given, **call.extras}
        rule = find(given.pop("rule"))
        if given.get("learning_rate", 0.0) is None:
            del given["learning_rate"]
        self._set_up(rule, understand(rule, given, spelled={}, form={}))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an optimizer like this one.

        Raises:
            UsageError: the rule is the user's own and cannot be found again by name.
        """
        name = reference(self.rule)
        if name is None:
            raise UsageError(
                f"rule {self.rule.name} cannot be saved: define it at the top level of a module, under its name."
            )
        return {"rule": name, **super().get_config()}


def combining(name: str) -> Callable[..., RuleOptimizer]:
    """Return the function that puts one of our combinators around an optimizer."""
    combinator = COMBINATORS[name]

    def combine(inner: KerasOptimizer | Rule | str, **options: Any) -> RuleOptimizer:
        if isinstance(inner, KerasOptimizer):
            return RuleOptimizer(combinator(inner.rule), **_inside(combinator, inner, options), **options)
        return RuleOptimizer(combinator(find(inner)), **options)

    combine.__name__ = combine.__qualname__ = name
    combine.__doc__ = _DOC.format(doc=combinator.doc, name=name, options=", ".join(combinator.own) or "none")
    return combine


_DOC = """{doc}

    Args:
        inner: an optimizer of `surefoot.keras` that is not in use yet, or a rule, or the name of one.
        options: of `{name}` itself ({options}); of a rule, all that `RuleOptimizer` takes.

    Returns:
        A `RuleOptimizer`, with all arguments of the optimizer inside.

    Raises:
        UsageError: an unknown option, or an optimizer that is in use.

    Example:
        >>> optimizer = {name}(AdamW(learning_rate=1e-3))
    """


def _inside(combinator: Combinator, inner: KerasOptimizer, options: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that make an optimizer like the one inside."""
    for option in options:
        if option not in combinator.own:
            raise unknown(f"option of {combinator.name} around an optimizer", option, combinator.own)
    if inner.built or hasattr(inner, "_exclude_from_weight_decay"):
        raise UsageError(
            f"{combinator.name}: the optimizer inside is in use already; make the combination of a new one, and call "
            "build and exclude_from_weight_decay of the combination."
        )
    if hasattr(inner, "exclude_layers"):
        raise UsageError(
            f"{combinator.name}: {inner.name} has another rule beside its own; make one optimizer of two by "
            f"split(model, matrices={combinator.name}({inner.rule.name!r}), rest='adamw')."
        )
    rate = inner._learning_rate
    around = {name: getattr(inner, name) for name in Common.__annotations__ if hasattr(inner, name)}
    around |= {"weight_decay": inner.weight_decay, "base_learning_rate": inner.base_learning_rate}
    around["learning_rate"] = float(rate.numpy()) if isinstance(rate, keras.Variable) else rate
    taken = combinator(inner.rule).defaults.keys() - combinator.own.keys()
    own = {name: getattr(inner, attribute) for name, attribute in inner._attributes().items() if name in taken}
    return {**around, **{name: value for name, value in own.items() if value is not None}}
