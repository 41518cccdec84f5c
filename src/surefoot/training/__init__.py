"""One trial, trained in its worker: the loop, what it records and the events that it sends.

| file | concept |
| --- | --- |
| `loop.py` | `Training`: one trial, from its first step to its outcome |
| `evaluated.py` | the weights that a trial is evaluated with, where they are others |
| `try_out.py` | trials that are no training: an optimizer is tried out on the real model, or only timed |
| `events.py` | what a running trial reports to the driver |
| `recorded.py` | what is recorded of a step: its time, a GPU's too, and how the step sizes of all weights are spread |
| `process.py` | threads and memory of a worker process, its machine and versions |
"""
