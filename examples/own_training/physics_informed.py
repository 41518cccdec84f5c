"""A physics-informed network: u'' = -sin(x) with u(0) = u(pi) = 0, by second derivatives of the network.

surefoot compare physics_informed.py:train --better min --epochs 5
"""

import torch
from torch import nn


def residual(u, x):
    """Return how far the network is from the equation at some points."""
    x = x.requires_grad_()
    (slope,) = torch.autograd.grad(u(x).sum(), x, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
    return bend + x.sin()


def error(u, points):
    """Return the largest distance from the solution, which is sin(x)."""
    x = torch.linspace(0, torch.pi, points).unsqueeze(1)
    with torch.no_grad():
        return (u(x) - x.sin()).abs().max()


def train(run):
    """Train once."""
    u = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = run.optimizer(u)
    run.save(u=u)
    ends = torch.tensor([[0.0], [torch.pi]])
    for _ in run.epochs():
        for _ in range(100):
            optimizer.zero_grad()
            loss = residual(u, torch.pi * torch.rand(64, 1)).square().mean() + 10 * u(ends).square().mean()
            loss.backward()
            optimizer.step()
            run.step(loss)
        run.report(lambda: error(u, 50))
    run.test(lambda: error(u, 77))
