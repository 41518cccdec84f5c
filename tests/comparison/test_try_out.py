"""The try-out: an optimizer that cannot be built, stepped, saved or loaded on the real model is found first."""

import random
from dataclasses import replace

import pytest
import torch
from torch import nn

from line_task import Line, line, numbers, trials
from surefoot.arms.arm import make_arm
from surefoot.design.trial import Trial
from surefoot.rules import RULES
from surefoot.store.ranges import log
from surefoot.training.events import Finished, Started, TryOutPassed
from surefoot.training.loop import Training
from surefoot.training.try_out import DoesNotWork, TryOut


def of(make, given=None, **changes):
    planned = trials("sgd")[0]
    return Trial("line", make_arm(make, "torch", given or {}, **changes), 0, planned.protocol, "try")


def tried(trial, task=None):
    heard = []
    TryOut(trial, task or line(), heard.append).run(None)
    return heard


class Plain(torch.optim.Optimizer):
    """Steps along the gradient, times what `factor` says."""

    def __init__(self, params, lr=0.01):
        super().__init__(params, {"lr": lr})

    def factor(self, _state):
        return 1.0

    @torch.no_grad()
    def step(self, _closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p -= group["lr"] * self.factor(self.state[p]) * p.grad


class Counting(Plain):
    """Counts its steps in an attribute, which no `state_dict` has."""

    steps = 0

    def factor(self, _state):
        self.steps += 1
        return 1 / self.steps


class EveryFifth(Counting):
    """Does something else at every fifth step, by the same count."""

    def factor(self, _state):
        self.steps += 1
        return 10.0 if self.steps % 5 == 0 else 1.0


class Remembering(Plain):
    """Keeps its momentum outside the state."""

    def __init__(self, params, lr=0.01):
        super().__init__(params, lr)
        self.before = {}

    @torch.no_grad()
    def step(self, _closure=None):
        for p in self.param_groups[0]["params"]:
            kept = self.before[p] = 0.9 * self.before.get(p, torch.zeros_like(p)) + p.grad
            p -= 0.01 * kept


class Kept:
    """An object of a library's own."""


class Odd(Plain):
    """Keeps an object in its state that `torch.load` refuses when it loads safely."""

    def factor(self, state):
        state["kept"] = Kept()
        return 1.0


class Unsavable(Plain):
    def factor(self, state):
        state["function"] = lambda: 1
        return 1.0


class Forgetting(Plain):
    def load_state_dict(self, _state):
        raise KeyError("momentum")


class VectorsOnly(Plain):
    def __init__(self, params, lr=0.01):
        params = list(params)
        if any(p.ndim > 1 for p in params):
            raise ValueError("only vectors are taken")
        super().__init__(params, lr)


class Picky(Plain):
    def factor(self, _state):
        raise NotImplementedError("a weight of this shape")


class Calling(Plain):
    def step(self, closure=None):
        with torch.enable_grad():
            closure()
        super().step()


class NoLr(torch.optim.Optimizer):
    def __init__(self, params, rate=0.01):
        super().__init__(params, {"rate": rate})

    @torch.no_grad()
    def step(self, _closure=None):
        for p in self.param_groups[0]["params"]:
            p -= self.param_groups[0]["rate"] * p.grad


class Chancy(Plain):
    """Draws numbers that no seed decides, so that no two runs are alike."""

    def factor(self, _state):
        return random.SystemRandom().random()


class Rich(Plain):
    """State of every kind that `torch.load` takes: counts, lists, dicts, None, beside tensors."""

    def factor(self, state):
        state["step"] = state.get("step", 0) + 1
        state["every"] = 3
        state["sides"] = [torch.zeros(2, 2), None, (torch.zeros(3),)]
        state["more"] = {"step": torch.zeros(()), "basis": torch.zeros(5, dtype=torch.float64)}
        state["empty"] = None
        return 1 / state["step"]


class Averaging(Plain):
    """Walks with one set of weights and is evaluated with another, as schedule-free optimizers do."""

    def __init__(self, params, lr=0.01):
        super().__init__(params, lr)
        self.param_groups[0]["walks"] = False

    @torch.no_grad()
    def _swap(self, walks):
        for group in self.param_groups:
            for p in group["params"] if group["walks"] != walks else ():
                if "other" in self.state[p]:
                    mine = p.clone()
                    p.copy_(self.state[p]["other"])
                    self.state[p]["other"] = mine
            group["walks"] = walks

    def train(self):
        self._swap(True)

    def eval(self):
        self._swap(False)

    def step(self, _closure=None):
        if not self.param_groups[0]["walks"]:
            raise RuntimeError("call train() before a step")
        super().step()

    @torch.no_grad()
    def factor(self, _state):
        for p in self.param_groups[0]["params"]:
            self.state[p]["other"] = 0.5 * (self.state[p].get("other", p) + p)
        return 1.0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Counting, r"it goes on otherwise once it is saved and loaded: .* not in state_dict\(\).* Keep tensors"),
        (EveryFifth, "it goes on otherwise once it is saved and loaded"),
        (Remembering, "it goes on otherwise once it is saved and loaded"),
        (
            Odd,
            "its state cannot be loaded again: UnpicklingError: Unsupported global: GLOBAL test_try_out.Kept was not",
        ),
        (Unsavable, "its state cannot be saved: .* Keep tensors, numbers"),
        (Forgetting, "its state cannot be loaded again: KeyError: 'momentum' "),
        (VectorsOnly, "it cannot be built on this model: .*only vectors are taken. It takes lr"),
        (Picky, r"its step fails on this model: NotImplementedError: a weight of this shape \(test_try_out.py, line "),
        (Calling, r"its step fails on this model: TypeError: .* without a closure"),
    ],
)
def test_what_does_not_work_is_named_with_what_to_do(make, words):
    with pytest.raises(DoesNotWork, match=words):
        tried(of(make))


