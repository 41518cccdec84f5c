"""A user's own task: what is taken, what is refused with which words, and when two tasks are the same."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

import surefoot
from surefoot.comparison.ask import ask
from surefoot.design.trial import Trial
from surefoot.errors import SurefootWarning, UsageError
from surefoot.options import Options
from surefoot.store.protocol import LOSS, Metric
from surefoot.tasks.custom import task
from surefoot.tasks.seeds import seeded
from surefoot.training.loop import Training


def pair(size=40, seed=0):
    random = np.random.default_rng(seed)
    x = random.standard_normal((size, 3)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy((x[:, 0] > 0).astype(np.int64))


def net():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def made(**changes):
    return task(**{"model": net, "data": (pair(), pair(20, 1)), **changes})


class Squares(Dataset):
    """Examples that are made when they are asked for."""

    def __len__(self):
        return 30

    def __getitem__(self, i):
        return torch.full((3,), float(i)), i % 2


class Stream(IterableDataset):
    def __iter__(self):
        return iter(())


def test_a_pair_of_tensors_is_cut_for_validation_the_same_way_each_time():
    first, second = made(), made()
    assert [len(part) for part in (first.data.train, first.data.validation, first.data.test)] == [36, 4, 20]
    rows = [np.concatenate([t.data.train.arrays[0], t.data.validation.arrays[0]]) for t in (first, second)]
    assert np.array_equal(*rows)
    assert {tuple(row) for row in rows[0]} == {tuple(row) for row in pair()[0].numpy()}


def test_a_validation_part_of_the_users_is_taken_as_it_is():
    parts = made(data=(pair(), pair(7, 2), pair(20, 1))).data
    assert [len(parts.train), len(parts.validation)] == [40, 7]


@pytest.mark.parametrize("wrap", [lambda pair: TensorDataset(*pair), lambda pair: DataLoader(TensorDataset(*pair))])
def test_tensor_datasets_are_the_tensors_in_them(wrap):
    assert made(data=(wrap(pair()), wrap(pair(20, 1)))).fingerprint == made(batch_size=64).fingerprint


def test_a_data_loader_brings_its_batch_size_and_its_way_of_putting_examples_together():
    doubled = DataLoader(
        Squares(),
        batch_size=6,
        collate_fn=lambda rows: (2 * torch.stack([r[0] for r in rows]), torch.tensor([r[1] for r in rows])),
    )
    found = made(data=(doubled, doubled))
    assert found.batch_size == 6
    inputs, targets = found.data.test.batch(torch.tensor([3, 5]))
    assert inputs[:, 0].tolist() == [6.0, 10.0]
    assert targets.tolist() == [1, 1]


ROWS = TensorDataset(*pair())


@pytest.mark.parametrize(
    "loader",
    [
        DataLoader(ROWS, batch_size=8, shuffle=True),
        DataLoader(ROWS, batch_size=8, sampler=SequentialSampler(ROWS)),
        DataLoader(ROWS, batch_sampler=BatchSampler(RandomSampler(ROWS), 8, drop_last=False)),
    ],
)
def test_a_loader_that_draws_every_example_once_is_its_data_set_and_its_batch_size(loader):
    found = made(data=(loader, pair(20, 1)))
    assert (found.batch_size, found.fingerprint) == (8, made().fingerprint)


@pytest.mark.parametrize(
    "loader",
    [
        DataLoader(ROWS, batch_size=7, drop_last=True),
        DataLoader(ROWS, batch_sampler=BatchSampler(RandomSampler(ROWS), 7, drop_last=True)),
    ],
)
def test_a_loader_that_leaves_an_incomplete_batch_out_is_followed(loader):
    options = Options(device="cpu", workers=1, only=True, optimizers=("sgd",))
    found = [ask(made(data=(data, pair(20, 1))), options).protocol for data in (loader, pair())]
    assert [(one.batch_size, one.drop_last, one.steps_per_epoch) for one in found] == [(7, True, 5), (64, False, 1)]


class Sizes(nn.Module):
    """A model that notes how many examples it gets at a time while it is evaluated."""

    seen: ClassVar = []

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, inputs):
        if not self.training:
            self.seen.append(len(inputs))
        return self.linear(inputs)


@pytest.mark.parametrize(
    ("others", "sizes"),
    [
        ((pair(20, 1),), [4]),
        ((DataLoader(ROWS, batch_size=3),), [3, 1]),
        ((DataLoader(ROWS, batch_size=30), DataLoader(ROWS, batch_size=3)), [3] * 13 + [1]),
        ((DataLoader(ROWS, batch_size=30), pair(20, 1)), [30, 10]),
    ],
)
def test_evaluation_takes_as_many_at_a_time_as_the_loaders_of_its_parts(monkeypatch, others, sizes):
    task_ = made(model=Sizes, data=(pair(), *others))
    request = ask(task_, Options(device="cpu", workers=1, only=True, optimizers=("sgd",)))
    training = Training(Trial("mine", request.arms[0], 0, request.protocol), task_, print)
    monkeypatch.setattr(Sizes, "seen", [])
    training._evaluate(training.validation)
    assert Sizes.seen == sizes


def mean_output(outputs, _):
    return outputs.mean()


def test_a_metric_of_ones_own_depends_on_how_many_are_evaluated_at_a_time():
    parts = [pair(20, 1), DataLoader(ROWS, batch_size=3), DataLoader(ROWS, batch_size=4)]
    own = {made(data=(pair(), pair(), part), metric=mean_output, better="max").fingerprint for part in parts}
    mean = {made(data=(pair(), pair(), part)).fingerprint for part in parts}
    whole = {made(data=(pair(), pair(), part), metric=Precision(), better="max").fingerprint for part in parts}
    assert (len(own), len(mean), len(whole)) == (3, 2, 2), "the test data differs once"


class TwoByTwo(BatchSampler):
    """A batch sampler of the user's own."""


