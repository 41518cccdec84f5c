"""`convention=`: another framework's form and defaults under torch's names."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch.nn import Parameter

import oracles
import surefoot.torch
from surefoot.errors import UsageError
from surefoot.rules import RULES
from surefoot.torch import SGD, AdaBound, Adadelta, Adagrad, Adam, AdamW, AMSBound, RMSprop
from torch_runs import check_same, drive, parameters, params_of

STEPS = 30
GRADIENTS = np.random.default_rng(4).normal(size=(STEPS, 3))
START = np.array([1.0, -2.0, 0.5])

# Our optimizer in another framework's convention, and what a user writes there.
FORMS = [
    (Adam, {"convention": "keras"}, "keras.optimizers.Adam", {}),
    (Adam, {"convention": "keras", "amsgrad": True}, "keras.optimizers.Adam", {"amsgrad": True}),
    (Adam, {"convention": "keras", "weight_decay": 0.1}, "keras.optimizers.Adam", {"weight_decay": 0.1}),
    (AdamW, {"convention": "keras"}, "keras.optimizers.AdamW", {}),
    (SGD, {"convention": "keras", "momentum": 0.9}, "keras.optimizers.SGD", {"momentum": 0.9}),
    (Adagrad, {"convention": "keras"}, "keras.optimizers.Adagrad", {}),
    (Adadelta, {"convention": "keras"}, "keras.optimizers.Adadelta", {}),
    (RMSprop, {"convention": "keras", "momentum": 0.5}, "keras.optimizers.RMSprop", {"momentum": 0.5}),
    (Adam, {"convention": "optax", "lr": 0.01}, "optax.adam", {"learning_rate": 0.01}),
    (Adam, {"convention": "optax", "lr": 0.01, "amsgrad": True}, "optax.amsgrad", {"learning_rate": 0.01}),
    (AdamW, {"convention": "optax", "lr": 0.01}, "optax.adamw", {"learning_rate": 0.01}),
    (Adagrad, {"convention": "optax", "lr": 0.01}, "optax.adagrad", {"learning_rate": 0.01}),
    (RMSprop, {"convention": "optax", "lr": 0.01}, "optax.rmsprop", {"learning_rate": 0.01}),
]


def path(make, options):
    """Return the weights after each step."""
    p = Parameter(torch.tensor(START))
    optimizer, rows = make([p], **options), []
    for gradient in GRADIENTS:
        p.grad = torch.tensor(gradient)
        optimizer.step()
        rows.append(p.detach().clone())
    return torch.stack(rows)


@pytest.mark.parametrize(("make", "options", "call", "kwargs"), FORMS, ids=[f"{f[2]}-{'-'.join(f[3])}" for f in FORMS])
def test_is_that_frameworks_optimizer(make, options, call, kwargs):
    theirs = torch.tensor(oracles.run(call, kwargs, GRADIENTS, START))
    torch.testing.assert_close(path(make, options), theirs, rtol=1e-12, atol=1e-14)


def group(make, *args, **options):
    return make(parameters(), *args, **options).param_groups[0]


def test_defaults_of_the_convention():
    assert group(Adam, convention="keras")["eps"] == 1e-7
    assert group(AdamW, convention="keras")["weight_decay"] == 4e-3
    assert group(SGD, convention="keras")["lr"] == 1e-2
    assert group(RMSprop, convention="paper")["momentum"] == 0.9
    assert group(Adam)["eps"] == 1e-8


def test_keras_adagrad_accumulates_from_a_tenth():
    optimizer = Adagrad(parameters(), convention="keras")
    assert all((state["sum"] == 0.1).all() for state in optimizer.state.values())
    drive(optimizer, steps=1)
    assert all((state["sum"] >= 0.1).all() for state in optimizer.state.values())


def test_what_is_given_is_kept():
    given = group(Adam, 0.5, (0.1, 0.2), 1e-3, convention="keras")
    assert (given["lr"], given["betas"], given["eps"]) == (0.5, (0.1, 0.2), 1e-3)
    # Also where it is what torch would have taken by default.
    assert group(Adam, eps=1e-8, convention="keras")["eps"] == 1e-8
    assert group(AdamW, 1e-3, (0.9, 0.999), 1e-8, 1e-2, convention="keras")["weight_decay"] == 1e-2


@pytest.mark.parametrize("make", [SGD, Adagrad, Adam, AdamW, RMSprop, AdaBound, AMSBound])
def test_optax_requires_a_learning_rate(make):
    with pytest.raises(UsageError, match="the optax convention has no default learning rate; give one: lr="):
        make(parameters(), convention="optax")
    assert group(make, 0.1, convention="optax")["lr"] == 0.1


def test_bad_call_is_named_for_what_it_is():
    with pytest.raises(TypeError, match="unheard_of"):
        Adam(parameters(), convention="keras", unheard_of=1)
    with pytest.raises(ValueError, match="Invalid epsilon value: -1"):
        Adam(parameters(), convention="keras", eps=-1)


@pytest.mark.parametrize("make", [SGD, Adagrad, Adam, RMSprop, AMSBound])
def test_survives_checkpoint_pickle_and_copy(make):
    options = {} if make is not SGD else {"momentum": 0.9}
    optimizer = make(parameters(), **options, convention="keras")
    drive(optimizer, steps=3)
    loaded = make(parameters())
    loaded.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for p, q in zip(params_of(loaded), params_of(optimizer), strict=True):
        p.data.copy_(q)
    twins = loaded, pickle.loads(pickle.dumps(optimizer)), copy.deepcopy(optimizer)
    drive(optimizer, *twins, steps=3)
    for twin in twins:
        assert twin.param_groups[0]["convention"] == "keras"
        check_same(twin, optimizer)


def test_checkpoint_of_torch_goes_on_in_this_optimizers_convention():
    optimizer = Adam(parameters(), convention="keras")
    optimizer.load_state_dict(torch.optim.Adam(parameters(), lr=0.3).state_dict())
    loaded = optimizer.param_groups[0]
    assert (loaded["convention"], loaded["lr"], loaded["eps"]) == ("keras", 0.3, 1e-8)


def test_group_with_a_convention_of_its_own():
    a, b, _ = parameters()
    optimizer = Adam([{"params": a}, {"params": b, "convention": "keras"}], lr=0.1, eps=0.1)
    for p in (a, b):
        p.grad = torch.ones_like(p)
    rates = optimizer.effective_lr()
    torch.testing.assert_close(rates[a], torch.full_like(a, 0.1 / 0.1 / 1.1))
    torch.testing.assert_close(rates[b], torch.full_like(b, 0.1 * 0.001**0.5 / 0.1 / (0.001**0.5 + 0.1)))
    optimizer.param_groups[0]["convention"] = "kers"
    with pytest.raises(UsageError, match=r"Did you mean 'keras'\?"):
        optimizer.step()


def test_every_class_has_every_convention():
    """On the eager engine: that a kernel of each is the same rule, the engines' own tests say."""
    for name in set(surefoot.torch.__all__) - {"RuleOptimizer", "SplitOptimizer", "groups", "split"}:
        made = getattr(surefoot.torch, name)
        own = RULES[made.name]
        for convention in ("torch", "keras", "optax", "paper"):
            params = [p for p in parameters() if p.dim() > 1 or own.shape == "any" or own.vector]
            optimizer = made(params, lr=0.1, convention=convention, engine="eager")
            drive(optimizer, steps=2)
            assert all(p.isfinite().all() for p in params_of(optimizer)), (name, convention)
