"""A contrastive loss: two noisy views of an example should be each other's nearest, judged by how often they are.

surefoot compare contrastive.py:train --better max --epochs 5
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize


def examples(count, seed):
    """Return points of a plane that lies in sixteen dimensions."""
    plane = torch.randn(2, 16, generator=torch.Generator().manual_seed(7))
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(seed)) @ plane


def views(batch, generator=None):
    """Return two views of each example, with noise of their own."""
    return [batch + 0.5 * torch.randn(batch.shape, generator=generator) for _ in range(2)]


def train(run):
    """Train once."""
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
    optimizer = run.optimizer(model)
    run.save(model=model)
    known, validation, test = examples(512, 0), examples(128, 1), examples(128, 2)

    def likeness(pair):
        one, other = (normalize(model(view), dim=1) for view in pair)
        return one @ other.T / 0.2

    def found(part):
        with torch.no_grad():
            alike = likeness(views(part, torch.Generator().manual_seed(0)))
        return (alike.argmax(1) == torch.arange(len(part))).float().mean()

    for _ in run.epochs():
        for rows in torch.randperm(512).split(64):
            optimizer.zero_grad()
            loss = cross_entropy(likeness(views(known[rows])), torch.arange(len(rows)))
            loss.backward()
            optimizer.step()
            run.step(loss)
        run.report(lambda: found(validation))
    run.test(lambda: found(test))
