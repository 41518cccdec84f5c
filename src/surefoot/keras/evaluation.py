"""The weights to evaluate a model with, where they are not the training weights.

They are computed from weights and state when they are asked for. The training weights are put by and come back to the
last bit; a file that is saved meanwhile has both. Keras compiles a step once and keeps it, so that no step could see
which weights are in place: a `fit` that ends with evaluation weights has them exchanged when Keras next makes ready to
train.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from surefoot.errors import UsageError
from surefoot.keras.arrays import is_half
from surefoot.rule import Rule
from surefoot.update import evaluates

_PREFIX = "training_"
"""The prefix of training weights' numbers in a file. Keras's own numbers have none."""


@dataclass
class PutBy:
    """The training weights, as long as a model holds others; None while it holds them."""

    weights: list[Any] | None = None


class AveragingOptimizer(keras.optimizers.Optimizer):  # type: ignore[misc]
    """An optimizer that knows with which weights to evaluate."""

    rule: Rule
    _put_by: PutBy

    @property
    def evaluating(self) -> bool:
        """Whether the model holds evaluation weights."""
        return self._put_by.weights is not None

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the model hold its evaluation weights for as long as the context lasts.

        These are what the rule says (Schedule-Free's average, the slow weights of lookahead), or with `use_ema=True`
        Keras's moving average. Before the first step nothing changes. Statistics of BatchNormalization stay those of
        the training weights. Under `mixed_float16` Keras has a LossScaleOptimizer around this one: call
        `model.optimizer.inner_optimizer.averaged()`.

        Raises:
            UsageError: the rule is evaluated with the weights that it trains with.

        Example:
            >>> with optimizer.averaged():
            ...     model.evaluate(x, y)
        """
        if not self._has_others():
            raise UsageError(
                f"{self.rule.name} is evaluated with the weights that it trains with; make the optimizer with "
                "use_ema=True for a moving average."
            )
        within = self.evaluating
        try:
            self.eval()
            yield
        finally:
            if not within:
                self.train()

    def eval(self) -> None:
        """Put the evaluation weights into the model until `train()`; for a rule without such weights, do nothing."""
        if self.evaluating or not self._has_others() or not self.built or not int(self._iterations.numpy()):
            return
        self._put_by.weights = [ops.copy(ops.convert_to_tensor(v)) for v in self._trainable_variables]
        for variable, weight in zip(self._trainable_variables, self._put_by.weights, strict=True):
            variable.assign(self._evaluation(variable, weight))

    def train(self) -> None:
        """Put the training weights back that `eval()` has put by; weights that were set since are left alone."""
        for variable, weight in zip(self._trainable_variables, self._put_by.weights or (), strict=self.evaluating):
            if _is_near(variable, self._evaluation(variable, weight)):
                variable.assign(weight)
        self._put_by.weights = None

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Take a step, unless the model holds its evaluation weights."""
        if self.evaluating:
            raise UsageError(
                f"{self.rule.name}: the model holds the weights that it is evaluated with; call optimizer.train() "
                "before the step, or pass surefoot.keras.EvaluationWeights() to fit."
            )
        super().apply(grads, trainable_variables)

    def save_own_variables(self, store: Any) -> None:
        """Save the optimizer's variables, and the training weights where the model holds others."""
        super().save_own_variables(store)
        for i, weight in enumerate(self._put_by.weights or ()):
            store[f"{_PREFIX}{i}"] = ops.convert_to_numpy(weight)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Load what `save_own_variables` has saved."""
        names = [*store.keys()]
        super().load_own_variables({name: store[name] for name in names if not name.startswith(_PREFIX)})
        kinds = {f"{_PREFIX}{i}": v.dtype for i, v in enumerate(self._trainable_variables)}
        there = self.built and kinds.keys() <= {*names}
        loaded = [ops.convert_to_tensor(store[name], dtype=kind) for name, kind in kinds.items()] if there else None
        self._put_by.weights = loaded

    def _has_others(self) -> bool:
        return self.use_ema or evaluates(self.rule, self._hyper())

    def _hyper(self) -> dict[str, Any]:
        """Return a value for every hyperparameter."""
        raise NotImplementedError

    def _evaluation(self, variable: Any, weight: Any) -> Any:
        """Return a variable's evaluation weights, given its training weights, in a new array."""
        raise NotImplementedError


