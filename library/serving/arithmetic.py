"""A registered text-to-text model as its caller sees it: `["45+23", " 7-88"]` in, `["68", "-81"]` out.

MLflow keeps this file and runs it when the model is loaded, with a copy of `library/data/notation.py` beside it;
so it needs nothing of this repository.
"""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType
from typing import Any

import keras
import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class Arithmetic(PythonModel):
    """Answers queries of two numbers of 0 to 99 with + or - between."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads the network, and the notation that it was trained with."""
        self._notation = _load_module(context.artifacts["notation"])
        self._padding = context.model_config["padding"]
        self._network = keras.saving.load_model(context.artifacts["network"], compile=False)

    def predict(
        self, context: PythonModelContext, model_input: list[str], params: dict[str, Any] | None = None
    ) -> list[str]:
        """The answer to each query; ValueError names the first that is not one."""
        if not model_input:
            return []
        triples = [self._notation.parse(query) for query in model_input]
        x = self._notation.encode(self._notation.write_query(*triple, self._padding) for triple in triples)
        return list(self._notation.decode(self._ids(x)))

    def _ids(self, x: np.ndarray) -> np.ndarray:
        """Character ids of the answers; filled up to a power of two, so that few shapes are ever compiled."""
        filled = np.zeros((max(32, 1 << (len(x) - 1).bit_length()), x.shape[1]), dtype=x.dtype)
        filled[: len(x)] = x
        return np.argmax(self._network.predict_on_batch(filled)[: len(x)], axis=-1)


def _load_module(path: str) -> ModuleType:
    """A module of a file, under no name that another version's could take."""
    loader = SourceFileLoader("notation", path)
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None  # noqa: S101 -- for the types: a loader has one
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


set_model(Arithmetic())
