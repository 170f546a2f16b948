"""Datasets and their splits; nothing here knows MLflow or Optuna."""
