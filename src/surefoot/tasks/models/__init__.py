"""The built-in tasks' models. They import torch, so tasks name them, and they are imported when they train.

| file | concept |
| --- | --- |
| `article.py` | the tutorial's CNN as Keras defines it |
| `fast_article.py` | its faster ways to the same values on a CPU |
| `fmnist_2c2d.py` | DeepOBS's CNN, with published runs |
| `quadratic.py`, `quadratic_deep.py` | DeepOBS's stochastic quadratic: its data, its loss |
| `logreg_digits.py`, `mlp_mnist.py`, `vae_mnist.py` | small models of dense layers |
| `characters.py`, `char_lm.py` | a text cut into rows, a transformer that tells its next character |
| `surfaces.py`, `surface_point.py` | functions of two variables, the point that walks on them |
| `parts.py` | what the models share: layers, pixels, accuracy |
"""