@pytest.mark.parametrize(
    "sampling",
    [
        {"sampler": SubsetRandomSampler(range(10))},
        {"sampler": WeightedRandomSampler(torch.ones(40), 40)},
        {"sampler": RandomSampler(ROWS, replacement=True)},
        {"sampler": RandomSampler(ROWS, num_samples=10)},
        {"sampler": list(range(40))},
        {"batch_sampler": BatchSampler(SubsetRandomSampler(range(10)), 2, drop_last=False)},
        {"batch_sampler": TwoByTwo(SequentialSampler(ROWS), 2, drop_last=False)},
    ],
)
@pytest.mark.parametrize("part", [0, 1])
def test_a_loader_that_draws_otherwise_is_refused(sampling, part):
    data = [pair(), pair()]
    data[part] = DataLoader(ROWS, **sampling)
    with pytest.raises(UsageError, match=r"draws with a .*torch.utils.data.Subset\(dataset, indices\)") as refused:
        made(data=tuple(data))
    assert str(refused.value).startswith(("training data", "test data")[part])


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    found = made()
    weights = [found.make_model(seed)[0].weight for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_making_a_model_leaves_the_users_random_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    made().make_model(1)
    assert torch.equal(torch.rand(3), expected)


def test_seeded_blocks_draw_the_same_numbers_of_every_kind():
    drawn = []
    for _ in range(2):
        with seeded(3):
            drawn.append((torch.rand(1).item(), np.random.rand()))
    assert drawn[0] == drawn[1]
    torch.manual_seed(int(np.random.SeedSequence([3]).generate_state(1)[0]))
    assert torch.rand(1).item() == drawn[0][0]


def test_cross_entropy_and_accuracy_are_the_default_and_chance_is_the_largest_class():
    found = made()
    assert found.metric == Metric()
    labels = pair(20, 1)[1].numpy()
    assert found.chance == max(labels.mean(), 1 - labels.mean())
    model, batch = found.make_model(0), found.data.test.batch(slice(0, 20))
    loss, metric = found.measure(model, batch)
    assert loss.item() == pytest.approx(functional.cross_entropy(model(batch[0]), batch[1]).item())
    assert metric.item() == pytest.approx((model(batch[0]).argmax(1) == batch[1]).double().mean().item())


def test_a_loss_of_ones_own_is_the_metric_too_and_smaller_is_better():
    regression = made(model=lambda: nn.Linear(3, 1), loss=lambda out, y: ((out[:, 0] - y) ** 2).mean())
    assert regression.metric == LOSS
    loss, metric = regression.measure(regression.make_model(0), regression.data.test.batch(slice(0, 5)))
    assert metric.item() == loss.item()


def test_a_metric_of_ones_own_has_its_name_and_direction():
    def mean_error(outputs, targets):
        return (outputs[:, 0] - targets).abs().mean()

    assert made(metric=mean_error, better="min").metric == Metric("mean error", "min", share=False)


class Precision:
    """A metric with the protocol of torchmetrics': it collects batches, and its `==` makes another metric."""

    __hash__ = object.__hash__

    def __init__(self):
        self.right, self.seen = 0, 0

    def update(self, outputs, targets):
        self.right += int((outputs.argmax(1) == targets).sum())
        self.seen += len(targets)

    def compute(self):
        return torch.tensor(self.right / self.seen)

    def reset(self):
        self.right, self.seen = 0, 0

    def __call__(self, outputs, targets):
        self.update(outputs, targets)
        return self.compute()

    def __eq__(self, other):
        return Precision()


class Answering:
    """Things of a user's of which nothing may be asked but to be called: an array's `==` and truth are no answer."""

    __hash__ = object.__hash__

    def __init__(self, function):
        self.function = function

    def __call__(self, *arguments):
        return self.function(*arguments)

    def __eq__(self, other):
        raise RuntimeError("compared")

    def __bool__(self):
        raise RuntimeError("asked whether it is true")

    __len__ = __bool__


def test_a_metric_object_judges_whatever_it_answers_to_a_comparison():
    found = made(metric=Precision(), better="max")
    assert found.metric == Metric("Precision", "max", share=False)
    model, batch = found.make_model(0), found.data.test.batch(slice(0, 20))
    right = (model(batch[0]).argmax(1) == batch[1]).double().mean().item()
    for _ in range(2):
        loss, metric = found.measure(model, batch)
        assert metric.item() == pytest.approx(right) != loss.item()
    assert (found.score.right, found.score.seen) == (0, 0), "a batch is judged by itself, and nothing piles up"


def test_nothing_of_a_users_is_compared_or_asked_for_its_truth(tmp_path):
    parts = {"model": Answering(net), "loss": Answering(functional.cross_entropy), "metric": Answering(mean_output)}
    assert made(**parts, better="max").metric.better == "max"
    with pytest.raises(UsageError, match="a task and model, data, loss, metric are given"):
        surefoot.compare(made(), data=(pair(), pair()), store=tmp_path / "r.sqlite", **parts)


def test_a_metric_that_is_called_loss_is_one_beside_the_loss():
    def loss(outputs, targets):
        return (outputs.argmax(1) == targets).double().mean()

    found = made(metric=loss, better="max").metric
    assert (found.name, found.title, found.is_loss) == ("loss", "metric loss", False)
    assert LOSS.title == "loss"
    assert Metric("Loss", "max", share=False).title == "metric Loss", "which is read beside Loss gap"


@pytest.mark.parametrize("metric", [LOSS, Metric(), Metric("loss", "max", share=False), Metric("error", "min")])
def test_a_metric_is_read_as_it_was_stored(metric):
    assert Metric.from_json(metric.to_json()) == metric


def test_older_stores_tell_the_loss_by_its_name():
    stored = {"name": "loss", "better": "min", "share": False}
    assert (LOSS.to_json(), Metric.from_json(stored), Metric.from_json({})) == (stored, LOSS, Metric())


def test_a_model_that_computes_its_own_loss_from_a_dict_is_taken():
    class Output:
        def __init__(self, loss, logits):
            self.loss, self.logits = loss, logits

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 2)

        def forward(self, inputs, labels):
            logits = self.linear(inputs)
            return Output(functional.cross_entropy(logits, labels), logits)

    class Dicts(Dataset):
        def __len__(self):
            return 20

        def __getitem__(self, i):
            return {"inputs": torch.full((3,), float(i)), "labels": i % 2}

    found = made(model=Model, data=(Dicts(), Dicts()), metric="loss")
    loss, _ = found.measure(found.make_model(0), found.data.test.batch(slice(0, 4)))
    assert loss.requires_grad


