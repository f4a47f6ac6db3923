"""VALIDATE: what a model's answers are worth on the validation set."""
