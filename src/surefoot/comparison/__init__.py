"""From a request to a finished study: plan, try out, run, and what is left to run.

| file | concept |
| --- | --- |
| `checkpoints.py` | Where checkpoints are kept |
| `driver.py` | A planned study |
| `forecast.py` | What a study would run, by its plan and the store |
| `pilot.py` | The pilot of a budget in minutes |
| `remaining.py` | What a study still has in store, before it runs |
| `request.py` | From a study's name, or a task of the user's own, to the plan of a comparison |
| `try_out.py` | Every optimizer is tried out before its first trial |
"""
