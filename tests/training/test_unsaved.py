"""An optimizer that keeps something outside its `state_dict` gives no checkpoint: it never ends with other numbers."""

from collections import deque

import pytest
import torch

from line_task import line, numbers, trials
from own_loops import classify, events_of
from surefoot.arms.arm import make_arm
from surefoot.arms.opt import Opt
from surefoot.arms.several_optimizers import together
from surefoot.design.trial import Trial
from surefoot.training.events import EpochDone, Started
from surefoot.training.loop import Training
from surefoot.training.unsaved import Unsaved


class Plain(torch.optim.Optimizer):
    """Steps along the gradient, and keeps what `kept` changes."""

    def __init__(self, params, lr=0.01):
        super().__init__(params, {"lr": lr})
        self.begin()

    def begin(self):
        pass

    def kept(self):
        return 1.0

    @torch.no_grad()
    def step(self, _closure=None):
        factor = self.kept()
        for p in self.params():
            p -= self.param_groups[0]["lr"] * factor * p.grad

    def params(self):
        return [p for group in self.param_groups for p in group["params"]]


class Slow(Plain):
    """Goes back to slow weights at every 50th step."""

    def begin(self):
        self.count, self.slow = 0, [p.detach().clone() for p in self.params()]

    def kept(self):
        self.count += 1
        if self.count % 50 == 0:
            for p, slow in zip(self.params(), self.slow, strict=True):
                p.copy_(slow.lerp_(p, 0.5))
        return 1.0


class Warm(Plain):
    """Has a warm-up by a count of its own, longer than any try-out."""

    count = 0

    def kept(self):
        self.count += 1
        return 1.0 if self.count < 20 else 10.0


class Last(Plain):
    def begin(self):
        self.last = deque(maxlen=3)

    def kept(self):
        self.last.append(float(self.params()[0].grad.norm()))
        return 1.0


class Inner(Plain):
    """Has an optimizer in itself, whose state it does not give."""

    def begin(self):
        self.inner = torch.optim.SGD(self.params(), lr=0.01, momentum=0.9)

    def step(self, _closure=None):
        self.inner.step()


class Chance(Plain):
    def begin(self):
        self.generator = torch.Generator().manual_seed(0)

    def kept(self):
        return float(torch.rand((), generator=self.generator))


class Names(Plain):
    """Has attributes that follow from its state and its parameters, or never change."""

    def begin(self):
        self.every, self.scale, self.own = self.params(), {"by": torch.ones(2)}, self.state
        self.first, self.group, self.lock = (
            {self.params()[0]: 1},
            self.param_groups[0],
            (one for one in "never pickled"),
        )

    def kept(self):
        self.own[self.every[0]]["count"] = 1
        return 1.0


class Loads(Warm):
    """Gives its count and takes it back."""

    def state_dict(self):
        return {**super().state_dict(), "count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]
        super().load_state_dict({name: state[name] for name in ("state", "param_groups")})


class Modes(Plain):
    mode = None

    def train(self):
        self.mode = "train"

    def eval(self):
        self.mode = "eval"


class Fused(torch.optim.Adam):
    def __init__(self, params, lr=0.01):
        super().__init__(params, lr, fused=True)


class Shadow(Plain):
    """Keeps second weights as a model has them."""

    def begin(self):
        self.shadow = torch.nn.ParameterList(p.detach().clone() for p in self.params())

    def kept(self):
        for p, slow in zip(self.params(), self.shadow, strict=True):
            slow.data.lerp_(p, 0.5)
        return 1.0


class Two(Inner):
    """Has an attribute that is called as ours that puts several together."""

    def begin(self):
        super().begin()
        self.optimizers = [self.inner]


class Decay(Plain):
    def kept(self):
        self.defaults["lr"] *= 0.9
        return self.defaults["lr"]


class Sparse(Plain):
    def begin(self):
        self.rows = torch.eye(2).to_sparse()

    def kept(self):
        self.rows = self.rows * 2
        return 1.0


class Views(Plain):
    """Keeps its parameters in other shapes, and a model that is trained."""

    def begin(self):
        self.flat, self.raw = [p.view(-1) for p in self.params()], [p.data for p in self.params()]
        self.model = torch.nn.ParameterList(self.params())


class Several(Plain):
    def optimizers(self):
        return []


class Newton(torch.optim.LBFGS):
    def step(self, _closure=None):
        super().step(lambda: (self._params[0] ** 2).sum())


HIDING = [Slow, Warm, Last, Inner, Chance, Shadow, Two, Decay, Sparse]
OPEN = [Plain, Names, Loads, Modes, Fused, Views, Several, Newton, torch.optim.Adam]


def stepped(optimizer, parameter):
    for _ in range(2):
        parameter.grad = parameter.detach() + 1
        optimizer.step()


@pytest.mark.parametrize("make", HIDING + OPEN)
def test_what_changes_outside_the_state_dict_is_seen(make):
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = make([parameter])
    unsaved = Unsaved(optimizer)
    assert not unsaved.changed()
    stepped(optimizer, parameter)
    assert unsaved.changed() == (make in HIDING)


@pytest.mark.parametrize("second", [Warm, Plain])
def test_each_of_several_is_watched(second):
    parameters = [torch.nn.Parameter(torch.ones(3)) for _ in range(2)]
    optimizer = together([Plain(parameters[:1]), second(parameters[1:])])
    unsaved = Unsaved(optimizer)
    for parameter in parameters:
        parameter.grad = torch.ones(3)
    optimizer.step()
    assert unsaved.changed() == (second is Warm)


@pytest.mark.parametrize("make", [Slow, Warm, Shadow, Decay, Names, Loads, Modes, Views])
def test_an_interrupted_trial_ends_with_the_numbers_of_one_that_was_not(make):
    trial = Trial("line", make_arm(make, "torch", {}), 0, trials("sgd")[0].protocol)
    whole = []
    Training(trial, line(), whole.append).run(None)
    (first, *_) = (event for event in whole if isinstance(event, EpochDone))
    assert (first.checkpoint is None) == (make in HIDING)
    again = []
    Training(trial, line(), again.append).run(first.checkpoint)
    skipped = [at for at in numbers(whole)[trial.key] if first.checkpoint and at == 1]
    assert numbers(again)[trial.key] == {at: v for at, v in numbers(whole)[trial.key].items() if at not in skipped}


@pytest.mark.parametrize("make", [Slow, Warm, Plain])
def test_a_training_function_gives_no_checkpoint_either(make):
    whole = events_of(classify, optimizer=Opt(make, lr=0.05))
    checkpoints = [event.checkpoint for event in whole if isinstance(event, EpochDone)]
    assert [one is None for one in checkpoints] == [make in HIDING] * 3
    again = events_of(classify, checkpoints[0], optimizer=Opt(make, lr=0.05))
    assert again[0] == Started(whole[0].key, 0 if make in HIDING else 1)
    assert again[-1].outcome.test_metric == whole[-1].outcome.test_metric
