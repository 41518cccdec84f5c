"""Bases of eigenvectors, and what is computed at every k-th step only: the same on every kind of array."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from keras_backends import on_each_backend
from surefoot import mathops
from surefoot.bundle import Bundle
from surefoot.mathops import eigenbasis, every

RNG = np.random.default_rng(0)
SQUARE, WIDE, TALL = RNG.standard_normal((5, 5)), RNG.standard_normal((4, 6)), RNG.standard_normal((6, 4))
DEAD = TALL * np.array([[1.0], [1.0], [0.0], [1.0], [0.0], [1.0]])
"""Two rows without any gradient, as of units that are never active."""

FEW_ULP = 2.0**-45
MAKE = {
    "numpy64": lambda x: np.array(x),
    "numpy32": lambda x: np.array(x, np.float32),
    "torch64": lambda x: torch.tensor(x),
    "torch32": lambda x: torch.tensor(x, dtype=torch.float32),
}


def gram(g: np.ndarray) -> np.ndarray:
    return g @ g.T


def first(x):
    return np.asarray(eigenbasis(x, 0 * x))


def by_hand(x: np.ndarray) -> np.ndarray:
    """The first basis from a singular value decomposition, direction by direction."""
    u, size, _ = np.linalg.svd(x)
    known, zero = u[:, size > 1e-12 * size[0]], u[:, size <= 1e-12 * size[0]]
    roots = np.sqrt(np.arange(1, len(x) + 1))
    _, turn = np.linalg.eigh(zero.T @ np.diag(roots) @ zero)
    made = np.concatenate([known, zero @ turn], axis=1)
    return made * np.sign(roots @ made)


@pytest.mark.parametrize("g", [SQUARE, WIDE, TALL, DEAD, 0 * TALL], ids=["square", "wide", "tall", "dead", "zero"])
@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_the_first_basis_is_complete_and_the_same_on_every_kind_of_array(make, g):
    x = make(gram(g))
    made = first(x)
    single = "32" in str(x.dtype)
    assert str(made.dtype) == f"float{32 if single else 64}"
    np.testing.assert_allclose(made, by_hand(gram(g)), rtol=0, atol=1e-4 if single else 1e-12)


def test_the_first_basis_does_not_hang_on_how_what_is_zero_was_cut_up():
    """Another matrix that makes the same directions zero, as another machine's rounding would, gives the same ones."""
    u, _, _ = np.linalg.svd(TALL)
    other = gram(u[:, :4] * np.array([4.0, 3.0, 2.0, 1.0]))
    np.testing.assert_allclose(first(gram(TALL))[:, 4:], first(other)[:, 4:], rtol=0, atol=1e-12)


def test_dead_rows_have_directions_of_their_own():
    made = first(gram(DEAD))
    np.testing.assert_allclose(made[:, 4:], np.eye(6)[:, [2, 4]], rtol=0, atol=1e-14)


def test_the_next_basis_is_one_step_of_power_iteration_with_each_column_in_its_place():
    x, basis = gram(SQUARE), np.linalg.qr(RNG.standard_normal((5, 5)))[0]
    order = np.argsort(-np.diag(basis.T @ x @ basis))
    assert (order != range(5)).any()
    made = eigenbasis(x, basis)
    q = np.linalg.qr(x @ basis[:, order])[0]
    np.testing.assert_allclose(abs(made[:, order]), abs(q), rtol=0, atol=FEW_ULP)
    np.testing.assert_allclose(np.asarray(eigenbasis(torch.tensor(x), torch.tensor(basis))), made, atol=FEW_ULP)
    for _ in range(300):
        basis = eigenbasis(x, basis)
    near = basis.T @ x @ basis
    np.testing.assert_allclose(near, np.diag(np.diag(near)), atol=1e-12 * np.abs(near).max())


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
@pytest.mark.parametrize("basis", [0.0, 1.0])
def test_of_what_is_no_number_nothing_is_raised(make, basis):
    """A training that diverges has weights that are no numbers, and goes on."""
    for wrong in (np.nan, np.inf):
        x = make(gram(SQUARE))
        x[0, 0] = wrong
        assert np.isnan(np.asarray(eigenbasis(x, basis * make(np.eye(5))))).all()


@on_each_backend
def test_on_keras_s_backends():
    import keras

    for g in (SQUARE, DEAD):
        x = gram(g).astype("float32")
        tensor = keras.ops.convert_to_tensor(x)
        made = eigenbasis(tensor, 0 * tensor)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(made), by_hand(x.astype("float64")), atol=1e-4)
        again = keras.ops.convert_to_numpy(eigenbasis(tensor, made))
        np.testing.assert_allclose(again.T @ again, np.eye(len(x)), atol=1e-5)


def test_in_a_program_of_jax():
    import jax

    step = jax.jit(lambda x, basis, t: every(3.0, t - 1, lambda: eigenbasis(x, basis), basis))
    x = gram(TALL).astype("float32")
    made = 0 * x
    for t in range(1, 8):
        before, made = made, np.asarray(step(x, made, float(t)))
        assert (made != before).any() == (t in (1, 4, 7))
    np.testing.assert_allclose(made.T @ made, np.eye(6), atol=1e-5)


@pytest.mark.parametrize("count", [int, float, lambda t: torch.tensor(t, dtype=torch.float64)])
def test_what_is_not_due_is_not_computed(count):
    asked = []

    def new() -> np.ndarray:
        asked.append(t)
        return np.full(2, float(t))

    kept = np.zeros(2)
    for t in range(7):
        kept = every(3, count(t), new, kept)
        assert kept.tolist() == [t // 3 * 3.0] * 2
    assert asked == [0, 3, 6]


def test_members_of_a_bundle_are_due_by_their_own_counts():
    old = Bundle([np.zeros(2), np.zeros(3)])
    made = every(2, Bundle([4, 5]), lambda: old + 1.0, old)
    assert [x.tolist() for x in made.members] == [[1.0, 1.0], [0.0, 0.0, 0.0]]
    pair = Bundle([gram(SQUARE), gram(TALL)])
    for x, basis in zip(pair.members, eigenbasis(pair, 0 * pair).members, strict=True):
        np.testing.assert_array_equal(basis, eigenbasis(x, 0 * x))


first_on_numpy = partial(test_the_first_basis_is_complete_and_the_same_on_every_kind_of_array, np.array, TALL)
FAULTS = {
    "what is zero as it comes": ("_counted", lambda x: 0 * x, first_on_numpy),
    "signs as they come": ("_signed", lambda x: x, first_on_numpy),
    "columns as they stand": (
        "_columns",
        lambda x, _: x,
        test_the_next_basis_is_one_step_of_power_iteration_with_each_column_in_its_place,
    ),
    "always due": ("either", lambda _, new, __: new(), partial(test_what_is_not_due_is_not_computed, int)),
}


@pytest.mark.parametrize(("name", "wrong", "comparison"), FAULTS.values(), ids=FAULTS)
def test_the_comparison_catches_a_fault(name, wrong, comparison, monkeypatch):
    monkeypatch.setattr(mathops, name, wrong)
    with pytest.raises(AssertionError):
        comparison()
