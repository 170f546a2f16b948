"""What the experiments are compared on: one file, one command, one table and one figure each."""
