"""A registered model over HTTP: MLflow's own scoring server, to this machine alone, and 400s that say what is wrong."""
