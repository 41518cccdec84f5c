"""The table of conventions against the frameworks' own signatures, and what `resolve` makes of a user's options."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import replace
from typing import Any

import pytest

from signed import signed
from surefoot.conventions import CONVENTIONS, FRAMEWORKS, convention, resolve, shown
from surefoot.errors import UsageError
from surefoot.rules import RULES

# What a framework's optimizer takes that is no hyperparameter of the rule: how it runs, not what it computes.
OUTSIDE = {
    "torch": {"params", "foreach", "capturable", "differentiable", "fused", "decoupled_weight_decay"},
    "keras": {
        "clipnorm",
        "clipvalue",
        "global_clipnorm",
        "use_ema",
        "ema_momentum",
        "ema_overwrite_frequency",
        "loss_scale_factor",
        "gradient_accumulation_steps",
        "name",
        "kwargs",
    },
    # eps_root, initial_scale and bias_correction are parts of a formula that no paper and no other framework has;
    # nesterov is optax's own addition to Adam and RMSprop; what ADOPT cuts off is a function there. LARS has an eps
    # of 0 there, and a mask of tensors whose gradients stay as they are.
    "optax": {
        "accumulator_dtype",
        "mu_dtype",
        "mask",
        "weight_decay_mask",
        "eps_root",
        "initial_scale",
        "bias_correction",
        "bias_correction_mu",
        "bias_correction_nu",
        "nesterov",
        "use_clipping",
        "clip_value_fn",
        "state_dtype",
        "trust_ratio_mask",
    },
}

# Switches that we spell otherwise than the framework, or that tell one of our rules from another.
SWITCHES = {"nesterov", "centered", "amsgrad", "amsbound", "maximize", "eps_in_sqrt"}

# What an optimizer of its own reads, or belongs to the AdamW inside.
APART = {
    ("muon", "torch"): {*(f"ns_coefficients[{i}]" for i in range(3)), "ns_steps", "adjust_lr_fn"},
    ("muon", "keras"): {
        *("muon_a", "muon_b", "muon_c", "ns_steps", "exclude_layers", "exclude_embeddings", "epsilon"),
        *("adam_beta_1", "adam_beta_2", "adam_weight_decay", "adam_lr_ratio"),
    },
    ("adafactor", "keras"): {"relative_step"},
    ("adafactor", "optax"): {
        *("decay_rate", "decay_offset", "multiply_by_parameter_scale", "min_dim_size_to_factor", "factored"),
        *("momentum", "dtype_momentum"),
    },
    ("muon", "optax"): {
        *(f"ns_coeffs[{i}]" for i in range(3)),
        *("ns_steps", "adaptive", "preconditioning", "consistent_rms", "muon_weight_dimension_numbers"),
        *("adam_b1", "adam_b2", "adam_eps_root", "adam_weight_decay", "adam_learning_rate"),
    },
}

# Where our default is not the framework's: the option that turns its optimizer into this rule.
MADE_BY = {("momentum", "momentum"), ("nesterov", "momentum")}

# Where the framework's None stands for a number of its own making.
MADE_UP = {("prodigy", "beta3"), ("dowg", "first_distance"), ("adafactor", "eps")}

OTHERS = {"adan"}
"""What has a rule's name in a framework and is another rule: see `test_rule_traps.py`."""

MODULES = {"torch": "torch.optim", "keras": "keras.optimizers", "optax": "optax"}

REAL = [(rule, f) for rule in RULES for f in FRAMEWORKS if convention(rule, f).call]
OFFICIAL = [("adabound", "torch"), ("amsbound", "torch")]


def _parameters(rule: str, framework: str) -> dict[str, Any]:
    """Return the names and defaults in the framework's own signature, `betas` taken apart."""
    library, _, name = (convention(rule, framework).call or "adabound.AdaBound").rpartition(".")
    signature = inspect.signature(getattr(importlib.import_module(library), name))
    found = {}
    for parameter in signature.parameters.values():
        if isinstance(parameter.default, tuple):
            found |= {f"{parameter.name}[{i}]": value for i, value in enumerate(parameter.default)}
        else:
            found[parameter.name] = parameter.default
    return found


