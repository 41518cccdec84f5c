"""The results store: the only bridge between computing and reading.

| file | concept |
| --- | --- |
| `records.py` | what is kept, as plain frozen data |
| `sqlite.py` | `Store`: begin, save and end trials; read them back |
| `connection.py` | open the file: one writer at a time, any number of readers |
| `schema.py` | the tables, their version, and recognising a store |
| `rows.py` | records to rows and back |
| `design.py` | a run's design, and what each of its trials is in it |
| `protocol.py`, `metric.py`, `ranges.py` | how trials are trained, what by they are judged, where is searched |
| `relate.py` | the relation of runs and trials, for stores that were made before it |
| `failures.py` | what SQLite reports, turned into a `StoreError` with advice |
"""

from surefoot.store.design import Design
from surefoot.store.records import RATE_QUANTILES, Epoch, Outcome, Rates, Record, Status
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
]
