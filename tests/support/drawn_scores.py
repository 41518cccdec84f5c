"""A training function whose score is drawn: what an optimizer is worth is its learning rate, and a seed adds luck."""

import numpy as np
import torch

SPREAD = 0.01


def drawn(run):
    """A score of the learning rate plus luck that seed and learning rate decide."""
    optimizer = run.optimizer([torch.nn.Parameter(torch.zeros(1))])
    rate = optimizer.param_groups[0]["lr"]
    luck = np.random.default_rng([run.seed, round(1e6 * rate)]).normal(0, SPREAD)
    for _ in run.epochs():
        run.step(1.0)
        run.report(0.5)
    run.test(lambda: float(rate + luck))
