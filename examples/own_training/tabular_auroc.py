"""A table of numbers, judged by the area under the ROC curve, which is of a whole split and no mean over batches.

surefoot compare tabular_auroc.py:train --better max --epochs 5
"""

import torch
from scipy.stats import rankdata
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

generator = torch.Generator().manual_seed(0)
columns = torch.randn(1200, 10, generator=generator)
risk = columns[:, 0] - columns[:, 1] * columns[:, 2] + 0.5 * torch.randn(1200, generator=generator)
targets = (risk > 1).float()  # one in four or so
training, validation, test = slice(0, 800), slice(800, 1000), slice(1000, 1200)


def auroc(model, part):
    """Return how often a positive example ranks above a negative one."""
    model.eval()
    with torch.no_grad():
        ranks = torch.from_numpy(rankdata(model(columns[part]).squeeze(1).numpy()))
    model.train()
    positive = targets[part] == 1
    many, few = (~positive).sum(), positive.sum()
    return (ranks[positive].sum() - few * (few + 1) / 2) / (many * few)


def train(run):
    """Train once."""
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1))
    optimizer = run.optimizer(model)
    run.save(model=model)
    for _ in run.epochs():
        for rows in torch.randperm(800).split(50):
            optimizer.zero_grad()
            loss = binary_cross_entropy_with_logits(model(columns[rows]).squeeze(1), targets[rows])
            loss.backward()
            optimizer.step()
            run.step(loss)
        run.report(lambda: auroc(model, validation))
    run.test(lambda: auroc(model, test))
