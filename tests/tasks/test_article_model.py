"""The article's model equals Keras's, layer by layer in the definition, and its fast ways equal the plain layers."""

import copy
import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from surefoot.tasks.models import article
from surefoot.tasks.models.article import BatchNorm, ConvBlock, Flatten
from surefoot.tasks.models.fast_article import Block, Dense, NormPool, make_model
from surefoot.tasks.models.parts import pixels as as_numbers
from surefoot.training.process import keep_freed_memory

LINE_UP = [  # our parameters and buffers in the order of Keras's `model.weights`
    *("0.conv.weight", "0.conv.bias"),
    *("0.norm.weight", "0.norm.bias", "0.norm.running_mean", "0.norm.running_var"),
    *("0.pooled_norm.weight", "0.pooled_norm.bias", "0.pooled_norm.running_mean", "0.pooled_norm.running_var"),
    *("1.conv.weight", "1.conv.bias"),
    *("1.norm.weight", "1.norm.bias", "1.norm.running_mean", "1.norm.running_var"),
    *("1.pooled_norm.weight", "1.pooled_norm.bias", "1.pooled_norm.running_mean", "1.pooled_norm.running_var"),
    *("3.weight", "3.bias"),
    *("5.weight", "5.bias", "5.running_mean", "5.running_var"),
    *("6.weight", "6.bias"),
]


def images(size=50, seed=0):
    """Like MNIST's: a black background, where many windows of the pooling hold equal values."""
    random = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (size, 28, 28), generator=random, dtype=torch.uint8)
    pixels[:, :9] = 0
    return as_numbers(pixels.unsqueeze(1))


def labels(size=50):
    return torch.randint(0, 10, (size,), generator=torch.Generator().manual_seed(1))


def worn(model, seed=2):
    """The model with parameters as training may leave them: scales of both signs, biases and statistics at random."""
    random = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, BatchNorm):
            sign = torch.randint(0, 2, module.weight.shape, generator=random) * 2 - 1
            module.weight.data = sign * (0.5 + torch.rand(sign.shape, generator=random))
            module.bias.data.normal_(generator=random)
            module.running_mean.normal_(generator=random)
            module.running_var.uniform_(0.5, 2, generator=random)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            module.bias.data.normal_(0, 0.3, generator=random)
    return model


@pytest.fixture(scope="module")
def keras_model():
    """The tutorial's model in Keras, in float64, with the weights of `worn(make_model(3))`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras

    def layer(kind, *args, **kwargs):
        return getattr(keras.layers, kind)(*args, **kwargs, dtype="float64")

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1), dtype="float64"),
            layer("Conv2D", 32, 3, activation="relu"),
            layer("BatchNormalization"),
            layer("MaxPooling2D", 2),
            layer("BatchNormalization"),
            layer("Conv2D", 64, 3, activation="relu"),
            layer("BatchNormalization"),
            layer("MaxPooling2D", 2),
            layer("BatchNormalization"),
            layer("Flatten"),
            layer("Dense", 256, activation="relu"),
            layer("BatchNormalization"),
            layer("Dense", 10),
        ]
    )
    state = worn(make_model(3)).state_dict()
    model.set_weights([as_keras(state[name]) for name in LINE_UP])
    return model


def as_keras(value):
    """Kernels: out x in x row x column to row x column x in x out, out x in to in x out."""
    array = value.detach().numpy()
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T


def in_keras(keras_model, training):
    return np.asarray(keras_model(images().double().permute(0, 2, 3, 1).numpy(), training=training))


def test_the_layers_are_the_tutorials_and_count_433034_numbers():
    plain, fast = article.make_model(0), make_model(0)
    layers = [ConvBlock, ConvBlock, Flatten, nn.Linear, nn.ReLU, BatchNorm, nn.Linear]
    assert [type(layer) for layer in plain] == layers
    assert [type(layer) for layer in fast] == [Block, Block, Flatten, Dense, *layers[4:]]
    assert list(plain.state_dict()) == list(fast.state_dict()) == LINE_UP
    assert sum(value.numel() for value in plain.state_dict().values()) == 433_034
    assert all(torch.equal(*pair) for pair in zip(plain.parameters(), fast.parameters(), strict=True))


def weights(keras_model):
    return [np.asarray(variable.value) for variable in keras_model.weights]


DTYPES = pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-4), (torch.float32, 1e-3)], ids=["plain-float64", "fast-float32"]
)
"""Keras's BatchNorm computes in float32 whatever its dtype, and loses digits where it divides by a small deviation."""


@DTYPES
def test_evaluation_equals_keras(keras_model, dtype, tolerance):
    model = worn(make_model(3)).to(dtype).eval()
    with torch.no_grad():
        ours = model(images().to(dtype))
    np.testing.assert_allclose(ours.numpy(), in_keras(keras_model, training=False), rtol=tolerance, atol=tolerance)


@DTYPES
def test_training_output_and_moving_statistics_equal_keras(keras_model, dtype, tolerance):
    before = weights(keras_model)
    model = worn(make_model(3)).to(dtype).train()
    ours = model(images().to(dtype)).detach()
    theirs = in_keras(keras_model, training=True)
    after = weights(keras_model)
    keras_model.set_weights(before)
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=tolerance, atol=tolerance)
    state = model.state_dict()
    for name, was, now in zip(LINE_UP, before, after, strict=True):
        if "running" in name:
            assert not np.array_equal(was, now)
        np.testing.assert_allclose(as_keras(state[name]), now, rtol=1e-5, atol=1e-6, err_msg=name)


