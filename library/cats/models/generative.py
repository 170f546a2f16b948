"""What CAE, VAE and GAN have in common: images come out of latent vectors, and samples are scored after each epoch.

A loss says little of how samples look, and nothing that compares a VAE with a GAN. So all three are judged alike: by
the kernel distance of a fixed number of samples, from noise that is the same after every epoch, to validation images.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from library.cats.config import ImagesConfig
from library.cats.metrics import sample_quality
from library.cats.models.feature_extractors import features

BATCH = 250


class Generative(keras.Model):
    """A model with a `decoder`, and maybe an `encoder`; a subclass says how it learns."""

    decoder: keras.Model

    def __init__(self, config: ImagesConfig, name: str) -> None:
        super().__init__(name=name)
        self._features = config.features
        random = np.random.default_rng(config.seed)
        # From a stream that has nothing to do with the weights'.
        self.noise = random.standard_normal((config.validation_samples, config.latent_size)).astype(np.float32)
        self._seen: tuple[Any, np.ndarray] | None = None  # images and their features, the same after every epoch

    def latents(self) -> np.ndarray:
        """What the samples of each epoch are drawn from, `[validation_samples, latent_size]`: the prior's noise."""
        return self.noise

    def evaluate(self, x: Any = None, y: Any = None, **options: Any) -> Any:
        """Keras's evaluation, with scores of samples against the images `x`, under the names of the feature network.

        Args:
            x: the validation images, `[n, 75, 75, 3]` uint8, as an array.
            y: nothing.
            options: as `keras.Model.evaluate` has them; the scores come with `return_dict` only.
        """
        scores = super().evaluate(x, y, **options)
        if not options.get("return_dict"):
            return scores
        if self._seen is None or self._seen[0] is not x:
            self._seen = x, features(np.asarray(x), self._features)
        drawn = features(draw(self.decoder, self.latents()), self._features)
        return {
            **scores,
            **self._named(sample_quality.evaluate(self._seen[1], drawn, network=self._features, split="val")),
        }

    def _named(self, scores: Mapping[str, float]) -> dict[str, float]:
        """Keras puts `val_` before each name itself."""
        return {name.removeprefix("val/"): value for name, value in scores.items() if self._features in name}


def draw(decoder: keras.Model, latents: np.ndarray) -> np.ndarray:
    """Images `[n, 75, 75, 3]` uint8 of latent vectors `[n, latent_size]`."""
    return to_bytes(decoder.predict(latents, batch_size=BATCH, verbose=0))


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Pixels 0 to 1 as 0 to 255."""
    return np.rint(255 * np.clip(images, 0, 1)).astype(np.uint8)
