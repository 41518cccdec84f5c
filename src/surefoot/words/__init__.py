"""The room that writes every sentence and table about a result; `analysis` hands it labels and numbers.

numbers         how numbers are written        scale           how the values of a metric are
verdict         what the seeds allow to say    warnings        reasons to doubt a ranking
tuning          how optimizers were tuned      notes           how to read the numbers
cells           cells, columns and tables      results         the columns of the result table
pairs           every optimizer with each      tuning_tables   tuning in print, and the ledger
arrivals        when targets were reached      suite           several studies at once
learning_rates  what a range test shows        as_json         all of a study for programs
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
