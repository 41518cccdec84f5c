"""Where a front-end knowingly differs from its framework: what that does, what ours does, and why."""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """One difference that stays: whose front-end, what a user writes or has, what both make of it, and why."""

    framework: str
    what: str
    theirs: str
    ours: str
    reason: str


LIMITS = (
    Limit(
        "optax",
        "`eps_root`; `initial_scale` and `bias_correction` of RMSprop; `nesterov` of Adam and RMSprop; "
        "`bias_correction_mu` and `bias_correction_nu` of AMSGrad",
        "taken",
        "taken at optax's default, else refused",
        "The rules, which all front-ends share, have no such form. AMSGrad takes `bias_correction=False` for both.",
    ),
    Limit(
        "optax",
        "a learning rate below 0, a beta of 1 or more",
        "taken",
        "refused, where the value is a number",
        "Most are mistakes. `maximize=True` climbs.",
    ),
    Limit(
        "optax",
        "complex weights, Adadelta",
        "squares the complex number",
        "takes the square of its size, as for all other rules",
        "A complex square is no size, and its mean no divisor.",
    ),
    Limit(
        "optax",
        "complex weights, `mu_dtype` or `accumulator_dtype` of real numbers",
        "drops the imaginary part of the moment",
        "keeps it, in complex64",
        "Half of each gradient would be lost.",
    ),
    Limit(
        "optax",
        "`mu_dtype` or `accumulator_dtype` shorter than the weights'",
        "multiplies the moment by beta in the shorter kind",
        "multiplies in the weights' kind, and rounds once",
        "It is more exact. With beta as an array of the weights' kind, both are equal.",
    ),
    Limit(
        "optax",
        "integers in the tree",
        "moved by weight decay and by gradients that are not 0, then cut; their state changes its kind",
        "stay as they are, and so does their state; gradients of kind float0 are taken",
        "A count is no weight, and a state whose kind changes stops `scan`.",
    ),
    Limit(
        "Keras",
        "a learning rate below 0, a beta or `rho` out of range",
        "taken",
        "refused",
        "Most are mistakes. `maximize=True` climbs.",
    ),
    Limit(
        "Keras", "an integer where a float is meant: `learning_rate=1`", "refused", "taken", "It says what is meant."
    ),
    Limit(
        "Keras",
        "a sparse gradient with a fading state (momentum, RMSprop, Adadelta, Adam), weight decay, clipping, "
        "accumulation, loss scaling, or weights in 16 bits",
        "the state is stepped whole; the weights of RMSprop and Adadelta by rows on TensorFlow",
        "state and weight are stepped whole",
        "The state of all rows moves, and the weight is moved in the same pass. Norms need the sum of a row's parts.",
    ),
    Limit(
        "Keras",
        "a saved state with as many arrays, of another rule",
        "loaded",
        "loaded",
        "Keras's files number the arrays and do not name them. A state of another size is left out, with a warning.",
    ),
)
"""Every difference that stays."""
