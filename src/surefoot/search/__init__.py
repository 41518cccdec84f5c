"""The search: `space.py` has the ranges of every optimizer, `proposals.py` the configurations and the winner."""