def test_a_changed_model_loss_or_data_changes_the_fingerprint_and_nothing_else_does():
    first = made().fingerprint
    assert made(name="other").fingerprint == first
    assert made(model=lambda: net()).fingerprint == first
    others = [
        made(model=lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))),
        made(data=(pair(seed=3), pair(20, 1))),
        made(data=(pair(), pair(20, 3))),
        made(loss=lambda out, y: 2 * functional.cross_entropy(out, y)),
    ]
    assert len({first, *(other.fingerprint for other in others)}) == 5


class Noisy(Squares):
    """Examples that are augmented."""

    def __getitem__(self, i):
        return torch.full((3,), float(i)) + torch.rand(3), i % 2


def test_validation_that_is_cut_from_augmented_examples_is_warned_of():
    with pytest.warns(SurefootWarning, match="made with random numbers, as augmented ones are"):
        made(data=(Noisy(), pair(20, 1)))
    made(data=(Noisy(), pair(), pair(20, 1)))  # pytest would raise the warning


class Labels(Squares):
    """Examples of which a span in the middle has another label than it should."""

    def __init__(self, wrong=()):
        self.wrong = wrong

    def __len__(self):
        return 2000

    def __getitem__(self, i):
        return torch.full((3,), float(i)), (i + (i in self.wrong)) % 2


