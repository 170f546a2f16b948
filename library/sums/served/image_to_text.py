"""A registered image-to-text model: uint8 images `[n, 5, 28, 28]` in, `["68", ...]` out.

An image is a character, light ink (255) on a dark background (0); a query such as `7-88` begins with an empty one.
Where a zero is read in its place, as in `07-88`, it is taken for an empty one: training has no such queries.
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
READ = "query_characters"
"""The layer that names the characters of a query; models that were trained without `character_loss` have none."""


class ImageToText(PythonModel):
    """Answers handwritten queries of two numbers of 0 to 99 with an operator between."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads the network and the notation of its training."""
        self.notation = runpy.run_path(context.artifacts["notation"])["Notation"](**context.model_config)
        self.network = keras.saving.load_model(context.artifacts["network"], compile=False)
        read = {layer.name: layer.output for layer in self.network.layers if layer.name == READ}
        self._outputs = keras.Model(self.network.inputs, {"answer": self.network.outputs[0], **read})

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
            found = self._outputs.predict_on_batch(padded)
            if READ in found and (zeros := leading_zeros(np.argmax(found[READ], axis=-1))).any():
                found = self._outputs.predict_on_batch(self._without(padded, zeros))
            ids.append(np.argmax(found["answer"][: len(batch)], axis=-1))
        return list(self.notation.decode(np.concatenate(ids)))

    def _without(self, images: np.ndarray, zeros: np.ndarray) -> np.ndarray:
        """Queries with empty images in place of zeros, at the end of a query that is padded on the right."""
        kept = np.where(zeros[..., np.newaxis, np.newaxis], np.uint8(0), images)
        if self.notation.padding == "left":
            return kept
        order = np.argsort(zeros, axis=1, stable=True)
        return np.take_along_axis(kept, order[..., np.newaxis, np.newaxis], axis=1)


def leading_zeros(ids: np.ndarray) -> np.ndarray:
    """Which characters of queries `[n, 5]` are a zero before a digit of the same number, `[n, 5]` bool."""
    is_digit = np.pad(ids < 10, ((0, 0), (1, 1)))
    return np.asarray((ids == 0) & ~is_digit[:, :-2] & is_digit[:, 2:])


set_model(ImageToText())
