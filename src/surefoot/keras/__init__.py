"""Surefoot's rules as Keras 3 optimizers: drop-in replacements for keras.optimizers', and the ones that it lacks.

| file | concept |
| --- | --- |
| `optimizers.py` | the classes, each with Keras's arguments |
| `modern.py` | rules of the years after Adam |
| `without_rate.py` | rules without a schedule, or without a rate to tune |
| `adam_kin.py` | Adam's younger kin |
| `large_batch.py` | rules for large batches |
| `matrices.py` | Muon and NorMuon with AdamW for the rest, Adafactor, SOAP |
| `arguments.py` | what a user writes, sorted and checked |
| `base.py` | any rule as a Keras optimizer: the step, and no formula |
| `any_rule.py` | any rule by its name, and combinations |
| `by_layer.py` | the role of each variable, by its layer |
| `two_rules.py` | one optimizer for the matrices, another for the rest |
| `slots.py` | the slots of a rule, as Keras's variables |
| `step.py` | one variable stepped, or all at once where the rule sums over all |
| `evaluation.py` | the weights to evaluate with, and the callback that puts them in |
| `arrays.py` | rows of an embedding, and weights in 16 bits |
"""

from surefoot.frontends.installed import needed

with needed("keras", "Keras 3"):
    from surefoot.keras.adam_kin import AdamAtan2, AdamC, Nadam, NAdamW, StableAdamW
    from surefoot.keras.any_rule import RuleOptimizer, combining
    from surefoot.keras.by_layer import roles
    from surefoot.keras.evaluation import EvaluationWeights
    from surefoot.keras.large_batch import Lamb, Lars, Signum
    from surefoot.keras.matrices import SOAP, Adafactor, Muon, NorMuon
    from surefoot.keras.modern import ADOPT, AdaBelief, Adamax, Adan, AdEMAMix, Lion, RAdam, Yogi
    from surefoot.keras.optimizers import SGD, AdaBound, Adadelta, Adagrad, Adam, AdamW, AMSBound, RMSprop

    cautious = combining("cautious")
    grokfast = combining("grokfast")
    hyperball = combining("hyperball")
    lookahead = combining("lookahead")
    mars = combining("mars")
    rms_clip = combining("rms_clip")
    schedule_free = combining("schedule_free")
    trust_gradient = combining("trust_gradient")
    trust_ratio = combining("trust_ratio")
    from surefoot.keras.two_rules import SplitOptimizer, split
    from surefoot.keras.without_rate import (
        DAdaptAdam,
        DAdaptSGD,
        DoG,
        DoWG,
        Prodigy,
        ScheduleFreeAdamW,
        ScheduleFreeRAdam,
        ScheduleFreeSGD,
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
    "Adamax",
    "Adan",
    "DAdaptAdam",
    "DAdaptSGD",
    "DoG",
    "DoWG",
    "EvaluationWeights",
    "Lamb",
    "Lars",
    "Lion",
    "Muon",
    "NAdamW",
    "Nadam",
    "NorMuon",
    "Prodigy",
    "RAdam",
    "RMSprop",
    "RuleOptimizer",
    "ScheduleFreeAdamW",
    "ScheduleFreeRAdam",
    "ScheduleFreeSGD",
    "Signum",
    "SplitOptimizer",
    "StableAdamW",
    "Yogi",
    "cautious",
    "grokfast",
    "hyperball",
    "lookahead",
    "mars",
    "rms_clip",
    "roles",
    "schedule_free",
    "split",
    "trust_gradient",
    "trust_ratio",
]
