"""Workers: a pool of them on this machine or on a Ray cluster runs the trials.

| file | concept |
| --- | --- |
| `runner.py` | a user's choice of where trials run, with what each may use, and the interface behind it |
| `executors.py` | the executor of such a choice: device, trials at a time, host |
| `pool.py` | workers that each run one trial at a time, as one stream of events |
| `worker.py` | a worker: takes one trial after another, and reports; what it and its driver send each other |
| `local.py` | workers as processes of this machine |
| `ray_host.py` | workers as actors on a Ray cluster |
| `shared_data.py` | one copy of the data for all workers of a machine |
"""
