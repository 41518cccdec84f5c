"""What Surefoot adds around a bare PyTorch loop: the same model, batches and optimizer, with and without it.

The bare loop is what a user would write: train, evaluate the validation part after each epoch and the test part at
the end. Surefoot's trial does the same and besides keeps time, records the spread of step sizes, makes a checkpoint
every epoch, watches for divergence, sends progress, and measures the training loss at the end. Both run in
this process with one thread, in turn. The last row is the bare loop with torch's own Adam. What Surefoot does once (a
step to warm up, the training loss at the end) weighs more the shorter the training: `--epochs 1` shows the
worst. Run: make bench.
"""

import argparse
import statistics
import time

import numpy as np
import torch

from surefoot.compare.study import Options, plan
from surefoot.compare.training import EVALUATION_BATCH, Training
from surefoot.rules import RULES
from surefoot.tasks import find_task
from surefoot.tasks.process import tune_worker
from surefoot.torch import RuleOptimizer

ROUNDS = 3


def whole(trial, data):
    """Surefoot's trial, its events thrown away."""
    Training(trial, data, emit=[].append).run(None)


def bare(trial, data, make_optimizer):
    """The same training as a plain loop."""
    task = find_task(trial.task)
    model = task.make_model(trial.seed)
    optimizer = make_optimizer(model.parameters())
    end = trial.train_size + trial.validation_size
    images, labels = torch.from_numpy(data.train_images), torch.from_numpy(data.train_labels).long()
    for epoch in range(1, trial.epochs + 1):
        model.train()
        order = torch.from_numpy(np.random.default_rng([trial.seed, epoch]).permutation(trial.train_size))
        for index in order.split(trial.batch_size):
            optimizer.zero_grad()
            loss = task.loss(model(task.prepare(images[index])), labels[index])
            loss.backward()
            optimizer.step()
        evaluate(task, model, images[trial.train_size : end], labels[trial.train_size : end])
    evaluate(task, model, torch.from_numpy(data.test_images), torch.from_numpy(data.test_labels).long())


@torch.no_grad()
def evaluate(task, model, images, labels):
    model.eval()
    hits = 0
    for i in range(0, len(labels), EVALUATION_BATCH):
        outputs = model(task.prepare(images[i : i + EVALUATION_BATCH]))
        hits += int((outputs.argmax(1) == labels[i : i + EVALUATION_BATCH]).sum())
    return hits / len(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5, help="as many as the study has, unless told")
    epochs = parser.parse_args().epochs
    tune_worker()
    study = plan("article", Options(optimizers=("adam(lr=0.01)",), only=True, epochs=epochs, device="cpu"))
    trial, data = study.trials[0], study.data
    rule = RULES[trial.arm.rule]
    hyper = {name: value for name, value in trial.arm.hyper.items() if name in rule.defaults}
    kinds = {
        "surefoot trial": lambda: whole(trial, data),
        "bare loop": lambda: bare(trial, data, lambda p: RuleOptimizer(p, rule, **hyper)),
        "bare loop, torch.optim.Adam": lambda: bare(trial, data, lambda p: torch.optim.Adam(p, lr=0.01, eps=1e-7)),
    }
    taken = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, run in kinds.items():
            start = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - start)
    print(
        f"{epochs} epochs of the article's CNN on MNIST, evaluation included, one thread, {ROUNDS} interleaved rounds:"
    )
    for name, times in taken.items():
        ratios = [own / base for own, base in zip(times, taken["bare loop"], strict=True)]
        print(f"  {name:<28} {statistics.median(times):7.2f} s   {statistics.median(ratios):.3f} of the bare loop")


if __name__ == "__main__":
    main()
