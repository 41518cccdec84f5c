"""Numbers in, numbers out: every statistic of a comparison. No records and no sentences.

| file | concept |
| --- | --- |
| `argument_checks.py` | checks of numbers that every function makes |
| `intervals.py` | means with intervals, paired differences, Holm's correction |
| `proportions.py` | k of n with its interval, and how often one beats the other |
| `permutation.py` | the paired permutation test |
| `looks.py` | the same test several times while seeds come in, at one alpha |
| `equivalence.py` | equal within a margin, and not worse by it |
| `power.py` | the smallest difference that a number of seeds finds |
| `look_power.py` | how many seeds planned looks take, and what they find |
| `survival.py` | one training curve, the area under it, and when a group of curves reached a target |
| `sensitivity.py` | how far the learning rate may be off |
| `budget_curve.py` | what more trials of tuning buy |
| `suites.py` | several tasks at once: profiles, scores, the interquartile mean |
"""
