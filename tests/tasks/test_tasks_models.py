"""The built-in tasks' models: size by arithmetic, first loss near theory, seeds that repeat, and that they learn."""

import math

import numpy as np
import pytest
import torch

from surefoot.design.studies import STUDIES
from surefoot.tasks import TASKS, make_task
from surefoot.tasks.models.fmnist_2c2d import CUT, DEVIATION
from surefoot.tasks.models.quadratic import hessian
from surefoot.tasks.models.surfaces import REACH, SURFACES

DENSE = {"logreg-digits": [(784, 10)], "mlp-mnist": [(784, 128), (128, 64), (64, 10)]}
DENSE["vae-mnist"] = [(784, 256), (256, 16), (8, 256), (256, 784)]
PARAMETERS = {name: sum((inputs + 1) * outputs for inputs, outputs in layers) for name, layers in DENSE.items()}
PARAMETERS["fmnist-2c2d"] = (25 + 1) * 32 + (32 * 25 + 1) * 64 + (7 * 7 * 64 + 1) * 1024 + (1024 + 1) * 10
PARAMETERS["quadratic-deep"] = 100
BLOCK = 2 * 2 * 96 + 97 * 3 * 96 + 97 * 96 + 97 * 4 * 96 + (4 * 96 + 1) * 96
PARAMETERS["char-lm"] = (62 + 64) * 96 + 2 * BLOCK + 2 * 96 + 97 * 62
PARAMETERS |= dict.fromkeys(SURFACES, 2)

OURS = [name for name in TASKS if name != "article"]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def tasks(mnist_read_once):  # noqa: ARG001  it is at work while they are made
    """Every task, on at most 2,000 images; MNIST stands in for Fashion-MNIST, which is not in the package."""
    made = {}
    for name in OURS:
        dataset = STUDIES[name].dataset.removeprefix("fashion-")
        size = 2000 if dataset == "mnist" else None
        made[name] = make_task(name, dataset, size=size, validation=STUDIES[name].validation)
    return made


def evaluate(task, model, count=100):
    with torch.no_grad():
        return [value.item() for value in task.measure(model.eval(), task.data.test.batch(slice(0, count)))]


def train(task, model, optimizer, steps, batch_size=32):
    torch.manual_seed(0)
    model.train()
    random = np.random.default_rng(0)
    for _ in range(steps):
        batch = task.data.train.batch(torch.from_numpy(random.integers(0, len(task.data.train), batch_size)))
        optimizer.zero_grad()
        loss, metric = task.measure(model, batch)
        assert not metric.requires_grad
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize("name", OURS)
def test_parameters_are_counted_by_arithmetic(tasks, name):
    assert sum(p.numel() for p in tasks[name].make_model(0).parameters()) == PARAMETERS[name]


def test_the_published_network_has_3_274_634_parameters():
    assert PARAMETERS["fmnist-2c2d"] == 3_274_634


