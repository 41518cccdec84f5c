"""What a worker loads before its first step: imported once, by the process of which `forked_workers` are forks."""

import torch as torch

import line_task as line_task
from kernel_maker import FIRST
from surefoot.engines.kernels import compiled
from surefoot.tasks.models import fast_article as fast_article
from surefoot.training import trial_kinds as trial_kinds

compiled(FIRST)  # for which Numba loads some two hundred modules of its own
