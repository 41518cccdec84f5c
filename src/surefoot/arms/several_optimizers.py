"""Several optimizers of one model as one: stepped, scheduled, saved and loaded together.

So Muon for the matrices beside AdamW for the rest is one optimizer of a comparison, as it is one for its user.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Several:
    """Several optimizers with the interface of one.

    Args:
        optimizers: of parts of the same model.
    """

    def __init__(self, optimizers: Sequence[Any]) -> None:
        self.optimizers = tuple(optimizers)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all."""
        return [group for one in self.optimizers for group in one.param_groups]

    @property
    def state(self) -> Mapping[Any, Any]:
        """The state of every parameter."""
        return {parameter: state for one in self.optimizers for parameter, state in one.state.items()}

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for one in self.optimizers:
            one.zero_grad(set_to_none=set_to_none)

    def step(self) -> None:
        """Let each take its step."""
        for one in self.optimizers:
            one.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all, in their order."""
        return {"optimizers": [one.state_dict() for one in self.optimizers]}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Take the states of all."""
        for one, state in zip(self.optimizers, saved["optimizers"], strict=True):
            one.load_state_dict(state)


class SeveralWithModes(Several):
    """Several of which some evaluate other weights than they train with."""

    def train(self) -> None:
        """Turn to the weights that train."""
        self._turn("train")

    def eval(self) -> None:
        """Turn to the weights that are evaluated."""
        self._turn("eval")

    def _turn(self, mode: str) -> None:
        for one in self.optimizers:
            if callable(turn := getattr(one, mode, None)):
                turn()


def together(made: Any) -> Any:
    """Return an optimizer as it is, and a list of them as one."""
    if not isinstance(made, list | tuple):
        return made
    modes = any(callable(getattr(one, "eval", None)) for one in made)
    return (SeveralWithModes if modes else Several)(made)


def apart(made: Any) -> tuple[Any, ...]:
    """Return the optimizers that were put together as one, or the only one."""
    return made.optimizers if isinstance(made, Several) else (made,)
