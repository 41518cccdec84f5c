"""The room that writes every sentence and table about a result; `analysis` hands it labels and numbers.

| file | concept |
| --- | --- |
| `numbers.py` | how numbers and the values of a metric are written |
| `cells.py` | cells, columns and tables |
| `verdict.py` | what the seeds allow to say |
| `looks.py` | planned looks: when they are, and what they decided |
| `notes.py` | how to read the numbers, and reasons to doubt them |
| `results.py` | the result table, and when targets were reached |
| `pairs.py` | every optimizer with each |
| `ranks.py` | by steps, by seconds, by tuning cost |
| `tuning.py` | how each optimizer was tuned, as tables |
| `answers.py` | what each part of the report asks, and its answer in one line |
| `suite.py` | several studies at once |
| `rate_free.py` | what not tuning costs |
| `forecast.py` | what a study would run, before it does |
| `as_json.py` | all of a study for programs |
"""

from surefoot.words.as_json import as_json, plain
from surefoot.words.cells import Cell, Column, Table, Text
from surefoot.words.notes import notes, tuning_warnings, warnings
from surefoot.words.numbers import Unit, Written
from surefoot.words.results import COLUMNS, table
from surefoot.words.tuning import tuning_table
from surefoot.words.verdict import verdict_text

__all__ = [
    "COLUMNS",
    "Cell",
    "Column",
    "Table",
    "Text",
    "Unit",
    "Written",
    "as_json",
    "notes",
    "plain",
    "table",
    "tuning_table",
    "tuning_warnings",
    "verdict_text",
    "warnings",
]
