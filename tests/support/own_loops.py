"""Training functions as users write them, each in a blink, and their trials run here or in worker processes."""

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from surefoot.arms.arm_list import arms_of
from surefoot.design.trial import Trial
from surefoot.store.protocol import Protocol
from surefoot.training.function_task import function_task
from surefoot.training.trial_kinds import training

STEPS = 5
"""Of an epoch."""


@cache
def data():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(300, 4, generator=generator)
    return inputs, (inputs.sum(1) > 0).long()


def accuracy(model, part):
    inputs, targets = data()
    model.eval()
    with torch.no_grad():
        found = (model(inputs[part]).argmax(1) == targets[part]).float().mean()
    model.train()
    return found


def net():
    dropout = torch.nn.Dropout(0.2)  # which takes random numbers
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), dropout, torch.nn.Linear(8, 2))


def classify(run, after_epoch: Callable = str, saves=True):
    """A classifier with dropout, BatchNorm and a scheduler of its own, that goes on after an interruption."""
    model = net()
    optimizer = run.optimizer(model)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    if saves:
        run.save(model=model, schedule=schedule)
    inputs, targets = data()
    for epoch in run.epochs():
        for index in torch.randperm(200).split(40):
            optimizer.zero_grad()
            loss = cross_entropy(model(inputs[index]), targets[index])
            loss.backward()
            optimizer.step()
            run.step(loss)
        schedule.step()
        run.report(lambda: accuracy(model, slice(200, 250)))
        after_epoch(epoch)
    run.test(lambda: accuracy(model, slice(250, 300)))


def slowly(run):
    classify(run, lambda _: time.sleep(0.3))


def held(released: Path, saves: bool):
    """Return a training function that does not get past its second epoch until a file is there."""

    def train(run):
        def wait(epoch):
            while epoch > 1 and not released.exists():
                time.sleep(0.01)

        classify(run, wait, saves)

    return train


def task_of(train, better="max", **more):
    return function_task(train, better=better, **more)


def trial_of(task, optimizer="adam(lr=0.05)", seed=0, epochs=3, purpose="measure", schedule="constant"):
    (arm,) = arms_of([optimizer])
    protocol = Protocol(
        task.name,
        epochs=epochs,
        device="cpu",
        metric=task.metric,
        own_loop=True,
        fingerprint=task.fingerprint,
        schedule=schedule,
    )
    return Trial(task.name, arm, seed, protocol, purpose)


def events_of(train, checkpoint=None, better="max", **trial):
    """Train one trial here; returns its events."""
    heard = []
    task = task_of(train, better)
    torch.manual_seed(time.time_ns() % 1000)  # whatever a process did before
    training(trial_of(task, **trial), task, heard.append).run(checkpoint)
    return heard
