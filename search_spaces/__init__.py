"""The search spaces: for each experiment a pure function `space(trial)`. They import optuna and nothing heavy."""
