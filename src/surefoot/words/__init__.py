"""Every sentence and table about a result. The room `analysis` hands it labels and numbers.

| file | concept |
| --- | --- |
| `numbers.py` | numbers and the values of a metric as text |
| `cells.py` | cells, columns and tables |
| `verdict.py` | the verdict of a study, sentence by sentence |
| `clauses.py` | a pair of the verdict as a clause |
| `looks.py` | planned looks: when they come, and what they decided |
| `notes.py` | how to read the numbers, and reasons to doubt them |
| `results.py` | the result table, and when targets were reached |
| `pairs.py` | every optimizer against every other |
| `ranks.py` | ranks by steps, by seconds and by tuning cost |
| `tuning.py` | the tuning of each optimizer, as tables |
| `glance.py` | a study at a glance: the best, what is level with it, how sure, at what cost |
| `answers.py` | the question of each part of the report, and its answer in one line |
| `suite.py` | several studies together |
| `rate_free.py` | the price of not tuning |
| `forecast.py` | size, time and power of a study before it runs |
| `as_json.py` | a whole study for programs |
"""

from surefoot.words.as_json import as_json, plain
from surefoot.words.cells import Table
from surefoot.words.notes import notes, tuning_warnings, warnings
from surefoot.words.numbers import Written
from surefoot.words.results import table
from surefoot.words.tuning import tuning_table
from surefoot.words.verdict import verdict_text

__all__ = [
    "Table",
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
