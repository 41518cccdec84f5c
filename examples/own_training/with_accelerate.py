"""Accelerate: `prepare` takes the optimizer of the run like any of torch's.

surefoot compare with_accelerate.py:train --better min --epochs 5
"""

import torch
from accelerate import Accelerator
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

generator = torch.Generator().manual_seed(0)
x = torch.randn(400, 4, generator=generator)
y = x.sum(dim=1, keepdim=True).sin()


def train(run):
    """Train once."""
    accelerator = Accelerator(cpu=run.device == "cpu")
    model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = run.optimizer(model)
    run.save(model=model)
    batches = DataLoader(TensorDataset(x[:256], y[:256]), batch_size=32, shuffle=True)
    prepared, stepper, batches = accelerator.prepare(model, optimizer, batches)

    def evaluated(part):
        with torch.no_grad():
            return mse_loss(model(x[part].to(run.device)), y[part].to(run.device))

    for _ in run.epochs():
        for inputs, targets in batches:
            stepper.zero_grad()
            loss = mse_loss(prepared(inputs), targets)
            accelerator.backward(loss)
            stepper.step()
            run.step(loss)
        run.report(lambda: evaluated(slice(256, 320)))
    run.test(lambda: evaluated(slice(320, 400)))
