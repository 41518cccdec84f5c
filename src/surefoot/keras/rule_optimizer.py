"""Any rule as a Keras optimizer: a built-in one by name, or the user's own."""

from __future__ import annotations

from typing import Any

from surefoot.errors import UsageError
from surefoot.frontends.declared import Call
from surefoot.frontends.lookup import find, reference
from surefoot.keras.arguments import Rate, declared, understand
from surefoot.keras.base import KerasOptimizer
from surefoot.keras.spelling import register
from surefoot.rule import Rule


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
            UsageError: the rule is the user's own and stands where nobody finds it again.
        """
        name = reference(self.rule)
        if name is None:
            raise UsageError(
                f"rule {self.rule.name} cannot be saved: define it at the top level of a module, under its name."
            )
        return {"rule": name, **super().get_config()}
