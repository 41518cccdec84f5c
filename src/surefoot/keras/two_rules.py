"""Two optimizers as one Keras optimizer: one for the matrices of a model, one for the rest.

Which has what is decided when it is made, by the layers of a model, and kept in the order of its variables, which a
saved model has too: their paths are others after loading. Each of the two steps its variables as if it were alone;
their state is the state of both.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from surefoot.errors import UsageError
from surefoot.frontends.blocks import blocks_of, check_blocks
from surefoot.frontends.matrices import Blocks
from surefoot.frontends.roles import ROLES, Overrides, no_matrix, part_of
from surefoot.keras.any_rule import RuleOptimizer
from surefoot.keras.base import register
from surefoot.keras.by_layer import roles

Part = Any
"""A Keras optimizer, a `Rule`, or the name of one."""


def split(
    model: Any,
    *,
    matrices: Part,
    rest: Part = "adamw",
    head: str | Sequence[str] | None = None,
    overrides: Overrides | None = None,
    blocks: Mapping[str, Blocks] | None = None,
    global_clipnorm: float | None = None,
) -> SplitOptimizer:
    """Return one optimizer with one rule for hidden matrices and another for the rest.

    Biases, norms, gains and embeddings do not decay. `surefoot.keras.roles` of the same model says what is what, and
    why. Setting `learning_rate`, as callbacks do, sets that of the matrices; the other's keeps its proportion.

    Args:
        model: a model that is built.
        matrices: an optimizer, a rule or the name of one, for hidden layers' kernels and convolutions but the first.
        rest: the same for all else.
        head: names or patterns of the output layers, as for `roles`.
        overrides: roles by patterns of paths, as for `roles`.
        blocks: matrices that are several along their outputs, by patterns of paths: `{"*/qkv/kernel": 3}`, or heights.
        global_clipnorm: scale all gradients down together where their joint norm is larger.

    Raises:
        UsageError: no matrix in the model; an optimizer that is in use or clips by a joint norm of its own; as `roles`.

    Example:
        >>> made = split(model, matrices=surefoot.keras.Lion(1e-4), rest=surefoot.keras.AdamW(1e-3))
        >>> model.compile(made, loss="mse")
    """
    found = roles(model, head=head, overrides=overrides)
    mine = {v.path: tuple(v.shape) for v in model.trainable_variables if part_of(found[v.path].role) == "matrices"}
    if not mine:
        raise no_matrix(f"variable of {model.name}", "keras.roles", one="optimizer")
    children = {name: _optimizer(name, given) for name, given in (("matrices", matrices), ("rest", rest))}
    parted = _parted(children["matrices"], mine, blocks or {})
    placed = [(v.name, tuple(v.shape), found[v.path].role, parted.get(v.path, 1)) for v in model.trainable_variables]
    return SplitOptimizer(placed=placed, **children, global_clipnorm=global_clipnorm)


def _parted(
    matrices: keras.optimizers.Optimizer, shapes: Mapping[str, tuple[int, ...]], blocks: Mapping[str, Blocks]
) -> dict[str, Blocks]:
    """Return the blocks of each matrix by its path; none for a rule that steps all weights alike."""
    rule = getattr(matrices, "rule", None)
    if blocks and rule is None:
        raise UsageError(f"blocks are for rules of Surefoot's, and {matrices.name} is none; leave them out.")
    if rule is None or rule.shape != "matrix":
        return {}
    check_blocks(blocks, shapes, lambda _: rule, "in_out")
    return {path: blocks_of(path, {**matrices.blocks, **blocks}) for path in shapes}


def _optimizer(name: str, given: Part) -> keras.optimizers.Optimizer:
    made = given if isinstance(given, keras.optimizers.Optimizer) else RuleOptimizer(given)
    if made.built:
        raise UsageError(f"{name}: {made.name} is in use already; give a new optimizer.")
    for option in ("global_clipnorm", "loss_scale_factor"):
        if getattr(made, option, None):
            raise UsageError(f"{name}: {option} is of all variables together; give {made.name} without it.")
    return made


@register
class SplitOptimizer(keras.optimizers.Optimizer):  # type: ignore[misc]
    """One optimizer for the matrices and one for the rest; `surefoot.keras.split` makes it.

    Args:
        matrices: steps the variables whose role is that of a matrix.
        rest: steps all others.
        placed: name, shape and role of each trainable variable, and its blocks, in the model's order.
        global_clipnorm: of all gradients together.
        name: its name.
    """

    def __init__(
        self,
        matrices: keras.optimizers.Optimizer,
        rest: keras.optimizers.Optimizer,
        placed: Sequence[Sequence[Any]],
        global_clipnorm: float | None = None,
        name: str = "split",
    ) -> None:
        super().__init__(learning_rate=0.0, global_clipnorm=global_clipnorm, name=name)
        self.children = {"matrices": matrices, "rest": rest}
        self.placed = [[name, [*shape], role, *blocks] for name, shape, role, *blocks in placed]
        rates = [getattr(child, "_learning_rate", None) for child in self.children.values()]
        numbers = [float(ops.convert_to_tensor(rate)) for rate in rates if isinstance(rate, keras.Variable)]
        self._ratio = numbers[1] / numbers[0] if len(numbers) == 2 and numbers[0] else None

    @property
    def variables(self) -> list[Any]:
        """The state of both."""
        return [*self._variables, *(v for child in self.children.values() for v in child.variables)]

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the matrices."""
        return self.children["matrices"].learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.children["matrices"].learning_rate = value
        if self._ratio is not None:
            self.children["rest"].learning_rate = value * self._ratio

    def build(self, variables: Sequence[Any]) -> None:
        """Make the state of both; called with the model's trainable variables."""
        if self.built:
            return
        if [[v.name, [*v.shape]] for v in variables] != [one[:2] for one in self.placed]:
            raise UsageError(
                "these are not the variables of the model that was split, in its order; make the optimizer anew, of "
                "the model as it is, and build it with model.trainable_variables."
            )
        super().build(variables)
        for name, child in self.children.items():
            mine = [v for v in variables if self._part(v) == name]
            still = [v for v in mine if not ROLES[self._role(v)].decays]
            if still and not hasattr(child, "_exclude_from_weight_decay"):
                child.exclude_from_weight_decay(var_list=still)
            parted = {glob.escape(v.path): self._placed(v)[3] for v in mine if self._placed(v)[3:] not in ([], [1])}
            if parted:
                child.blocks = parted
            if mine:
                child.build(mine)

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Take one step of both; see `keras.optimizers.Optimizer.apply`."""
        variables = self._trainable_variables if trainable_variables is None else [*trainable_variables]
        if not self.built:
            self.build(variables)
        pairs = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        clipped = self._clip_gradients([g for g, _ in pairs])
        for name, child in self.children.items():
            mine = [(g, v) for g, (_, v) in zip(clipped, pairs, strict=True) if self._part(v) == name]
            if mine:
                child.apply(*map(list, zip(*mine, strict=True)))
        self.iterations.assign(ops.add(self.iterations, 1))

    def _role(self, variable: Any) -> str:
        return str(self._placed(variable)[2])

    def _placed(self, variable: Any) -> list[Any]:
        return self.placed[self._get_variable_index(variable)]

    def _part(self, variable: Any) -> str:
        return part_of(self._role(variable))

    def finalize_variable_values(self, var_list: Sequence[Any]) -> None:
        """Put averages in place at the end, where one of the two keeps them."""
        for name, child in self.children.items():
            if mine := [v for v in var_list if self._part(v) == name]:
                child.finalize_variable_values(mine)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an optimizer like this one."""
        children = {name: keras.optimizers.serialize(child) for name, child in self.children.items()}
        return {**children, "placed": self.placed, "global_clipnorm": self.global_clipnorm, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> SplitOptimizer:
        """Make it of what `get_config` returned."""
        parts = {name: keras.optimizers.deserialize(config[name], custom_objects) for name in ("matrices", "rest")}
        return cls(**{**config, **parts})
