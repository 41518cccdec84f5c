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

from surefoot.comparison.ask import ask
from surefoot.options import Options
from surefoot.rules import RULES
from surefoot.torch import RuleOptimizer
from surefoot.training.loop import EVALUATION_BATCH, Training
from surefoot.training.process import tune_worker

ROUNDS = 3


def whole(trial, task):
    """Surefoot's trial, its events thrown away."""
    Training(trial, task, emit=[].append).run(None)


def bare(trial, task, make_optimizer):
    """The same training as a plain loop."""
    train, validation, test = (part.to("cpu") for part in (task.data.train, task.data.validation, task.data.test))
    model = task.make_model(trial.seed)
    optimizer = make_optimizer(model.parameters())
    for epoch in range(1, trial.protocol.epochs + 1):
        model.train()
        order = torch.from_numpy(np.random.default_rng([trial.seed, epoch]).permutation(len(train)))
        for index in order.split(trial.protocol.batch_size):
            optimizer.zero_grad()
            loss, _ = task.measure(model, train.batch(index))
            loss.backward()
            optimizer.step()
        evaluate(task, model, validation)
    evaluate(task, model, test)


@torch.no_grad()
def evaluate(task, model, split):
    model.eval()
    for i in range(0, len(split), EVALUATION_BATCH):
        task.measure(model, split.batch(slice(i, i + EVALUATION_BATCH)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5, help="as many as the study has, unless told")
    parser.add_argument("--train-size", type=int, help="use only the first training images")
    asked = parser.parse_args()
    epochs = asked.epochs
    tune_worker()
    options = Options(
        optimizers=("adam(lr=0.01)",), only=True, epochs=epochs, train_size=asked.train_size, device="cpu"
    )
    request = ask("article", options)
    study = request.plan(request.wanted)
    trial, data = study.trials[0], study.task
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
