"""Any rule as a Keras 3 optimizer: Keras's own machinery around it, and no formula.

Keras clips, accumulates, averages, schedules and saves; the step itself, weight decay included, is `surefoot.update`
on the backend's arrays. Hyperparameters are attributes under Keras's names, as in Keras's own classes, and are read
when a step is traced. Scalars and state are float32 at least, whatever the weights are: Keras casts them to bfloat16,
where 0.999 is 1, and its Adam then never moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from surefoot.conventions import convention
from surefoot.errors import UsageError
from surefoot.frontends.declared import Call
from surefoot.frontends.lookup import find, reference
from surefoot.frontends.number import Count, plain
from surefoot.keras.arguments import Arguments, Rate, declared, understand
from surefoot.keras.arrays import followed, is_half, kept_dtype, rests, sparse, summed, widened, written
from surefoot.rule import GIVEN_BY_MACHINE, WEIGHT, Rule
from surefoot.update import Update, update

register = keras.saving.register_keras_serializable("surefoot")
"""Lets a saved model find a class by its name."""

ELSEWHERE = ("lr", "weight_decay", *GIVEN_BY_MACHINE)
"""Hyperparameters that attributes of Keras's own hold, or that an optimizer sets by itself."""


class KerasOptimizer(keras.optimizers.Optimizer):  # type: ignore[misc]
    """A rule in Keras's spelling; use a subclass.

    Attributes:
        spelled: names of hyperparameters that the class has beside those in Keras's table of conventions.
        state_names: Keras's names of the rule's slots; the slots of one group lie side by side for each weight.
        rule: which rule.
        convention: whose form of it.
        base_learning_rate: what schedules are measured against; None if the rule does not.
    """

    spelled: ClassVar[Mapping[str, str]] = {}
    state_names: ClassVar[Sequence[Mapping[str, str]]] = ()
    rule: Rule
    convention: str
    base_learning_rate: float | None
    _learning_rate: Any

    def _set_up(self, rule: Rule, options: Arguments) -> None:
        super().__init__(learning_rate=options.rate, weight_decay=options.decay, **options.common)
        self.rule, self.convention, self.base_learning_rate = rule, options.convention, options.base
        if isinstance(options.rate, float) and is_half(self._learning_rate.dtype):
            self._untrack_variable(self._learning_rate)
            start = keras.initializers.Constant(options.rate)
            self._learning_rate = self.add_variable((), start, "float32", name="learning_rate")
        self._written = tuple(name for name in {**self._names(rule), **options.given} if name not in ELSEWHERE)
        for name, attribute in self._attributes().items():
            setattr(self, attribute, options.hyper[name])

    def _names(self, rule: Rule) -> dict[str, str]:
        """Return how the class spells what a user can always give."""
        return {**convention(rule, "keras").names, **self.spelled}

    def _attributes(self) -> dict[str, str]:
        """Return the attribute that holds each hyperparameter of the rule's own."""
        spelled = self._names(self.rule)
        return {name: spelled.get(name, name) for name in self.rule.defaults if name not in ELSEWHERE}

    def _hyper(self) -> dict[str, Any]:
        """Return a value for every hyperparameter, as the attributes have them now; `lr` is the step's to say."""
        values = {name: getattr(self, attribute) for name, attribute in self._attributes().items()}
        around = {"weight_decay": self.weight_decay or 0.0, "base_lr": self.base_learning_rate}
        return self.rule.complete({**values, **around})

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an optimizer like this one."""
        attributes = self._attributes()
        own = {attributes[name]: getattr(self, attributes[name]) for name in self._written}
        config = {**super().get_config(), **own, "convention": self.convention}
        if self.base_learning_rate is not None:
            config["base_learning_rate"] = self.base_learning_rate
        return config

    def add_variable(self, shape: Any, initializer: Any = "zeros", dtype: Any = None, **options: Any) -> Any:
        """Add a variable to what the optimizer keeps, in float32 where 16 bits are asked for."""
        dtype = kept_dtype(dtype or keras.config.floatx())
        return super().add_variable(shape, initializer, dtype, **options)

    def build(self, variables: Sequence[Any]) -> None:
        """Make the optimizer's variables: Keras's, the rule's slots, and copies of weights in 16 bits."""
        if self.built:
            return
        super().build(variables)
        starts = self.rule.starts(self._hyper())
        for group in self.state_names or [{slot: slot for slot in starts}]:
            used = [slot for slot in group if slot in starts]
            made = [[self._slot(v, group[slot], starts[slot]) for slot in used] for v in variables]
            for slot, kept in zip(used, zip(*made, strict=True), strict=bool(made)):
                setattr(self, f"_slot_{slot}", list(kept))
        self._copies = [self.add_variable_from_reference(v, "copy") if is_half(v.dtype) else None for v in variables]

    def _slot(self, variable: Any, name: str, start: Any) -> Any:
        def first(shape: Any, dtype: Any) -> Any:  # keras.initializers.Constant makes TensorFlow round to float32
            return ops.copy(ops.cast(variable, dtype)) if start is WEIGHT else ops.full(shape, start, dtype=dtype)

        return self.add_variable_from_reference(variable, name, first)

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Take a step; gradients in 16 bits are read as float32 before anything is done to them."""
        whole = (self.clipnorm, self.clipvalue, self.global_clipnorm, self.gradient_accumulation_steps)
        by_rows = any(sparse(g) for g in grads) and not any((*whole, self.loss_scale_factor))
        by_rows = by_rows and rests(self.rule, {**self._hyper(), "lr": 0.1})
        super().apply([g if by_rows and sparse(g) else widened(g) for g in grads], trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one variable and its slots one step of the rule; of a sparse gradient, its rows."""
        index, rows = self._get_variable_index(variable), None
        copy = self._copies[index]
        if part := sparse(gradient):
            rows, gradient = summed(*part) if copy is None else (None, widened(gradient))
        made = self._updated(gradient, variable, learning_rate, rows)
        new = [(getattr(self, f"_slot_{slot}")[index], value) for slot, value in made.state.items()]
        if copy is not None:
            new.append((copy, made.weight))
        taken = [gradient]  # each variable gets memory of its own
        for kept, value in [*new, (variable, ops.cast(made.weight, variable.dtype))]:
            apart = ops.copy(value) if any(value is other for other in taken) else value
            self.assign(kept, apart if rows is None else written(kept, rows, apart))
            taken.append(apart)

    def _updated(self, gradient: Any, variable: Any, learning_rate: Any, rows: Any = None) -> Update:
        """Return what the coming step makes of one variable and its slots, or of some rows; nothing moves."""

        def part(kept: Any) -> Any:
            whole = ops.convert_to_tensor(kept)
            return whole if rows is None else ops.take(whole, rows, axis=0)

        index = self._get_variable_index(variable)
        weight, hyper = part(self._full(variable)), self._hyper()
        if not self._use_weight_decay(variable):
            hyper["weight_decay"] = 0.0
        t, lr = (ops.cast(x, weight.dtype) for x in (self.iterations + 1, learning_rate))
        state = {slot: part(getattr(self, f"_slot_{slot}")[index]) for slot in self.rule.starts(hyper)}
        return update(self.rule, weight, ops.cast(gradient, weight.dtype), state, Count(t), {**hyper, "lr": lr})

    def effective_lr(self, grads: Sequence[Any]) -> list[Any]:
        """Return the step size of each weight in the step that these gradients would make; nothing moves.

        It costs about as much as the step. For SGD it is the learning rate.

        Args:
            grads: as `apply` takes them, one for each variable that the optimizer was built with; None for one that
                has none. They are unscaled and clipped as in a step, but not accumulated.

        Returns:
            for each variable an array of its shape, weight moved per unit of the rule's direction; None without a
            gradient.

        Example:
            >>> optimizer.build(model.trainable_variables)
            >>> rates = optimizer.effective_lr(grads)
        """
        scale, lr = self.loss_scale_factor or 1.0, self._get_current_learning_rate()
        ready = self._clip_gradients([None if g is None else widened(g) / scale for g in grads])
        pairs = zip(ready, self._trainable_variables, strict=True)
        return [None if g is None else self._rate(g, variable, lr) for g, variable in pairs]

    def _rate(self, gradient: Any, variable: Any, learning_rate: Any) -> Any:
        rate = plain(self._updated(gradient, variable, learning_rate).step.rate)
        return ops.broadcast_to(ops.cast(rate, kept_dtype(variable.dtype)), variable.shape)

    def _full(self, variable: Any) -> Any:
        """Return a weight as the array that steps add up in."""
        weight, copy = ops.convert_to_tensor(variable), self._copies[self._get_variable_index(variable)]
        return weight if copy is None else followed(weight, ops.convert_to_tensor(copy))

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        """Leave weight decay to the step, which knows whether it is coupled."""

    def _update_model_variables_moving_average(self, trainable_variables: Sequence[Any]) -> None:
        """Average what the steps add up in: nothing but large steps reaches an average in bfloat16."""
        super()._update_model_variables_moving_average([self._full(v) for v in trainable_variables])

    def _backend_apply_gradients(self, grads: Sequence[Any], trainable_variables: Sequence[Any]) -> None:
        """Take a step and average; where the averages took the weights' place, steps add up from them."""
        super()._backend_apply_gradients(grads, trainable_variables)
        if not (self.use_ema and self.ema_overwrite_frequency):
            return
        due = (self.iterations + 1) % self.ema_overwrite_frequency == 0
        for copy, average in zip(self._copies, self._model_variables_moving_average, strict=True):
            if copy is not None and average is not None:
                self.assign(copy, ops.where(due, *map(ops.convert_to_tensor, (average, copy))))

    def _overwrite_model_variables_with_average_value(self, trainable_variables: Sequence[Any]) -> None:
        """Let the averages take the weights' place, rounded where the weights are shorter, in memory of their own."""
        for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            if average is not None:
                self.assign(variable, ops.copy(ops.cast(average, variable.dtype)))


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
