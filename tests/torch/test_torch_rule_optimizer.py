"""`RuleOptimizer`: any rule, built in or the user's own, inside torch's machinery."""

import copy
import pickle

import pytest
import torch
from torch.nn import Parameter
from torch.optim import lr_scheduler

import surefoot.torch
from surefoot.errors import UsageError
from surefoot.mathops import sqrt
from surefoot.rule import Slot, Step, rule
from surefoot.rules import RULES
from surefoot.torch import RuleOptimizer
from torch_runs import check_equal, drive, parameters, params_of


@rule(slots=("m", Slot("s", start="initial_accumulator")), source="this test")
def homemade(g, state, _, *, lr=0.1, beta1=0.5, initial_accumulator=1.0):  # noqa: ARG001  where s starts
    """A mean gradient over the root of the sum of squares."""
    m = beta1 * state.m + (1 - beta1) * g
    s = state.s + g * g
    return Step(rate=lr / sqrt(s), direction=m, m=m, s=s)


@rule(source="this test")
def constant(g, _state, _t):
    """Has no learning rate."""
    return Step(rate=0.5, direction=g)


def by_hand(params, gradients, lr, beta1, s):
    """The same in plain torch."""
    states = [(torch.zeros_like(p), torch.full_like(p, s)) for p in params]
    for row in gradients:
        for i, g in enumerate(row):
            m, s = states[i]
            m, s = beta1 * m + (1 - beta1) * g, s + g * g
            states[i] = m, s
            params[i] = params[i] - lr * m / s.sqrt()
    return params


def test_rule_of_your_own():
    optimizer = RuleOptimizer(parameters(), homemade, lr=0.2, beta1=0.25)
    rows = []
    drive(optimizer, steps=6, before=lambda o, _: rows.append([p.grad.clone() for p in params_of(o)]))
    expected = by_hand([p.detach() for p in parameters()], rows, 0.2, 0.25, 1.0)
    for p, q in zip(params_of(optimizer), expected, strict=True):
        torch.testing.assert_close(p.detach(), q, rtol=1e-12, atol=0)
        assert optimizer.state[p].keys() == {"step", "m", "s"}


def test_what_surrounds_every_rule_surrounds_yours():
    climbing = RuleOptimizer(parameters(), homemade, maximize=True)
    plain = RuleOptimizer(parameters(), homemade)
    drive(climbing, steps=1, before=lambda o, _: [p.grad.neg_() for p in params_of(o)])
    drive(plain, steps=1)
    check_equal(climbing, plain)
    decayed = RuleOptimizer(parameters(), homemade, weight_decay=0.5, decoupled=True)
    drive(decayed, steps=1)
    for p, q, start in zip(params_of(decayed), params_of(plain), parameters(), strict=True):
        torch.testing.assert_close(p, q - 0.1 * 0.5 * start, rtol=1e-12, atol=1e-14)


def test_rule_without_a_learning_rate():
    p = Parameter(torch.ones(2))
    optimizer = RuleOptimizer([p], constant)
    p.grad = torch.ones(2)
    optimizer.step()
    assert torch.equal(p, torch.full((2,), 0.5))


def test_groups_and_schedulers():
    a, b, _ = parameters()
    optimizer = RuleOptimizer([{"params": a, "lr": 0.0, "note": 1}, {"params": b}], homemade)
    scheduler = lr_scheduler.StepLR(optimizer, 1)
    start = a.detach().clone(), b.detach().clone()
    drive(optimizer, steps=1)
    scheduler.step()
    assert torch.equal(a, start[0])
    assert not torch.equal(b, start[1])
    assert optimizer.param_groups[1]["lr"] == pytest.approx(0.01)


def through_pickle(optimizer):
    return pickle.loads(pickle.dumps(optimizer))


def through_checkpoint(optimizer):
    new = RuleOptimizer(parameters(), optimizer.rule)
    new.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for p, q in zip(params_of(new), params_of(optimizer), strict=True):
        p.data.copy_(q)
    return new


