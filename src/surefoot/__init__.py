"""Surefoot: adaptive optimizers for deep learning, explained, verified and compared fairly."""

__version__ = "0.1.0"
