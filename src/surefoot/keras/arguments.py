"""The arguments of a Keras optimizer, sorted and checked: Keras's, the rule's, and the learning rate.

A class declares its arguments with Keras's names, order and defaults, for people and their editors to read. What a
user leaves out is not taken from there but from the `convention`, of which `keras` has the declared defaults.
"""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

import keras

from surefoot.conventions import convention as find_convention
from surefoot.errors import UsageError
from surefoot.frontends.declared import declaring
from surefoot.frontends.lookup import values
from surefoot.frontends.matrices import Blocks
from surefoot.rule import Rule
from surefoot.update import measures

Schedule = keras.optimizers.schedules.LearningRateSchedule
Rate = float | Schedule | Callable[[], Any]
"""A learning rate: a number, a schedule, or a function of no arguments."""


class Common(TypedDict, total=False):
    """The arguments of every optimizer: Keras's (see `keras.optimizers.Optimizer`) and some of ours.

    `convention` is whose form and defaults of the rule to use: `keras`, `torch`, `optax` or `paper`.
    `base_learning_rate` is the rate that a schedule is measured against, where the rule asks how far it has come
    (AdaBound's bounds do, and the paper's AdamW); by default `learning_rate`, or where a schedule stands at step 0,
    after any warm-up. `decay` is a word for where decoupled weight decay stands (`after`, `cautious`, ...); of a number
    Keras warns, and ignores it. `blocks` says which variables of a rule for matrices are several, along their outputs,
    by patterns of paths: `{"*/qkv/kernel": 3}`, or by their heights.
    """

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None
    decay: float | str | None
    convention: str
    base_learning_rate: float | None
    blocks: Mapping[str, Blocks] | None


_KERAS = inspect.signature(keras.optimizers.SGD).parameters.values()

declared = declaring(*(parameter for parameter in _KERAS if parameter.name in Common.__annotations__))
"""Makes a constructor from its signature. Keras's common arguments may follow by position."""


@dataclass(frozen=True)
class Arguments:
    """An optimizer's arguments, complete."""

    rate: Any
    decay: float | None
    """Weight decay; None if none was given."""
    common: Mapping[str, Any]
    """Keras's own arguments."""
    convention: str
    base: float | None
    """The rate that schedules are measured against; None if the rule does not."""
    blocks: Mapping[str, Blocks]
    """The variables that are several matrices, by patterns of paths."""
    given: Mapping[str, Any]
    """The user's values of the rule's hyperparameters, by our names."""
    hyper: Mapping[str, Any]


def understand(
    rule: Rule, given: Mapping[str, Any], *, spelled: Mapping[str, str], form: Mapping[str, bool]
) -> Arguments:
    """Return the arguments of an optimizer of `rule`, checked, with everything that the user left out.

    Args:
        rule: which rule.
        given: what the user wrote, in Keras's spelling, ours or the convention's.
        spelled: names of hyperparameters that the class has beside Keras's table.
        form: switches that these arguments set beside the convention's own.

    Raises:
        UsageError: an unknown option or convention, a value out of range, or a rate that is measured against zero.
    """
    convention = given.get("convention", "keras")
    ours = {"decay"} if convention != "keras" or isinstance(given.get("decay"), str) else set()
    shared = Common.__annotations__.keys() - ours
    common = {name: value for name, value in given.items() if name in shared and name != "convention"}
    base = common.pop("base_learning_rate", None)
    blocks = common.pop("blocks", None) or {}
    if isinstance(blocks, Mapping):  # a file has lists in the place of tuples
        blocks = {pattern: tuple(said) if isinstance(said, list) else said for pattern, said in blocks.items()}
    if blocks and rule.shape != "matrix":
        raise UsageError(f"{rule.name} has blocks={blocks!r}, and steps any weights alike; leave blocks out.")
    own = _own(rule, {name: x for name, x in given.items() if name not in shared}, spelled)
    usual = find_convention(rule, convention).defaults.get("weight_decay", rule.defaults["weight_decay"])
    if own.get("weight_decay", 0.0) is None and not usual:
        del own["weight_decay"]
    rate = own.pop("lr", None)
    asked = rate is not None or "learning_rate" in given
    if asked and not (isinstance(rate, float | Schedule) or callable(rate)):
        raise UsageError(
            f"{rule.name}: learning_rate={rate!r} is no learning rate; give a number, a schedule of "
            "keras.optimizers.schedules, or a function of no arguments."
        )
    lr = {} if rate is None else {"lr": rate if isinstance(rate, float) else 0.0}
    hyper = values(rule, convention, {**form, **own, **lr}, at_home="keras")
    rate = hyper["lr"] if rate is None else rate
    decay = hyper["weight_decay"] if hyper["weight_decay"] or "weight_decay" in own else None
    return Arguments(rate, decay, common, convention, _base(rule, hyper, base, rate), blocks, own, hyper)


def _own(rule: Rule, given: Mapping[str, Any], spelled: Mapping[str, str]) -> dict[str, Any]:
    """Return hyperparameters by our names, with numbers as floats and lists from files as tuples."""
    ours = {theirs: name for name, theirs in {**find_convention(rule, "keras").names, **spelled}.items()}
    own: dict[str, Any] = {}
    for name, value in given.items():
        if (known := ours.get(name, name)) in own:
            raise UsageError(f"{rule.name}: {known} is given twice, under two names; give it once.")
        is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)  # of any library
        own[known] = float(value) if is_number else tuple(map(tuple, value)) if isinstance(value, list) else value
    return own


def _base(rule: Rule, hyper: Mapping[str, Any], given: float | None, rate: Any) -> float | None:
    """Return the base rate of schedules, after any warm-up; None if the rule has none."""
    if not measures(rule, hyper):
        return None
    if given is None and isinstance(rate, Schedule):
        given = rate(0) if getattr(rate, "warmup_target", None) is None else rate.warmup_target
    base = float(given if given is not None else rate() if callable(rate) else rate)
    if base > 0:
        return base
    raise UsageError(
        f"{rule.name} measures its learning rate against the one it starts from, and that is {base}; give "
        "base_learning_rate=..., such as the rate that the schedule warms up to."
    )
