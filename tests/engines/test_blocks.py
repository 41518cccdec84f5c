"""Numbers in 8 bits: PyTorch and Numba give the oracle's bits, rounding is fair, and what is not finite stays so."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import torch

from eight_bits import LEAST, decode, encode
from half import EXTREME, check_bits
from surefoot.compiler.kernel_plan import BLOCK
from surefoot.engines import pointers
from surefoot.engines.blocks import Blocks, fits
from surefoot.engines.float8 import POSITIVE, SIGNED
from surefoot.errors import UsageError

KEY = 0xDEADBEEF
both = pytest.mark.parametrize("positive", [False, True])


def everything(positive: bool) -> np.ndarray:
    """Blocks of usual numbers, of all exponents, of zeros, denormals and the largest, and of what is not finite."""
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 2**32, 4 * BLOCK, dtype=np.uint32).view(np.float32)
    blocks = [
        rng.normal(size=BLOCK),
        rng.normal(size=BLOCK) * 10.0 ** rng.uniform(-7, 0, BLOCK),
        np.where(np.isfinite(wide), wide, 1.0),
        np.zeros(BLOCK),
        np.full(BLOCK, -0.0),
        rng.integers(-9, 9, BLOCK) * 1e-45,
        rng.normal(size=BLOCK) * 1e-39,
        np.concatenate([[np.finfo(np.float32).max], rng.normal(size=BLOCK - 1) * 1e34]),
        np.concatenate([EXTREME, np.ones(BLOCK - len(EXTREME))]),
        np.concatenate([[np.inf], rng.normal(size=BLOCK - 1)]),
        np.concatenate([rng.normal(size=BLOCK - 1), [np.nan]]),
        [-3.0],
    ]
    x = np.concatenate(blocks).astype(np.float32)
    return abs(x) if positive else x


@numba.njit(error_model="numpy")
def on_numba(x, scales, positive, at_random, codes, out):
    for i in range(len(x)):
        scale = scales[i // 256]
        if positive and at_random:
            codes[i] = pointers.to_positive8(x[i], scale, pointers.random_bits(0, i, KEY, 2))
        elif positive:
            codes[i] = pointers.to_positive8(x[i], scale)
        elif at_random:
            codes[i] = pointers.to_signed8(x[i], scale, pointers.random_bits(0, i, KEY, 2))
        else:
            codes[i] = pointers.to_signed8(x[i], scale)
        out[i] = pointers.from_positive8(codes[i], scale) if positive else pointers.from_signed8(codes[i], scale)


def stored(x: np.ndarray, positive: bool, key: int | None, k: int = 2) -> Blocks:
    """Numbers in 8 bits by PyTorch."""
    made = Blocks.full(torch.tensor(x), 0.0, positive=positive)
    made.write(torch.tensor(x), key, k)
    return made


# One result everywhere


@pytest.mark.parametrize("n", [1, 255, 256, 257, 4097, 10**6])
@pytest.mark.parametrize("key", [None, KEY])
@both
def test_torch_and_numba_give_the_bits_of_the_oracle(positive, key, n):
    x = everything(positive)[:n]
    codes, scales = encode(x, positive, key=key, k=2)
    made = stored(x, positive, key)
    check_bits(made.scales.numpy(), scales)
    check_bits(made.codes.numpy(), codes)
    numbers = decode(codes, scales, positive)
    check_bits(made.read().numpy(), numbers)
    found, out = np.zeros(len(x), np.uint8), np.zeros(len(x), np.float32)
    on_numba(x, scales, positive, key is not None, found, out)
    check_bits(found, codes)
    check_bits(out, numbers)


def test_the_largest_of_a_block_as_numba_finds_it():
    for x, expected in ([1.0, -3.0], 3.0), ([0.0, -0.0], 0.0), ([1e-45], 1e-45), ([np.inf, 1.0], np.nan):
        check_bits(np.float32([pointers.largest(np.float32([*x, 9.0]), len(x))]), np.float32([expected]))
    check_bits(np.float32([pointers.largest(np.float32([1.0, np.nan, 2.0]), 3)]), np.float32([np.nan]))


@both
def test_every_code_is_its_own(positive):
    """What was decoded is encoded to the same code, whatever the random bits: those of the scale itself, at least."""
    codes = torch.arange(256, dtype=torch.uint8)
    full = Blocks(codes, torch.ones(1), positive)
    for key in (None, 1, 2, 3):
        check_bits(stored(full.read().numpy(), positive, key).codes.numpy(), codes.numpy())


def test_constants_are_those_of_the_words():
    assert (SIGNED.least, POSITIVE.least) == (LEAST[False], LEAST[True])
    assert Blocks.of(torch.ones(3), positive=True).codes.tolist() == [255, 255, 255]
    assert Blocks.of(torch.tensor([1.0, -1.0]), positive=False).codes.tolist() == [127, 255]


@pytest.mark.parametrize("start", [0.0, 0.1, -2.0])
def test_a_slot_that_is_everywhere_the_same(start):
    p = torch.zeros(3, 100)
    made, expected = Blocks.full(p, start, positive=False), Blocks.of(torch.full_like(p, start), positive=False)
    assert torch.equal(made.codes, expected.codes)
    assert torch.equal(made.scales, expected.scales)


# What it does to numbers


@both
def test_a_number_changes_by_a_sixteenth_at_most(positive):
    x = everything(positive)[: 2 * BLOCK]
    top = abs(x).reshape(-1, BLOCK).max(1).repeat(BLOCK)
    for key, far in ((None, 1 / 16), (KEY, 1 / 8)):
        made = stored(x, positive, key).read().numpy()
        usual = abs(x) > LEAST[positive] * top
        assert (abs(made - x) <= far * abs(x) * (1 + 1e-6))[usual].all()
        assert (abs(made - x) <= LEAST[positive] * top * (1 + 1e-6))[~usual].all()
        assert (made == x)[abs(x) == top].all()


def test_what_is_never_negative_never_becomes_zero():
    x = np.array([1e30, 1e-30, 1e-45, 0.0], np.float32)
    for key in (None, *range(50)):
        made = stored(x, True, key).read().numpy()
        assert ((made > 0) == (x > 0)).all()


def test_numbers_below_zero_in_a_slot_that_promised_none():
    assert stored(np.float32([2.0, -1.0, -2.0]), True, KEY).read().tolist() == [2.0, 0.0, 0.0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@both
def test_what_is_not_finite_makes_its_block_nan(positive, bad):
    x = np.ones(3 * BLOCK, np.float32)
    x[BLOCK + 7] = bad
    made = stored(x, positive, KEY).read().numpy()
    assert np.isnan(made[BLOCK : 2 * BLOCK]).all()
    assert (made[:BLOCK] == 1).all()
    assert (made[2 * BLOCK :] == 1).all()


KEYS = 300


@pytest.mark.parametrize("x", [0.99, 0.3, -0.07, 3e-4, 1.9e-5, 1e-5, -1e-7])
@both
def test_unbiased(positive, x):
    """The mean over many keys is the number: within 4.5 standard errors of a coin that lands so (7 in a million)."""
    x = abs(x) if positive else x
    row = np.full(4096, x, np.float32)
    row[::BLOCK] = 1.0
    means = [stored(row, positive, key).read().view(-1, BLOCK)[:, 1:].double().mean().item() for key in range(KEYS)]
    step = max(abs(x) / 8, LEAST[positive])
    assert abs(np.mean(means) - float(row[1])) < 4.5 * step / 2 / (4080 * KEYS) ** 0.5


# Memory


LAYOUTS = {
    "channels last": lambda x: x.to(memory_format=torch.channels_last),
    "transposed": lambda x: x.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@both
def test_blocks_follow_memory(layout, positive):
    torch.manual_seed(0)
    x = LAYOUTS[layout](torch.rand(5, 6, 7, 8))
    order = sorted(range(4), key=lambda axis: -x.stride(axis))
    flat = x.permute(order).flatten()
    made, expected = Blocks.of(x, positive=positive), Blocks.of(flat, positive=positive)
    made.write(x, KEY, 3)
    expected.write(flat, KEY, 3)
    assert made.codes.stride() == made.read().stride() == x.stride()
    assert torch.equal(made.scales, expected.scales)
    assert torch.equal(made.read().permute(order).flatten(), expected.read())


@pytest.mark.parametrize(
    ("codes", "scales"),
    [
        (torch.zeros(257, dtype=torch.uint8), torch.zeros(1)),
        (torch.zeros(256, dtype=torch.uint8), torch.zeros(2)),
        (torch.zeros(256), torch.zeros(1)),
        (torch.zeros(256, dtype=torch.uint8), torch.zeros(1, dtype=torch.float64)),
    ],
)
def test_codes_and_scales_that_do_not_belong_together(codes, scales):
    with pytest.raises(UsageError, match="same checkpoint"):
        Blocks(codes, scales, positive=True)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (torch.zeros(4096), True),
        (torch.zeros(4095), False),
        (torch.zeros(64, 64).t(), True),
        (torch.zeros(4, 32, 8, 8).to(memory_format=torch.channels_last), True),
        (torch.zeros(4096, dtype=torch.bfloat16), True),
        (torch.zeros(8192)[::2], False),
        (torch.zeros(64, 128)[:, :64], False),
        (torch.zeros(4096, dtype=torch.complex64), False),
        (torch.zeros(1).expand(4096), False),
        (torch.zeros(64, 64).to_sparse(), False),
    ],
)
def test_which_parameters_can_have_it(x, expected):
    assert fits(x) is expected
