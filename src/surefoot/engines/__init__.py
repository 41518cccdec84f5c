"""The engines: what calls a rule on real arrays.

| file | concept |
| --- | --- |
| `blocks.py` | 8-bit state: a byte for each weight |
| `cpu.py` | The CPU engine |
| `device_rows.py` | Rows of scalars from step counts that stay on the device |
| `eager.py` | The eager engine |
| `engine_choice.py` | Which engine steps a tensor, and how it is called |
| `fallback.py` | The word that the eager engine steps what a kernel was to be expected for |
| `fits.py` | Whether a kernel can step a parameter where it lies, and how it is shown to the kernel |
| `float8.py` | The numbers of 8-bit state |
| `gpu.py` | The GPU engine |
| `jobs.py` | What native code is asked to do |
| `kernel_choice.py` | Which kernel steps a parameter |
| `kernels.py` | From a kernel's text to a function |
| `launch.py` | All tensors that one kernel steps, as the tables it goes by |
| `layout.py` | Where the arrays of one parameter lie in memory |
| `mirror.py` | The tables of a launch as they lie on the device, where they stay from step to step |
| `norm.py` | The joint norm of gradients in one pass over memory |
| `pace.py` | Whether a small step is shared among threads, decided by what the last ones took |
| `places.py` | Where tensors lie and what step counts say, looked at in one native call |
| `pointers.py` | What generated code imports |
| `rounding.py` | Stochastic rounding to bfloat16 |
| `team.py` | A step as one native call |
| `triton_setup.py` | Whether Triton works here, and where it keeps what it compiles |
| `uninterrupted.py` | What must come to its end |
"""
