"""The optimizers: every rule under its own name, as optax's users call theirs.

Each stands for what optax has under that name, with the same arguments, their order, defaults and updates; `momentum`,
`nesterov`, `adabound` and `amsbound`, which optax lacks, are spelled as it would. Its `adan` is another rule: it mixes
up b2 and 1 - b2. What optax's have beyond the rule is
taken at its default only: `eps_root`, `initial_scale`, `bias_correction` of RMSprop, and the `nesterov` of Adam and
RMSprop. `help` of each tells its arguments.
"""

from __future__ import annotations

from surefoot import rules
from surefoot.optax.factory import factory

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
adamax = factory(rules.adamax)
radam = factory(rules.radam)
adabelief = factory(rules.adabelief)
yogi = factory(rules.yogi)
adopt = factory(rules.adopt)
ademamix = factory(rules.ademamix)
adan = factory(rules.adan)
