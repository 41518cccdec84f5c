"""The way from a request to a finished run: plan, try out, train, count what is left.

| file | concept |
| --- | --- |
| `ask.py` | from the options of a user to a checked request |
| `request.py` | `Request`: from what was asked for to the plan of a run |
| `looks.py` | the looks that a user asks for, and those that a run takes |
| `driver.py` | `Run`: trains what the store does not have yet, round by round |
| `time_budget.py` | what a run has taken so far, and which trials still fit |
| `groups.py` | what the optimizers do with which parameters of the model |
| `try_out.py` | every optimizer is tried out before its first trial and, for a budget in minutes, timed |
| `checkpoints.py` | checkpoints in the store, in a folder or under a URL |
| `forecast.py` | what a study would run, by its plan and the store, and how much of it is left |
"""
