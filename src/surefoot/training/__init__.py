"""One trial in its worker: the training loop, its records and its events.

| file | concept |
| --- | --- |
| `loop.py` | `Training`: one trial, from its first step to its outcome |
| `batch_order.py` | which examples each step takes, and in which order |
| `evaluation_weights.py` | the weights that a trial is evaluated with, where they are others |
| `param_groups.py` | what every loop sets and reads of a torch optimizer |
| `unsaved.py` | what an optimizer changes outside its `state_dict`, so that its trial gives no checkpoint |
| `try_out.py` | trials that are no training: an optimizer is tried out on the real model, or only timed |
| `events.py` | what a running trial reports to the driver |
| `step_records.py` | what is recorded of a step: its time, and the spread of the step sizes of all weights |
| `trial_kinds.py` | what runs a trial, by what is trained and why |
| `function_task.py` | a training function of the user's, as what is compared |
| `function_training.py` | one trial of it: tried out, timed or trained |
| `training_run.py` | `TrainingRun`, what such a function is given |
| `open_epoch.py` | the epoch of it that runs |
| `function_optimizers.py` | all optimizers that it asks for |
| `torch_optimizer.py` | one of them: what all have in common, and torch's |
| `jax_keras_optimizers.py` | one of them in JAX or Keras |
| `kept.py` | what it takes to go on after an interruption |
| `process.py` | threads and memory of a worker process, its machine and versions |
"""