def test_a_change_in_the_middle_of_a_data_set_changes_the_fingerprint():
    first, again, wrong = (made(data=(Labels(span), pair())).fingerprint for span in ((), (), range(900, 960)))
    assert first == again != wrong


class Counted(nn.Module):
    """A model that counts the batches it has seen, by their mode."""

    seen: ClassVar = []

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, inputs):
        self.seen.append((self.training, torch.is_grad_enabled()))
        return self.linear(inputs)


def test_a_batch_of_each_part_is_tried_out_as_it_will_be_used(monkeypatch):
    monkeypatch.setattr(Counted, "seen", [])
    made(model=Counted)
    assert Counted.seen == [(True, True), (False, False), (False, False)]


def test_a_factory_that_sets_its_own_seed_is_warned_of():
    def same():
        torch.manual_seed(0)
        return net()

    with pytest.warns(SurefootWarning, match="the same initial weights for every seed"):
        made(model=same)


def test_a_model_that_starts_from_zeros_is_not():
    def zeros():
        model = nn.Linear(3, 2)
        nn.init.zeros_(model.weight)
        nn.init.zeros_(model.bias)
        return model

    made(model=zeros)  # pytest would raise the warning


def test_a_metric_that_is_never_a_number_is_warned_of():
    def share_of_nothing(outputs, _):
        return outputs[:0, 0].mean()

    with pytest.warns(SurefootWarning, match="its metric, share of nothing, is nan on a batch of each part"):
        made(metric=share_of_nothing, better="max")


def test_layers_that_take_their_size_from_the_first_batch_may_be_used():
    assert made(model=lambda: nn.LazyLinear(2)).fingerprint


SHARED = net()


def zeros():
    """Data of a single class, as it looks to a model with one output."""
    inputs, targets = pair()
    return inputs, torch.zeros_like(targets)


def bce(outputs, targets):
    return functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.float())


class Alone(Dataset):
    """Inputs without targets."""

    def __len__(self):
        return 40

    def __getitem__(self, place):
        return torch.zeros(3)


def listed():
    """Examples as plain lists."""
    return [(inputs.tolist(), int(target)) for inputs, target in zip(*pair(), strict=True)]


