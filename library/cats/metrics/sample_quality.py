"""The quality of generated images, from their features `[images, features]` and those of real ones.

A single number does not show how a model fails. Overall distances (Frechet distance, KID) therefore stand beside scores
of fidelity (precision, density) and of diversity (recall, coverage).
"""

from dataclasses import dataclass

import numpy as np

from library.cats.metrics import neighbors
from library.cats.metrics.mmd import kid
from library.cats.metrics.neighbors import NEIGHBORS, check_sets, memorization, nearest, neighborhood_scores
from library.framework.statistics import frechet_distance

# All features of the default network. What degrades images hardly varies among real ones, so that its directions come
# last: with fewer components, scores see less of it.
COMPONENTS = 64


@dataclass(frozen=True)
class Whitening:
    """A projection to principal components, each with variance 1 on the images that it was fitted to.

    It subtracts their `mean`, `[features]`, and multiplies by `directions`, `[features, components]`.
    """

    mean: np.ndarray
    directions: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, components: int = COMPONENTS) -> "Whitening":
        """Fits to features `[images, features]` of two images or more; directions without variance are left out."""
        mean = features.mean(axis=0, dtype=np.float64)
        variances, directions = np.linalg.eigh(np.atleast_2d(np.cov(features.astype(np.float64), rowvar=False)))
        kept = [i for i in np.argsort(-variances)[:components] if variances[i] > 1e-10 * variances[-1]]
        return cls(mean, directions[:, kept] / np.sqrt(variances[kept]))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Projects `[images, features]` to `[images, components]`."""
        return (features - self.mean) @ self.directions


def score_name(score: str, network: str, split: str = "test") -> str:
    """The name of a score that depends on a feature network: `test/kid_drawn-cats-v1`."""
    return f"{split}/{score}_{network}"


def evaluate(
    real: np.ndarray, samples: np.ndarray, train: np.ndarray | None = None,
    *, network: str, split: str = "test", components: int | None = COMPONENTS,
) -> dict[str, float]:  # fmt: skip
    """All scores of generated images, by name, in features whitened on the real images.

    Args:
        real: features of real images that the model was not trained on, `[images, features]`; more than `NEIGHBORS`,
            and several times `components` for an unbiased KID.
        samples: features of generated images; as many for every model that is compared.
        train: features of the training images; without them memorization is not scored.
        network: the name of the feature network, for the scores' names.
        split: that of `real`, for the scores' names.
        components: of the whitening; None for the features themselves, as published scores use Inception's.

    Raises:
        ValueError: there are too few images, or the features differ in number.
    """
    check_sets("samples", real, samples, NEIGHBORS + 1)
    if components is not None:
        whiten = Whitening.of(real, components)
        real, samples, train = whiten(real), whiten(samples), None if train is None else whiten(train)
    distance = kid(real, samples)
    scores = {
        "frechet_distance": frechet_distance(real, samples),
        "kid": distance.value,
        "kid_standard_error": distance.standard_error,
        **neighborhood_scores(real, samples),
    }
    if train is not None:
        scores |= memorization(nearest(samples, train).distances, nearest(real, train).distances)
    named = {score_name(score, network, split): value for score, value in scores.items()}
    return {**named, f"{split}/real_images": float(len(real)), f"{split}/samples": float(len(samples))}


def covered(real: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Whether the samples cover each real image, `[images]` booleans; takes features as `evaluate` does."""
    whiten = Whitening.of(real)
    return neighbors.covered(whiten(real), whiten(samples))
