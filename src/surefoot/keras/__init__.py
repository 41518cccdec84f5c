"""Surefoot's rules as Keras 3 optimizers: drop-in replacements for keras.optimizers', and the ones that it lacks.

| file | concept |
| --- | --- |
| `optimizers.py` | the classes, each with Keras's arguments |
| `arguments.py` | what a user writes, sorted and checked |
| `base.py` | any rule as a Keras optimizer: the step, and no formula |
| `arrays.py` | rows of an embedding, and weights in 16 bits |
"""

from surefoot.frontends.installed import needed

with needed("keras", "Keras 3"):
    from surefoot.keras.base import RuleOptimizer
    from surefoot.keras.optimizers import SGD, AdaBound, Adadelta, Adagrad, Adam, AdamW, AMSBound, RMSprop

__all__ = ["SGD", "AMSBound", "AdaBound", "Adadelta", "Adagrad", "Adam", "AdamW", "RMSprop", "RuleOptimizer"]
