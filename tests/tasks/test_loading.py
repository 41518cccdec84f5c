"""Batches of augmented, transformed and streamed data: the same ones for every optimizer, and others in each epoch."""

import random
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

import surefoot
from surefoot.comparison.ask import ask
from surefoot.design.trial import Trial
from surefoot.errors import TrialError, UsageError
from surefoot.options import Options
from surefoot.tasks.custom import task
from surefoot.tasks.examples import split_of
from surefoot.training.events import EpochDone, Finished
from surefoot.training.loop import Training

pytestmark = pytest.mark.usefixtures("one_thread")

JAX_IS_LOADED = "ignore:os.fork.. was called:RuntimeWarning"
"""What JAX says when a loader forks its workers, where another test of the same process has loaded it."""


class Augmented(Dataset):
    """Examples with noise from each of the three sources of random numbers."""

    opened = 0

    def __len__(self):
        return 24

    def __getitem__(self, i):
        noise = torch.rand(1).item() + np.random.rand() + random.random()
        return torch.tensor([float(i), noise, self.opened]), i % 2


def pair(size=24, seed=0):
    x = torch.randn(size, 3, generator=torch.Generator().manual_seed(seed))
    return x, (x[:, 0] > 0).long()


def net():
    return nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.3), nn.Tanh(), nn.Linear(4, 2))


class Restless(torch.optim.SGD):
    """An optimizer that draws random numbers of its own."""

    def step(self, closure=None):
        torch.rand(3)
        super().step(closure)


def trained(data, optimizer="sgd", epochs=2, **changes):
    """A finished training, what it reported, and every training batch that the model saw."""
    made = task(model=net, data=data, **{"batch_size": 5, **changes})
    request = ask(made, Options(device="cpu", workers=1, only=True, optimizers=(optimizer,), epochs=epochs))
    seen, heard = [], []

    class Seeing(Training):
        def _begun(self, batch):
            if self.model.training and self.epoch:
                seen.append(batch)
            return super()._begun(batch)

    training = Seeing(Trial("mine", request.arms[0], 3, request.protocol), made, heard.append)
    training.run(None)
    assert isinstance(heard[-1], Finished)
    return training, heard, seen


def same(one, other):
    pairs = zip(one, other, strict=True)
    return len(one) == len(other) > 0 and all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in pairs)


@pytest.mark.filterwarnings(JAX_IS_LOADED)
def test_every_optimizer_sees_the_same_batches_whatever_it_draws_and_whoever_loads():
    data = Augmented(), pair(), pair()
    loader = DataLoader(Augmented(), batch_size=5, num_workers=2)
    *_, seen = trained(data)
    *_, restless = trained(data, Restless)
    *_, ahead = trained((loader, pair(), pair()))
    assert len(seen) == 10
    assert same(seen, restless)
    assert same(seen, ahead)
    noise = {inputs[i, 1].item() for inputs, _ in seen for i in range(len(inputs))}
    assert len(noise) == 48, "no two examples, and no two epochs, have the same"


def opened(number):
    get_worker_info().dataset.opened = 7 + number


def doubled(rows):
    return 2 * torch.stack([row[0] for row in rows]), torch.tensor([row[1] for row in rows])


@pytest.mark.filterwarnings(JAX_IS_LOADED)
def test_a_loaders_workers_its_start_of_a_worker_and_its_collate_are_used():
    loader = DataLoader(Augmented(), batch_size=6, num_workers=2, worker_init_fn=opened, collate_fn=doubled)
    split = split_of(loader, "training")
    places = torch.arange(24).split(6)
    found = [inputs[:, 2].unique().tolist() for inputs, _ in split.batches(places, (0,))]
    assert found == [[14.0], [16.0], [14.0], [16.0]]


def test_an_evaluation_of_random_examples_is_the_same_each_time():
    training, *_ = trained((pair(), Augmented(), Augmented()))
    assert training._evaluate(training.test) == training._evaluate(training.test)


def mixup(batch):
    inputs, targets = batch
    share, order = torch.rand(1), torch.randperm(len(inputs))
    targets = functional.one_hot(targets, 2).float()
    return share * inputs + (1 - share) * inputs[order], share * targets + (1 - share) * targets[order]


