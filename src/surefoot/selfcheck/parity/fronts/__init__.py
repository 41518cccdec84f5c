"""The front-ends, each a file that imports its framework."""
