"""Metrics of a whole split: F1, AUROC, perplexity are those of all examples, however many are evaluated at a time."""

from collections import OrderedDict
from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import rankdata
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import surefoot
from surefoot.comparison.ask import ask
from surefoot.design.trial import Trial
from surefoot.errors import SurefootWarning, UsageError
from surefoot.options import Options
from surefoot.tasks.custom import task
from surefoot.tasks.metrics import Whole, gauge_of
from surefoot.training.events import EpochDone, Finished
from surefoot.training.loop import Training

pytestmark = pytest.mark.usefixtures("one_thread")


def pair(size, seed, *, ordered=False):
    """Examples of a rare class among others; in order, so that early batches have one class only, if so wished."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((size, 3)).astype(np.float32)
    y = (x[:, 0] + random.standard_normal(size) > 0.8).astype(np.int64)
    order = np.argsort(y, kind="stable") if ordered else slice(None)
    return torch.from_numpy(x[order]), torch.from_numpy(y[order])


def net():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def f1(outputs, targets):
    """By hand, of the class 1: twice the hits over all that are predicted and all that are there."""
    predicted = outputs.argmax(1)
    hits = ((predicted == 1) & (targets == 1)).sum()
    return 2 * hits / ((predicted == 1).sum() + (targets == 1).sum())


def auroc(y_true, y_score):
    """By hand, from ranks, in scikit-learn's spelling; as there, one class has none."""
    positive = np.asarray(y_true) == 1
    ranks, n, m = rankdata(np.asarray(y_score)[:, 1] - np.asarray(y_score)[:, 0]), positive.sum(), (~positive).sum()
    if not n or not m:
        raise ValueError("Only one class present in y_true.")
    return (ranks[positive].sum() - n * (n + 1) / 2) / (n * m)


class Perplexity:
    """With the protocol of torchmetrics' metrics."""

    higher_is_better = False

    def __init__(self):
        self.reset()

    def reset(self):
        self.sum, self.seen = 0.0, 0

    def update(self, outputs, targets):
        self.sum += functional.cross_entropy(outputs, targets, reduction="sum").item()
        self.seen += len(targets)

    def compute(self):
        return torch.tensor(self.sum / self.seen).exp()


def perplexity(outputs, targets):
    return functional.cross_entropy(outputs, targets).exp()


METRICS = {
    "f1": (surefoot.whole(f1), f1, "max"),
    "auroc": (surefoot.whole(auroc), lambda outputs, targets: auroc(targets, outputs.numpy()), "max"),
    "perplexity": (Perplexity(), perplexity, None),
}


def trained(metric, better, test, **changes):
    """A finished training, and what it reported."""
    made = task(model=net, data=(pair(90, 0), pair(70, 1), test), metric=metric, better=better, **changes)
    options = Options(device="cpu", workers=1, only=True, optimizers=("adam(lr=0.05)",), epochs=3, batch_size=7)
    request, heard = ask(made, options), []
    training = Training(Trial("mine", request.arms[0], 0, request.protocol), made, heard.append)
    training.run(None)
    return training, heard


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("ordered", [False, True])
def test_the_metric_is_that_of_the_whole_split(name, ordered):
    metric, by_hand, better = METRICS[name]
    test = pair(60, 2, ordered=ordered)
    training, heard = trained(metric, better, (DataLoader(TensorDataset(*test), batch_size=9)))
    training.model.eval()
    with torch.no_grad():
        outputs = training.model(test[0])
    assert isinstance(heard[-1], Finished)
    assert heard[-1].outcome.test_metric == pytest.approx(float(by_hand(outputs, test[1])), rel=1e-5)
    parts = zip(outputs.split(9), test[1].split(9), strict=True)
    values = []
    for part in parts:
        try:
            values.append(float(by_hand(*part)))
        except ValueError:
            values.append(0.0)
    assert np.mean(values) != pytest.approx(heard[-1].outcome.test_metric, rel=1e-3), "else the test shows nothing"


def test_a_function_of_scikit_learns_kind_is_of_the_whole_split_and_gets_the_targets_first():
    """Also where it is partly called, or is a further metric; its digits are those of float64."""
    by_hand = METRICS["auroc"][1]
    test = pair(61, 2)
    for metric in (auroc, [auroc, partial(auroc)], [f1, partial(auroc)]):
        training, heard = trained(metric, "max", DataLoader(TensorDataset(*test), batch_size=9))
        training.model.eval()
        with torch.no_grad():
            wanted = by_hand(training.model(test[0]), test[1])
        outcome = heard[-1].outcome
        judged = [outcome.test_metric] if metric is auroc or metric[0] is auroc else []
        found = [*judged, *outcome.others.values()]
        assert all(value == pytest.approx(wanted, rel=1e-14) for value in found)


