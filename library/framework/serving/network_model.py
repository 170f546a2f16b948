"""A registered network: an array of examples `[n, ...]` in, an array of outputs out, or a label for each example.

Examples have the shape and the type of those that it was trained on. MLflow keeps this file and runs it when the model
is loaded; it needs nothing of this repository.
"""

from typing import Any

import keras
import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class Network(PythonModel):
    """Predicts with a Keras network."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads the network."""
        self._settings = context.model_config
        self.network = keras.saving.load_model(context.artifacts["network"], compile=False)

    def predict(
        self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> np.ndarray | list[str]:
        """The outputs or labels of the examples; ValueError for arrays of another shape or type."""
        kind, shape, labels = (self._settings[key] for key in ("type", "shape", "labels"))
        given = np.asarray(model_input)
        if given.dtype != kind or list(given.shape[1:]) != shape:
            allowed = ", ".join(["n", *map(str, shape)])
            raise ValueError(f"examples: got {given.dtype} {list(given.shape)}; allowed is {kind} [{allowed}]")
        if not len(given):
            return [] if labels else np.zeros((0, *self.network.output_shape[1:]), dtype=np.float32)
        outputs = self.network.predict(given, batch_size=256, verbose=0)
        return [labels[i] for i in np.argmax(outputs, axis=-1)] if labels else outputs


set_model(Network())
