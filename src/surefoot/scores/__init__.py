"""The verdict on scores from anywhere: tables, W&B's exports, TensorBoard's folders.

Scores become trials like those of a comparison, so verdict, pairs, report and JSON are the same.

| file | concept |
| --- | --- |
| `judging.py` | from scores to their verdict, for one task and for several |
| `entries.py` | one score with its optimizer, seed and task, and how its cells are read |
| `tables.py` | long and wide tables, W&B's table of runs |
| `charts.py` | W&B's charts, which have a column for each run |
| `run_names.py` | optimizer and seed in the name of a run |
| `tensorboard.py` | a folder of scalars from TensorBoard |
| `looks.py` | the seeds of earlier verdicts, noted beside the file |
"""

from surefoot.scores.judging import judge, judge_any, judge_suite

__all__ = ["judge", "judge_any", "judge_suite"]
