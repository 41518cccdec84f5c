"""DeepOBS's stochastic quadratic in 100 dimensions (Schneider et al., ICLR 2019), as data: its Hessian and examples.

An example x is the place of a minimum, the loss of weights w is (w - x)' H (w - x) / 2. H has 90 eigenvalues in 0..1
and ten in 30..60, as deep networks were seen to have (Chaudhari et al. 2017), turned by a random rotation. The problem
is one and the same for everybody, hence the fixed seeds. The eigenvalues, the rotation and the examples for training
and test are DeepOBS's to the last digit; examples for validation, which it has not, are drawn like these.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from surefoot.store.protocol import LOSS
from surefoot.tasks.arrays import Arrays
from surefoot.tasks.builtin import BuiltIn
from surefoot.tasks.task import Splits

Array = NDArray[np.float64]

SIZE = 100
NOISE = 0.6
TRAIN, TEST = 1000, 896  # whole batches of 128 are all that DeepOBS tests on
PROBLEM_SEED = TRAIN_SEED = 42
TEST_SEED, VALIDATION_SEED = 43, 44


def quadratic_task() -> BuiltIn:
    """Return the task, judged by its loss."""
    splits = Splits(examples(TRAIN_SEED, TRAIN), examples(VALIDATION_SEED, TRAIN), examples(TEST_SEED, TRAIN)[:TEST])
    return BuiltIn("quadratic-deep", "surefoot.tasks.models.quadratic_deep", "", splits, LOSS)


def examples(seed: int, count: int) -> Arrays:
    """Examples as float32, count x 100."""
    return Arrays(np.random.RandomState(seed).normal(0.0, NOISE, (count, SIZE)).astype(np.float32))


def hessian() -> Array:
    """Return the matrix H, 100 x 100, symmetric and positive definite."""
    random = np.random.RandomState(PROBLEM_SEED)
    eigenvalues = np.concatenate([random.uniform(0, 1, 90), random.uniform(30, 60, 10)])
    turned = rotation(SIZE, random)
    return turned.T @ np.diag(eigenvalues) @ turned


def rotation(size: int, random: np.random.RandomState) -> Array:
    """Return an orthogonal matrix, uniform over all, by the subgroup algorithm (Diaconis & Shahshahani 1987).

    A rotation of a subspace becomes one of the next larger space when it is followed by a reflection that takes the new
    axis to a uniformly random direction. The sign at the end makes the determinant +1 where `size` is even.

    Args:
        size: rows and columns, from 2.
        random: draws an angle, then a normal vector for each further dimension.
    """
    angle = random.uniform(0, 2 * np.pi)
    turned: Array = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for n in range(3, size + 1):
        direction = random.normal(size=n)
        axis = np.eye(n)[0]
        mirror = axis - direction / np.linalg.norm(direction)
        embedded = np.eye(n)
        embedded[1:, 1:] = turned
        turned = embedded - np.outer(mirror, mirror @ embedded) * 2 / (mirror @ mirror)
    return -turned
