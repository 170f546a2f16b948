"""A registered model of cats as its caller sees it: `[16]` in, sixteen new uint8 images `[16, 75, 75, 3]` RGB out.

Inputs are distinguished by their dimensions; the param `task` may choose the output:

* a number of images, 1 to 10,000: `generate`, with the params `strategy` (the latent sampler) and `seed`;
* latent vectors `[n, latent_size]`: `decode`, an image for each;
* uint8 images `[n, 75, 75, 3]`: `reconstruct`, or `encode` to float32 latent vectors `[n, latent_size]`, which are a
  VAE's posterior means. A GAN has no encoder and takes no images.

MLflow stores this file in the registered model and runs it on loading, with a copy of `models/samplers.py` beside it:
it needs nothing of this repository.
"""

import runpy
from typing import Any

import keras
import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

SHAPE = (75, 75, 3)
MOST = 10_000
BATCH = 250
NUMBER, LATENTS, IMAGES = "a number of images", "latent vectors", "images"
# The input of each task; "auto" is the first task with the given input.
TASKS = {"generate": NUMBER, "decode": LATENTS, "reconstruct": IMAGES, "encode": IMAGES}


class Cats(PythonModel):
    """Generates cats; with an encoder, it also encodes and reconstructs them."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads the networks and the latent samplers."""
        files = context.artifacts
        self.strategies = runpy.run_path(files["sampling"])["load"](files["strategies"])
        self.best = context.model_config["strategy"]
        self._decoder = keras.saving.load_model(files["decoder"], compile=False)
        self.encoder: Any = keras.saving.load_model(files["encoder"], compile=False) if "encoder" in files else None
        self.latent_size = self._decoder.input_shape[-1]

    def predict(
        self, context: PythonModelContext, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Images, or latent vectors for the task `encode`; ValueError for invalid inputs and params."""
        given, values = self._read(np.asarray(model_input))
        task = self._task(given, (params or {}).get("task", "auto"))
        if task == "generate":
            name, seed = (params or {}).get("strategy") or self.best, (params or {}).get("seed", 0)
            if name not in self.strategies:
                raise ValueError(f"strategy: got {name!r}; this model has {', '.join(self.strategies)}")
            if seed < 0:
                raise ValueError(f"seed: got {seed}; allowed is 0 or more")
            values = self.strategies[name].sample(int(values), np.random.default_rng(seed))
        elif given == IMAGES:
            codes = (self.encoder.predict_on_batch(some.astype(np.float32) / 255) for some in _batches(values))
            # A VAE's encoder also outputs log variances, after the means.
            means = (some[:, : self.latent_size] for some in codes)
            values = np.concatenate([np.zeros((0, self.latent_size), np.float32), *means])
        if task == "encode":
            return values
        decoded = (self._decoder.predict_on_batch(some) for some in _batches(values))
        # To uint8 batch by batch: 10,000 images are 675 MB as floats.
        images = (np.rint(255 * some).astype(np.uint8) for some in decoded)
        return np.concatenate([np.zeros((0, *SHAPE), np.uint8), *images])

    def _read(self, values: np.ndarray) -> tuple[str, np.ndarray]:
        """The kind of input, and its values in the type of the network."""
        got = f"got {values.dtype} {list(values.shape)}"
        if values.ndim < 2 and values.size == 1 and values.dtype.kind in "iuf":
            number = values.item()
            if not (1 <= number <= MOST and number == int(number)):
                raise ValueError(f"number of images: got {number}; allowed is 1 to {MOST:,}")
            return NUMBER, np.asarray(int(number))
        if values.ndim == 2 and values.dtype.kind in "iuf":
            if values.shape[1] != self.latent_size:
                raise ValueError(f"latent vectors: {got}; allowed is [n, {self.latent_size}]")
            if not np.isfinite(values).all():
                raise ValueError("latent vectors: got some that are infinite or not a number; allowed are finite ones")
            return LATENTS, values.astype(np.float32)
        if values.ndim == 4:
            # Other integer types are allowed, as JSON has no uint8.
            bytes_ = values.dtype.kind in "iu" and not (values.size and (values.min() < 0 or values.max() > 255))
            if not bytes_ or values.shape[1:] != SHAPE:
                raise ValueError(f"images: {got}; allowed is uint8 [n, 75, 75, 3]")
            return IMAGES, values
        raise ValueError(
            f"input: {got}; allowed are a number of images, as in [16], latent vectors [n, {self.latent_size}]"
            f"{' and images uint8 [n, 75, 75, 3]' if self.encoder else ''}"
        )

    def _task(self, given: str, task: str) -> str:
        if task not in ("auto", *TASKS):
            raise ValueError(f"task: got {task!r}; allowed are {', '.join(['auto', *TASKS])}")
        if not self.encoder and IMAGES in (given, TASKS.get(task)):
            requested = "images" if task == "auto" else repr(task)
            raise ValueError(
                f"task: got {requested}, but this model has no encoder; allowed are 'generate' and 'decode'"
            )
        if task == "auto":
            return next(task for task, taken in TASKS.items() if taken == given)
        if TASKS[task] != given:
            raise ValueError(f"task: got {task!r} with {given}; allowed is {TASKS[task]}")
        return task


def _batches(values: np.ndarray) -> list[np.ndarray]:
    return [values[start : start + BATCH] for start in range(0, len(values), BATCH)]


set_model(Cats())