@pytest.mark.parametrize("make", [Plain, NoLr, Chancy, Rich, Averaging, torch.optim.AdamW])
def test_what_works_is_let_through(make):
    trial = of(make)
    assert tried(trial) == [Started(trial.key, 0), TryOutPassed(trial.key)]


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_of_ours_works(rule):
    class Hidden(Line):  # has a hidden matrix, which some rules step alone
        def make_model(self, seed):
            torch.manual_seed(seed)
            return nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))

    trial = of(rule, {"lr": 0.01})
    assert tried(trial, Hidden(line().data))[-1] == TryOutPassed(trial.key)


def test_a_last_batch_of_one_that_a_model_cannot_take_is_named_with_the_way_round_it():
    class Normed(Line):
        def make_model(self, _seed):
            return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))

    task = Normed(line().data)
    trial = of("sgd")
    odd = replace(trial, protocol=replace(trial.protocol, batch_size=31))
    with pytest.raises(DoesNotWork, match=r"training fails at a batch of 1: ValueError: .* drop_last=True"):
        tried(odd, task)
    assert isinstance(tried(replace(odd, protocol=replace(odd.protocol, drop_last=True)), task)[-1], TryOutPassed)


def test_a_schedule_needs_a_learning_rate_to_set():
    trial = of(NoLr)
    with pytest.raises(DoesNotWork, match="the schedule sets the learning rate, and NoLr has no lr"):
        tried(replace(trial, protocol=replace(trial.protocol, schedule="cosine")))


class Required(Plain):
    def __init__(self, params, lr):
        super().__init__(params, lr)


def test_what_a_class_has_no_default_for_starts_in_the_middle_of_its_range():
    trial = of(Required, ranges={"lr": log(1e-4, 1)})
    assert tried(trial)[-1] == TryOutPassed(trial.key)
    (group,) = trial.arm.build(line().make_model(0).parameters()).param_groups
    assert group["lr"] == pytest.approx(1e-2) == trial.arm.hyper["lr"]


def test_steps_that_lose_the_loss_are_no_fault():
    trial = of("sgd", {"lr": 1e30})
    assert tried(trial)[-1] == TryOutPassed(trial.key)


@pytest.mark.parametrize("make", [Rich, Averaging, NoLr])
def test_what_works_trains_and_goes_on_from_a_checkpoint_with_the_same_numbers(make):
    trial = replace(of(make), purpose="measure")
    whole, again = [], []
    Training(trial, line(), whole.append).run(None)
    assert isinstance(whole[-1], Finished)
    checkpoint = whole[1].checkpoint
    Training(trial, line(), again.append).run(checkpoint)
    found, expected = numbers(again)[trial.key], numbers(whole)[trial.key]
    assert {epoch: found[epoch] for epoch in (2, 3, "end")} == {epoch: expected[epoch] for epoch in (2, 3, "end")}


def test_state_of_any_shape_is_counted_but_for_the_steps():
    heard = []
    Training(replace(of(Rich), purpose="measure"), line(), heard.append).run(None)
    assert heard[-1].outcome.optimizer_bytes == 4 * (2 * 2 + 3) + 8 * 5
