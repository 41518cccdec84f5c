"""One trial, trained in its worker: the loop, what it records and the events that it sends.

| file | concept |
| --- | --- |
| `environment.py` | The machine and the versions that ran a trial, saved with its results |
| `events.py` | What a running trial tells the driver, in the order in which it happens |
| `loop.py` | One trial, trained |
| `pilot.py` | A pilot in its worker |
| `process.py` | What a worker process sets once before it trains |
| `step_sizes.py` | The picture that explains adaptive optimizers, as numbers |
| `stopwatch.py` | A stopwatch that waits for what a GPU still does before it stops or goes on |
| `try_out.py` | A try-out in its worker |
"""
