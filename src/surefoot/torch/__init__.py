"""Surefoot's rules as torch optimizers: drop-in replacements for torch.optim's, and the ones that it lacks.

| file | concept |
| --- | --- |
| `adabound.py` | AdaBound and AMSBound, which torch lacks |
| `base.py` | A rule as a torch optimizer: torch's own machinery around it, and no formula |
| `gradients.py` | What all gradients of a step are multiplied by |
| `groups.py` | What a param group says in the rule's words, and whether it still says so in the next step |
| `installed.py` | torch, which this front-end speaks to; without it, the line that installs it |
| `kept.py` | State in 8 bits as it lies in an optimizer's `state` |
| `modern.py` | Rules of the years after Adam |
| `optimizers.py` | Drop-in replacements for torch.optim's optimizers |
| `options.py` | What every Surefoot optimizer takes beside torch's own arguments |
| `owner.py` | Whose state a checkpoint holds, told by its slots |
| `program.py` | Kernel tables for one optimizer step, reused until a tensor, a group or an option changes |
| `slots.py` | What an optimizer keeps for its parameters, and how it is restored from a checkpoint |
| `spelling.py` | A rule under torch's names |
| `state.py` | What an optimizer keeps for a parameter, and in which form the rule sees it |
| `watch.py` | What the tables of a step were made from |
"""

from surefoot.torch import installed  # noqa: F401  first: without torch, it says what to install
from surefoot.torch.adabound import AdaBound, AMSBound
from surefoot.torch.base import RuleOptimizer
from surefoot.torch.modern import ADOPT, AdaBelief, Adamax, Adan, AdEMAMix, Lion, RAdam, Yogi
from surefoot.torch.optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, RMSprop

__all__ = [
    "ADOPT",
    "SGD",
    "AMSBound",
    "AdEMAMix",
    "AdaBelief",
    "AdaBound",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Adan",
    "Lion",
    "RAdam",
    "RMSprop",
    "RuleOptimizer",
    "Yogi",
]
