"""A registered text-to-text model: `["45+23", " 7-88"]` in, `["68", "-81"]` out.

MLflow keeps this file and a copy of `notation.py` and runs them when the model is loaded, so that it needs nothing of
this repository.
"""

import runpy
from typing import Any

import keras
import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class TextToText(PythonModel):
    """Answers queries of two numbers of 0 to 99 with an operator between."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads the network and the notation of its training."""
        self.notation = runpy.run_path(context.artifacts["notation"])["Notation"](**context.model_config)
        self.network = keras.saving.load_model(context.artifacts["network"], compile=False)

    def predict(
        self, context: PythonModelContext, model_input: list[str], params: dict[str, Any] | None = None
    ) -> list[str]:
        """The answer to each query; ValueError names the first invalid query."""
        if not model_input:
            return []
        triples = [self.notation.parse(query) for query in model_input]
        x = self.notation.encode(self.notation.write_query(*triple) for triple in triples)
        # Padded to a power of two, so that few shapes are compiled.
        padded = np.zeros((max(32, 1 << (len(x) - 1).bit_length()), x.shape[1]), dtype=x.dtype)
        padded[: len(x)] = x
        ids = np.argmax(self.network.predict_on_batch(padded)[: len(x)], axis=-1)
        return list(self.notation.decode(ids))


set_model(TextToText())