def of_torchmetrics(name):
    """The metric of that library."""
    from torchmetrics.classification import MulticlassAUROC, MulticlassF1Score
    from torchmetrics.text import Perplexity as OfLibrary

    class OfSequences(OfLibrary):
        """Takes sequences of tokens; here each has one."""

        def update(self, outputs, targets):
            super().update(outputs[:, None], targets[:, None])

    made = {
        "f1": lambda: MulticlassF1Score(2),
        "auroc": lambda: MulticlassAUROC(2),
        "perplexity": OfSequences,
    }
    return made[name]()


def macro_f1(outputs, targets):
    return (f1(outputs, targets) + f1(outputs.flip(1), 1 - targets)) / 2


@pytest.mark.frameworks
@pytest.mark.parametrize("name", METRICS)
def test_objects_of_torchmetrics_are_of_the_whole_split(name):
    """They say themselves which way is better, and stay as they were given."""
    metric = of_torchmetrics(name)
    by_hand = macro_f1 if name == "f1" else METRICS[name][1]
    test = pair(61, 2)
    training, heard = trained(metric, None, DataLoader(TensorDataset(*test), batch_size=9))
    training.model.eval()
    with torch.no_grad():
        wanted = float(by_hand(training.model(test[0]), test[1]))
    assert training.task.metric.better == ("min" if name == "perplexity" else "max")
    assert heard[-1].outcome.test_metric == pytest.approx(wanted, rel=1e-6)
    assert metric.update_count == 0


def test_a_metric_of_several_values_is_refused_with_what_to_give():
    class Both(Perplexity):
        def compute(self):
            return {"perplexity": super().compute(), "seen": self.seen}

    with pytest.raises(UsageError, match=r"computes 2 values, perplexity, seen; give them as a list, metric=\[...\]"):
        trained(Both(), "max", pair(60, 2))


def test_training_figures_are_of_the_whole_epoch_too():
    _, heard = trained(*METRICS["auroc"][::2], pair(60, 2))
    for event in heard:
        if isinstance(event, EpochDone):
            assert 0 < event.epoch.train_metric < 1


def test_a_part_without_a_metric_is_a_gap_and_stops_nothing():
    def alone(outputs, targets):
        if len(outputs) == 90:
            raise ValueError("not of these")
        return outputs.mean() + 0 * targets.sum()

    _, heard = trained(surefoot.whole(alone), "max", pair(60, 2))
    epochs = [event.epoch for event in heard if isinstance(event, EpochDone)]
    assert all(np.isnan(epoch.train_metric) and np.isfinite(epoch.validation_metric) for epoch in epochs)
    assert isinstance(heard[-1], Finished)


def test_a_metric_object_tells_which_way_is_better_and_stays_as_it_was():
    metric = Perplexity()
    training, _ = trained(metric, None, pair(60, 2))
    assert training.task.metric.better == "min"
    assert metric.seen == 0
    with pytest.raises(UsageError, match="has no direction"):
        task(model=net, data=(pair(90, 0), pair(60, 2)), metric=surefoot.whole(f1))


def test_outputs_of_many_kinds_are_put_together():
    def shapes(outputs, targets):
        assert outputs["logits"].shape == (5, 2)
        assert outputs["loss"].shape == (2,)
        assert [part.shape[0] for part in outputs["pair"]] == [5, 5]
        assert outputs["logits"].dtype == torch.float32
        return float(len(targets["labels"]))

    found = gauge_of(surefoot.whole(shapes))
    for size in (3, 2):
        rows = torch.zeros(size, 2, dtype=torch.bfloat16, requires_grad=True)
        outputs = OrderedDict(loss=torch.tensor(1.0), logits=rows, pair=(rows, rows))
        found.add((outputs, {"labels": torch.zeros(size)}), size)
    assert found.value() == 5.0


def test_a_metric_that_is_no_mean_and_is_given_as_one_is_warned_of():
    with pytest.warns(SurefootWarning, match=r"its metric, perplexity, is no mean over examples: .*surefoot.whole"):
        task(model=net, data=(pair(90, 0), pair(60, 2)), metric=perplexity, better="min")

    def error(outputs, targets):
        return (outputs[:, 0] - targets).abs().mean()

    task(model=net, data=(pair(90, 0), pair(60, 2)), metric=error, better="min")  # pytest would raise the warning


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (surefoot.whole(lambda outputs, _: outputs), "is (81, 2) numbers; it has to be one"),
        (surefoot.whole(lambda outputs, _: outputs[:, 7].mean()), "raises IndexError on its first batch of training"),
    ],
)
def test_a_metric_that_cannot_be_computed_is_refused_in_the_try_out(metric, words):
    with pytest.raises(UsageError) as refused:
        task(model=net, data=(pair(90, 0), pair(60, 2)), metric=metric, better="max")
    assert words in str(refused.value)


