"""Rules of a user's own, as a file outside the package holds them, and a task that trains in no time."""

import sys

import cloudpickle

RULES = '''
from surefoot.mathops import absolute, minimum, sign, sqrt, total, where
from surefoot.rule import Step, rule
from surefoot.rules import adam, bounded

STRENGTH = 1.0


def pulled(m):
    return STRENGTH * where(m > 0, 1.0, -1.0) + sign(m)


@rule(slots=("m",), source="a test")
def calm(g, state, t, *, lr=0.02, beta1=0.8):
    """Follow the sign of the mean gradient."""
    m = beta1 * state.m + (1 - beta1) * g
    return Step(rate=lr, direction=pulled(m), m=m)


@rule(source="a test")
def normed(g, state, t, *, lr=0.05, eps=1e-8):
    """Divide the gradient by its norm."""
    return Step(rate=lr / (sqrt(total(g * g)) + eps), direction=g)


@rule(slots=("m",), source="a test", pin={"decoupled": True})
def leashed(g, w, state, t, *, lr=0.05, beta1=0.8):
    """Go at most as far as the weight is large."""
    m = beta1 * state.m + (1 - beta1) * g
    near = minimum(absolute(w), 1.0)
    return Step(rate=lr * near * where(t % 2 == 0, 0.5, 1.0), direction=sign(m), decay=where(t == 1, 0.0, 1.0), m=m)


steady = adam.variant("steady", "AMSGrad with a shorter memory.", pin={"amsgrad": True}, source="a test", beta2=0.99)

fenced = bounded(calm, "fenced", "Calm between two bounds.")


def builtin_by_name():
    @rule(source="a test")
    def adam(g, state, t, *, lr=0.3):
        """Descend: Adam in name only."""
        return Step(rate=lr, direction=g)

    return adam


named_adam = builtin_by_name()
'''

NAMES = ("calm", "normed", "leashed", "steady", "fenced", "named_adam")

TASK = """
import torch, surefoot
x = torch.randn(120, 4, generator=torch.Generator().manual_seed(0))
y = x.sum(1, keepdim=True)
def net():
    return torch.nn.Linear(4, 1)
def loss(out, y):
    return ((out - y) ** 2).mean()
task = surefoot.task(model=net, data=((x, y), (x, y)), loss=loss, name="plane")
"""


def forget(*modules: str) -> None:
    """Leave no module of a user's files behind."""
    for name in modules:
        module = sys.modules.pop(name, None)
        if module is not None and name in cloudpickle.list_registry_pickle_by_value():
            cloudpickle.unregister_pickle_by_value(module)
