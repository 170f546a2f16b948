"""Comparisons of experiments: each file defines one, which `make compare-NAME` runs."""
