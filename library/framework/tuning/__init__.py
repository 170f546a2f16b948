"""Optuna studies, each an MLflow run with a child for every trial; the only folder here that imports optuna.

One command drives a study: it hands tokens to worker processes, shows what they report, and in the end trains the
winner in full. Whatever kills it, the same command resumes it: the next start finds the trials that were interrupted,
marks them as failed and repeats them. A metric that does not exist ends a study at once.
"""
