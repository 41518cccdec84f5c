"""What is tried: axes, the space of every rule, and which configurations are proposed."""
