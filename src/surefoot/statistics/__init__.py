"""Numbers in, numbers out: every statistic of a comparison. No records, no labels, no sentences.

| file | concept |
| --- | --- |
| `budget_curve.py` | What tuning buys |
| `checks.py` | What every function of the analysis asks of its numbers |
| `interquartile.py` | The interquartile mean over all runs of all tasks, with a stratified bootstrap |
| `intervals.py` | Means with intervals, paired differences, and Holm's correction |
| `permutation.py` | The paired permutation test |
| `power.py` | What a number of seeds can see |
| `profiles.py` | Several problems at once: who is how much slower than the fastest |
| `proportions.py` | A proportion seen in a sample, with its interval |
| `superiority.py` | How often one optimizer beats the other with the same seed, which needs no unit and no mean |
"""
