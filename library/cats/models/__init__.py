"""Networks, each built and compiled from a config; knows nothing of MLflow or Optuna."""
