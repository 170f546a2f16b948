"""Scores and figures as pure functions on arrays; knows nothing of MLflow or Optuna."""
