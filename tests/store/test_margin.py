"""A margin as users give it, as designs keep it, and as it is given again."""

from dataclasses import replace

import pytest

from samples import DESIGN
from surefoot.errors import UsageError
from surefoot.store.design import Design
from surefoot.store.margin import Margin, read_margin
from surefoot.store.protocol import LOSS, Metric


@pytest.mark.parametrize(
    ("given", "metric", "margin"),
    [
        (None, Metric(), None),
        (0.3, Metric(), Margin(0.003)),
        ("0.3", Metric(), Margin(0.003)),
        (1, Metric(), Margin(0.01)),
        (0.01, LOSS, Margin(0.01)),
        ("2%", LOSS, Margin(0.02, relative=True)),
        (" 2.5 % ", LOSS, Margin(0.025, relative=True)),
    ],
)
def test_points_of_a_share_and_a_number_or_a_part_of_anything_else(given, metric, margin):
    found = read_margin(given, metric)
    assert found == margin
    assert found is None or read_margin(found.given(share=metric.share), metric) == found


@pytest.mark.parametrize("given", [0, -1, "0%", "wide", "", "nan", "inf", "2%%", "%", True, "2 pp"])
def test_what_is_no_margin_is_refused_with_what_is_one(given):
    with pytest.raises(UsageError, match=r"margin is .*give a difference in loss above 0, such as 0.01, or a part"):
        read_margin(given, LOSS)


def test_a_share_has_points_and_no_per_cent():
    with pytest.raises(UsageError, match=r"margin is '2%', and accuracy is a share itself; give points .* without %"):
        read_margin("2%", Metric())
    with pytest.raises(UsageError, match=r"give points of accuracy above 0, such as 0\.3"):
        read_margin("x", Metric())


def test_a_part_is_of_the_mean_of_both_scores():
    assert Margin(0.02, relative=True).of(1.0, 3.0) == 0.04
    assert Margin(0.02, relative=True).of(-1.0, -3.0) == 0.04
    assert Margin(0.02).of(1.0, 3.0) == 0.02


@pytest.mark.parametrize("margin", [None, Margin(0.003), Margin(0.02, relative=True)])
def test_a_design_keeps_it_and_without_one_is_as_it_was(margin):
    design = replace(DESIGN, margin=margin)
    kept = design.to_json()
    assert ("margin" in kept) == (margin is not None)
    columns = {name: getattr(design, name) for name in ("hash", "study", "frozen", "seconds")}
    assert Design.from_json(kept, **columns).margin == margin
