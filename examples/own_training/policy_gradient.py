"""REINFORCE on a corridor: an epoch is some episodes, and what is judged is the mean return.

surefoot compare policy_gradient.py:train --better max --epochs 10
"""

import torch
from torch import nn
from torch.distributions import Categorical

CELLS, LONGEST = 6, 20


def walk(policy, count):
    """Walk so many corridors side by side, to the right end at best; returns log-probabilities and returns."""
    cells, alive = torch.zeros(count, dtype=torch.long), torch.ones(count)
    chosen, returns = torch.zeros(count), torch.zeros(count)
    for _ in range(LONGEST):
        moves = Categorical(logits=policy(nn.functional.one_hot(cells, CELLS).float()))
        move = moves.sample()
        chosen = chosen + alive * moves.log_prob(move)
        cells = (cells + 2 * move - 1).clamp(0, CELLS - 1)
        returns -= alive  # a step costs 1
        alive = alive * (cells < CELLS - 1)
    return chosen, returns


def mean_return(policy):
    """Return the mean of many walks."""
    with torch.no_grad():
        return walk(policy, 200)[1].mean()


def train(run):
    """Train once."""
    policy = nn.Linear(CELLS, 2)
    optimizer = run.optimizer(policy)
    run.save(policy=policy)
    for _ in run.epochs():
        for _ in range(5):
            optimizer.zero_grad()
            chosen, returns = walk(policy, 32)
            loss = -(chosen * (returns - returns.mean())).mean()
            loss.backward()
            optimizer.step()
            run.step(loss)
        run.report(lambda: mean_return(policy))
    run.test(lambda: mean_return(policy))
