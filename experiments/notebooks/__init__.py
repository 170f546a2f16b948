"""Executed notebooks that look at registered models, runs and studies: `make notebooks` executes them again."""
