"""The constructors: torch.optim's signatures, defaults, checks and messages, to the letter."""

import inspect

import pytest
import torch

import surefoot.torch
from surefoot.errors import UsageError
from torch_runs import NAMES, parameters

PAIR = torch.tensor([0.1, 0.2])


def both(name):
    return getattr(surefoot.torch, name), getattr(torch.optim, name)


def arguments(optimizer):
    return [(p.name, p.kind, p.default) for p in inspect.signature(optimizer).parameters.values()]


def error(make, *args, **kwargs):
    with pytest.raises(Exception) as caught:  # noqa: PT011  which error it is, is the question
        make(*args, **kwargs)
    return caught.type, str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_signature_is_torchs(name):
    ours, theirs = (arguments(optimizer) for optimizer in both(name))
    assert ours[:-1] == [*theirs, ("convention", inspect.Parameter.KEYWORD_ONLY, "torch")]
    assert ours[-1][:2] == ("extras", inspect.Parameter.VAR_KEYWORD)


@pytest.mark.parametrize("name", NAMES)
def test_groups_and_repr_are_torchs(name):
    ours, theirs = (optimizer(parameters()) for optimizer in both(name))
    own = ("base_lr", "convention")
    assert list(ours.param_groups[0])[: len(theirs.param_groups[0])] == [
        key for key in ours.param_groups[0] if key not in own
    ]
    shown = [line for line in repr(ours).split("\n") if not line.strip().startswith(own)]
    assert "\n".join(shown) == repr(theirs)


BAD = [
    *[(name, {"lr": lr}) for name in NAMES for lr in (-1.0, torch.tensor(-1.0), PAIR)],
    *[(name, {"weight_decay": -0.1}) for name in NAMES],
    *[(name, {"eps": -1e-8}) for name in NAMES if name != "SGD"],
    *[(name, {"unheard_of": 1}) for name in ("SGD", "Adam")],
    *[(name, {"fused": True, "differentiable": True}) for name in ("SGD", "Adagrad", "Adam", "AdamW")],
    *[(name, {"fused": True, "foreach": True}) for name in ("SGD", "Adagrad", "Adam", "AdamW")],
    ("SGD", {"momentum": -0.5}),
    ("SGD", {"nesterov": True}),
    ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}),
    ("Adagrad", {"lr": float("nan")}),
    ("Adagrad", {"lr_decay": -1.0}),
    ("Adagrad", {"initial_accumulator_value": -1.0}),
    ("Adadelta", {"rho": -0.1}),
    ("Adadelta", {"rho": 1.1}),
    ("RMSprop", {"alpha": -0.1}),
    ("RMSprop", {"momentum": -0.1}),
    ("NAdam", {"momentum_decay": -0.1}),
    *[("Adam", {"betas": betas}) for betas in ((1.0, 0.9), (-0.1, 0.9), (0.9, 1.0), (0, 0.9), (0.9,))],
    ("Adam", {"betas": (torch.tensor(0.9), 0.99)}),
    ("Adam", {"betas": (torch.tensor(0.9), torch.tensor(0.99)), "foreach": True}),
    ("Adam", {"lr": torch.tensor(0.1), "foreach": True}),
]


@pytest.mark.parametrize(("name", "options"), BAD, ids=lambda value: str(value))
def test_bad_option_raises_torchs_error(name, options):
    ours, theirs = both(name)
    kind, text = error(theirs, parameters(), **options)
    assert error(ours, parameters(), **options) == (kind, text.replace("torch.optim", "surefoot.torch"))


BAD_PARAMS = {
    "empty": list,
    "a tensor": lambda: torch.ones(3),
    "not tensors": lambda: [1.0],
    "not a leaf": lambda: [torch.ones(3, requires_grad=True) * 2],
    "a set": lambda: [{"params": set(parameters())}],
    "group without params": lambda: [{"lr": 1.0}],
    "in two groups": lambda: (lambda p: [{"params": p}, {"params": p}])(parameters()),
    "some unnamed": lambda: [("w", parameters()[0]), parameters()[1]],
}


@pytest.mark.parametrize("params", BAD_PARAMS.values(), ids=BAD_PARAMS)
@pytest.mark.parametrize("name", ["SGD", "Adagrad", "Adam"])
def test_bad_parameters_raise_torchs_error(name, params):
    ours, theirs = both(name)
    assert error(ours, params()) == error(theirs, params())


@pytest.mark.parametrize("name", NAMES)
def test_duplicate_parameters_warn_as_torch(name):
    p = parameters()[0]
    with pytest.warns(UserWarning, match="contains a parameter group with duplicate parameters"):
        both(name)[0]([p, p])


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_betas_become_a_tuple_as_in_torch(name):
    for optimizer in both(name):
        assert optimizer(parameters(), betas=[0.8, 0.9]).param_groups[0]["betas"] == (0.8, 0.9)


def test_named_parameters():
    optimizer = surefoot.torch.Adam(torch.nn.Linear(2, 3).named_parameters())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]


@pytest.mark.parametrize("name", NAMES)
def test_is_a_torch_optimizer_with_a_description(name):
    ours = both(name)[0]
    assert issubclass(ours, torch.optim.Optimizer)
    assert ours.__doc__
    assert ours.__name__ == name


@pytest.mark.parametrize("bound", ["AdaBound", "AMSBound"])
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lr": -1}, "Invalid learning rate: -1"),
        ({"final_lr": -1}, "Invalid final learning rate: -1"),
        ({"gamma": 1.0}, "Invalid gamma parameter: 1.0"),
        ({"gamma": 0.0}, "Invalid gamma parameter: 0.0"),
        ({"betas": (0.9, 1.0)}, "Invalid beta parameter at index 1: 1.0"),
        ({"lr": PAIR}, "Tensor lr must be 1-element"),
    ],
)
def test_bad_bound(bound, options, text):
    with pytest.raises(ValueError, match=text):
        getattr(surefoot.torch, bound)(parameters(), **options)


def test_amsbound_takes_adabounds_arguments():
    assert surefoot.torch.AMSBound(parameters(), 1e-3, (0.9, 0.99), maximize=True).param_groups[0]["amsbound"]
    with pytest.raises(TypeError, match="amsbound"):
        surefoot.torch.AMSBound(parameters(), amsbound=False)
    with pytest.raises(TypeError, match="unheard_of"):
        surefoot.torch.AMSBound(parameters(), unheard_of=1)


@pytest.mark.parametrize("name", [*NAMES, "AdaBound", "AMSBound"])
def test_unknown_convention_names_close_matches(name):
    with pytest.raises(UsageError, match=r"unknown convention 'kears'. Did you mean 'keras'\?"):
        getattr(surefoot.torch, name)(parameters(), convention="kears")
