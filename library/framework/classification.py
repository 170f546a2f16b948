"""Classifiers: supervised experiments whose network has an output for each label."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from .errors import UserError
from .run import Run
from .supervised import Supervised


class Classifier(Supervised):
    """A supervised experiment whose targets are labels, scored by the share of examples that are labelled rightly.

    To be defined: `Config`, `labels`, `load` and `build`. `load` gives `Examples` whose y are the indices of the right
    labels, `[n]` integers; `build` gives a network with an output for each label, compiled with a loss and
    `metrics=["accuracy"]`.
    """

    objectives = {"val/accuracy": "maximize"}

    @cached_property
    def data(self) -> Any:
        """What `load` gave; UserError where y are no indices of labels."""
        examples = self.load()
        for _, y in (examples.train, examples.validation, examples.test):
            values = np.unique(y)
            if y.dtype.kind not in "iu" or y.ndim != 1 or values[0] < 0 or values[-1] >= len(self.labels):
                raise UserError(
                    f"y: got {y.dtype} {list(y.shape)} from {values[0]} to {values[-1]}; allowed is integers [n] "
                    f"from 0 to {len(self.labels) - 1}, the indices of {len(self.labels)} labels"
                )
        return examples

    def score(self, y: np.ndarray, predicted: np.ndarray, run: Run) -> Mapping[str, np.ndarray]:
        """Whether each example is labelled rightly; the run gets a confusion matrix."""
        from .plots import confusions

        answers = np.argmax(predicted, axis=-1)
        counts = np.zeros((1, len(self.labels), len(self.labels)), dtype=np.int64)
        np.add.at(counts[0], (y, answers), 1)
        run.log_figure("confusions", confusions(counts, self.labels))
        return {"accuracy": (answers == y).astype(float)}
