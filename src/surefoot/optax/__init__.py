"""Surefoot's rules as optax gradient transformations: optax's spelling, with AdaBound and AMSBound beside them.

Each function stands for what optax has under that name, `adopt`, `ademamix` and `muon` for those of `optax.contrib`,
with the same arguments, their order, defaults and updates; `momentum`, `nesterov`, `adabound` and `amsbound`, which
optax lacks, are spelled as it would. Its `adan` is another rule: it mixes up b2 and 1 - b2. What optax's have beyond
the rule is taken at its default only: `eps_root`, `initial_scale`, `bias_correction` of RMSprop, and the `nesterov` of
Adam and RMSprop. A rule for matrices (`muon`, `normuon`) refuses other leaves by their path: `optax.partition` gives
them another rule. `help` of each tells its arguments.

A combinator makes a factory of a factory, a rule or a rule's name: `cautious(adamw)(1e-3)`.

| file | concept |
| --- | --- |
| `factory.py` | what makes transformations of a rule |
| `spelling.py` | the signature and the help of a factory |
| `hyper.py` | hyperparameters: numbers, schedules, arrays |
| `state.py` | what a transformation keeps |
| `transformation.py` | a rule as a transformation: its state and its update |
| `step.py` | one step of all leaves, each by itself or all as one |
| `whole_optimizer.py` | what a chain that contains one of ours says: rates, and the weights to evaluate with |
| `by_path.py` | the role of each leaf, and labels for `optax.multi_transform` |
| `two_rules.py` | the matrices' transformation and that of the rest, as one |
| `leaves.py` | the leaves of a tree: kinds of numbers, decay, rounding |
| `complex_weights.py` | complex weights: each a vector in the plane, with one rate |
"""

from surefoot import rules
from surefoot.frontends.installed import needed

with needed("optax", "jax", "optax"):
    from surefoot.optax.by_path import labels, roles
    from surefoot.optax.factory import Around, Factory, around_rules, factory
    from surefoot.optax.state import RuleState
    from surefoot.optax.whole_optimizer import effective_lr, evaluation_params

sgd = factory(rules.sgd)
momentum = factory(rules.momentum)
nesterov = factory(rules.nesterov)
adagrad = factory(rules.adagrad)
adadelta = factory(rules.adadelta)
rmsprop = factory(rules.rmsprop)
adam = factory(rules.adam)
amsgrad = factory(rules.amsgrad)
adamw = factory(rules.adamw)
adabound = factory(rules.adabound)
amsbound = factory(rules.amsbound)
lion = factory(rules.lion)
muon = factory(rules.muon)
normuon = factory(rules.normuon)
adafactor = factory(rules.adafactor)
soap = factory(rules.soap)
adamax = factory(rules.adamax)
radam = factory(rules.radam)
adabelief = factory(rules.adabelief)
yogi = factory(rules.yogi)
adopt = factory(rules.adopt)
ademamix = factory(rules.ademamix)
adan = factory(rules.adan)
schedule_free_sgd = factory(rules.schedule_free_sgd)
schedule_free_adamw = factory(rules.schedule_free_adamw)
schedule_free_radam = factory(rules.schedule_free_radam)
dadapt_sgd = factory(rules.dadapt_sgd)
dadapt_adam = factory(rules.dadapt_adam)
prodigy = factory(rules.prodigy)
dog = factory(rules.dog)
dowg = factory(rules.dowg)
nadam = factory(rules.nadam)
nadamw = factory(rules.nadamw)
signum = factory(rules.signum)
adamatan2 = factory(rules.adamatan2)
adamc = factory(rules.adamc)
stableadamw = factory(rules.stableadamw)
lamb = factory(rules.lamb)
lars = factory(rules.lars)

cautious = around_rules(rules.cautious)
grokfast = around_rules(rules.grokfast)
hyperball = around_rules(rules.hyperball)
lookahead = around_rules(rules.lookahead)
mars = around_rules(rules.mars)
rms_clip = around_rules(rules.rms_clip)
schedule_free = around_rules(rules.schedule_free)
trust_gradient = around_rules(rules.trust_gradient)
trust_ratio = around_rules(rules.trust_ratio)

__all__ = [
    *rules.RULES,
    *rules.COMBINATORS,
    "Around",
    "Factory",
    "RuleState",
    "around_rules",
    "effective_lr",
    "evaluation_params",
    "factory",
    "labels",
    "roles",
]
