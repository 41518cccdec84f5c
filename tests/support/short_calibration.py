"""A calibration of a few rows: one look of each kind, a margin and a race."""

from surefoot.selfcheck import calibration, joined, margins, planned_looks
from surefoot.selfcheck.seed_models import NORMAL


def few_looks(patch):
    """Leave one of each kind of look, of margin and of race; which rows there are in all is asked of the tables."""
    patch.setattr(margins, "MARGINS", ((NORMAL, 2, (5,)),))
    both = joined.JoinedDesign(NORMAL, (0, joined.EDGE), planned_looks.plan(2, "linear"), late=4)
    patch.setattr(joined, "DESIGNS", (both,))
    patch.setattr(margins, "RACES", ((6, (1.0, 2.0)),))
    patch.setattr(planned_looks, "EQUAL", ((NORMAL, 2, planned_looks.plan(2), 0.0),))
    patch.setattr(planned_looks, "BETTER", ((2, planned_looks.plan(2, "pocock"), 1.5),))


def few_rows(patch):
    """Leave few designs too, one with tuned arms, and one row of seeds that are added."""
    few_looks(patch)
    patch.setattr(calibration, "DESIGNS", ((2, 10, False), (6, 8, True)))
    patch.setattr(calibration, "LOOKED", ((2, (5, 6, 7)),))


def no_rows(patch):
    """Leave the practices alone, which each calibration plays through."""
    for module, names in ((calibration, ("DESIGNS", "LOOKED", "PROMISES")), (planned_looks, ("EQUAL", "BETTER"))):
        for name in names:
            patch.setattr(module, name, ())
    patch.setattr(margins, "MARGINS", ())
    patch.setattr(margins, "RACES", ())
    patch.setattr(joined, "DESIGNS", ())
