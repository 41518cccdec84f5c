"""An optimizer whose class names its rule, as all of Keras's do, and what Adam's relatives have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras

from surefoot.conventions import convention as find_convention
from surefoot.frontends.declared import Call
from surefoot.keras.arguments import understand
from surefoot.keras.base import KerasOptimizer
from surefoot.rules import RULES

register = keras.saving.register_keras_serializable("surefoot")
"""Lets a saved model find a class by its name."""

MOMENTS: Sequence[Mapping[str, str]] = ({"m": "momentum", "v": "velocity"}, {"vmax": "velocity_hat"})
"""Keras's names for the state of Adam and its relatives."""


class NamedOptimizer(KerasOptimizer):
    """An optimizer whose class says which rule it is."""

    rule_name: ClassVar[str]

    def _start(self, call: Call) -> None:
        rule, given = RULES[self.rule_name], {**call.given, **call.extras}
        self._set_up(rule, understand(rule, given, spelled=self.spelled, form=self._form(given)))

    def _form(self, given: Mapping[str, Any]) -> Mapping[str, bool]:  # noqa: ARG002
        """Return the switches that these arguments set beside the convention's own."""
        return {}


class AdamLike(NamedOptimizer):
    """Adam and AdamW: what AMSGrad changes."""

    spelled: ClassVar[Mapping[str, str]] = {"amsgrad": "amsgrad"}
    state_names = MOMENTS

    def _form(self, given: Mapping[str, Any]) -> Mapping[str, bool]:
        """Return the switches that AMSGrad has of its own in some conventions."""
        if not given.get("amsgrad"):
            return {}
        switches = find_convention("amsgrad", given.get("convention", "keras")).switches
        return {name: value for name, value in switches.items() if name in RULES[self.rule_name].defaults}