def test_the_table_has_every_convention_of_the_rules_that_it_speaks_of():
    assert set(CONVENTIONS) <= set(RULES)
    assert all(tuple(table)[: len(FRAMEWORKS)] == FRAMEWORKS for table in CONVENTIONS.values())


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_rule_of_which_the_table_says_nothing_has_its_own_names_and_defaults(framework):
    meaning = convention(signed, framework)
    assert meaning.names == {"lr": "learning_rate" if framework in ("keras", "optax") else "lr"}
    assert (meaning.call, meaning.defaults, meaning.switches) == ("", {"lr": 0.1, "beta1": 0.9}, {})
    assert resolve(signed, framework, {meaning.names["lr"]: 0.5}) == signed.complete({"lr": 0.5})
    assert resolve(replace(signed, name="adam"), framework, {})["lr"] == 0.1, "a name is only a name"


@pytest.mark.parametrize("framework", MODULES)
def test_frameworks_have_what_the_table_says_they_have_and_no_more(framework):
    theirs = {name.lower() for name in dir(importlib.import_module(MODULES[framework]))}
    lacking = {rule for rule in RULES if not convention(rule, framework).call}
    assert lacking.isdisjoint(theirs - OTHERS)
    assert lacking >= {"adabound", "amsbound"}
    assert lacking.isdisjoint(
        {"sgd", "momentum", "adagrad", "adadelta", "rmsprop", "adam", "amsgrad", "adamw", "adamax"}
    )


@pytest.mark.parametrize(("rule", "framework"), REAL + OFFICIAL)
def test_names_and_defaults_are_the_framework_s(rule, framework):
    meaning, theirs = convention(rule, framework), _parameters(rule, framework)
    for name, spelling in meaning.names.items():
        default = theirs[spelling]
        if default is inspect.Parameter.empty or (name == "lr" and default is None):
            assert name not in meaning.defaults
        elif (rule, name) not in MADE_BY | MADE_UP:
            assert meaning.defaults[name] == (default or 0.0)


@pytest.mark.parametrize(("rule", "framework"), REAL + OFFICIAL)
def test_no_option_of_the_framework_is_left_out(rule, framework):
    known = {*convention(rule, framework).names.values(), *OUTSIDE[framework], *SWITCHES}
    known |= APART.get((rule, framework), set())
    known |= {"eps"} if (rule, framework) == ("lars", "optax") else set()

    assert set(_parameters(rule, framework)) - known == set()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_table_speaks_of_the_rule_s_own_hyperparameters(rule, framework):
    meaning, known = convention(rule, framework), {*RULES[rule].defaults, *RULES[rule].pinned}

    assert set(meaning.names) | set(meaning.defaults) | set(meaning.switches) <= known
    assert len(set(meaning.names.values())) == len(meaning.names)


UNSET = {"prodigy": ("beta3",), "muon": ("products",), "normuon": ("products",)}
"""What a rule's None stands for."""


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_resolve_gives_every_hyperparameter_a_value(rule, framework):
    hyper = shown(rule, framework, {"lr": 0.25})

    assert hyper.keys() == RULES[rule].defaults.keys() | RULES[rule].pinned.keys()
    assert hyper["lr"] == 0.25
    unset = {name for name, value in hyper.items() if value is None}
    may_be = ("decay", "base_lr", "gradient_factor", "max_grad_value", *UNSET.get(rule, ()))
    assert unset == {name for name in may_be if RULES[rule].complete({})[name] is None}


@pytest.mark.parametrize(
    ("rule", "framework", "missing"),
    [
        ("adam", "optax", "learning rate; give one: adam(lr=...)."),
        ("adamw", "paper", "weight_decay; give one: adamw(weight_decay=...)."),
        ("adagrad", "paper", "learning rate; give one: adagrad(lr=...)."),
    ],
)
def test_what_a_framework_requires_is_asked_for_unless_it_is_only_shown(rule, framework, missing):
    with pytest.raises(UsageError) as error:
        resolve(rule, framework, {})
    assert str(error.value).endswith(f"no default {missing}")
    asked = missing.partition("(")[2].partition("=")[0]
    assert shown(rule, framework, {})[asked] == RULES[rule].defaults[asked]
    assert shown(rule, framework, {asked: 0.25})[asked] == 0.25