def _is_near(variable: Any, expected: Any) -> bool:
    """Return whether a variable equals what was put there, up to the rounding of another machine."""
    error = 2.0**-7 if is_half(variable.dtype) else 1e-5
    found, wanted = (ops.cast(x, "float32") for x in (variable, expected))
    return bool(ops.all(ops.abs(found - wanted) <= error * (ops.max(ops.abs(wanted), initial=0.0) + 1e-30)))


class EvaluationWeights(keras.callbacks.Callback):  # type: ignore[misc]
    """Evaluate, predict and save with averaged weights, and train on with the others.

    It is for optimizers of `surefoot.keras` that train with other weights than they evaluate with: Schedule-Free,
    lookahead, and any with `use_ema=True`. With others of `surefoot.keras` it does nothing. Validation within `fit` has
    the evaluation weights, and so have callbacks after this one at the end of an epoch, and the model after `fit`: call
    `evaluate`, `predict` and `save` as ever. A later `fit` goes on from the training weights. Pass the callback to
    `evaluate` and `predict` where the last training was without it.

    Place it first: `[EvaluationWeights(), ModelCheckpoint(...), EarlyStopping(...)]`. What `ModelCheckpoint` saves
    between two epochs then has both kinds of weights, and trains on with this callback, or after `optimizer.train()`.
    Within an epoch (`save_freq=100`) it saves training weights alone.

    Limits: statistics of BatchNormalization stay those of the training weights. After an evaluation that raises, the
    model holds evaluation weights until a `fit` with this callback, or `optimizer.train()`.

    Raises:
        UsageError: the optimizer is not of `surefoot.keras`.

    Example:
        >>> model.fit(x, y, validation_data=(u, v), callbacks=[EvaluationWeights()])
        >>> model.evaluate(u, v)
    """

    def __init__(self) -> None:
        super().__init__()
        self._within: list[list[AveragingOptimizer]] = []

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Let the model train."""
        self._within.clear()
        self._train()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Let the model train."""
        self._train()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Let callbacks that follow see the evaluation weights."""
        self._eval()

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        """Leave the evaluation weights in the model until Keras next makes ready to train."""
        self._eval()
        model = self.model
        averaging = [optimizer for optimizer in _averaging(model.optimizer) if optimizer.evaluating]
        if not averaging:
            return

        def make_train_function(*arguments: Any, **options: Any) -> Any:
            del model.make_train_function  # the class has its own
            for optimizer in averaging:
                optimizer.train()
            return model.make_train_function(*arguments, **options)

        model.make_train_function = make_train_function

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Evaluate with the evaluation weights."""
        self._within.append(self._eval())

    def on_test_end(self, logs: Any = None) -> None:  # noqa: ARG002
        """Put back what was there."""
        for optimizer in self._within.pop():
            optimizer.train()

    on_predict_begin, on_predict_end = on_test_begin, on_test_end

    def _train(self) -> None:
        for optimizer in _averaging(self.model.optimizer):
            optimizer.train()

    def _eval(self) -> list[AveragingOptimizer]:
        """Return the optimizers whose evaluation weights were not there before."""
        before = [optimizer for optimizer in _averaging(self.model.optimizer) if not optimizer.evaluating]
        for optimizer in before:
            optimizer.eval()
        return before


def _averaging(optimizer: Any) -> list[AveragingOptimizer]:
    """Return our optimizers inside a model's optimizer: under loss scaling, or several in one."""
    if isinstance(optimizer, AveragingOptimizer):
        return [optimizer]
    inner = getattr(optimizer, "inner_optimizer", None)
    inside = getattr(optimizer, "optimizers", []) if inner is None else [inner]
    found = [own for one in inside for own in _averaging(one)]
    if found:
        return found
    raise UsageError(
        f"EvaluationWeights: {type(optimizer).__name__} does not say which weights to evaluate with; use an optimizer "
        "of surefoot.keras. For use_ema=True of Keras's own there is keras.callbacks.SwapEMAWeights."
    )
