"""A registered model over HTTP, for this machine alone: MLflow's protocol, with errors of one line."""
