"""Comparing optimizers: plan trials, run them in worker processes, keep every epoch."""
