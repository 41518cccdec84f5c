"""What planned looks come to: as another simulation says, as the test itself decides, and with one look as `power`."""

import numpy as np
import pytest

from surefoot.statistics.intervals import ALPHA
from surefoot.statistics.look_power import course, found_at
from surefoot.statistics.looks import SPENDING, Looks, p_value
from surefoot.statistics.power import permutation_detectable


def planned(at, spending="obrien-fleming"):
    return Looks(at, at[-1], 0, spending, at)


@pytest.mark.parametrize("spending", SPENDING)
@pytest.mark.parametrize("level", [ALPHA, ALPHA / 3])
def test_rows_are_found_at_the_look_at_which_their_p_value_falls_to_the_level(spending, level):
    at = (6, 8, 10)
    gaps = np.random.default_rng(3).normal(0.9, 1, (40, 10)).astype(np.float32).astype(float)
    p = [
        [p_value(row[:n], [0.0] * n, Looks(at[: k + 1], 10, 0, spending, at[: k + 1])) for k, n in enumerate(at)]
        for row in gaps
    ]
    expected = [next((k for k, value in enumerate(row) if value <= level + 1e-12), 3) for row in p]
    assert found_at(gaps, planned(at, spending), level).tolist() == expected


def test_one_look_at_the_end_has_the_power_of_the_permutation_test():
    """Which `power` solves for the difference that is found in 80 % of studies."""
    difference = permutation_detectable(1.0, 10, studies=20_000)
    assert course(planned((10,)), difference, studies=8000).power == pytest.approx(0.8, abs=0.018)
    assert course(planned((10,)), difference).seeds == 10


@pytest.mark.parametrize(
    ("spending", "power", "seeds"),
    [("obrien-fleming", 0.74, (16.8, 13.7, 12.1, 12.0)), ("pocock", 0.68, (15.2, 11.3, 8.7, 8.1))],
)
def test_twenty_seeds_with_looks_at_8_12_16_and_20_go_as_an_independent_simulation_says(spending, power, seeds):
    """Its figures have an error of 1.3 points of power; ours about as much."""
    looks = planned((8, 12, 16, 20), spending)
    assert course(looks, 0.66).power == pytest.approx(power, abs=0.045)
    assert [course(looks, effect).seeds for effect in (0.66, 1.0, 1.5, 2.0)] == pytest.approx(seeds, abs=0.45)


def test_several_pairs_take_more_seeds_and_a_smaller_family_fewer():
    at = planned((10, 11, 12))
    six, three, one = (course(at, 1.5, optimizers=4 if pairs > 1 else 2, pairs=pairs) for pairs in (6, 3, 1))
    assert six.seeds > three.seeds > one.seeds
    assert six.power < three.power <= one.power
    assert course(at, 1.5, optimizers=4, pairs=6, apart=True).seeds >= six.seeds - 0.2


def test_a_study_without_a_difference_goes_to_its_end():
    found = course(planned((8, 10, 12)), 0.0)
    assert found.seeds > 11.7
    assert found.power < 0.05
