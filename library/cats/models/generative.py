"""The base of CAE, VAE and GAN: a decoder of latent vectors, whose samples are scored after every epoch.

A loss says little about samples, and no loss compares a VAE with a GAN. All three are therefore scored alike: samples
from noise that is the same after every epoch are compared with validation images.
"""

from typing import Any

import keras
import numpy as np

from library.cats.config import ImagesConfig
from library.cats.metrics import sample_quality
from library.cats.models.feature_extractors import FeatureExtractor

BATCH = 250


class Generative(keras.Model):
    """A model with a `decoder`, and maybe an `encoder`; a subclass defines the loss.

    Attributes:
        noise: what the samples of every epoch are decoded from, `[validation_samples, latent_size]` float32.
    """

    decoder: keras.Model

    def __init__(self, config: ImagesConfig, name: str, extractor: FeatureExtractor | None = None) -> None:
        super().__init__(name=name)
        self._extractor = extractor or FeatureExtractor(config.features)
        # A generator of its own, so that the weights do not depend on the number of samples.
        random = np.random.default_rng(config.seed)
        self.noise = random.standard_normal((config.validation_samples, config.latent_size)).astype(np.float32)
        self._reference: tuple[Any, np.ndarray] | None = None  # images and their features, the same after every epoch

    def evaluate(self, x: Any = None, y: Any = None, **options: Any) -> Any:
        """Evaluates as Keras does; with `return_dict=True`, also scores samples against `x`.

        `x` are the validation images, `[n, 75, 75, 3]` uint8; the scores' names contain the feature network's.
        """
        scores = super().evaluate(x, y, **options)
        if not options.get("return_dict"):
            return scores
        if self._reference is None or self._reference[0] is not x:
            self._reference = x, self._extractor(np.asarray(x))
        samples, network = self._extractor(decode(self.decoder, self.noise)), self._extractor.name
        found = sample_quality.evaluate(self._reference[1], samples, network=network, split="val")
        # Keras adds `val_` to each name.
        return {**scores, **{name.removeprefix("val/"): found[name] for name in found if network in name}}


def decode(decoder: keras.Model, latents: np.ndarray) -> np.ndarray:
    """Images `[n, 75, 75, 3]` uint8 from latent vectors `[n, latent_size]`."""
    return to_bytes(decoder.predict(latents, batch_size=BATCH, verbose=0))


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Converts pixels from 0 to 1 to uint8."""
    return np.rint(255 * np.clip(images, 0, 1)).astype(np.uint8)
