"""Keras and the backend that it is told to use must both be there; what is missing is named, with the way out.

Keras 3 imports its backend when it is itself imported, and says only that a module called tensorflow is missing: on a
machine with torch or jax that is a question of one environment variable.
"""

from __future__ import annotations

try:
    import keras as keras
except ModuleNotFoundError as error:
    if error.name == "keras":
        said = "surefoot.keras needs Keras 3, which is not installed: pip install 'surefoot[keras]'"
    else:
        said = (
            f"Keras's backend needs {error.name}, which is not installed: install it, or choose a backend that is "
            "there before Keras is imported, as with the environment variable KERAS_BACKEND=jax or KERAS_BACKEND=torch"
        )
    raise ModuleNotFoundError(said, name=error.name) from error
