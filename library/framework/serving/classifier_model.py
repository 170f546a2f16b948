"""A registered classifier as its caller sees it: an array of examples `[n, ...]` in, a label for each out.

Examples are of the shape and type that it learnt from. MLflow keeps this file and runs it when the model is loaded; it
needs nothing of this repository.
"""

from typing import Any

import keras
import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class Classifier(PythonModel):
    """Says of each example what it is."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads the network."""
        self._settings = context.model_config
        self.network = keras.saving.load_model(context.artifacts["network"], compile=False)

    def predict(
        self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> list[str]:
        """The label of each example; ValueError for arrays of another shape or type."""
        kind, shape, labels = (self._settings[key] for key in ("type", "shape", "labels"))
        given = np.asarray(model_input)
        if given.dtype != kind or list(given.shape[1:]) != shape:
            allowed = ", ".join(["n", *map(str, shape)])
            raise ValueError(f"examples: got {given.dtype} {list(given.shape)}; allowed is {kind} [{allowed}]")
        if not len(given):
            return []
        return [labels[i] for i in np.argmax(self.network.predict(given, batch_size=256, verbose=0), axis=-1)]


set_model(Classifier())
