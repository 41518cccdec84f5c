"""jax and optax, which this front-end speaks to; without them, the line that installs them."""

try:
    import jax  # noqa: F401
    import optax  # noqa: F401
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"surefoot.optax needs jax and optax, and {missing.name} is not installed: pip install 'surefoot[optax]'",
        name=missing.name,
    ) from missing