def gradients(blocks, forward, x, grad):
    """Output and gradients of the blocks, in float64."""
    for block in blocks:
        x = forward(block, x)
    x.backward(grad.to(x.dtype))
    results = {"output": x.detach(), **{name: p.grad for name, p in blocks.named_parameters()}}
    results |= dict(blocks.named_buffers())
    return {name: value.double() for name, value in results.items()}


@pytest.fixture(params=[1, 2])
def threads(request):
    """Sums are rounded otherwise with another number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("side", [28, 29, 30, 31])  # even and odd inputs of both poolings
def test_the_fast_ways_are_closer_to_float64_than_plain_float32_layers(side, threads):
    blocks = worn(make_model(4))[:2]
    random = torch.Generator().manual_seed(5)
    x = torch.rand(20, 1, side, side, generator=random)
    grad = torch.randn(ConvBlock.forward(blocks[1], ConvBlock.forward(blocks[0], x)).shape, generator=random)
    exact = gradients(copy.deepcopy(blocks).double(), ConvBlock.forward, x.double(), grad)
    plain = gradients(copy.deepcopy(blocks), ConvBlock.forward, x, grad)
    fast = gradients(copy.deepcopy(blocks), Block.forward, x, grad)
    for name, value in exact.items():
        error, allowed = (fast[name] - value).abs(), (plain[name] - value).abs()
        slack = 1e-6 * value.abs().max()
        assert error.mean() <= allowed.mean() + slack, name
        if threads == 2:  # with one, a window's maximum moves in both, and the largest errors are 445 and 440
            assert error.max() <= allowed.max() + slack, name


def test_of_equal_values_in_a_window_the_first_gets_the_gradient_as_in_torch():
    block = worn(make_model(4))[0]
    random = torch.Generator().manual_seed(8)
    y = torch.randint(-1, 3, (20, 32, 7, 8), generator=random).float().to(memory_format=torch.channels_last)
    grad = torch.randn(20, 32, 3, 4, generator=random)
    ours, theirs = y.clone().requires_grad_(), y.double().requires_grad_()
    copy.deepcopy(block).train_fast(ours).backward(grad)
    copy.deepcopy(block).double().after(theirs).backward(grad.double())
    np.testing.assert_allclose(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", [28, 31])
def test_fast_evaluation_equals_the_plain_layers(side):
    blocks = worn(make_model(4))[:2].eval()
    x = torch.rand(20, 1, side, side, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        fast, plain = blocks(x), copy.deepcopy(blocks).double()(x.double())
    np.testing.assert_allclose(fast, plain, rtol=1e-5, atol=1e-5)


def test_the_fast_ways_are_taken(monkeypatch):
    def refuse(*_):
        raise RuntimeError("plain")

    monkeypatch.setattr(ConvBlock, "after", refuse)
    model = make_model(0)
    assert model[0](images()).grad_fn.name() == NormPool.apply.__self__.__name__ + "Backward"
    with torch.no_grad():
        model.eval()(images())


def test_gradients_in_evaluation_mode_are_those_of_the_plain_layers():
    model = worn(make_model(4)).eval()
    reference = copy.deepcopy(model).double()
    cross_entropy(model(images()), labels()).backward()
    cross_entropy(reference(images().double()), labels()).backward()
    for a, b in zip(model.parameters(), reference.parameters(), strict=True):
        assert (a.grad - b.grad).abs().max() <= 1e-4 * b.grad.abs().max()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_not_finite_reaches_the_loss(bad):
    model = make_model(0)
    model[0].conv.weight.data[3] = bad
    loss = cross_entropy(model(images()), labels())
    assert not loss.isfinite()
    loss.backward()


def test_initial_weights_fill_glorots_range_and_nothing_else():
    state = make_model(0).state_dict()
    for name, fans in {"0.conv": 9 + 9 * 32, "1.conv": 9 * (32 + 64), "3": 1600 + 256, "6": 256 + 10}.items():
        weight, limit = state[f"{name}.weight"], math.sqrt(6 / fans)
        assert 0.95 * limit < weight.abs().max() <= limit
        spread = limit / math.sqrt(3)
        assert abs(weight.std() / spread - 1) < 4 / math.sqrt(weight.numel())
        assert abs(weight.mean()) < 4 * spread / math.sqrt(weight.numel())
        assert not state[f"{name}.bias"].any()


def test_a_seed_gives_its_weights_and_leaves_global_random_numbers_alone():
    before = torch.get_rng_state()
    first, again, other = make_model(1), make_model(1), make_model(2)
    assert torch.equal(before, torch.get_rng_state())
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(first[3].weight, other[3].weight)


def test_a_dense_layer_is_a_linear_layer():
    dense = Dense(300, 70)
    x = torch.randn(40, 300, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(dense(x).detach(), nn.Linear.forward(dense, x).detach(), rtol=1e-5, atol=1e-5)


def test_keeping_freed_memory_is_quiet_where_it_does_not_work(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    assert keep_freed_memory() is False
