"""The built-in tasks' models. They import torch, so tasks name them, and they are imported when they train.

| file | concept |
| --- | --- |
| `article.py`, `norm_pool.py`, `pooling.py` | the tutorial's CNN, and its fast ways on a CPU |
| `fmnist_2c2d.py` | DeepOBS's CNN, with published runs |
| `quadratic.py`, `quadratic_deep.py` | DeepOBS's stochastic quadratic: its data, its loss |
| `logreg_digits.py`, `mlp_mnist.py`, `vae_mnist.py` | small models of dense layers |
| `characters.py`, `char_lm.py` | a text cut into rows, a transformer that tells its next character |
| `surfaces.py`, `surface_point.py` | functions of two variables, the point that walks on them |
| `layers.py`, `metrics.py`, `pixels.py` | layers with weights from a generator; accuracy; bytes as numbers |
"""
