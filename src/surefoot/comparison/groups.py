"""The parameters of a comparison's model, and the rule that each optimizer gives them."""

from __future__ import annotations

from typing import Any

from surefoot.comparison.request import Request
from surefoot.errors import UsageError
from surefoot.torch import groups
from surefoot.torch.description import Description, outline

OWN_MODEL = (
    "a training function makes its own model; call surefoot.torch.groups(model), and print what describe() of "
    "its optimizer returns."
)


def outlined(request: Request) -> Description:
    """Return the roles of the parameters of a task's model, without any optimizer."""
    return outline(groups(_model(request)))


def described(request: Request) -> dict[str, Description]:
    """Return what each optimizer does with which parameters, by its label.

    Raises:
        UsageError: an optimizer that does not say.
    """
    found = {}
    for arm in request.arms:
        describe = getattr(arm.build(_model(request)), "describe", None)
        if describe is None:
            raise UsageError(f"{arm.label} is no optimizer of Surefoot's and does not say its groups; leave it out.")
        found[arm.label] = describe(request.protocol.steps_per_epoch)
    return found


def _model(request: Request) -> Any:
    """Return the model of a task; `UsageError` for a training function, which makes its own."""
    if not hasattr(request.task, "make_model"):
        raise UsageError(OWN_MODEL)
    return request.task.make_model(0)
