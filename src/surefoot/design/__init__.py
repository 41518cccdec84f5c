"""Decisions before the first trial, and the trials that follow from them.

| file | concept |
| --- | --- |
| `studies.py` | the built-in studies, as data |
| `budget.py` | a budget of time, trials, epochs or seeds, what it can buy, and the time that trials take |
| `trial.py` | all that decides the numbers of one training run, and its key; learning-rate schedules |
| `rounds.py` | the rounds of tuning, decided by results alone |
"""
