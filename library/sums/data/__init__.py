"""Datasets and their splits; knows nothing of MLflow or Optuna."""
