"""The front-ends' common ground, and the contract for each.

| file | concept |
| --- | --- |
| `contract.py` | what a front-end must do, as one question that each is asked |
| `declared.py` | a constructor that is nothing but its signature |
| `lookup.py` | a rule by its name, and its values |
| `roles.py` | what a model's parameters can be: embedding, head, hidden matrix, gain |
| `number.py` | scalars and step counts of a framework, in a rule's arithmetic |
| `matrices.py` | a parameter as the matrix that a rule sees |
| `blocks.py` | several matrices in one parameter |
| `installed.py` | a missing framework is named, with the line that installs it |

A front-end makes optimizers of a framework from rules. It contains no formula:

1. **A step** is `update.update`, or `update.change` where the framework adds the change by itself, called in one place
   with arrays of the framework. The step count is a `Count`, a schedule's value a `Number`.
2. **Hyperparameters** come from `lookup.values`, under a `convention=`: the user's, else the convention's, else the
   rule's. Arguments have the framework's names and order; an unknown one is refused with a close match.
3. **State** lies where the framework keeps it, one array for each of `rule.starts(hyper)`, under a name, and is saved
   and loaded by the framework's own means. `base_lr`, what a schedule is measured against, goes with it.
4. **Schedules, weight decay, clipping, averages** are the framework's own where it has them; the rule sees the rate of
   each step, and decay is the update's.
5. **Any rule** runs: one of ours by its name, or the user's own, which a file names as `module:name`.
6. **Precision**: weights of fewer than 32 bits are computed in float32, and small steps still add up.

To add one: write the room, its row in `LAYERS` of `tests/test_layers.py`, a driver `selfcheck/parity/drive_NAME.py`
that is a `FrontEnd`, and its entry in `FRONT_ENDS`; name it in `tests/frontends/test_contract.py`.

A class for a rule is one declaration: `@declared` over its signature, its docstring, and the names of its slots.

    class AdaBound(TorchOptimizer):
        name = "adabound"
        state_names = MOMENTS

        @declared
        def __init__(self, params: Any, lr: float = 1e-3, ..., **extras: Unpack[Common]) -> None: ...
"""
