"""What Optuna may change: for each experiment a pure function of a trial. Imports optuna and nothing heavy."""
