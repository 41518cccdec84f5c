"""Surefoot's rules as Keras 3 optimizers: drop-in replacements for keras.optimizers', and the ones that it lacks.

| file | concept |
| --- | --- |
| `adabound.py` | AdaBound and AMSBound, which Keras 3 lacks: in Keras's manner |
| `arguments.py` | What a user writes, sorted and checked |
| `base.py` | A rule as a Keras 3 optimizer: Keras's own machinery around it, and no formula |
| `installed.py` | Keras and the backend that it is told to use must both be there; what is missing is named |
| `modern.py` | Rules of the years after Adam |
| `optimizers.py` | Drop-in replacements for keras.optimizers' optimizers |
| `precision.py` | Weights in 16 bits learn through a copy in float32 |
| `rows.py` | Gradients of an embedding |
| `rule_optimizer.py` | Any rule as a Keras optimizer: a built-in one by name, or the user's own |
| `spelling.py` | An optimizer whose class names its rule |
"""

import surefoot.keras.installed  # noqa: F401  first: it says what is missing
from surefoot.keras.adabound import AdaBound, AMSBound
from surefoot.keras.modern import ADOPT, AdaBelief, Adamax, Adan, AdEMAMix, Lion, RAdam, Yogi
from surefoot.keras.optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, RMSprop
from surefoot.keras.rule_optimizer import RuleOptimizer

__all__ = [
    "ADOPT",
    "SGD",
    "AMSBound",
    "AdEMAMix",
    "AdaBelief",
    "AdaBound",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Adan",
    "Lion",
    "RAdam",
    "RMSprop",
    "RuleOptimizer",
    "Yogi",
]