def test_a_transform_changes_training_batches_and_no_others():
    training, heard, seen = trained((pair(), pair(seed=1), pair(seed=2)), transform=mixup)
    *_, again = trained((pair(), pair(seed=1), pair(seed=2)), Restless, transform=mixup)
    assert same(seen, again)
    assert any((targets % 1 > 0).any() for _, targets in seen)
    epochs = [event.epoch for event in heard if isinstance(event, EpochDone)]
    assert all(np.isnan(epoch.train_metric) and np.isfinite(epoch.validation_metric) for epoch in epochs)
    training.model.eval()
    right = (training.model(pair(seed=2)[0]).argmax(1) == pair(seed=2)[1]).double().mean().item()
    assert heard[-1].outcome.test_metric == pytest.approx(right)
    assert np.isfinite(heard[-1].outcome.train_metric)


def test_a_transform_is_part_of_what_a_task_is():
    plain, mixed = (task(model=net, data=(pair(), pair()), transform=one) for one in (None, mixup))
    assert plain.fingerprint != mixed.fingerprint


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        (lambda batch: batch[0], "its transform, or the loss of what it returns, raises"),
        (lambda batch: (0 * batch[0], batch[1] / 0), "raises"),
        (lambda batch: (batch[0] @ torch.ones(2, 2), batch[1]), "raises RuntimeError"),
    ],
)
def test_a_transform_that_cannot_be_used_is_refused(transform, words):
    with pytest.raises(UsageError) as refused:
        task(model=net, data=(pair(), pair()), transform=transform)
    assert words in str(refused.value)


@pytest.mark.usefixtures("workers_here")
def test_a_study_with_mixup_has_a_report(tmp_path):
    data = pair(200), pair(60, 1), pair(60, 2)
    settings = {"epochs": 2, "trials": 0, "seeds": 2, "workers": 1, "device": "cpu", "store": tmp_path / "r.sqlite"}
    study = surefoot.compare(model=net, data=data, transform=mixup, optimizers=["sgd", "adam"], **settings)
    assert "accuracy" in str(study.table()).lower() or "%" in str(study.table())
    assert "<html" in study.report(tmp_path / "report.html").read_text(encoding="utf-8")


class Numbers(IterableDataset):
    """Numbers without an end, with noise."""

    begun = 0

    def set_epoch(self, seed):
        self.begun = seed

    def __iter__(self):
        for i in count():
            yield torch.tensor([float(i), torch.rand(1).item(), float(self.begun % 1000)]), i % 2


def made_numbers(seed):
    generator = torch.Generator().manual_seed(seed)
    for i in count():
        yield torch.tensor([float(i), torch.rand(1, generator=generator).item(), 0.0]), i % 2


@pytest.mark.parametrize("source", [Numbers(), made_numbers])
def test_a_stream_gives_every_optimizer_the_same_batches(source):
    data = surefoot.stream(source, examples=23), pair(), pair()
    *_, seen = trained(data)
    *_, restless = trained(data, Restless)
    assert same(seen, restless)
    assert [len(inputs) for inputs, _ in seen] == [5, 5, 5, 5, 3] * 2
    assert torch.cat([inputs[:, 0] for inputs, _ in seen[:5]]).tolist() == list(range(23)), "from its start"
    assert not torch.equal(seen[0][0], seen[5][0]), "each epoch has random numbers of its own"


def test_a_stream_is_evaluated_from_its_start_each_time():
    test = surefoot.stream(made_numbers, examples=30)
    training, *_ = trained((pair(), pair(), replace(test)))
    assert training._evaluate(training.test) == training._evaluate(training.test)
    training.model.eval()
    inputs, targets = test.batch(slice(0, 30))
    first = next(iter(test.batches([slice(0, 30)], (0,))))
    assert torch.equal(first[0][:, 0], inputs[:, 0])
    assert torch.equal(first[1], targets)


def test_a_stream_that_ends_early_is_an_error_and_one_without_an_end_is_cut():
    short = surefoot.stream(lambda _: iter([(torch.ones(3), 0)] * 7), examples=10)
    with pytest.raises(TrialError, match="the stream ended before its 10 examples an epoch were read"):
        list(short.batches([slice(0, 5), slice(5, 10)], (0,)))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda: surefoot.stream([1, 2], examples=2), "takes an IterableDataset, or a function of a seed"),
        (lambda: surefoot.stream(Numbers(), examples=0), "examples is 0; give how many make an epoch"),
        (lambda: task(model=net, data=(Numbers(), pair())), "stream(dataset, examples=10_000)"),
        (
            lambda: task(model=net, data=(surefoot.stream(Numbers(), examples=9), pair())),
            "cannot be cut for validation",
        ),
    ],
)
def test_what_is_no_stream_is_refused(given, words):
    with pytest.raises(UsageError) as refused:
        given()
    assert words in str(refused.value)
