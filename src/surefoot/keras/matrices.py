"""Rules for matrices in Keras: Muon as `keras.optimizers.Muon` has it, NorMuon alike, Adafactor and SOAP.

The outputs of a kernel are its last axis. Muon and NorMuon are one optimizer of two rules: AdamW steps the rest.
"""

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
from surefoot.keras.step import Start
from surefoot.rule import Rule
from surefoot.rules import RULES
from surefoot.update import Update

_ADAM = {"adam_beta_1": "beta1", "adam_beta_2": "beta2", "epsilon": "eps", "adam_weight_decay": "weight_decay"}
"""Arguments of the AdamW inside, and their names there."""

_POLYNOMIAL = ("muon_a", "muon_b", "muon_c", "ns_steps")
"""Arguments that make a polynomial, repeated."""


class Excluding(NamedOptimizer):
    """A rule for matrices that leaves some of them to another rule, by their paths."""

    apart: ClassVar[Sequence[str]] = ("exclude_layers", "exclude_embeddings")
    exclude_layers: Sequence[str]
    exclude_embeddings: bool

    def _start(self, call: Call) -> None:
        given = dict(call.given)
        own = {name: given.pop(name, call.defaults[name]) for name in self.apart}
        if given.get("weight_decay", 0.0) is None and call.defaults["weight_decay"]:
            given["weight_decay"] = 0.0
        super()._start(Call(given, call.extras, call.defaults))
        own["exclude_layers"] = list(own["exclude_layers"] or [])
        for name, value in own.items():
            setattr(self, name, value)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an optimizer like this one."""
        return {**super().get_config(), **{name: getattr(self, name) for name in self.apart}}

    def describe(self) -> list[tuple[str, str]]:
        """Return the path of each variable, and the rule that steps it."""
        return [(v.path, self._rule_of(v).name) for v in self._trainable_variables]

    def _excludes(self, variable: Any) -> bool:
        path = self._path_of(variable)
        embeds = self.exclude_embeddings and "embedding" in path.lower()
        return embeds or any(re.search(one, path) for one in self.exclude_layers)


class BesideAdamW(Excluding):
    """A rule for hidden matrices, and AdamW for the rest with arguments of its own."""

    apart = (*Excluding.apart, *_ADAM, "adam_lr_ratio")
    adam_beta_1: float
    adam_beta_2: float
    epsilon: float
    adam_weight_decay: float | None
    adam_lr_ratio: float

    def _start(self, call: Call) -> None:
        super()._start(call)
        if not self.adam_lr_ratio > 0:
            raise UsageError(f"{self.rule.name}: adam_lr_ratio={self.adam_lr_ratio!r} is not allowed: it is above 0.")
        self._adam_hyper()  # a value out of range is refused here

    def _rule_of(self, variable: Any) -> Rule:
        return RULES["adamw"] if self._is_for_adam(variable) else self.rule

    def _is_for_adam(self, variable: Any) -> bool:
        return len(variable.shape) != 2 or self._excludes(variable)

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


@register
class Muon(BesideAdamW):
    """Muon for hidden matrices, AdamW for the rest; see `keras.optimizers.Muon` for the arguments.

    AdamW steps each variable that has not two dimensions, each whose path has `embedding` in it
    (`exclude_embeddings`), and each whose path one of the regular expressions `exclude_layers` is found in: name the
    output layer there. `describe` tells what steps what. `coefficients` takes another polynomial's name, or its
    coefficients, in the place of `muon_a` to `ns_steps`.
    """

    rule_name = "muon"
    spelled: ClassVar[Mapping[str, str]] = {"momentum": "momentum", "nesterov": "nesterov", "rms": "rms_rate"}
    state_names: ClassVar[Sequence[Mapping[str, str]]] = (MOMENTS[0],)

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
        polynomial = [given.pop(name, shown[name]) for name in _POLYNOMIAL]
        if call.given.keys() & _POLYNOMIAL and "coefficients" in call.extras:
            raise UsageError("muon: coefficients are given beside muon_a to ns_steps; give one or the other.")
        if call.given.keys() & _POLYNOMIAL or "coefficients" not in call.extras:
            given["coefficients"] = (tuple(map(float, polynomial[:3])),) * polynomial[3]
        if given.get("rms_rate", 0.0) is None:
            given = {**given, "rms_rate": shown["rms_rate"], "scale": "none"}
        super()._start(Call(given, call.extras, shown))


@register
class NorMuon(BesideAdamW):
    """Muon with rows of equal size for hidden matrices, AdamW for the rest. Li et al. 2025, arXiv:2510.05491.

    What AdamW steps is as with `Muon`. Its rate is `adam_lr_ratio` times the other: 0.015 makes it 3e-4.

    Args:
        learning_rate: that of the matrices; 0.02 is usual.
        adam_beta_1: share of the mean gradient that AdamW keeps each step; in [0, 1).
        adam_beta_2: share of the mean squared gradient that AdamW keeps each step; in [0, 1).
        adam_weight_decay: share of each weight, times `learning_rate`, that AdamW takes off; None for none.
        epsilon: AdamW's.
        weight_decay: share of each weight of a matrix, times `learning_rate`, that is taken off; None for none.
        exclude_layers: regular expressions; AdamW steps the variables whose paths they are found in.
        exclude_embeddings: whether AdamW steps the variables that have `embedding` in their paths.
        adam_lr_ratio: AdamW's learning rate over that of the matrices.
        momentum: share of the mean gradient kept each step; in [0, 1).
        beta_2: share of a row's mean square kept each step; in [0, 1).
        common: what every optimizer takes (`Common`).
    """

    rule_name = "normuon"
    state_names: ClassVar[Sequence[Mapping[str, str]]] = (MOMENTS[0],)

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.02,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.95,
        adam_weight_decay: float | None = None,
        epsilon: float = 1e-10,
        weight_decay: float | None = None,
        *,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        adam_lr_ratio: float = 0.015,
        momentum: float = 0.95,
        beta_2: float = 0.95,
        **common: Unpack[Common],
    ) -> None: ...


@register
class Adafactor(NamedOptimizer):
    """Adam with next to no state: a mean square for each row and column; see `keras.optimizers.Adafactor`.

    A kernel of a convolution is a matrix with a row for each output; Keras's takes the last two axes of it. Vectors
    keep a mean square for each number. `relative_step=False` takes `learning_rate` as it is; in Keras it does nothing.
    Keras's also keeps a number for each weight, so its checkpoints do not load.
    """

    rule_name = "adafactor"
    spelled: ClassVar[Mapping[str, str]] = {"relative_step": "relative_step"}
    state_names: ClassVar[Sequence[Mapping[str, str]]] = ({"R": "r", "C": "c"}, {"v": "velocity"})

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        weight_decay: float | None = None,
        **common: Unpack[Common],
    ) -> None: ...


@register
class SOAP(Excluding):
    """Adam in the coordinates in which a matrix's gradients do not mix. Vyas et al., ICLR 2025, arXiv:2409.11321.

    It keeps four square matrices for each matrix, and decomposes two of them at every `precondition_frequency`-th
    step. AdamW, with the same arguments, steps what is no matrix and what is excluded.

    Args:
        learning_rate: 3e-3 is usual.
        beta_1: share of the mean gradient kept each step; in [0, 1).
        beta_2: share of mean square and statistics kept each step; in [0, 1).
        epsilon: added to the root of the mean square.
        weight_decay: share of each weight, times the learning rate, that is taken off after each step.
        precondition_frequency: steps from one basis to the next.
        exclude_layers: regular expressions; AdamW steps the variables whose paths they are found in.
        exclude_embeddings: whether AdamW steps the variables that have `embedding` in their paths.
        common: what every optimizer takes (`Common`).
    """

    rule_name = "soap"
    state_names: ClassVar[Sequence[Mapping[str, str]]] = (
        MOMENTS[0],
        {"L": "left_statistic", "R": "right_statistic"},
        {"A": "left_basis", "B": "right_basis"},
    )

    @declared
    def __init__(
        self,
        learning_rate: Rate = 0.003,
        beta_1: float = 0.95,
        beta_2: float = 0.95,
        epsilon: float = 1e-8,
        weight_decay: float | None = 0.01,
        precondition_frequency: int = 10,
        *,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        **common: Unpack[Common],
    ) -> None: ...

    def _rule_of(self, variable: Any) -> Rule:
        plain = self.rule.vector
        return plain if plain is not None and self._excludes(variable) else super()._rule_of(variable)
