"""Rules that stand for others of their form, where what is asked of a front-end does not depend on the formula."""

STANDING = ("sgd", "adam", "adabound", "lion", "nadam", "lars", "schedule_free_adamw", "prodigy")
"""Without state, with it, a rate to measure against, decay of its own, numbers, sums, other weights, one for all."""
