"""Optuna studies, each an MLflow run with a child for every trial; the only folder here that imports optuna.

One command drives a study: it hands trial tokens to worker processes, shows what they report, and in the end trains
the winner in full. Whatever kills it, the same command goes on: the next start finds the trials that were cut off,
marks them as failed and repeats them.
"""

from .results import Past, studies_of
from .search import Search
from .study import Tuned, tune
from .trials import counted

__all__ = ["Past", "Search", "Tuned", "counted", "studies_of", "tune"]
