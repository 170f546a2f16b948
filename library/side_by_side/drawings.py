"""What each model draws by each of its strategies, and what that is worth."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from library.data.cats import Cats
from library.evaluation import samples
from library.evaluation.neighbours import Nearest, nearest
from library.generation import COMPARED, REMEMBERED
from library.models.features import features
from library.side_by_side.models import Model

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
            named = samples.evaluate(test, made, seen, network=network)
            scores = {score: named[samples.score_name(score, network)] for score in SCORES}
            yield Drawing(model, strategy, images[:COMPARED].copy(), nearest(made[:COMPARED], seen), scores)
