"""The engines: what calls a rule on real arrays.

| file | concept |
| --- | --- |
| `engine_choice.py` | which engine steps a tensor |
| `kernel_choice.py` | which kernel: of the rule, its form, kinds of numbers and layout |
| `fits.py` | whether a kernel can step a parameter where it lies |
| `layout.py` | where the arrays of a parameter lie, as runs of neighbours |
| `launch_tables.py` | all tensors of one kernel, as the tables it goes by |
| `eager.py` | the eager engine: the rule itself, on torch's tensors |
| `all_tensors.py` | the same for a rule that needs all tensors at once |
| `matrices.py` | the same for a rule for matrices: those of one shape at once |
| `scratch.py` | the matrices between the kernels of a rule for matrices |
| `cpu.py` | the CPU engine: a step as one native call, maybe on several threads |
| `jobs.py` | what native code is asked to do: to step, and to look at tensors and counts |
| `sums.py` | sums over tensors, of what kernels add up in each chunk |
| `norm.py` | the joint norm of gradients, in one pass |
| `kernels.py` | from a kernel's text to a function, kept on disk |
| `pointers.py` | what a kernel's text imports |
| `uninterrupted.py` | what must come to its end: Numba's imports and compilations |
| `gpu.py` | the GPU engine: all tensors in one launch of Triton |
| `device_tables.py` | tables on the device, where they stay from step to step |
| `triton_setup.py` | whether Triton works here, and where it keeps its code |
| `rounding.py` | stochastic rounding to bfloat16 |
| `blocks.py`, `float8.py` | 8-bit state, and its numbers |
"""
