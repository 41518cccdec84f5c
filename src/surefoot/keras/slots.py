"""The slots of an optimizer, as Keras's variables.

A slot for each weight starts where the rule says and is named after its variable, as Keras names its own. One for rows
or columns has their shape. A number lies in the widest kind of its variables' steps, and one for the whole optimizer is
a single variable. Weights in 16 bits have a copy beside them in which steps add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from surefoot.frontends.blocks import blocks_of, check_blocks
from surefoot.frontends.matrices import Blocks, check_matrix, rule_for, slot_shapes
from surefoot.keras.arrays import begun, is_half, kept_dtype, widest
from surefoot.keras.evaluation import AveragingOptimizer
from surefoot.rule import WEIGHT, Rule

_APART = "surefoot.keras.Muon gives them AdamW"


class SlotKeeper(AveragingOptimizer):
    """An optimizer's slots; `KerasOptimizer` steps with them.

    Attributes:
        state_names: Keras's names of the rule's slots; the slots of one group lie side by side for each weight.
        blocks: which variables are several matrices, by patterns of paths.
    """

    state_names: ClassVar[Sequence[Mapping[str, str]]] = ()
    blocks: Mapping[str, Blocks]

    def add_variable(self, shape: Any, initializer: Any = "zeros", dtype: Any = None, **options: Any) -> Any:
        """Add a variable of the optimizer, in float32 where 16 bits are asked for."""
        dtype = kept_dtype(dtype or keras.config.floatx())
        return super().add_variable(shape, initializer, dtype, **options)

    def build(self, variables: Sequence[Any]) -> None:
        """Make the optimizer's variables: Keras's, the rule's slots, and copies of weights in 16 bits."""
        if self.built:
            return
        rules, shapes = {}, {}
        for variable in variables:
            path = self._path_of(variable)
            rules[path], shapes[path] = self._rule_of(variable), tuple(variable.shape)
            check_matrix(rules[path], f"the variable {path!r}", shapes[path], _APART)
        check_blocks(self.blocks, shapes, rules.__getitem__, "in_out")
        super().build(variables)
        starts, shared = [self._rule_of(v).starts(self._hyper_of(v)) for v in variables], self.rule.shared
        every = dict.fromkeys(slot for own in (*starts, self.rule.starts(self._hyper())) for slot in own)
        named = {slot for group in self.state_names for slot in group}
        for group in (*self.state_names, {slot: slot for slot in every if slot not in named}):
            used = [slot for slot in group if slot in every and slot not in shared]
            made = [
                [self._slot(v, slot, group[slot], own[slot]) if slot in own else None for slot in used]
                for v, own in zip(variables, starts, strict=True)
            ]
            for slot, kept in zip(used, zip(*made, strict=True), strict=bool(made)):
                setattr(self, f"_slot_{slot}", list(kept))
            for slot in (slot for slot in group if slot in every and slot in shared):
                start = self.rule.starts(self._hyper())[slot]
                setattr(self, f"_slot_{slot}", [self._number(variables, group[slot], start)] * len(variables))
        self._copies = [self.add_variable_from_reference(v, "copy") if is_half(v.dtype) else None for v in variables]

    def _rule_of(self, variable: Any) -> Rule:
        """Return what steps a variable."""
        return rule_for(self.rule, tuple(variable.shape)) or self.rule

    def _hyper_of(self, variable: Any) -> dict[str, Any]:
        """Return a value for every hyperparameter of what steps a variable."""
        rule, hyper = self._rule_of(variable), self._hyper()
        return hyper if rule is self.rule else rule.complete(hyper)

    def _slot(self, variable: Any, slot: str, name: str, start: Any) -> Any:
        rule, hyper = self._rule_of(variable), self._hyper_of(variable)
        path = self._path_of(variable)
        owner, blocks = path.replace("/", "_"), blocks_of(path, self.blocks)
        shape = slot_shapes(rule, hyper, tuple(variable.shape), "in_out", blocks)[slot]
        if slot in rule.numbers(hyper):
            return self._number([variable], f"{owner}_{name}", start, shape)

        def first(shape: Any, dtype: Any) -> Any:
            return begun(variable, dtype) if start is WEIGHT else ops.full(shape, start, dtype=dtype)

        if slot in rule.each_weight:
            return self.add_variable_from_reference(variable, name, first)
        return self.add_variable(shape, first, variable.dtype, name=f"{owner}_{name}")

    def _number(self, variables: Sequence[Any], name: str, start: float, shape: tuple[int, ...] = ()) -> Any:
        """Make a slot of numbers, by default one, in the widest dtype of its variables' steps."""
        kind = widest(v.dtype for v in variables)
        # keras.initializers.Constant makes TensorFlow round to float32
        return self.add_variable(shape, lambda shape, dtype: ops.full(shape, start, dtype=dtype), kind, name=name)

    def _path_of(self, variable: Any) -> str:
        """Return the path of a variable. In a step TensorFlow passes its own variables, without paths."""
        if not hasattr(variable, "path"):
            variable = self._trainable_variables[self._get_variable_index(variable)]
        return str(variable.path)
