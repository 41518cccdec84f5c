"""The learning-rate range test: the sweep, the window that it finds, and how both are shown."""
