"""The gradient of an embedding on TensorFlow, of which a batch has asked for one row twice."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import keras
import numpy as np

from surefoot.selfcheck.parity.cases import Case
from surefoot.selfcheck.parity.fronts.keras import make


def row_twice(case: Case, start: np.ndarray) -> np.ndarray:
    """Return the rows of an embedding after one step in which row 0 has the gradient 1, twice."""
    tensorflow: Any = import_module("tensorflow")
    table = keras.Variable(start)
    twice = tensorflow.IndexedSlices(tensorflow.ones((2, 1)), tensorflow.constant([0, 0]), tensorflow.constant([2, 1]))
    make(case).apply([twice], [table])
    return np.array(keras.ops.convert_to_numpy(table))
