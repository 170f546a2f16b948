"""Samples of each registered model by each of its samplers, and their scores on equal terms."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from library.cats.comparison.registered import Model
from library.cats.data.dataset import Cats
from library.cats.experiment import MAX_NEAREST_SAMPLES, MAX_REFERENCE_IMAGES
from library.cats.metrics import sample_quality
from library.cats.metrics.neighbors import Nearest, nearest
from library.cats.models.feature_extractors import FeatureExtractor

SCORES = (
    "kid", "kid_standard_error", "frechet_distance", "precision", "recall", "density", "coverage", "memorisation_ratio",
)  # fmt: skip


@dataclass(frozen=True)
class ModelSamples:
    """Samples of a model by one of its samplers.

    Attributes:
        model: the registered model.
        sampler: the sampler's name.
        images: the first `MAX_NEAREST_SAMPLES` of them.
        nearest: the nearest training image of each of those.
        scores: of all samples, named as in `SCORES`.
    """

    model: Model
    sampler: str
    images: np.ndarray
    nearest: Nearest
    scores: Mapping[str, float]

    @property
    def is_best(self) -> bool:
        """Whether the sampler is the model's default."""
        return self.sampler == self.model.best


def sample(models: list[Model], data: Cats, count: int, network: str) -> Iterator[ModelSamples]:
    """Draws `count` samples by each sampler, always from the same noise, and scores them on all test images."""
    extract = FeatureExtractor(network)
    train, test = extract(data.train[:MAX_REFERENCE_IMAGES]), extract(data.test)
    for model in models:
        for sampler in model.samplers:
            images = model.generate(count, sampler)
            features = extract(images)
            named = sample_quality.evaluate(test, features, train, network=network)
            scores = {score: named[sample_quality.score_name(score, network)] for score in SCORES}
            found = nearest(features[:MAX_NEAREST_SAMPLES], train)
            yield ModelSamples(model, sampler, images[:MAX_NEAREST_SAMPLES].copy(), found, scores)
