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
from surefoot.frontends.blocks import blocks_of, evaluated_in_blocks
from surefoot.frontends.matrices import view_for
from surefoot.frontends.number import plain
from surefoot.keras.arguments import Arguments
from surefoot.keras.arrays import (
    apart,
    followed,
    is_half,
    rests,
    sparse,
    summed,
    widened,
    written,
)
from surefoot.keras.evaluation import PutBy
from surefoot.keras.slots import SlotKeeper
from surefoot.keras.step import Start, stepped
from surefoot.rule import SET_BY_FRONT_END, Rule
from surefoot.update import Update

register = keras.saving.register_keras_serializable("surefoot")
"""Lets a saved model find a class by its name."""

ELSEWHERE = ("lr", "weight_decay", *SET_BY_FRONT_END)
"""Hyperparameters that attributes of Keras's own hold, or that an optimizer sets by itself."""


class KerasOptimizer(SlotKeeper):
    """A rule in Keras's spelling; use a subclass.

    Attributes:
        spelled: names of hyperparameters that the class has beside those in Keras's table of conventions.
        rule: which rule.
        convention: whose form of it.
        base_learning_rate: what schedules are measured against; None if the rule does not.
    """

    spelled: ClassVar[Mapping[str, str]] = {}
    convention: str
    base_learning_rate: float | None
    _learning_rate: Any

    def _set_up(self, rule: Rule, options: Arguments) -> None:
        super().__init__(learning_rate=options.rate, weight_decay=options.decay, **options.common)
        self._put_by = PutBy()
        self.rule, self.convention, self.base_learning_rate = rule, options.convention, options.base
        self.blocks = options.blocks
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
        """Return the present value of every hyperparameter except `lr`, which a step sets."""
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
        if self.blocks:
            config["blocks"] = dict(self.blocks)
        return config

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Take a step. Gradients in 16 bits are converted to float32 first."""
        whole = (self.clipnorm, self.clipvalue, self.global_clipnorm, self.gradient_accumulation_steps)
        by_rows = any(sparse(g) for g in grads) and not any((*whole, self.loss_scale_factor))
        by_rows = by_rows and rests(self.rule, {**self._hyper(), "lr": 0.1})
        super().apply([g if by_rows and sparse(g) else widened(g) for g in grads], trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move a variable and its slots by one step. A sparse gradient moves its rows."""
        rows = None
        if part := sparse(gradient):
            half = self._copies[self._get_variable_index(variable)] is not None
            rows, gradient = (None, widened(gradient)) if half else summed(*part)
        start = self._start_of(gradient, variable, rows)
        (made,) = self._stepped([start], learning_rate)
        self._write(variable, start, made, rows)

    def _backend_update_step(self, grads: Sequence[Any], variables: Sequence[Any], learning_rate: Any) -> None:
        """Step each variable, or all jointly where the rule sums over all. A missing gradient leaves one out."""
        if not self.rule.shared:
            super()._backend_update_step(grads, variables, learning_rate)
            return
        if getattr(getattr(self, "_distribution_strategy", None), "num_replicas_in_sync", 1) > 1:
            raise UsageError(
                f"{self.rule.name} sums over all tensors, which surefoot.keras does not do on several replicas of "
                "tf.distribute; train on one, or on the JAX backend with keras.distribution."
            )
        starts = [self._start_of(g, v) for g, v in zip(grads, variables, strict=True)]
        made = self._stepped(starts, learning_rate)
        for variable, start, new in zip(variables, starts, made, strict=True):
            self._write(variable, start, new)

    def _start_of(self, gradient: Any, variable: Any, rows: Any = None, weight: Any = None) -> Start:
        """Return the inputs of the coming step of a variable or of some rows, for its weight or another."""

        def part(kept: Any) -> Any:
            whole = ops.convert_to_tensor(kept)
            return whole if rows is None else ops.take(whole, rows, axis=0)

        index, rule, hyper = self._get_variable_index(variable), self._rule_of(variable), self._hyper_of(variable)
        view = view_for(rule, tuple(variable.shape), "in_out", blocks_of(self._path_of(variable), self.blocks))
        weight = part(self._full(variable, weight))
        if not self._use_weight_decay(variable):
            hyper["weight_decay"] = 0.0
        state = {slot: part(getattr(self, f"_slot_{slot}")[index]) for slot in rule.starts(hyper)}
        gradient = ops.cast(gradient, weight.dtype)
        if view is None:
            return Start(rule, None, weight, gradient, state, hyper)
        seen = {slot: view.of(x, ops) if slot in rule.each_weight else x for slot, x in state.items()}
        return Start(rule, view, view.of(weight, ops), view.of(gradient, ops), seen, hyper)

    def _stepped(self, starts: Sequence[Start], learning_rate: Any) -> list[Update]:
        return stepped(self.rule, starts, self.iterations + 1, learning_rate)

    def _write(self, variable: Any, start: Start, made: Update, rows: Any = None) -> None:
        """Store the results of a variable's step, each array in memory of its own.

        On torch what was read before is overwritten in place: a value that is another's old one has to be copied first.
        """
        index = self._get_variable_index(variable)
        slots = [slot for slot, value in made.state.items() if value is not start.state[slot]]
        copies = [copy for copy in [self._copies[index]] if copy is not None]
        kept = [*(getattr(self, f"_slot_{slot}")[index] for slot in slots), *copies, variable]
        values = [*(plain(made.state[slot]) for slot in slots), *(made.weight for _ in [*copies, variable])]
        cast = [ops.cast(value, target.dtype) for value, target in zip(values, kept, strict=True)]
        own = apart(cast, [start.gradient, start.weight, *start.state.values()])
        names = [*slots, *("" for _ in [*copies, variable])]
        for target, name, value in zip(kept, names, own, strict=True):
            whole = start.whole(value, name)
            self.assign(target, whole if rows is None else written(target, rows, whole))

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
        pairs = [*zip(ready, self._trainable_variables, strict=True)]
        starts = [self._start_of(g, v) for g, v in pairs if g is not None]
        made = iter(zip(self._stepped(starts, lr), starts, strict=True))
        return [None if g is None else _rate(*next(made)) for g, _ in pairs]

    def _full(self, variable: Any, weight: Any = None) -> Any:
        """Return a weight, by default a variable's value, as the array in which steps add up."""
        weight = ops.convert_to_tensor(variable if weight is None else weight)
        copy = self._copies[self._get_variable_index(variable)]
        return weight if copy is None else followed(weight, ops.convert_to_tensor(copy))

    def _evaluation(self, variable: Any, weight: Any) -> Any:
        """Return a variable's evaluation weights, given its training weights, in a new array."""
        index, value = self._get_variable_index(variable), weight
        if self.use_ema:
            average = self._model_variables_moving_average[index]
            value = weight if average is None else average
        elif not self._overwrite_variable_with_gradient(variable):
            start = self._start_of(ops.zeros_like(weight), variable, weight=weight)
            hyper = {**start.hyper, "lr": self._get_current_learning_rate()}
            made = evaluated_in_blocks(start.view, start.rule, start.weight, start.state, hyper, ops)
            value = start.whole(plain(made))
        return ops.copy(ops.cast(value, variable.dtype))

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        """Leave weight decay to the step, which knows whether it is coupled."""

    def _update_model_variables_moving_average(self, trainable_variables: Sequence[Any]) -> None:
        """Average the full-precision weights: in bfloat16 only large steps would reach an average."""
        super()._update_model_variables_moving_average([self._full(v) for v in trainable_variables])

    def _backend_apply_gradients(self, grads: Sequence[Any], trainable_variables: Sequence[Any]) -> None:
        """Take a step and update averages. Steps go on from averages that overwrote the weights."""
        super()._backend_apply_gradients(grads, trainable_variables)
        if not (self.use_ema and self.ema_overwrite_frequency):
            return
        due = (self.iterations + 1) % self.ema_overwrite_frequency == 0
        for copy, average in zip(self._copies, self._model_variables_moving_average, strict=True):
            if copy is not None and average is not None:
                self.assign(copy, ops.where(due, *map(ops.convert_to_tensor, (average, copy))))

    def _overwrite_model_variables_with_average_value(self, trainable_variables: Sequence[Any]) -> None:
        """Overwrite the weights with the averages, rounded where needed, in memory of their own."""
        for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            if average is not None:
                self.assign(variable, ops.copy(ops.cast(average, variable.dtype)))


def _rate(made: Update, start: Start) -> Any:
    return start.whole(ops.broadcast_to(ops.cast(plain(made.step.rate), start.weight.dtype), start.weight.shape))
