"""A registered image-to-text model: uint8 images `[n, 5, 28, 28]` in, `["68", ...]` out.

An image is a character, light ink (255) on a dark background (0); a query such as `7-88` begins with an empty one.
MLflow keeps this file and a copy of `notation.py` and runs them when the model is loaded, so that it needs nothing of
this repository.
"""

import runpy
from typing import Any

import keras
import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

SHAPE = (5, 28, 28)


class ImageToText(PythonModel):
    """Answers handwritten queries of two numbers of 0 to 99 with an operator between."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads the network and the notation of its training."""
        self.notation = runpy.run_path(context.artifacts["notation"])["Notation"](**context.model_config)
        self.network = keras.saving.load_model(context.artifacts["network"], compile=False)

    def predict(
        self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> list[str]:
        """The answer to each query; ValueError for an array of another shape or type."""
        images = np.asarray(model_input)
        if images.dtype != np.uint8 or images.shape[1:] != SHAPE:
            raise ValueError(f"images: got {images.dtype} {list(images.shape)}; allowed is uint8 [n, 5, 28, 28]")
        if not len(images):
            return []
        # Batches are padded to one size: a single shape is compiled, and memory is bounded.
        ids = []
        for start in range(0, len(images), 64):
            batch = images[start : start + 64]
            padded = np.concatenate([batch, np.zeros((64 - len(batch), *SHAPE), dtype=np.uint8)])
            ids.append(np.argmax(self.network.predict_on_batch(padded)[: len(batch)], axis=-1))
        return list(self.notation.decode(np.concatenate(ids)))


set_model(ImageToText())
