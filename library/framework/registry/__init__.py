"""The model registry: register, promote, load; the only folder that speaks to it.

A stage is two things at once here, as MLflow calls its stages deprecated and its aliases their successor: the native
stage and an alias of the same name in lower case. `models:/NAME/Production` and `models:/NAME@production` name one
version.
"""

from .artifacts import OUTCOMES, find, load, load_trained_from, load_version, register, trained_from
from .history import Term
from .overview import Entry, history, overview
from .queries import stage_of
from .stages import Promotion, appoint, move, promote, rollback

__all__ = [
    "OUTCOMES",
    "Entry",
    "Promotion",
    "Term",
    "appoint",
    "find",
    "history",
    "load",
    "load_trained_from",
    "load_version",
    "move",
    "overview",
    "promote",
    "register",
    "rollback",
    "stage_of",
    "trained_from",
]
