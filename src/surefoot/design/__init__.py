"""What is decided before the first trial: recipe, budget, schedule, rounds, and the trials that follow from them.

| file | concept |
| --- | --- |
| `budget.py` | Budgets: trials |
| `frozen.py` | The design of a study |
| `rounds.py` | The tuned arms of a study |
| `schedule.py` | Learning-rate schedules, the same for every optimizer |
| `studies.py` | The built-in studies: which task, which protocol, which optimizers, as data |
| `trial.py` | A trial: everything that decides the numbers of one training run |
"""