@pytest.mark.parametrize("name", OURS)
def test_a_seed_gives_its_weights_and_leaves_global_random_numbers_alone(tasks, name):
    before = torch.get_rng_state()
    first, again, other = (tasks[name].make_model(seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(value, again[key]) for key, value in first.items())
    same = all(torch.equal(value, other[key]) for key, value in first.items())
    assert same == (name in ("quadratic-deep", "logreg-digits"))  # where every seed starts at the same weights


@pytest.mark.parametrize("name", OURS)
def test_evaluation_gives_the_same_loss_twice(tasks, name):
    model = tasks[name].make_model(0)
    assert evaluate(tasks[name], model) == evaluate(tasks[name], model)


@pytest.mark.parametrize(
    ("name", "theory", "tolerance"),
    [
        ("logreg-digits", math.log(10), 1e-6),
        ("mlp-mnist", math.log(10), 0.3),
        ("fmnist-2c2d", math.log(10), 0.3),
        ("char-lm", math.log(62), 0.1),
        ("vae-mnist", 784 * math.log(2), 0.15 * 784 * math.log(2)),
        ("quadratic-deep", 353.447, 5e-4),
    ],
)
def test_the_first_loss_is_that_of_guessing(tasks, name, theory, tolerance):
    count = 1000 if name == "quadratic-deep" else 100
    assert evaluate(tasks[name], tasks[name].make_model(0), count)[0] == pytest.approx(theory, abs=tolerance)


@pytest.mark.parametrize(
    ("name", "lr", "steps", "share"),
    [
        ("logreg-digits", 1e-2, 40, 0.5),
        ("mlp-mnist", 1e-3, 60, 0.5),
        ("fmnist-2c2d", 1e-3, 10, 0.8),
        ("vae-mnist", 1e-3, 60, 0.5),
        ("char-lm", 3e-3, 15, 0.8),
        ("quadratic-deep", 4e-2, 100, 0.4),
        ("rosenbrock", 1e-1, 300, 0.5),
        ("beale", 1e-1, 300, 0.5),
        ("booth", 1e-1, 300, 0.1),
        ("zakharov", 1e-1, 300, 0.1),
    ],
)
def test_a_plain_loop_with_torchs_adam_learns(tasks, name, lr, steps, share):
    task = tasks[name]
    model = task.make_model(0)
    loss, metric = evaluate(task, model)
    train(task, model, torch.optim.Adam(model.parameters(), lr), steps)
    trained_loss, trained_metric = evaluate(task, model)
    assert trained_loss < share * loss
    assert (trained_metric - metric) * task.metric.sign > 0


def test_weights_of_2c2d_are_cut_off_at_two_deviations(tasks):
    """A normal distribution that is cut off there has 0.8796 of its deviation."""
    for name, value in tasks["fmnist-2c2d"].make_model(0).named_parameters():
        if name.endswith("bias"):
            assert (value == 0.05).all()
        else:
            assert 0.98 * CUT < value.abs().max() <= CUT
            assert value.std().item() == pytest.approx(
                0.8796 * DEVIATION, abs=4 * DEVIATION / math.sqrt(2 * value.numel())
            )


def test_the_quadratics_loss_is_its_formula_in_float64(tasks):
    data, h = tasks["quadratic-deep"].data.test.arrays[0].astype(np.float64), hessian()
    away = 1 - data
    expected = np.einsum("ni,ij,nj->n", away, h, away).mean() / 2
    assert evaluate(tasks["quadratic-deep"], tasks["quadratic-deep"].make_model(0), 896)[0] == pytest.approx(expected)
    assert round(expected, 3) == 353.447


def test_the_transformer_sees_nothing_that_comes_later(tasks):
    model = tasks["char-lm"].make_model(0).eval()
    rows = tasks["char-lm"].data.test.arrays[0][:4, :-1]
    codes = torch.from_numpy(rows).long()
    changed = codes.clone()
    changed[:, 40:] = (changed[:, 40:] + 1) % 62
    with torch.no_grad():
        before, after = model(codes), model(changed)
    assert torch.allclose(before[..., :40], after[..., :40], atol=1e-6)
    assert not torch.allclose(before[..., 40:], after[..., 40:], atol=1e-3)


def test_bits_per_character_are_the_loss_by_log_two(tasks):
    loss, bits = evaluate(tasks["char-lm"], tasks["char-lm"].make_model(0))
    assert bits == pytest.approx(loss / math.log(2))


def test_the_autoencoder_draws_in_training_and_follows_torchs_global_seed(tasks):
    task = tasks["vae-mnist"]
    model, batch = task.make_model(0).train(), task.data.train.batch(slice(0, 8))

    def loss(seed):
        torch.manual_seed(seed)
        return task.measure(model, batch)[0].item()

    assert loss(1) == loss(1)
    assert loss(1) != loss(2)


def test_the_autoencoders_divergence_is_torchs_own(tasks):
    from torch.distributions import Bernoulli, Normal, kl_divergence

    task = tasks["vae-mnist"]
    model, batch = task.make_model(0).eval(), task.data.test.batch(slice(0, 50))
    ink = (batch[0].flatten(1) > 127).float()
    with torch.no_grad():
        logits, mean, log_variance = model(ink)
        divergence = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1)
        expected = (divergence - Bernoulli(logits=logits).log_prob(ink).sum(1)).mean()
        assert task.measure(model, batch)[0].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_is_zero_at_its_minimum_and_above_it_elsewhere(name):
    surface = SURFACES[name]
    assert surface.function(*surface.minimum) == 0
    x, y = np.meshgrid(np.linspace(-6, 6, 241), np.linspace(-6, 6, 241))
    height = surface.function(x, y)
    away = np.hypot(x - surface.minimum[0], y - surface.minimum[1])
    assert (height[away > 1e-9] > 0).all()


@pytest.mark.parametrize("name", SURFACES)
def test_seeds_start_in_a_square_about_the_classical_point(tasks, name):
    starts = torch.stack([tasks[name].make_model(seed).place.detach() for seed in range(40)])
    away = (starts - torch.tensor(SURFACES[name].start)).abs()
    assert away.max() <= REACH
    assert away.max() > 0.8 * REACH


def test_a_surfaces_metric_is_the_distance_to_its_minimum(tasks):
    model = tasks["booth"].make_model(0)
    model.place.data = torch.tensor([4.0, 7.0])
    height, distance = evaluate(tasks["booth"], model)
    assert (height, distance) == (11.0**2 + 10.0**2, 5.0)
