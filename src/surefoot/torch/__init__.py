"""Surefoot's rules as torch optimizers: drop-in replacements for torch.optim's, and the ones that it lacks.

| file | concept |
| --- | --- |
| `optimizers.py` | drop-in replacements for torch.optim's, and AdaBound |
| `modern.py` | rules of the years after Adam |
| `without_rate.py` | rules without a schedule, or without a rate to tune |
| `adam_kin.py` | Adam's younger kin |
| `large_batch.py` | rules for large batches |
| `matrix_rules.py` | rules for matrices |
| `spelling.py` | a rule under torch's names, with torch's checks |
| `options.py` | what every optimizer takes beside the rule's numbers |
| `base.py` | any rule as a torch optimizer, and what its param groups mean |
| `stepping.py` | the course of a step: kernel or eager engine for each parameter, all of it or nothing |
| `effective_lr.py` | the step size of each weight |
| `layers.py` | where a parameter stands in a model, and which layer is the output head |
| `roles.py` | the role of each parameter, and the reason |
| `by_role.py` | param groups by role; one rule for the matrices, another for the rest |
| `composite.py` | several rules as one optimizer |
| `joint_state.py` | their states as one mapping |
| `description.py` | what an optimizer does with which parameters, as a table |
| `group_settings.py` | what a param group says in the rule's words |
| `gradient_scaling.py` | unscaling and clipping: one factor for all gradients |
| `prepared_step.py` | a step before it is taken: a kernel for each parameter that one fits |
| `step_tables.py` | the kernel tables of a step, which the next one uses again |
| `sharded_sums.py` | sums over tensors that are divided among processes |
| `table_inputs.py` | what these tables were made from, and whether it still holds |
| `matrices.py` | parameters of rules for matrices, and their blocks |
| `sharded_matrices.py` | matrices that are divided among processes, gathered |
| `slots.py` | the slots of a rule: made, kept, restored from a checkpoint |
| `shared_numbers.py` | numbers for the whole optimizer, in the param groups |
| `averages.py` | the weights to evaluate with |
| `state.py` | shapes, kinds of numbers and step counts in `state`; slots in 8 bits |
| `checkpoint_owner.py` | whose state a checkpoint holds |
"""

from surefoot.frontends.installed import needed

with needed("torch", "torch"):
    from surefoot.torch.adam_kin import AdamAtan2, AdamC, NAdam, NAdamW, StableAdamW
    from surefoot.torch.base import RuleOptimizer
    from surefoot.torch.by_role import groups, split
    from surefoot.torch.composite import SplitOptimizer
    from surefoot.torch.large_batch import Lamb, Lars, Signum
    from surefoot.torch.matrix_rules import SOAP, Adafactor, Muon, NorMuon
    from surefoot.torch.modern import ADOPT, AdaBelief, Adamax, Adan, AdEMAMix, Lion, RAdam, Yogi
    from surefoot.torch.optimizers import SGD, AdaBound, Adadelta, Adagrad, Adam, AdamW, AMSBound, RMSprop
    from surefoot.torch.without_rate import (
        AdamWScheduleFree,
        DAdaptAdam,
        DAdaptSGD,
        DoG,
        DoWG,
        Prodigy,
        RAdamScheduleFree,
        SGDScheduleFree,
    )

__all__ = [
    "ADOPT",
    "SGD",
    "SOAP",
    "AMSBound",
    "AdEMAMix",
    "AdaBelief",
    "AdaBound",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamAtan2",
    "AdamC",
    "AdamW",
    "AdamWScheduleFree",
    "Adamax",
    "Adan",
    "DAdaptAdam",
    "DAdaptSGD",
    "DoG",
    "DoWG",
    "Lamb",
    "Lars",
    "Lion",
    "Muon",
    "NAdam",
    "NAdamW",
    "NorMuon",
    "Prodigy",
    "RAdam",
    "RAdamScheduleFree",
    "RMSprop",
    "RuleOptimizer",
    "SGDScheduleFree",
    "Signum",
    "SplitOptimizer",
    "StableAdamW",
    "Yogi",
    "groups",
    "split",
]
