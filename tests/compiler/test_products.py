"""What products of matrices cost is counted from the formula."""

import pytest

from surefoot.compiler.matrix_cost import decomposes, operations
from surefoot.compiler.trace import trace
from surefoot.rule import Step, rule
from surefoot.rules import adam
from surefoot.rules.muon import muon
from surefoot.rules.soap import soap


def graph_of(own, **options):
    return trace(own, own.complete(options))


@pytest.mark.parametrize(("rows", "cols"), [(64, 64), (64, 256), (256, 64), (1, 7)])
def test_muons_are_two_products_with_the_gram_matrix_and_its_square(rows, cols):
    r, c = sorted((rows, cols))
    assert operations(graph_of(muon), rows, cols) == pytest.approx(5 * (4 * r + 2 * r * r / c))


def test_of_a_square_thirty_for_each_row():
    assert operations(graph_of(muon), 1024, 1024) == 30 * 1024


def test_each_polynomial_counts():
    assert operations(graph_of(muon, coefficients=((2.0, -1.5, 0.5),) * 2), 10, 10) == 2 * 6 * 10


@rule(source="this test", shape="matrix")
def on_the_left(g, _state, _t, *, lr=0.1):
    """One product of rows, used twice, and one with it."""
    gram = g @ g.T
    return Step(rate=lr, direction=gram @ g + gram @ g)


def test_a_product_counts_once():
    assert operations(graph_of(on_the_left), 3, 5) == (2 * 3 * 5 * 3 + 2 * 3 * 3 * 5) / 15


def test_rules_without_products_and_with_bases():
    assert operations(graph_of(adam), 3, 5) == 0
    assert not decomposes(graph_of(muon))
    assert decomposes(graph_of(soap))
