"""The room that writes every sentence and table about a result; `analysis` hands it labels and numbers.

| file | concept |
| --- | --- |
| `numbers.py`, `scale.py` | how numbers and the values of a metric are written |
| `cells.py` | cells, columns and tables |
| `verdict.py`, `warnings.py` | what the seeds allow to say, and reasons to doubt a ranking |
| `notes.py` | how to read the numbers |
| `results.py`, `pairs.py`, `arrivals.py` | the result table, every optimizer with each, and when targets were reached |
| `tuning.py`, `tuning_tables.py` | how optimizers were tuned, in sentences and as tables |
| `forecast.py` | what a study would run, before it does |
| `suite.py` | several studies at once |
| `as_json.py` | all of a study for programs |
"""

from surefoot.words.as_json import as_json
from surefoot.words.cells import Cell, Column, Table, Text
from surefoot.words.notes import notes
from surefoot.words.numbers import Unit
from surefoot.words.results import COLUMNS, table
from surefoot.words.scale import Written
from surefoot.words.tuning import tuning_warnings
from surefoot.words.tuning_tables import tuning_table
from surefoot.words.verdict import verdict_text
from surefoot.words.warnings import warnings

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
    "table",
    "tuning_table",
    "tuning_warnings",
    "verdict_text",
    "warnings",
]
