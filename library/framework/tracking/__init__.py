"""The store and its runs in MLflow: opened, written, read; the only reader and writer of runs."""
