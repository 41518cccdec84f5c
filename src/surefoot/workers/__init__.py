"""Where trials run: a pool of workers on this machine or on a Ray cluster.

| file | concept |
| --- | --- |
| `device.py` | Which device trains, and how many trials run on it side by side |
| `runner.py` | Where trials run, and what runs them |
| `executors.py` | The executor: what runs the trials of a plan, and the choice of one |
| `limits.py` | What a trial may use |
| `local.py` | Workers as processes of this machine: how one is started, heard and stopped |
| `messages.py` | What a worker and its driver say to each other; everything here is pickled |
| `pool.py` | The pool: workers that each run one trial at a time |
| `ray_host.py` | A Ray cluster as a place for workers |
| `sharing.py` | One copy of the data for all workers of a machine |
| `worker.py` | A worker: takes one trial after another from the driver and tells it what happens |
"""