def test_whole_takes_a_function():
    with pytest.raises(UsageError, match="takes a function of all outputs and targets"):
        surefoot.whole("f1")


def error(outputs, targets):
    return (outputs.argmax(1) != targets).float().mean()


def test_of_several_metrics_the_first_judges_and_the_others_are_told():
    metrics = [surefoot.whole(auroc), "accuracy", error, Perplexity()]
    training, heard = trained(metrics, "max", pair(60, 2))
    assert training.task.metric.name == "auroc"
    training.model.eval()
    inputs, targets = pair(60, 2)
    with torch.no_grad():
        outputs = training.model(inputs)
    outcome = heard[-1].outcome
    right = (outputs.argmax(1) == targets).double().mean().item()
    found = {"accuracy": right, "error": 1 - right, "Perplexity": perplexity(outputs, targets).item()}
    assert outcome.others == pytest.approx(found, rel=1e-5)
    assert outcome.test_metric == pytest.approx(auroc(targets, outputs))
    plain = task(model=net, data=(pair(90, 0), pair(60, 2)), metric=surefoot.whole(auroc), better="max")
    more = task(model=net, data=(pair(90, 0), pair(60, 2)), metric=[surefoot.whole(auroc), error], better="max")
    assert plain.fingerprint != more.fingerprint, "so that results without it are not taken for complete ones"


@pytest.mark.usefixtures("workers_here")
def test_further_metrics_are_stored_and_stand_in_the_table(tmp_path):
    settings = {"epochs": 1, "trials": 0, "seeds": 2, "workers": 1, "device": "cpu", "store": tmp_path / "r.sqlite"}
    data = pair(90, 0), pair(70, 1), pair(60, 2)
    study = surefoot.compare(model=net, data=data, metric=["loss", error], optimizers=["sgd"], **settings)
    assert "Test error" in str(study.table())
    again = surefoot.compare(model=net, data=data, metric=["loss", error], optimizers=["sgd"], **settings)
    assert [one.outcome.others for one in again.records] == [one.outcome.others for one in study.records]
    assert "Test error" in study.report(tmp_path / "report.html").read_text(encoding="utf-8")


def partial_of(function, name):
    """A function partly called, under a name of the user's."""
    made = partial(function)
    made.__name__ = name
    return made


@pytest.mark.usefixtures("workers_here")
@pytest.mark.parametrize("name", ["loss", "Loss"])
def test_a_further_metric_that_is_called_loss_has_a_column_beside_the_loss(tmp_path, name):
    seven = partial_of(lambda *_: torch.tensor(7.0), name)
    settings = {"epochs": 1, "trials": 0, "seeds": 2, "workers": 1, "device": "cpu", "store": tmp_path / "r.sqlite"}
    data = pair(90, 0), pair(70, 1), pair(60, 2)
    study = surefoot.compare(model=net, data=data, metric=["accuracy", seven], optimizers=["sgd"], **settings)
    row = study.to_json()["table"][0]
    assert row[f"Test metric {name}"]["value"] == 7.0
    losses = [one.outcome.test_loss for one in study.records if one.label == row["Optimizer"]]
    assert row["Test loss"]["value"] == pytest.approx(np.mean(losses))


def test_a_metric_that_is_named_anew_stands_beside_its_namesake():
    other = Perplexity()
    other.__name__ = "other_one"
    made = task(model=net, data=(pair(90, 0), pair(60, 2)), metric=[Perplexity(), other])
    assert (made.metric.title, *made.others) == ("Perplexity", "other one")


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ([], "metric is an empty list"),
        (["accuracy", "loss"], "a further metric is 'loss'"),
        (["accuracy", error, error], "two metrics are called 'error'; leave one out, or name it anew, as in metric."),
        (["accuracy", "accuracy"], "two metrics are called 'accuracy'"),
        ([Perplexity(), Perplexity()], "two metrics are called 'Perplexity'"),
        ([surefoot.whole(auroc), partial_of(auroc, "auroc")], "two metrics are called 'auroc'"),
    ],
)
def test_several_metrics_that_cannot_be_are_refused(metric, words):
    better = "max" if metric and isinstance(metric[0], Whole) else None
    with pytest.raises(UsageError) as refused:
        task(model=net, data=(pair(90, 0), pair(60, 2)), metric=metric, better=better)
    assert words in str(refused.value)
