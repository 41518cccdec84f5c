"""One trial, trained in its worker: the loop, what it records and the events that it sends.

| file | concept |
| --- | --- |
| `loop.py` | `Training`: one trial, from its first step to its outcome |
| `pilot.py` | a trial that is only timed |
| `try_out.py` | an optimizer is tried out on the real model |
| `events.py` | what a running trial reports to the driver |
| `step_sizes.py` | how the effective step sizes of all weights are spread |
| `stopwatch.py` | the time of a step, a GPU's too |
| `process.py` | threads and memory of a worker process, its machine and versions |
"""
