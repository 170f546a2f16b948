"""One experiment trained side by side under several configs: a parent run, a table and a figure.

What was trained before, from the same fields on the same data, is not trained again: an interrupted comparison goes
on where it was, and one that was run in parts is put together.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlflow
import numpy as np
from matplotlib.figure import Figure

from library import discovery, tracking
from library.compute import start_keras
from library.configs import ComparisonOptions, Config, parse
from library.evaluation.comparison import wilson_interval
from library.experiment import Experiment
from library.lifecycle import provide, train_and_test

Cell = Mapping[str, Any]
COLUMNS = {"per_character": "test/per_character", "parameters": "model/parameters", "seconds": "time/training_seconds"}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Which configs of an experiment to compare.

    Attributes:
        experiment: its name.
        along: the field of the figure's axis, and its values.
        lines: the field that makes a line each, and its values.
        fields: what all of them have in common.
    """

    experiment: str
    along: tuple[str, Sequence[Any]]
    lines: tuple[str, Sequence[Any]]
    fields: Mapping[str, Any] | None = None

    def cells(self, fixed: Mapping[str, Any]) -> list[Cell]:
        """The fields of each config; a field that the user fixes keeps to that."""
        (x, xs), (line, values) = self.along, self.lines
        grid = itertools.product(values, xs)
        return [{**(self.fields or {}), line: value, x: one, **fixed} for value, one in grid]
