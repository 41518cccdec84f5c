"""Optimizers that ask for loss and gradients again: LBFGS and SAM beside Adam, each with equally many gradients.

An epoch is one gradient of all examples: LBFGS wants gradients without noise.

python closures.py
"""

import torch
from torch import nn

import surefoot


class SAM(torch.optim.SGD):
    """Sharpness-aware minimization: steps by the gradient of a place a little uphill (Foret et al. 2021)."""

    def __init__(self, params, lr=0.1, momentum=0.9, rho=0.05):
        super().__init__(params, lr, momentum)
        self.rho = rho

    @torch.no_grad()
    def step(self, closure):
        """Take a step; the closure computes loss and gradients, here and uphill."""
        loss = closure()
        weights = [p for group in self.param_groups for p in group["params"]]
        norm = torch.stack([p.grad.norm() for p in weights]).norm() + 1e-12
        moves = [self.rho * p.grad / norm for p in weights]
        torch._foreach_add_(weights, moves)
        closure()
        torch._foreach_sub_(weights, moves)
        super().step()
        return loss


x = torch.randn(1536, 6, generator=torch.Generator().manual_seed(0))
y = (x.square().sum(dim=1) > 5.3).long()
parts = [(x[part], y[part]) for part in (slice(0, 1024), slice(1024, 1280), slice(1280, 1536))]


def network():
    """Return a small network."""
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2))


sphere = surefoot.task(model=network, data=parts, batch_size=1024, name="sphere")
optimizers = [
    "adam(lr=0.05)",
    surefoot.Opt(SAM, lr=0.5),
    surefoot.Opt(torch.optim.LBFGS, lr=0.5, max_iter=5, history_size=5),
]

if __name__ == "__main__":
    print(surefoot.compare(sphere, optimizers=optimizers, epochs=60).table())