def broken():
    raise RuntimeError("no such file: weights.pt")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": SHARED}, "give a function that makes the model"),
        ({"model": lambda: SHARED}, "returns the same weights twice"),
        ({"model": broken}, "raises RuntimeError: no such file: weights.pt"),
        ({"model": lambda: 3}, "returns int; expected a torch module"),
        ({"model": nn.Flatten}, "no parameter that is trained"),
        ({"data": (pair(),)}, "tuple of 1 part; give (train, test)"),
        ({"data": pair()[0]}, "data is a Tensor"),
        ({"data": pair()}, "data is 2 tensors or arrays, where each part needs inputs and targets of its own"),
        ({"data": ([t.numpy() for t in pair()])}, "give ((train_inputs, train_targets), (test_inputs, test_targets))"),
        ({"data": (tuple(t.tolist() for t in pair()), pair())}, "training data is 2 lists; give tensors or arrays"),
        ({"model": lambda: nn.Linear(3, 1), "metric": "loss", "data": (zeros(), zeros())}, "a gradient of zero for"),
        (
            {"model": lambda: nn.Linear(3, 1), "loss": bce, "metric": "accuracy"},
            "one output give better='max' and metric",
        ),
        (
            {"model": lambda: nn.Linear(3, 1), "data": (zeros(), zeros())},
            "accuracy takes the largest of several outputs",
        ),
        ({"data": ((pair()[0], pair(39)[1]), pair())}, "training data: the arrays have [40, 39] rows"),
        ({"data": ((pair()[0][:0], pair()[1][:0]), pair())}, "training data: the arrays are empty"),
        ({"data": (Stream(), pair())}, "can only be read from its start"),
        ({"data": (DataLoader(Stream()), pair())}, "can only be read from its start"),
        ({"data": (pair(), 7)}, "test data is an int"),
        (
            {"data": tuple(t.tolist() for t in pair())},
            "data is 2 lists, where each part needs inputs and targets of its own",
        ),
        ({"data": ([1, 2], [3, 4])}, "data is 2 lists, where each part needs inputs and targets of its own"),
        ({"data": ([1.5, 2.5], pair()[1])}, "data is 2 tensors or arrays, where each part"),
        ({"data": (pair(), pair()[0])}, "test data is a Tensor alone; give a pair of tensors (inputs, targets)"),
        ({"data": (pair(), pair(), pair()[0].numpy())}, "test data is an ndarray alone; give a pair"),
        ({"data": (pair(), [1, 2])}, "test data is a list of int; give a pair of tensors"),
        ({"data": (pair(), (pair()[0], pair()[1].tolist()))}, "test data is a tuple of Tensor and list; give a pair"),
        (
            {"data": (listed(), listed())},
            "A list of numbers in an example becomes a list of tensors, one for each place: give inputs and targets",
        ),
        ({"data": (Alone(), pair(), pair())}, "training data: a batch is a Tensor; expected (inputs, targets)"),
        ({"data": {"train": pair()}}, "data is a dict; give (train, test)"),
        (
            {"model": lambda: nn.Linear(3, 1)},
            "data: Target 1 is out of bounds; the model gets the inputs, the loss and the metric get its outputs and "
            "the targets. Cross-entropy, the default, needs an output for each class",
        ),
        ({"metric": Precision}, "metric is the class Precision; give an object, such as Precision()"),
        ({"metric": ["accuracy", Precision]}, "metric is the class Precision; give an object, such as Precision()"),
        ({"metric": 3}, "metric is an int; give a function of outputs and targets, or a name"),
        ({"metric": ["accuracy", 3]}, "metric is an int; give a function"),
        (
            {"loss": nn.CrossEntropyLoss},
            "loss is the class CrossEntropyLoss; give an object, such as CrossEntropyLoss()",
        ),
        ({"data": (pair(2), pair())}, "too few to keep 10% of them"),
        ({"loss": lambda out, y: functional.cross_entropy(out, y) * float("nan")}, "nan before any training"),
        ({"loss": lambda out, y: functional.cross_entropy(out, y, reduction="none")}, "a tensor of shape (36,)"),
        ({"loss": lambda out, y: functional.cross_entropy(out.detach(), y)}, "has no graph"),
        ({"loss": lambda *_: 0.5}, "its loss is a float"),
        ({"metric": lambda out, _: out.mean()}, "has no direction"),
        ({"metric": "accurracy"}, "Did you mean 'accuracy'"),
        ({"model": lambda: nn.Linear(4, 2)}, "on its first batch of training data"),
        ({"data": (pair(), (pair(20)[0][:, :2], pair(20)[1]))}, "on its first batch of test data"),
        ({"data": (pair(), (pair(9)[0], pair(9)[1] + 2), pair())}, "on its first batch of validation data: Target"),
        ({"data": (pair(), (pair(20)[0] / 0, pair(20)[1]))}, "its loss on the test data is nan before any training"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_what_to_do(changes, words):
    with pytest.raises(UsageError) as refused:
        made(**changes)
    assert words in str(refused.value)


def test_an_example_of_several_inputs_may_have_them_in_a_list():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.of_both = nn.Linear(6, 2)

        def forward(self, inputs):
            return self.of_both(torch.cat(inputs, 1))

    examples = [([inputs, inputs], target) for inputs, target in zip(*pair(), strict=True)]
    assert made(model=Both, data=(examples, examples)).name == "Both"


def test_the_door_is_the_function():
    assert surefoot.task is task
