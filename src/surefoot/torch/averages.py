"""The weights to evaluate a model with, where they are not the training weights.

They are computed from weights and state when they are asked for, out of place: the training weights are put by and come
back to the last bit. (Switching in place, there and back, rounds: it moves float32 weights by an ulp and bfloat16 ones
by more.) Between `eval()` and `train()` the training weights lie in the state, so that a checkpoint has them; whether
they lie there is the one thing that tells in which mode an optimizer is.
"""

from __future__ import annotations

import contextlib
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from surefoot.engines.eager import evaluation_weight
from surefoot.errors import SurefootWarning, UsageError
from surefoot.torch import shared_numbers
from surefoot.torch.group_settings import Group
from surefoot.torch.slots import SlotKeeper
from surefoot.torch.state import TRAINING, real, steps_so_far
from surefoot.torch.step_tables import StepTables
from surefoot.update import evaluates


class _Other(NamedTuple):
    """A parameter that is evaluated with other weights."""

    p: Tensor
    own: Group
    training: Tensor
    here: Tensor
    evaluation: Tensor


class AveragingOptimizer(SlotKeeper):
    """An optimizer that knows with which weights to evaluate; `RuleOptimizer` makes them."""

    _tables: StepTables | None = None
    """The kernel tables of the last step, for the next. Eval mode drops them."""
    _averaging = False
    _warned = False

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the evaluation weights in the weights' place for as long as the context lasts.

        These are the moving average (`ema=`), or what the rule says: Schedule-Free's average, the slow weights of
        lookahead. Before the first step, and between `eval()` and `train()`, nothing changes. Running statistics of
        BatchNorm are of the training weights: take them again inside, by
        `torch.optim.swa_utils.update_bn(training_loader, model)`.

        Raises:
            UsageError: the rule is evaluated with the weights that it trains with, and no average is kept.
        """
        if not self.has_evaluation_weights:
            raise UsageError(
                f"{self.rule.name} is evaluated with the weights that it trains with; make the optimizer with "
                "ema=0.999, say, for a moving average."
            )
        others = [] if self._evaluating() else self._others()
        try:
            try:
                self._averaging = True
                _put((other.here, other.evaluation) for other in others)
                yield
            finally:
                self._averaging = False
                _put((other.p, other.training) for other in others)
        except BaseException:  # an interrupt may have come before the last lines, or within them
            self._averaging = False
            _put((other.p, other.training) for other in others)
            raise

    def eval(self) -> None:
        """Put the evaluation weights in the weights' place until `train()`; call it where you call `model.eval()`.

        A checkpoint that is saved meanwhile is complete: the model's part has the evaluation weights, this optimizer's
        the training weights. For a rule without evaluation weights it does nothing. See `averaged` on BatchNorm.
        """
        others = [] if self._evaluating() else self._others()
        if not others:
            return
        self._tables = None

        def put() -> None:
            for other in others:
                other.own[TRAINING] = other.training
            _put((other.here, other.evaluation) for other in others)

        _wholly(put)

    def train(self) -> None:
        """Put the training weights back, which `eval()` has put by; call it where you call `model.train()`."""
        put_by = [(p, own, own[TRAINING]) for p, own in self.state.items() if isinstance(own, dict) and TRAINING in own]

        def put() -> None:
            _put((p, weights) for p, _, weights in put_by)
            for _, own, _ in put_by:
                own.pop(TRAINING, None)

        _wholly(put)

    def watch(self, model: torch.nn.Module) -> RemovableHandle:
        """Warn, once, when the model is called in eval mode and still has training weights.

        For a rule without evaluation weights nothing is ever said. A compiled model is watched only if it was compiled
        before: watch what `torch.compile` returns.

        Args:
            model: whose parameters are this optimizer's; it keeps a forward pre-hook.

        Returns:
            what takes the hook away: `handle.remove()`.
        """
        return watch(self, model)

    @property
    def has_evaluation_weights(self) -> bool:
        """Whether any group evaluates with other weights than it trains."""
        return any(evaluates(self.rule, {"ema": group.get("ema")}) for group in self.param_groups)

    def _evaluating(self) -> bool:
        """Return whether evaluation weights are in place until `train()`."""
        return any(TRAINING in own for own in self.state.values() if isinstance(own, dict))

    @torch.no_grad()
    def _others(self) -> list[_Other]:
        """Return the parameters that have been stepped and are evaluated with other weights."""
        found, known = [], shared_numbers.read(self.param_groups, self.rule, self._shared_names())
        for group in self.param_groups:
            settings = self._settings(group)
            for p in group["params"] if evaluates(self.rule, settings.hyper) else ():
                own = self.state.get(p, {})
                if steps_so_far(own):
                    mine = self._settings_of(p, settings)
                    state = {**self._slots(p, own, mine), **known}
                    weights = evaluation_weight(mine.rule, real(p), state, mine.hyper)
                    found.append(_Other(p, own, p.detach().clone(), real(p), weights))
        return found

    def _back_to_training(self) -> None:
        """Take the training weights back before a step, with a word."""
        if self._evaluating():
            if not self._warned:
                self._warned = True
                warnings.warn(
                    "a step was taken in eval mode: the training weights are put back first, and its gradients are "
                    "those of the evaluation weights; call optimizer.train() before training goes on.",
                    SurefootWarning,
                    stacklevel=7,
                )
            self.train()


def watch(optimizer: Any, model: torch.nn.Module) -> RemovableHandle:
    """Have an optimizer's model looked at; see `AveragingOptimizer.watch`."""
    look = _Look()
    handle = model.register_forward_pre_hook(look)
    look.start(optimizer, model, handle)
    return handle


class _Look:
    """A forward pre-hook that warns once. A copy of the model is not watched."""

    _at: tuple[Any, Any, RemovableHandle] | None = None

    def start(self, optimizer: Any, model: torch.nn.Module, handle: RemovableHandle) -> None:
        self._at = weakref.ref(optimizer), weakref.ref(model), handle

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __call__(self, module: torch.nn.Module, _: Any) -> None:
        if torch.compiler.is_compiling() or module.training or self._at is None:
            return
        optimizer, model, handle = self._at[0](), self._at[1](), self._at[2]
        if optimizer is None or model is not module or optimizer._averaging or optimizer._evaluating():
            return
        if optimizer.has_evaluation_weights and optimizer._others():
            handle.remove()
            warnings.warn(
                "the model is in eval mode and has its training weights: evaluate `with optimizer.averaged():`, or "
                "call optimizer.eval() beside model.eval(), and optimizer.train() beside model.train().",
                SurefootWarning,
                stacklevel=2,
            )


@torch.no_grad()
def _put(pairs: Iterable[tuple[Tensor, Tensor]]) -> None:
    for to, x in pairs:
        to.copy_(x)


def _wholly(put: Callable[[], object]) -> None:
    """Do what may be done twice, to its end, also if an interrupt comes."""
    try:
        put()
    except BaseException:
        put()
        raise
