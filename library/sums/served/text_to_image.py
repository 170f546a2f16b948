"""A registered text-to-image model: `["45+23", ...]` in, uint8 images `[n, 3, 28, 28]` out, 4 characters of a product.

An image is a character, light ink (255) on a dark background (0); `-5` begins with an empty one. The param `seed` picks
the handwriting style, where it varies. MLflow keeps this file and a copy of `notation.py` and runs them when the model
is loaded, so that it needs nothing of this repository.
"""

import runpy
from typing import Any

import keras
import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class TextToImage(PythonModel):
    """Draws the answers to queries of two numbers of 0 to 99 with an operator between."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads the network and the notation of its training."""
        settings = dict(context.model_config)
        self._temperature = settings.pop("temperature")
        self.notation = runpy.run_path(context.artifacts["notation"])["Notation"](**settings)
        self.network = keras.saving.load_model(context.artifacts["network"], compile=False)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Images of each answer; ValueError names the first invalid query, or an invalid seed."""
        triples = [self.notation.parse(query) for query in np.ravel(model_input).tolist()]
        if not triples:
            return np.zeros((0, self.notation.answer_length, 28, 28), dtype=np.uint8)
        x = self.notation.encode(self.notation.write_query(*triple) for triple in triples)
        seed = int((params or {}).get("seed", 0))
        if seed < 0:
            raise ValueError(f"seed: got {seed}; allowed is 0 or more")
        random = np.random.default_rng(seed)
        shapes = [network_input.shape[1:] for network_input in self.network.inputs[1:]]
        noise = [random.normal(scale=self._temperature, size=(len(x), *shape)).astype("float32") for shape in shapes]
        # In batches, as memory is bounded; not by `predict`, which takes longer to begin than to draw a few.
        batches = ([each[start : start + 64] for each in (x, *noise)] for start in range(0, len(x), 64))
        drawn = np.concatenate([self.network.predict_on_batch(batch) for batch in batches])
        return np.rint(255 * drawn).astype(np.uint8)


set_model(TextToImage())
