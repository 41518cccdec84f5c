"""Rounding to bfloat16 at random: unbiased, to a neighbour, the same on every engine; and keys that do not repeat."""

import numba
import numpy as np
import pytest
import torch

from half import EXTREME, LARGEST, NANS, at_random, check_bits, murmur, nearest, neighbours
from surefoot.engines import pointers
from surefoot.engines.rounding import key, memory_numbers, stochastic


def everything() -> np.ndarray:
    """Numbers of every exponent, halfway cases, and the extremes; few NaN."""
    bits = np.random.default_rng(0).integers(0, 2**32, 4000, dtype=np.uint32)
    halfway = np.arange(0, 2**32, 2**32 // 999, dtype=np.uint32) & np.uint32(0xFFFF0000) | np.uint32(0x8000)
    found = np.concatenate([bits, halfway]).view(np.float32)
    return np.concatenate([found[~np.isnan(found)], EXTREME])


@numba.njit
def to_nearest(x, out):
    for i in range(len(x)):
        out[i] = pointers.to_bfloat16(x[i])


@numba.njit
def to_neighbour(x, first, seed, k, out):
    for i in range(len(x)):
        out[i] = pointers.to_bfloat16_at_random(x[i], pointers.random_bits(first, i, seed, k))


@numba.njit
def through_float16(x, out, bits):
    for i in range(len(x)):
        bits[i] = pointers.to_float16(x[i])
        out[i] = pointers.from_float16(bits[i])


def from_bits(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def on_numba(x: np.ndarray, first: int, seed: int, k: int) -> np.ndarray:
    bits = np.zeros(len(x), np.uint16)
    to_neighbour(x, first, seed, k, bits)
    return from_bits(bits)


# One result everywhere


def test_to_nearest():
    x = everything()
    bits = np.zeros(len(x), np.uint16)
    to_nearest(x, bits)
    check_bits(from_bits(bits), nearest(x))
    check_bits(torch.tensor(x).bfloat16().float().numpy(), nearest(x))


@pytest.mark.parametrize("k", [0, 1, 5])
@pytest.mark.parametrize("seed", [0, 1, 0xDEADBEEF, 2**32 - 1])
def test_torch_and_numba_give_the_bits_of_the_oracle(seed, k):
    x = everything()
    expected = at_random(x, np.arange(len(x)), seed, k)
    check_bits(stochastic(torch.tensor(x), seed, k).float().numpy(), expected)
    check_bits(on_numba(x, 0, seed, k), expected)


def test_numbers_beyond_32_bits():
    x, first = everything(), 3 * 2**32 - 7
    numbers = first + np.arange(len(x))
    expected = at_random(x, numbers, 5, 1)
    check_bits(stochastic(torch.tensor(x), 5, 1, torch.tensor(numbers)).float().numpy(), expected)
    check_bits(on_numba(x, first, 5, 1), expected)


def test_every_nan_stays_one():
    bits = np.zeros(len(NANS), np.uint16)
    to_nearest(NANS, bits)
    assert np.isnan(from_bits(bits)).all()
    for seed in range(50):
        assert stochastic(torch.tensor(NANS), seed, 0).isnan().all()
        assert np.isnan(on_numba(NANS, 0, seed, 0)).all()


@pytest.mark.skipif(not pointers.has_float16(), reason="this processor does not convert float16")
def test_float16():
    x = np.concatenate([everything(), NANS])
    out, bits = np.zeros(len(x), np.float32), np.zeros(len(x), np.uint16)
    through_float16(x, out, bits)
    with np.errstate(over="ignore", invalid="ignore"):
        check_bits(out, x.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize(
    ("triple", "features", "has"),
    [
        ("x86_64-unknown-linux-gnu", "+avx,+f16c,-fma", True),
        ("x86_64-unknown-linux-gnu", "+avx,-f16c,+fma", False),
        ("x86_64-unknown-linux-gnu", "", False),
        ("aarch64-unknown-linux-gnu", "", True),
        ("arm64-apple-darwin", "", True),
        ("powerpc64le-unknown-linux-gnu", "", False),
    ],
)
def test_has_float16(triple, features, has, monkeypatch):
    codegen = type(pointers.cpu_target.target_context.codegen())
    monkeypatch.setattr(codegen, "magic_tuple", lambda _: (triple, "some-cpu", features))
    assert pointers.has_float16() is has


# What it does to numbers


def test_a_neighbour_or_the_number_itself():
    x = everything()
    x = x[np.isfinite(x)]
    below, beyond = neighbours(x)
    for seed in range(30):
        made = stochastic(torch.tensor(x), seed, 0).float().numpy()
        assert (((made == below) & (x != beyond)) | ((made == beyond) & (x != below))).all()
        exact = x == below
        check_bits(made[exact], x[exact])  # -0.0, denormals and the largest finite number among them


def test_infinities_and_the_largest_number_stay():
    x = torch.tensor([np.inf, -np.inf, LARGEST, -LARGEST])
    for seed in range(100):
        assert torch.equal(stochastic(x, seed, 0).float(), x)


KEYS = 4000


@pytest.mark.parametrize("x", [1.001, -1.001, 0.9999, 1 + 2**-8, 3e-39, 1e-40, -2.5e38])
def test_unbiased(x):
    """The mean over many keys is the number: within 4.5 standard errors of a coin that lands so (7 in a million)."""
    x32 = np.full(64, x, np.float32)
    sums = [stochastic(torch.tensor(x32), key(1, 2, t), 0).double().mean().item() for t in range(KEYS)]
    below, beyond = (float(side[0]) for side in neighbours(x32))
    step, x = beyond - below, float(x32[0])
    odds = (x - below) / step
    error = abs(step) * (odds * (1 - odds) / (64 * KEYS)) ** 0.5
    assert 0 < odds < 1
    assert abs(np.mean(sums) - x) < 4.5 * error


def test_bits_of_neighbouring_weights_arrays_and_steps_are_independent():
    """Halfway between two numbers, each rounding is a coin; any two of them agree half of the time."""
    x = torch.full((1 << 16,), 1 + 2**-8)

    def coins(seed: int, k: int) -> torch.Tensor:
        return (stochastic(x, seed, k) > 1).double()

    one = coins(key(0, 0, 1), 0)
    pairs = {
        "next weight": (one[1:], one[:-1]),
        "next array": (one, coins(key(0, 0, 1), 1)),
        "next step": (one, coins(key(0, 0, 2), 0)),
        "next parameter": (one, coins(key(0, 1, 1), 0)),
        "next seed": (one, coins(key(1, 0, 1), 0)),
    }
    for name, (a, b) in pairs.items():
        agreement = (a == b).double().mean().item()
        assert abs(agreement - 0.5) < 4.5 * 0.5 / len(a) ** 0.5, name


def test_autograd_sees_a_conversion():
    x = torch.linspace(0, 1, 9, requires_grad=True)
    made = stochastic(x, 1, 0)
    made.float().mul(torch.arange(9.0)).sum().backward()
    assert made.dtype == torch.bfloat16
    assert torch.equal(x.grad, torch.arange(9.0))


# Keys


def test_a_key_is_32_bits_that_depend_on_everything():
    keys = [key(seed, parameter, t) for seed in range(20) for parameter in range(20) for t in range(1, 21)]
    assert all(type(k) is int and 0 <= k < 2**32 for k in keys)
    assert len(set(keys)) >= len(keys) - 3  # of 8,000 numbers of 32 bits, 0.007 pairs are the same by chance
    assert key(0, 0, 1) != key(0, 1, 0) != key(1, 0, 0)
    assert key(-1, 2**70, 10**15) == key(-1, 2**70, 10**15)


def test_keys_stay():
    """A run that is continued with a newer version goes on with the same numbers."""
    assert [key(0, 0, 1), key(1, 2, 3), key(2**63, 10_000, 10**6)] == [791848836, 3497215824, 3186057773]


def test_murmur_is_murmur():
    """Values of the published finalizer."""
    assert [murmur(x) for x in (0, 1, 0xFFFFFFFF)] == [0, 0x514E28B7, 0x81F16F39]


# Numbers of weights


def test_dense_tensors_are_numbered_by_their_place_in_memory():
    x = torch.empty(2, 3, 4, 5)
    for y in (x, x.to(memory_format=torch.channels_last), x.permute(3, 1, 0, 2), x[0, 0, 0], torch.tensor(1.0)):
        at = torch.arange(y.untyped_storage().nbytes() // 4) - y.storage_offset()
        assert torch.equal(memory_numbers(y), at.as_strided(y.shape, y.stride(), y.storage_offset()))


def test_other_tensors_are_numbered_in_the_order_of_memory():
    sliced = torch.empty(6, 8)[::2, 1::3]
    assert memory_numbers(sliced).flatten().tolist() == list(range(9))
    assert memory_numbers(sliced.t()).t().flatten().tolist() == list(range(9))
    assert memory_numbers(torch.empty(3).expand(2, 3)).tolist() == [[0, 2, 4], [1, 3, 5]]
    assert memory_numbers(torch.empty(0, 3)).shape == (0, 3)


def test_an_axis_of_one_has_no_say():
    x = torch.empty(4, 5)
    for strides in ((1, 5, 1), (999, 5, 1), (0, 5, 1)):
        assert torch.equal(memory_numbers(x.as_strided((1, 4, 5), strides))[0], memory_numbers(x))


def test_equal_strides_count_the_last_axis_first():
    assert memory_numbers(torch.empty(1).as_strided((2, 3), (0, 0))).tolist() == [[0, 1, 2], [3, 4, 5]]
