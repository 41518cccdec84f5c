"""The optimizers: every rule under its own name, as optax's users call theirs.

Each stands for what optax has under that name, with the same hyperparameters, defaults and updates; `momentum`,
`nesterov`, `adabound` and `amsbound`, which optax lacks, are spelled as it would. Switches are given by name. What
optax's have beyond the rule is not there: `eps_root`, `mu_dtype`, `accumulator_dtype`, `initial_scale`, and the
`nesterov` of Adam and RMSprop. `help` of each tells its arguments.
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
