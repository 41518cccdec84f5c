"""A GAN on points of a ring: two optimizers, judged by how far the points that it makes are from real ones.

surefoot compare gan.py:train --better min --epochs 5
"""

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits


def real(count, generator=None):
    """Return points near a circle of radius 2."""
    angles = 2 * torch.pi * torch.rand(count, generator=generator)
    noise = 0.1 * torch.randn(count, 2, generator=generator)
    return 2 * torch.stack([angles.cos(), angles.sin()], dim=1) + noise


def distance(generate, seed):
    """Return the energy distance between points that are made and real ones; 0 where both are alike."""
    fixed = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        made, wanted = generate(torch.randn(500, 4, generator=fixed)), real(500, fixed)
    return 2 * torch.cdist(made, wanted).mean() - torch.cdist(made, made).mean() - torch.cdist(wanted, wanted).mean()


def train(run):
    """Train once."""
    generate = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    judge = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    generator = run.optimizer(generate, "generator")
    discriminator = run.optimizer(judge, "discriminator", lr=2 * run.hyper["lr"])
    run.save(generate=generate, judge=judge)
    yes, no = torch.ones(64, 1), torch.zeros(64, 1)
    for _ in run.epochs():
        for _ in range(50):
            made = generate(torch.randn(64, 4))
            discriminator.zero_grad()
            losses = [(judge(real(64)), yes), (judge(made.detach()), no)]
            sum(binary_cross_entropy_with_logits(*pair) for pair in losses).backward()
            discriminator.step()
            generator.zero_grad()
            loss = binary_cross_entropy_with_logits(judge(made), yes)
            loss.backward()
            generator.step()
            run.step(loss)  # one for both
        run.report(lambda: distance(generate, seed=1))
    run.test(lambda: distance(generate, seed=2))
