"""Framework spellings shared by many rules: tables for the rules' conventions."""

TORCH = {"lr": "lr", "weight_decay": "weight_decay"}
KERAS = {"lr": "learning_rate", "weight_decay": "weight_decay"}
OPTAX = {"lr": "learning_rate"}
PAPER = {"lr": "lr"}

BETAS_TORCH = {"beta1": "betas[0]", "beta2": "betas[1]", "eps": "eps"}
BETAS_KERAS = {"beta1": "beta_1", "beta2": "beta_2", "eps": "epsilon"}
BETAS_OPTAX = {"beta1": "b1", "beta2": "b2", "eps": "eps"}

BETAS = {"beta1": 0.9, "beta2": 0.999}
