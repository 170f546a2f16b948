"""What each model draws by each of its strategies, and what that is worth."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from library.cats.comparison.registered import Model
from library.cats.data.dataset import Cats
from library.cats.experiment import COMPARED, REMEMBERED
from library.cats.metrics import sample_quality
from library.cats.metrics.neighbors import Nearest, nearest
from library.cats.models.feature_extractors import features

SCORES = (
    "kid", "kid_standard_error", "frechet_distance", "precision", "recall", "density", "coverage", "memorisation_ratio",
)  # fmt: skip


@dataclass(frozen=True)
class Drawing:
    """Samples of a model by one strategy.

    Attributes:
        model: which drew them.
        strategy: by which of its strategies.
        images: the first of them.
        nearest: the training image nearest to each of those.
        scores: of all samples, named as in `SCORES`.
    """

    model: Model
    strategy: str
    images: np.ndarray
    nearest: Nearest
    scores: Mapping[str, float]

    @property
    def is_best(self) -> bool:
        """Whether the model draws so unless told."""
        return self.strategy == self.model.best


def draw(models: list[Model], data: Cats, count: int, network: str) -> Iterator[Drawing]:
    """So many samples of each model by each strategy, always from the same noise, compared with all test images."""
    seen, test = (features(images, network) for images in (data.train[:REMEMBERED], data.test))
    for model in models:
        for strategy in model.strategies:
            images = model.generate(count, strategy)
            made = features(images, network)
            named = sample_quality.evaluate(test, made, seen, network=network)
            scores = {score: named[sample_quality.score_name(score, network)] for score in SCORES}
            yield Drawing(model, strategy, images[:COMPARED].copy(), nearest(made[:COMPARED], seen), scores)
