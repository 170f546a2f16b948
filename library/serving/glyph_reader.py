"""A registered reader of characters as its caller sees it: uint8 images `[n, 28, 28]` in, characters out.

0 is the ground and 255 the ink. MLflow keeps this file and runs it when the model is loaded; it needs nothing of this
repository.
"""

from typing import Any

import keras
import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class GlyphReader(PythonModel):
    """Reads handwritten digits, operators and blanks."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads the network."""
        self._characters = context.model_config["characters"]
        self.network = keras.saving.load_model(context.artifacts["network"], compile=False)

    def predict(
        self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> list[str]:
        """The character that each image shows; ValueError for arrays of another shape or type."""
        images = np.asarray(model_input)
        if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
            raise ValueError(f"images: got {images.dtype} {list(images.shape)}; allowed is uint8 [n, 28, 28]")
        if not len(images):
            return []
        return [
            self._characters[i] for i in np.argmax(self.network.predict(images, batch_size=256, verbose=0), axis=-1)
        ]


set_model(GlyphReader())
