"""The results store: the only bridge between computing and reading.

| file | concept |
| --- | --- |
| `records.py` | what is kept, as plain frozen data |
| `sqlite.py` | `Store`: begin, save and end trials; read them back |
| `connection.py` | open the file: one writer at a time, any number of readers |
| `schema.py` | the tables, their version, and recognising a store |
| `rows.py` | records to rows and back |
| `runs.py` | which trials belong together |
| `failures.py` | what SQLite reports, turned into a `StoreError` with advice |
"""

from surefoot.store.records import RATE_QUANTILES, Design, Epoch, Outcome, Rates, Record, Status
from surefoot.store.runs import newest_design, newest_run, one_name_each
from surefoot.store.sqlite import Store

__all__ = [
    "RATE_QUANTILES",
    "Design",
    "Epoch",
    "Outcome",
    "Rates",
    "Record",
    "Status",
    "Store",
    "newest_design",
    "newest_run",
    "one_name_each",
]
