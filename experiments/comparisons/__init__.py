"""What the experiments are compared on: one file, one command, tables and a figure each."""
