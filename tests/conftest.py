"""Settings that a framework reads when it is first imported; no framework is imported here.

Oracles must compute in float64: jax does so only if told before its import, and Keras runs on jax.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
