"""Surefoot's rules as torch optimizers: drop-in replacements for torch.optim's, and the ones that it lacks."""

from surefoot.torch import installed  # noqa: F401  first: without torch, it says what to install
from surefoot.torch.adabound import AdaBound, AMSBound
from surefoot.torch.base import RuleOptimizer
from surefoot.torch.optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, RMSprop

__all__ = ["SGD", "AMSBound", "AdaBound", "Adadelta", "Adagrad", "Adam", "AdamW", "RMSprop", "RuleOptimizer"]
