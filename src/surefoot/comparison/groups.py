"""What the optimizers of a comparison do with which parameters of its model."""

from __future__ import annotations

from surefoot.comparison.request import Request
from surefoot.errors import UsageError
from surefoot.torch import groups
from surefoot.torch.description import Description, outline


def outlined(request: Request) -> Description:
    """Return the roles of the parameters of a task's model, whoever steps them."""
    return outline(groups(request.task.make_model(0)))


def described(request: Request) -> dict[str, Description]:
    """Return what each optimizer does with which parameters, by its label.

    Raises:
        UsageError: an optimizer that does not say.
    """
    found = {}
    for arm in request.arms:
        describe = getattr(arm.build(request.task.make_model(0)), "describe", None)
        if describe is None:
            raise UsageError(f"{arm.label} is no optimizer of Surefoot's and does not tell its groups; leave it out.")
        found[arm.label] = describe(request.protocol.steps_per_epoch)
    return found