def test_resolve_takes_the_user_s_value_over_the_convention_s_over_the_rule_s():
    assert resolve("adam", "torch", {})["eps"] == 1e-8
    assert resolve("adam", "keras", {})["eps"] == 1e-7
    assert resolve("adam", "keras", {"epsilon": 1e-3})["eps"] == 1e-3
    assert resolve("adam", "keras", {"eps": 1e-3})["eps"] == 1e-3
    assert resolve("adam", "torch", {"betas[1]": 0.95})["beta2"] == 0.95
    assert resolve("rmsprop", "keras", {"rho": 0.5})["alpha"] == 0.5
    assert resolve("adam", "torch", {})["amsgrad_corrected"] is False


def test_resolve_makes_a_float_of_an_int_and_keeps_the_given_mapping():
    given = {"lr": 1}

    value = resolve("sgd", "torch", given)["lr"]

    assert type(value) is float
    assert given == {"lr": 1}


@pytest.mark.parametrize(
    ("rule", "framework", "given", "said"),
    [
        ("adam", "torch", {"epsilom": 1e-8}, r"unknown option of adam 'epsilom'. Did you mean 'eps"),
        ("adam", "keras", {"epsilom": 1e-8}, r"Did you mean 'epsilon'"),
        ("adam", "torch", {"zzz": 1}, r"Known: amsgrad, amsgrad_corrected, beta1, beta2, .*weight_decay\.$"),
        ("amsgrad", "torch", {"amsgrad": False}, r"unknown option of amsgrad 'amsgrad'"),
        ("adam", "keras", {"eps": 1e-8, "epsilon": 1e-8}, r"eps is given twice"),
        ("adam", "torch", {"beta1": 0.9, "betas[0]": 0.9}, r"beta1 is given twice"),
        ("adam", "torch", {"betas[0]": 1.0}, r"beta1=1.0 is not allowed: .* is 0 <= x < 1"),
        ("sgd", "torch", {"lr": -1}, r"lr=-1.0 is not allowed: .* is 0 <= x\."),
        ("sgd", "torch", {"lr": "fast"}, r"lr='fast' is not allowed"),
        ("sgd", "torch", {"lr": True}, r"lr=True is not allowed"),
        ("sgd", "torch", {"lr": None}, r"lr=None is not allowed"),
        ("sgd", "torch", {"nesterov": 1, "momentum": 0.9}, r"nesterov=1 is not allowed: .* is True or False"),
        ("sgd", "torch", {"nesterov": True}, r"nesterov=True needs momentum above 0"),
        ("sgd", "torch", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, r"dampening=0.1"),
        ("adabound", "torch", {"gamma": 0}, r"gamma=0.0 is not allowed: .* is 0 < x < 1"),
        ("adamm", "torch", {}, r"unknown optimizer 'adamm'. Did you mean 'adam'"),
        ("adam", "tourch", {}, r"unknown convention 'tourch'. Did you mean 'torch'"),
    ],
)
def test_resolve_says_what_is_wrong(rule, framework, given, said):
    with pytest.raises(UsageError, match=said):
        resolve(rule, framework, given)


@pytest.mark.parametrize("rule", [rule for rule in RULES if "lr" not in convention(rule, "optax").defaults])
def test_resolve_asks_for_the_rate_that_optax_asks_for(rule):
    with pytest.raises(UsageError, match=rf"^{rule}: the optax convention .* give one: {rule}\(lr=\.\.\.\)\.$"):
        resolve(rule, "optax", {})


def test_unknown_option_does_not_offer_what_users_never_set():
    with pytest.raises(UsageError) as error:
        resolve("adabound", "torch", {"zzz": 1})

    assert "base_lr" not in str(error.value)
    assert convention("adabound", "torch").names["final_lr"] in str(error.value)