@pytest.mark.parametrize("through", [through_pickle, through_checkpoint, copy.deepcopy])
@pytest.mark.parametrize(
    "which", [homemade, constant, "adabound", RULES["nesterov"]], ids=lambda one: getattr(one, "name", one)
)
def test_goes_on_as_before(through, which):
    optimizer = RuleOptimizer(parameters(), which)
    drive(optimizer, steps=3)
    twin = through(optimizer)
    assert twin.rule is optimizer.rule
    drive(optimizer, twin, steps=3)
    check_equal(twin, optimizer, rtol=0.0)


def test_local_rule_can_be_copied():
    @rule(source="this test")
    def local(g, _state, _t, *, lr=0.1):
        return Step(rate=lr, direction=g)

    optimizer = RuleOptimizer(parameters(), local)
    twin = copy.deepcopy(optimizer)
    drive(optimizer, twin, steps=2)
    check_equal(twin, optimizer, rtol=0.0)


TWINS = [
    ("sgd", {"momentum": 0.9, "dampening": 0.5}, "SGD", {"momentum": 0.9, "dampening": 0.5, "lr": 1e-3}),
    ("nesterov", {"lr": 0.1}, "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("adagrad", {"initial_accumulator": 0.5}, "Adagrad", {"initial_accumulator_value": 0.5}),
    ("adadelta", {}, "Adadelta", {}),
    ("rmsprop", {"centered": True}, "RMSprop", {"centered": True}),
    ("amsgrad", {"beta1": 0.5}, "Adam", {"amsgrad": True, "betas": (0.5, 0.999)}),
    ("adamw", {"lr": 0.1}, "AdamW", {"lr": 0.1}),
]


@pytest.mark.parametrize("as_object", [False, True])
@pytest.mark.parametrize(("name", "options", "torchs", "kwargs"), TWINS)
def test_built_in_rule(name, options, torchs, kwargs, as_object):
    ours = RuleOptimizer(parameters(), RULES[name] if as_object else name, **options)
    theirs = getattr(torch.optim, torchs)(parameters(), **kwargs)
    drive(ours, theirs)
    for p, q in zip(params_of(ours), params_of(theirs), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("which", ["adam", RULES["adam"]], ids=["name", "rule"])
def test_convention(which):
    ours = RuleOptimizer(parameters(), which, convention="keras", learning_rate=0.01, beta_2=0.9)
    same = surefoot.torch.Adam(parameters(), lr=0.01, betas=(0.9, 0.9), convention="keras")
    drive(ours, same)
    for p, q in zip(params_of(ours), params_of(same), strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize(
    ("given", "options", "text"),
    [
        ("adm", {}, r"unknown rule 'adm'. Did you mean 'adam'"),
        ("adam", {"convention": "kears"}, r"unknown convention 'kears'. Did you mean 'keras'\?"),
        ("adam", {"convention": "optax"}, "no default learning rate"),
        ("adam", {"beta3": 0.1}, "unknown option of adam 'beta3'. Did you mean"),
        ("adam", {"lr": -1.0}, r"adam: lr=-1.0 is not allowed: lr \(learning rate.*\) is 0 <= x"),
        ("adam", {"lr": 0.1, "convention": "keras", "learning_rate": 0.1}, "given twice"),
        (homemade, {"beta2": 0.1}, "unknown option of homemade 'beta2'. Did you mean 'beta1'"),
        (homemade, {"beta1": 1.5}, "homemade: beta1=1.5 is not allowed"),
        (homemade, {"convention": "keras"}, "homemade: convention='keras' says nothing about a rule of your own"),
        (print, {}, "is not a rule; give a rule's name, or a function decorated with @"),
    ],
)
def test_bad_argument(given, options, text):
    with pytest.raises(UsageError, match=text):
        RuleOptimizer(parameters(), given, **options)
