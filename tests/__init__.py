"""Tests: one file for each module, and the contracts that every experiment, model and search space must keep."""
