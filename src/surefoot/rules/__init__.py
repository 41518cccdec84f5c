"""The rules: one file per family, each rule the paper's maths as one function.

| file | concept |
| --- | --- |
| `adabelief.py` | AdaBelief: Adam that divides by how far gradients are from their mean |
| `adabound.py` | AdaBound and AMSBound: a rate per weight that starts as Adam's and ends as SGD's |
| `adadelta.py` | Adadelta: the rate has the unit of a step over the unit of a gradient |
| `adafactor.py` | Adafactor: a mean square for each row and each column |
| `adagrad.py` | Adagrad: each weight's rate falls with the sum of its own squared gradients |
| `adam.py` | Adam and its relatives |
| `adamatan2.py` | Adam-atan2: an angle in the place of Adam's quotient |
| `adamax.py` | Adamax: Adam whose divisor is the largest recent gradient |
| `adan.py` | Adan: Adam with a mean of the gradients' differences |
| `ademamix.py` | AdEMAMix: Adam with a second, much slower mean of the gradients |
| `adopt.py` | ADOPT: divide by the mean square before this gradient |
| `cautious.py` | Cautious: leave out the weights whose step goes against their gradient |
| `classic_conventions.py` | what each framework means by the classic rules, from SGD to AdaBound |
| `dadaptation.py` | D-Adaptation: a rate from the guess of how far there is to go |
| `dog.py` | DoG and DoWG: a rate from the distance gone so far |
| `gradient_filters.py` | MARS and Grokfast: what changes gradients before a rule sees them |
| `hyperball.py` | Hyperball: weights keep their length, and turn by a fixed angle |
| `lion.py` | Lion: every weight moves equally far, against a sign |
| `lookahead.py` | Lookahead: slow weights that pull the fast ones back |
| `muon.py` | Muon: a momentum matrix whose directions all get the same size |
| `nadam.py` | NAdam: Adam that looks one step ahead |
| `normuon.py` | NorMuon: Muon whose rows get the same size as well |
| `polynomials.py` | Polynomials that draw singular values to 1 |
| `prodigy.py` | Prodigy: D-Adaptation with a guess that grows faster |
| `radam.py` | RAdam: Adam that waits until its mean square rests on enough gradients |
| `rms_clip.py` | Clipping by the gradients over their own roots, and StableAdamW |
| `rmsprop.py` | RMSprop: Adagrad with a sum that forgets, so that the rate can rise again |
| `schedule_free.py` | Schedule-Free: an average in the place of momentum and of a falling rate |
| `sgd.py` | Gradient descent and its two kinds of momentum: the family without a rate per weight |
| `signum.py` | Signum: the sign of a mean |
| `soap.py` | SOAP: Adam in the coordinates in which a matrix's gradients do not mix |
| `spelling.py` | How frameworks spell what many rules have |
| `trust_ratio.py` | Steps as long as the weights: LAMB and LARS |
| `yogi.py` | Yogi: Adam whose mean square cannot fall quickly |
"""

from surefoot.combinator import Combinator
from surefoot.errors import unknown
from surefoot.rule import Rule
from surefoot.rules.adabelief import adabelief
from surefoot.rules.adabound import adabound, amsbound, bounded
from surefoot.rules.adadelta import adadelta
from surefoot.rules.adafactor import adafactor
from surefoot.rules.adagrad import adagrad
from surefoot.rules.adam import adam, adamc, adamw, amsgrad
from surefoot.rules.adamatan2 import adamatan2
from surefoot.rules.adamax import adamax
from surefoot.rules.adan import adan
from surefoot.rules.ademamix import ademamix
from surefoot.rules.adopt import adopt
from surefoot.rules.cautious import cautious
from surefoot.rules.dadaptation import dadapt_adam, dadapt_sgd
from surefoot.rules.dog import dog, dowg
from surefoot.rules.gradient_filters import grokfast, mars
from surefoot.rules.hyperball import hyperball
from surefoot.rules.lion import lion
from surefoot.rules.lookahead import lookahead
from surefoot.rules.muon import muon
from surefoot.rules.nadam import nadam, nadamw
from surefoot.rules.normuon import normuon
from surefoot.rules.prodigy import prodigy
from surefoot.rules.radam import radam
from surefoot.rules.rms_clip import rms_clip, stableadamw
from surefoot.rules.rmsprop import rmsprop
from surefoot.rules.schedule_free import schedule_free, schedule_free_adamw, schedule_free_radam, schedule_free_sgd
from surefoot.rules.sgd import momentum, nesterov, sgd
from surefoot.rules.signum import signum
from surefoot.rules.soap import soap
from surefoot.rules.trust_ratio import lamb, lars, trust_gradient, trust_ratio
from surefoot.rules.yogi import yogi

RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        sgd,
        momentum,
        nesterov,
        lars,
        signum,
        lion,
        muon,
        normuon,
        adafactor,
        soap,
        adagrad,
        adadelta,
        rmsprop,
        adam,
        amsgrad,
        adamw,
        adamc,
        adabound,
        amsbound,
        adamax,
        nadam,
        nadamw,
        radam,
        adabelief,
        yogi,
        adopt,
        ademamix,
        adan,
        adamatan2,
        stableadamw,
        lamb,
        schedule_free_sgd,
        schedule_free_adamw,
        schedule_free_radam,
        dadapt_sgd,
        dadapt_adam,
        prodigy,
        dog,
        dowg,
    )
}
"""Every rule by its name, in the order in which each builds on the ones before."""


COMBINATORS: dict[str, Combinator] = {
    combinator.name: combinator
    for combinator in (
        mars,
        grokfast,
        cautious,
        rms_clip,
        trust_ratio,
        trust_gradient,
        hyperball,
        lookahead,
        schedule_free,
    )
}
"""Every combinator by its name: `cautious(adamw)` is a rule."""


def rule_of(rule: Rule | str, what: str = "optimizer") -> Rule:
    """Return the rule of a name such as `adamw` or `cautious(adamw)`.

    Raises:
        UsageError: there is none; `what` is what the message calls it.
    """
    if isinstance(rule, Rule):
        return rule
    outer, _, inner = rule.removesuffix(")").partition("(")
    if inner and outer in COMBINATORS:
        return COMBINATORS[outer](rule_of(inner, what))
    if rule not in RULES:
        raise unknown(what, rule, [*RULES, *(f"{name}(...)" for name in COMBINATORS)])
    return RULES[rule]


def is_built_in(rule: Rule) -> bool:
    """Return whether a rule is ours, or made of ours by our combinators."""
    if rule.combinator is None or rule.parent is None or rule.name in RULES:
        return RULES.get(rule.name) is rule
    return rule is rule.combinator(rule.parent) and is_built_in(rule.parent)


__all__ = [
    "COMBINATORS",
    "RULES",
    "adabelief",
    "adabound",
    "adadelta",
    "adafactor",
    "adagrad",
    "adam",
    "adamatan2",
    "adamax",
    "adamc",
    "adamw",
    "adan",
    "ademamix",
    "adopt",
    "amsbound",
    "amsgrad",
    "bounded",
    "cautious",
    "dadapt_adam",
    "dadapt_sgd",
    "dog",
    "dowg",
    "grokfast",
    "hyperball",
    "is_built_in",
    "lamb",
    "lars",
    "lion",
    "lookahead",
    "mars",
    "momentum",
    "muon",
    "nadam",
    "nadamw",
    "nesterov",
    "normuon",
    "prodigy",
    "radam",
    "rms_clip",
    "rmsprop",
    "rule_of",
    "schedule_free",
    "schedule_free_adamw",
    "schedule_free_radam",
    "schedule_free_sgd",
    "sgd",
    "signum",
    "soap",
    "stableadamw",
    "trust_gradient",
    "trust_ratio",
    "yogi",
]
