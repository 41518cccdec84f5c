"""Arms: the optimizers of a comparison, with options, ranges and names.

| file | concept |
| --- | --- |
| `arm.py` | `Arm`: one optimizer with its options, ranges and schedule |
| `arm_list.py` | all that a user lists, as arms of which no two are the same |
| `optimizer_text.py` | optimizers as text, such as `sgd(lr=0.1)`: what is called, with which options |
| `two_rules.py` | one rule for the hidden matrices, another for the rest |
| `schedule.py` | how a learning rate goes: of a study, or of one optimizer |
| `opt.py` | `Opt`: an optimizer as a user writes it in Python |
| `parameters.py` | what an optimizer is made of: parameters, groups, names, the model |
| `several_optimizers.py` | several optimizers of one model as one |
| `other_optimizers.py` | classes that make a torch optimizer, of any library |
| `code_hash.py` | what tells the code of an optimizer from another |
| `user_code.py` | names of the user's own code, in a file or a module |
"""
