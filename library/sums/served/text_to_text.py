"""A registered text-to-text model as its caller sees it: `["45+23", " 7-88"]` in, `["68", "-81"]` out.

MLflow keeps this file and runs it when the model is loaded, with a copy of `library/data/notation.py` beside it;
so it needs nothing of this repository.
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
        """Loads the network, and the notation that it was trained with."""
        self._notation = runpy.run_path(context.artifacts["notation"])["Notation"](**context.model_config)
        self._network = keras.saving.load_model(context.artifacts["network"], compile=False)

    def predict(
        self, context: PythonModelContext, model_input: list[str], params: dict[str, Any] | None = None
    ) -> list[str]:
        """The answer to each query; ValueError names the first that is not one."""
        if not model_input:
            return []
        triples = [self._notation.parse(query) for query in model_input]
        x = self._notation.encode(self._notation.write_query(*triple) for triple in triples)
        # Filled up to a power of two, so that few shapes are ever compiled.
        filled = np.zeros((max(32, 1 << (len(x) - 1).bit_length()), x.shape[1]), dtype=x.dtype)
        filled[: len(x)] = x
        ids = np.argmax(self._network.predict_on_batch(filled)[: len(x)], axis=-1)
        return list(self._notation.decode(ids))


set_model(TextToText())
