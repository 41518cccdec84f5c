"""The engines: what calls a rule on real arrays."""
