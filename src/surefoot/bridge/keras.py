"""Keras's side of the bridge: lists of variables, with our names or those of Keras's classes.

Keras's SGD subtracts in its velocity what ours adds: it points downhill, and changes its sign here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from surefoot.bridge.handover import Handover, Meaning, apart, both, fit
from surefoot.errors import UsageError
from surefoot.keras.base import KerasOptimizer
from surefoot.keras.two_rules import SplitOptimizer

KERAS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "SGD": ("sgd", {"b": "momentums"}),
    "Adagrad": ("adagrad", {"s": "_accumulators"}),
    "Adadelta": ("adadelta", {"v": "_accumulated_grads", "u": "_accumulated_delta_vars"}),
    "RMSprop": ("rmsprop", {"v": "_velocities", "a": "_average_gradients", "b": "_momentums"}),
    "Adam": ("adam", {"m": "_momentums", "v": "_velocities", "vmax": "_velocity_hats"}),
}
"""The rule of each of Keras's own classes, and the attribute of each of its slots."""


def from_keras(optimizer: Any) -> Handover:
    """Return how far a Keras optimizer has come: one of ours, or of Keras's own of the same names.

    Args:
        optimizer: built; parameters are in the order of the variables that it was built with.

    Raises:
        UsageError: an optimizer of another kind, or one that is not built.
    """
    rule, variables = _variables(optimizer)
    count, sign = int(optimizer.iterations), _sign(optimizer)
    slots = [{slot: np.asarray(sign.get(slot, 1.0) * _array(v)) for slot, v in own.items()} for own in variables]
    meaning, shared = _meaning(optimizer), {slot: float(_array(x)) for slot, x in _shared(optimizer).items()}
    many = len(slots)
    return Handover(rule, tuple(slots), (count,) * many, (meaning,) * many, _numbers(optimizer), shared)


def to_keras(progress: Handover, optimizer: Any) -> None:
    """Let a Keras optimizer go on from a progress: one of ours, or of Keras's own of the same names.

    Its hyperparameters stay as they are: make it with those of the source.

    Args:
        progress: parameters in the order of the optimizer's variables; see `Handover.rearranged`.
        optimizer: built, as by `optimizer.build(model.trainable_variables)`; its state is replaced.

    Raises:
        UsageError: the optimizer runs another rule, has other parameters, or keeps what cannot be converted.
    """
    fitted = fit(progress, from_keras(optimizer))
    count, sign = fitted.count(), _sign(optimizer)
    for own, slots in zip(_variables(optimizer)[1], fitted.slots, strict=True):
        for slot, variable in own.items():
            variable.assign(sign.get(slot, 1.0) * slots[slot])
    for slot, variable in _shared(optimizer).items():
        variable.assign(fitted.shared[slot])
    optimizer._iterations.assign(count * (optimizer.gradient_accumulation_steps or 1))
    if fitted.meanings[0].base_lr is not None and getattr(optimizer, "base_learning_rate", None) is not None:
        optimizer.base_learning_rate = fitted.meanings[0].base_lr


def _variables(optimizer: Any) -> tuple[str, list[dict[str, Any]]]:
    """Return the rule, and for each parameter the variables of the slots in use."""
    if not optimizer.built:
        raise UsageError("the optimizer is not built; call optimizer.build(model.trainable_variables) first.")
    rule, fields = _fields(optimizer)
    lists = {slot: kept for slot, name in fields.items() if (kept := getattr(optimizer, name, None))}
    parameters = zip(*lists.values(), strict=True) if lists else [()] * len(optimizer._trainable_variables)
    each = [zip(lists, own, strict=True) for own in parameters]
    return rule, [{slot: x for slot, x in own if x is not None} for own in each]


def _fields(optimizer: Any) -> tuple[str, Mapping[str, str]]:
    if isinstance(optimizer, KerasOptimizer):
        rule = optimizer.rule
        starts = {
            slot: None
            for v in optimizer._trainable_variables
            for slot in optimizer._rule_of(v).starts(optimizer._hyper_of(v))
        }
        return rule.family, {slot: f"_slot_{slot}" for slot in starts if slot not in rule.shared}
    if isinstance(optimizer, SplitOptimizer):
        raise UsageError(both("optimizer.children", optimizer.children))
    for name, known in KERAS.items():
        if isinstance(optimizer, getattr(keras.optimizers, name)):
            return known
    raise UsageError(f"{type(optimizer).__name__} is not known; give one of surefoot.keras's, or {', '.join(KERAS)}.")


def _shared(optimizer: Any) -> dict[str, Any]:
    """Return the variables that are one number for the whole optimizer, by the slot."""
    shared = optimizer.rule.shared if isinstance(optimizer, KerasOptimizer) else ()
    return {slot: getattr(optimizer, f"_slot_{slot}")[0] for slot in shared}


def _numbers(optimizer: Any) -> frozenset[str]:
    return apart(optimizer.rule) if isinstance(optimizer, KerasOptimizer) else frozenset()


def _sign(optimizer: Any) -> Mapping[str, float]:
    """Return the signs between our numbers and the optimizer's, in both directions."""
    return {"b": -1.0} if isinstance(optimizer, keras.optimizers.SGD) else {}


def _meaning(optimizer: Any) -> Meaning:
    lr = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
    if not isinstance(optimizer, KerasOptimizer):
        return Meaning(lr=lr, lr_in_buffer=True)
    return Meaning.of(optimizer.rule, optimizer._hyper(), lr, optimizer.base_learning_rate)


def _array(variable: Any) -> np.ndarray:
    wide = keras.ops.cast(variable, keras.backend.result_type(variable.dtype, "float32"))
    return np.array(keras.ops.convert_to_numpy(wide))
