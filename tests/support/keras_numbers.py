"""Rules that keep numbers, on small variables: in Keras on this process's backend, and on NumPy in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from surefoot.bundle import Bundle
from surefoot.mathops import absolute, maximum, sign, sqrt, total, total_all, where
from surefoot.rule import WEIGHT, Number, Rule, Shared, Slot, Step, rule
from surefoot.update import update


@rule(slots=("m", Number("mu", start=1.0)), source="a test")
def counted(g, state, t, *, lr=0.1, beta1=0.9):
    """Correct a mean by a product of its own, as NAdam does, and divide by a norm."""
    mu = state.mu * beta1 ** (1 / t)
    m = beta1 * state.m + (1 - beta1) * g
    return Step(rate=lr / (1 + total(g * g)), direction=m / (1 - mu), m=m, mu=mu)


@rule(
    slots=("s", Slot("p", start=WEIGHT), Number("n"), Shared("d", start="rho")),
    source="a test",
    pin={"decoupled": True},
)
def distance(g, w, state, t, *, lr=1.0, rho=1e-2, eps=1e-8):  # noqa: ARG001
    """Learn the rate from the way gone so far, as Prodigy does."""
    d = maximum(state.d, total_all(g * (state.p - w)) / (1 + total_all(absolute(state.s))))
    rate = where(d > 0, lr, 0.5 * lr) * where(t == 1, 1.0, 0.9) * d / sqrt(t)
    return Step(rate=rate, direction=sign(g) / (1 + eps), s=state.s + d * g, n=state.n + total(g * g), d=d)


@rule(slots=("m", "old"), source="a test")
def remembering(g, state, t, *, lr=0.1, beta1=0.9):  # noqa: ARG001
    """Keep the mean before this one too."""
    m = beta1 * state.m + (1 - beta1) * g
    return Step(rate=lr, direction=m + state.old, m=m, old=state.m)


def _mean(w, state, hyper):
    return (w - (1 - hyper["beta1"]) * state.z) / hyper["beta1"]


@rule(slots=(Slot("z", start=WEIGHT),), source="a test", evaluate=_mean)
def free(g, w, state, t, *, lr=0.1, beta1=0.9):
    """Average the way of plain gradient descent, and take gradients between the two, as Schedule-Free does."""
    mean = (w - (1 - beta1) * state.z) / beta1
    z = state.z - lr * g
    mean = mean + (z - mean) / t
    return Step(rate=lr, direction=g, move=w - ((1 - beta1) * z + beta1 * mean), z=z)


SHAPES = ((3, 2), (5,), ())


def starts() -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.standard_normal(shape).astype("float32") for shape in SHAPES]


def rows(steps: int = 12) -> list[list[np.ndarray | None]]:
    """The gradients of each step; the second variable has none in every third."""
    rng = np.random.default_rng(4)
    made: list[list[Any]] = [[rng.standard_normal(s).astype("float32") for s in SHAPES] for _ in range(steps)]
    for row in made[2::3]:
        row[1] = None
    return made


def on_numpy(ours: Rule, decays: list[float], options: dict[str, Any]) -> tuple[list[Any], dict[str, list[Any]]]:
    """Return weights and state after all steps of the rule, in float64; a number of the optimizer stands at each."""
    weights, hyper = [w.astype("float64") for w in starts()], ours.complete(options)
    first = ours.starts(options)
    numbers = ours.numbers(options)
    state = {
        slot: [w.copy() if start == WEIGHT else np.full(() if slot in numbers else w.shape, start) for w in weights]
        for slot, start in first.items()
    }
    for t, row in enumerate(rows(), 1):
        there = [i for i, g in enumerate(row) if g is not None]
        kept = {s: x[0] if s in ours.shared else Bundle(x[i] for i in there) for s, x in state.items()}
        own = [decays[i] for i in there]
        around = {**hyper, "weight_decay": Bundle(own) if len({*own}) > 1 else own[0]}
        made = update(
            ours, Bundle(weights[i] for i in there), Bundle(np.float64(row[i]) for i in there), kept, t, around
        )
        for k, i in enumerate(there):
            weights[i] = made.weight.members[k]
            for slot, value in made.state.items():
                state[slot][i] = value.members[k] if isinstance(value, Bundle) else value
        for slot in ours.shared:
            state[slot] = [made.state[slot]] * len(weights)
    return weights, state


def on_keras(optimizer: Any, dtype: str = "float32") -> list[Any]:
    """Return the variables after the same steps."""
    import keras

    variables = [keras.Variable(w, dtype=dtype, name=f"v{i}") for i, w in enumerate(starts())]
    optimizer.build(variables)
    for row in rows():
        gradients = [None if g is None else keras.ops.cast(keras.ops.convert_to_tensor(g), dtype) for g in row]
        optimizer.apply(gradients, variables)
    return variables
