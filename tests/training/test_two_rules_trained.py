"""An arm of two rules, such as Muon with AdamW, in a task and in a training function of any framework."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import own_loop_examples
from line_task import Line, line, numbers, trials
from own_loops import classify, events_of
from surefoot.arms.arm_list import parse_arms
from surefoot.errors import TrialError, UsageError
from surefoot.store.protocol import Recipe
from surefoot.torch import SplitOptimizer
from surefoot.training.evaluation_weights import Average
from surefoot.training.events import EpochDone, Finished, TryOutPassed
from surefoot.training.loop import Training
from surefoot.training.try_out import TryOut

pytestmark = [
    pytest.mark.usefixtures("one_thread", "kernel_cache"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn.t accept:DeprecationWarning"),  # Keras's
]

ARMS = ["muon", "muon(lr=0.05, rest=schedule_free_adamw)", "lion(rest=sgd(lr=0.1, momentum=0.9))"]


class Normed(Line):
    """The line behind a hidden layer and BatchNorm."""

    def make_model(self, seed):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 3), nn.Linear(3, 1))


def planned(text, **recipe):
    (one,) = trials("sgd")
    protocol = replace(one.protocol, recipe=Recipe(**recipe))
    return replace(one, arm=parse_arms([text], "torch")[0], protocol=protocol)


def training(text, heard=None, kind=Training, **recipe):
    return kind(planned(text, **recipe), Normed(line().data), (heard if heard is not None else []).append)


RECIPES = [
    ("muon", {}),
    ("muon", {"ema": 0.9}),
    ("muon", {"ema": 0.9, "clip": 0.5, "accumulate": 2, "precision": "bf16"}),
    ("muon(lr=0.05, rest=schedule_free_adamw)", {}),
]


@pytest.mark.parametrize(("text", "recipe"), RECIPES)
def test_a_task_that_goes_on_equals_one_that_was_never_stopped(text, recipe):
    whole, again, tried = [], [], []
    made = training(text, whole, **recipe)
    made.run(None)
    assert isinstance(made.optimizer, SplitOptimizer)
    assert isinstance(whole[-1], Finished)
    assert all(event.rates for event in whole if isinstance(event, EpochDone))
    stopped = next(event for event in whole if isinstance(event, EpochDone))
    training(text, again, **recipe).run(stopped.checkpoint)
    key = made.trial.key
    assert numbers(again)[key] == {at: value for at, value in numbers(whole)[key].items() if at != 1}
    training(text, tried, TryOut, **recipe).run(None)
    assert isinstance(tried[-1], TryOutPassed)


def test_a_tasks_average_is_of_both_rules_weights_with_statistics_of_its_own(monkeypatch):
    made = training("muon(lr=0.1)", ema=0.9)
    averages = []
    follow = Average.follow

    def noting(self):
        follow(self)
        averages.append([weight.clone() for weight in self.weights])

    monkeypatch.setattr(Average, "follow", noting)
    made.run(None)
    trained = [weight.clone() for weight in made.model.parameters()]
    passes = []
    monkeypatch.setattr(made, "_passes", lambda: passes.append(True) or iter(()))
    made.steps_taken += 1
    with made._evaluating():
        here = [weight.clone() for weight in made.model.parameters()]
    assert all(map(torch.equal, here, averages[-1]))
    assert not any(map(torch.equal, here, trained))
    assert all(map(torch.equal, made.model.parameters(), trained))
    assert passes == [True]


def test_a_tasks_average_is_refused_where_one_of_the_rules_has_weights_to_evaluate_with():
    with pytest.raises(TrialError, match=r"evaluated with weights of its own.*ema=0.9"):
        training(ARMS[1], ema=0.9)


def figures(events):
    epochs = [(replace(one.epoch, seconds=0.0), one.rates) for one in events if isinstance(one, EpochDone)]
    return repr((epochs, replace(events[-1].outcome, step_seconds=0.0)))


def alone(events):
    """The events but those of progress."""
    return [one for one in events if isinstance(one, EpochDone | Finished)]


@pytest.mark.parametrize("optimizer", ARMS)
def test_a_training_function_goes_on_where_it_was_stopped(optimizer):
    whole = alone(events_of(classify, optimizer=optimizer))
    rest = alone(events_of(classify, checkpoint=whole[0].checkpoint, optimizer=optimizer))
    assert figures(rest) == figures(whole[1:])
    assert whole[0].rates[0].step == 1
    assert whole[-1].outcome.parameters == 74


def hidden():
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


def rates(optimizer, **trial):
    """The learning rates of the groups at each step of a training function."""
    seen = []

    def train(run):
        model = hidden()
        made = run.optimizer(model)
        run.save(model=model)
        for _ in run.epochs(steps=2):
            for _ in range(2):
                seen.append([group["lr"] for group in made.param_groups])
                model(torch.ones(4, 2)).sum().backward()
                made.step()
                run.step(1.0)
            run.report(1.0)
        run.test(lambda: 1.0)

    events = events_of(train, optimizer=optimizer, epochs=2, **trial)
    return seen, [one.checkpoint for one in events if isinstance(one, EpochDone)]


@pytest.mark.parametrize(
    ("optimizer", "first"),
    [
        ("adamw(lr=1.0, schedule=linear)", [1.0]),
        ("torch.optim.SGD(lr=1.0, schedule=linear)", [1.0]),
        ("muon(lr=1.0, rest=adamw(lr=0.5), schedule=linear)", [1.0, 0.5, 0.5]),
    ],
)
def test_an_own_schedule_is_followed_whatever_the_studys_and_after_a_checkpoint(optimizer, first):
    expected = [pytest.approx([lr * factor for lr in first]) for factor in (1.0, 0.75, 0.5, 0.25)]
    for schedule in ("constant", "cosine"):
        seen, checkpoints = rates(optimizer, schedule=schedule)
        assert seen == expected
        assert rates(optimizer, schedule=schedule, checkpoint=checkpoints[0])[0] == expected[2:]
    own = optimizer.replace("linear", "constant")
    assert rates(own, schedule="cosine")[0] == [first] * 4


def test_what_compiles_at_the_first_step_is_not_of_the_timed_ones(monkeypatch):
    """Copies step before, of two rules too, and leave the weights and the random numbers alone."""
    steps = []
    step = SplitOptimizer.step
    monkeypatch.setattr(SplitOptimizer, "step", lambda self, closure=None: (steps.append(self), step(self, closure)))
    seen = []

    def train(run):
        model = hidden()
        before = [p.detach().clone() for p in model.parameters()]
        made = run.optimizer(model)
        seen.extend([made, [one is made for one in steps], all(map(torch.equal, before, model.parameters()))])
        assert not made.state
        assert all(p.grad is None for p in model.parameters())
        run.epochs()

    with pytest.raises(TrialError, match="has no epoch"):
        events_of(train, optimizer="muon")
    assert seen[1:] == [[False], True]


IN_JAX = {"with_flax": "head='second'", "with_jax": "head=(), overrides={'in': 'matrices'}"}


@pytest.mark.parametrize("name", IN_JAX)
def test_in_jax_roles_are_of_the_paths(name):
    text = f"muon(lr=0.02, {IN_JAX[name]})"
    whole = alone(own_loop_examples.events_of(name, optimizer=text))
    first, *_, last = [one.epoch.validation_metric for one in whole[:-1]]
    assert last < first
    weights = {"with_flax": 4 * 32 + 32 + 32 + 1, "with_jax": 4 * 32 + 32 + 32}[name]
    assert whole[-1].outcome.parameters == weights
    numbers_kept = 2 * weights - 4 * 32  # Muon has one a weight
    assert whole[-1].outcome.optimizer_bytes in (4 * numbers_kept, 8 * numbers_kept)  # tests have JAX in 64 bits
    rest = alone(own_loop_examples.events_of(name, optimizer=text, checkpoint=whole[1].checkpoint))
    assert rest[-1].outcome.test_metric == whole[-1].outcome.test_metric


def test_in_jax_the_weights_are_those_of_torch_and_biases_do_not_decay():
    import jax.numpy as jnp
    import optax

    text = "muon(lr=0.1, weight_decay=0.5, rest=adamw(lr=0.01, weight_decay=0.7), head='2', schedule=linear)"
    random = np.random.default_rng(0)
    kernels = [random.normal(size=shape) for shape in ((3, 4), (3, 3), (1, 3))]
    gradients = [[random.normal(size=k.shape) for k in kernels] for _ in range(4)]
    slopes = random.normal(size=(4, 3, 3))
    ends = []

    def in_torch(run):
        model = nn.Sequential(*(nn.Linear(k.shape[1], k.shape[0]) for k in kernels)).double()
        with torch.no_grad():
            for layer, kernel in zip(model, kernels, strict=True):
                layer.weight.copy_(torch.as_tensor(kernel))
                layer.bias.fill_(1.0)
        made, step = run.optimizer(model), 0
        for _ in run.epochs(steps=4):
            for step in range(4):
                for at, layer in enumerate(model):
                    layer.weight.grad = torch.as_tensor(gradients[step][at])
                    layer.bias.grad = torch.as_tensor(slopes[step, at, : len(layer.bias)])
                made.step()
                run.step(1.0)
            run.report(1.0)
        run.test(lambda: 1.0)
        ends.append([(x.weight.detach().numpy(), x.bias.detach().numpy()) for x in model])

    def in_jax(run):
        trees = {str(at): {"kernel": jnp.asarray(k.T), "bias": jnp.ones(len(k))} for at, k in enumerate(kernels)}
        made = run.optax(steps=4)
        state = made.init(trees)
        for _ in run.epochs(steps=4):
            for step in range(4):
                found = {
                    str(at): {"kernel": jnp.asarray(g.T), "bias": jnp.asarray(slopes[step, at, : len(g)])}
                    for at, g in enumerate(gradients[step])
                }
                updates, state = made.update(found, state, trees)
                trees = optax.apply_updates(trees, updates)
                run.step(1.0)
            run.report(1.0)
        run.test(lambda: 1.0)
        ends.append([(np.asarray(one["kernel"]).T, np.asarray(one["bias"])) for one in trees.values()])

    for train in (in_torch, in_jax):
        events_of(train, optimizer=text, epochs=1)
    for one, other in zip(*ends, strict=True):
        for mine, theirs in zip(one, other, strict=True):
            np.testing.assert_allclose(theirs, mine, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_in_keras_the_model_says_which_is_which(schedule):
    whole = alone(own_loop_examples.events_of("with_keras", optimizer="muon(lr=0.02)", schedule=schedule))
    first, *_, last = [one.epoch.validation_metric for one in whole[:-1]]
    assert last < first
    weights = 4 * 32 + 32 + 32 + 1
    assert whole[-1].outcome.optimizer_bytes == 4 * (2 * weights - 4 * 32)


def made_by(make):
    def train(run):
        make(run)

    return train


@pytest.mark.parametrize(
    ("make", "optimizer", "words"),
    [
        (lambda run: run.keras(), "muon", r"Muon has two rules.*give one that is built, run.keras\(model=model\)"),
        (lambda run: run.keras(), "lion(rest=adamw)", r"has two rules.*run.keras\(model=model\)"),
        (
            lambda run: run.optax().init({"in": {"kernel": np.ones((4, 6))}}),
            "muon(head=(), blocks={'im.kernel': 2})",
            "unknown parameter in blocks 'im.kernel'. Did you mean 'in.kernel'",
        ),
        (lambda run: run.optax().init({"b": np.ones(3)}), "muon(head=())", "no weight is a hidden matrix"),
        (lambda run: run.optimizer([torch.ones(2)]), "muon", "give the model itself"),
    ],
)
def test_what_cannot_be_made_of_two_rules_is_refused(make, optimizer, words):
    with pytest.raises((TrialError, UsageError), match=words):
        events_of(made_by(make), optimizer=optimizer)
