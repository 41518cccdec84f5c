"""torch, which this front-end speaks to; without it, the line that installs it."""

try:
    import torch  # noqa: F401
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "surefoot.torch needs torch, which is not installed: pip install 'surefoot[torch]'", name=missing.name
    ) from missing
