"""The results store: the only bridge between computing and reading.

| file | concept |
| --- | --- |
| `records.py` | a trial's results, as plain frozen data |
| `design.py` | what a run was asked for, and what each of its trials is in it |
| `looks.py` | when a run is looked at, and what is asked of it |
| `margin.py` | by how much two optimizers may differ and still count as equal |
| `protocol.py` | how trials are trained, and the metric that judges them |
| `ranges.py` | the ranges that are searched |
| `sqlite.py` | `Store`: begin, save and end trials; read them back |
| `rows.py` | records to rows and back |
| `connection.py` | open the file: one writer at a time, any number of readers; failures with advice |
| `schema.py` | the tables, their version, and recognising a store |
| `old_runs.py` | which run had which trial, guessed for stores of older versions |
"""

from surefoot.store.design import Design
from surefoot.store.records import RATE_QUANTILES, Epoch, Outcome, Rates, Record, Status
from surefoot.store.sqlite import Store

__all__ = ["RATE_QUANTILES", "Design", "Epoch", "Outcome", "Rates", "Record", "Status", "Store"]
