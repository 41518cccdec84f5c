"""The search spaces: the ranges of every rule's hyperparameters, as data.

Two numbers decide whether tuning is fair: how many dimensions an optimizer is searched in, and how wide. Both are the
same for all. Ranges are taken from one list (`ORDER`), as many as the trials allow, and every learning rate has a
window of `WIDTH` decades. Only its centre differs: an Adam at 0.1 says nothing about Adam. Each rule says where its
centre lies (`About.lr`): the mean of the log-normal priors that Sivaprasad et al. 2020 (arXiv:1910.11758) fitted over
nine problems; where they have none, a relative's, marked [assumed]; where nothing is said, the rule's own default.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from surefoot.about import Centre
from surefoot.conventions import convention, resolve
from surefoot.errors import UsageError, unknown
from surefoot.rule import SET_BY_FRONT_END, Rule
from surefoot.rules import RULES, rule_of
from surefoot.store.design import Search
from surefoot.store.ranges import GIVEN_BY_USER, Range, log, one_minus

WIDTH = 3.0
"""Decades in every learning-rate window: 1.5 to either side, just over one deviation of the priors (1.2 to 1.55)."""

ORDER = ("lr", "weight_decay", "beta1", "momentum", "eps", "alpha", "rho")
"""The order in which hyperparameters are searched (Google's tuning playbook). A rule skips those it lacks."""

STEPS = ((10, 1), (25, 2), (math.inf, 3))
"""Under 10 trials one dimension is searched, under 25 two, else three (Google's tuning playbook)."""

SHARE = one_minus(0.005, 0.5)
"""The range of a share that is kept each step: beta1, momentum, alpha, rho."""

DECAY = log(1e-4, 1.0)
"""The range of a weight decay, of an optimizer that has one by default."""

DECAY_SOURCE = "two decades to either side of torch's AdamW, 0.01 [assumed]"
_SHARE_SOURCE = "AlgoPerf: momentum's 0.005..0.3 and AdamW's 0.02..0.5 together, the same for all"
EPS = log(1e-8, 1.0)
"""The range of eps where it is added to a root."""

_EPS_UNDER_ROOT = log(1e-16, 1.0)
_EPS_SOURCE = "Sivaprasad et al. 2020: Adam's 10^U(-8, 0); other rules the same, squared under the root [assumed]"


def space(
    rule: Rule | str,
    trials: int,
    framework: str,
    fixed: Mapping[str, Any] | None = None,
    given: Mapping[str, Range] | None = None,
) -> Search:
    """Return what is searched for a rule. A range that is `given` is always searched, an option that is `fixed` never.

    What the convention leaves at zero is a part that this optimizer does not have: plain SGD's momentum is not
    searched, so SGD stays SGD; AdamW's weight decay is.

    Args:
        rule: a rule, or the name of a built-in one.
        trials: configurations that every optimizer of the study gets, from 1.
        framework: the convention: `torch`, `keras`, `optax` or `paper`.
        fixed: options with values, in our spelling or the convention's.
        given: ranges, in our spelling or the convention's; they stand instead of ours.

    Raises:
        UsageError: no such rule, convention or option; a range that reaches illegal values; a name fixed and given;
            trials below 1.
    """
    check_count("trials", trials)
    rule = rule_of(rule)
    fixed, given = _our_names(rule, framework, fixed or {}), _our_names(rule, framework, given or {})
    _check_given(rule, fixed, given)
    middles = {name: dimension.at(0.5) for name, dimension in given.items()}
    lr = dict.fromkeys(rule.own & {"lr"}, 1.0)
    hyper = resolve(rule, framework, {**lr, **fixed, **middles})
    names = _names(trials, hyper, fixed, given)
    ours = {name: _informed(rule, name, hyper, names) for name in names if name not in given}
    made = searched(names, ours, given)
    options = {name: hyper[name] for name in rule.defaults.keys() - SET_BY_FRONT_END if hyper[name] is not None}
    for u in (0.0, 1.0):  # an end may be a value that the rule, as the framework means it, does not take
        resolve(rule, framework, {**options, **made.at([u] * len(names))})
    return made


def searched(names: Iterable[str], ours: Mapping[str, tuple[Range, str]], given: Mapping[str, Range]) -> Search:
    """Return a search in this order. A user's range replaces ours and its source."""
    found = {**ours, **{name: (range_, GIVEN_BY_USER) for name, range_ in given.items()}}
    return Search({name: found[name][0] for name in names}, {name: found[name][1] for name in names})


def dimensions_for(has: Collection[str], trials: int) -> list[str]:
    """Return the names that this number of trials searches, the learning rate first."""
    count = next(count for below, count in STEPS if trials < below)
    return [name for name in ORDER if name in has][:count]


def lr_window(centre: float) -> Range:
    """Return the learning-rate window about any centre, `WIDTH` decades as for every optimizer."""
    return log(centre * 10 ** (-WIDTH / 2), centre * 10 ** (WIDTH / 2))


def check_count(name: str, value: int) -> None:
    """Raise `UsageError` unless `value` is a whole number from 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError(f"{name} is {value!r}; give a whole number from 1.")


def _names(trials: int, hyper: Mapping[str, Any], fixed: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Return the names to search: the first free ones in `ORDER`, and every range that the user gave."""
    has = {name for name in hyper if name not in ("momentum", "weight_decay") or hyper[name]}
    names = [name for name in dimensions_for(has, trials) if name not in fixed]
    return names + [name for name in given if name not in names]


def _informed(rule: Rule, name: str, hyper: Mapping[str, Any], names: Sequence[str]) -> tuple[Range, str]:
    """Return our own range for one dimension, and where it comes from."""
    if name == "lr":
        centre = _centre(RULES["momentum"] if rule is RULES["sgd"] and hyper["momentum"] else rule, hyper)
        return lr_window(centre.lr(names)), centre.source
    if name == "weight_decay":
        return DECAY, DECAY_SOURCE
    if name == "eps":
        under_root = rule is RULES["adadelta"] or hyper.get("eps_inside")
        return (_EPS_UNDER_ROOT if under_root else EPS), _EPS_SOURCE
    return SHARE, _SHARE_SOURCE if name in ("beta1", "momentum") else "as beta1 and momentum [assumed]"


def _centre(rule: Rule, hyper: Mapping[str, Any]) -> Centre:
    if known := rule.about.centre(hyper):
        return known
    if rule.defaults["lr"] <= 0:
        raise UsageError(
            f"{rule.name}: its default lr is {rule.defaults['lr']}, about which nothing can be searched; give a range, "
            "as in surefoot.Opt(rule, lr=surefoot.log(1e-4, 1)), or a default above 0."
        )
    return Centre(math.log10(rule.defaults["lr"]), "the rule's own default in the middle")


def _our_names(rule: Rule, framework: str, options: Mapping[str, Any]) -> dict[str, Any]:
    ours = {theirs: name for name, theirs in convention(rule, framework).names.items()}
    named = {ours.get(name, name): value for name, value in options.items()}
    if len(named) < len(options):
        raise UsageError(f"{rule.name}: one option is given under two names ({', '.join(options)}); give it once.")
    return named


def _check_given(rule: Rule, fixed: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    searchable = rule.defaults.keys() - SET_BY_FRONT_END
    for name, dimension in given.items():
        if name not in searchable:
            raise unknown(f"option of {rule.name}", name, searchable)
        if name in fixed:
            raise UsageError(f"{rule.name}: {name} has a value ({fixed[name]}) and a range; give one of them.")
        if not isinstance(dimension, Range):
            raise UsageError(f"{rule.name}: {name}={dimension!r} is no range; give log(low, high).")
