"""Muon with AdamW for the rest, as `keras.optimizers.Muon` has it: one optimizer, two rules."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

from surefoot.errors import UsageError
from surefoot.frontends.declared import Call
from surefoot.frontends.lookup import values
from surefoot.keras.arguments import Common, Rate, declared
from surefoot.keras.base import register
from surefoot.keras.optimizers import MOMENTS, NamedOptimizer
from surefoot.keras.together import Start
from surefoot.rule import Rule
from surefoot.rules import RULES
from surefoot.update import Update

_ADAM = {"adam_beta_1": "beta1", "adam_beta_2": "beta2", "epsilon": "eps", "adam_weight_decay": "weight_decay"}
"""Arguments of the AdamW inside, and what it calls them."""

_WHICH = ("exclude_layers", "exclude_embeddings", "adam_lr_ratio")
"""Arguments that say which variables AdamW steps, and how far."""

_POLYNOMIAL = ("muon_a", "muon_b", "muon_c", "ns_steps")
"""Arguments that make a polynomial, repeated."""


@register
class Muon(NamedOptimizer):
    """Muon for hidden matrices, AdamW for the rest; see `keras.optimizers.Muon` for the arguments.

    AdamW steps each variable that has not two dimensions, each whose path has `embedding` in it
    (`exclude_embeddings`), and each whose path one of the regular expressions `exclude_layers` is found in: name the
    output layer there. `describe` tells what steps what. `coefficients` takes another polynomial's name, or its
    coefficients, in the place of `muon_a` to `ns_steps`.
    """

    rule_name = "muon"
    spelled: ClassVar[Mapping[str, str]] = {"momentum": "momentum", "nesterov": "nesterov", "rms": "rms_rate"}
    state_names: ClassVar[Sequence[Mapping[str, str]]] = (MOMENTS[0],)
    adam_beta_1: float
    adam_beta_2: float
    epsilon: float
    adam_weight_decay: float | None
    adam_lr_ratio: float
    exclude_layers: Sequence[str]
    exclude_embeddings: bool

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        *,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1.0,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **common: Unpack[Common],
    ) -> None: ...

    def _start(self, call: Call) -> None:
        given, shown = dict(call.given), call.defaults
        own = {name: given.pop(name, shown[name]) for name in (*_ADAM, *_WHICH)}
        polynomial = [given.pop(name, shown[name]) for name in _POLYNOMIAL]
        if call.given.keys() & _POLYNOMIAL and "coefficients" in call.extras:
            raise UsageError("muon: coefficients are given beside muon_a to ns_steps; give one or the other.")
        if given.keys() & _POLYNOMIAL or "coefficients" not in call.extras:
            given["coefficients"] = (tuple(map(float, polynomial[:3])),) * polynomial[3]
        if given.get("weight_decay", 0.0) is None:
            given["weight_decay"] = 0.0
        if given.get("rms_rate", 0.0) is None:
            given = {**given, "rms_rate": shown["rms_rate"], "scale": "none"}
        super()._start(Call(given, call.extras, shown))
        own["exclude_layers"] = list(own["exclude_layers"] or [])
        if not own["adam_lr_ratio"] > 0:
            raise UsageError(f"muon: adam_lr_ratio={own['adam_lr_ratio']!r} is not allowed: it is above 0.")
        for name, value in own.items():
            setattr(self, name, value)
        self._adam_hyper()  # a value out of range is told here

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an optimizer like this one."""
        return {**super().get_config(), **{name: getattr(self, name) for name in (*_ADAM, *_WHICH)}}

    def describe(self) -> list[tuple[str, str]]:
        """Return the path of each variable, and the rule that steps it."""
        return [(v.path, self._rule_of(v).name) for v in self._trainable_variables]

    def _rule_of(self, variable: Any) -> Rule:
        return RULES["adamw"] if self._is_for_adam(variable) else self.rule

    def _is_for_adam(self, variable: Any) -> bool:
        path = getattr(variable, "path", variable.name)
        embeds = self.exclude_embeddings and "embedding" in path.lower()
        return len(variable.shape) != 2 or embeds or any(re.search(one, path) for one in self.exclude_layers)

    def _hyper_of(self, variable: Any) -> dict[str, Any]:
        return self._adam_hyper() if self._is_for_adam(variable) else self._hyper()

    def _adam_hyper(self) -> dict[str, Any]:
        given = {name: float(getattr(self, theirs) or 0.0) for theirs, name in _ADAM.items()}
        given["weight_decay"] /= self.adam_lr_ratio  # which reaches AdamW's rate, and with Keras not its decay
        return values(RULES["adamw"], self.convention, {**given, "lr": 0.0}, at_home="keras")

    def _stepped(self, starts: Sequence[Start], learning_rate: Any) -> list[Update]:
        alone, made = super()._stepped, []
        for start in starts:
            made += alone([start], learning_rate * (1.0 if start.rule is self.rule else self.adam_lr_ratio))
        return made
