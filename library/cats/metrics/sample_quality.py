"""What generated images are worth, from their features `[images, features]` and those of real ones.

One number hides which way a model fails, so likeness as a whole (Frechet distance, KID) stands beside scores of its two
halves: how many samples look real (precision, density), how much of what is real they reach (recall, coverage).
"""

from dataclasses import dataclass

import numpy as np

from library.cats.metrics import neighbors
from library.cats.metrics.mmd import kid
from library.cats.metrics.neighbors import NEIGHBOURS, check_sets, memorisation, nearest, neighbourhoods
from library.framework.statistics import frechet_distance

# Most of what random features say is how light and how contrasty an image is. Whitened, the next few dozen directions
# count as much, and the KID of blurred, mixed or warped cats is 3 to 4 times as many standard errors from 0. With 16
# directions it is less; with 64, coverage hardly notices blur, and noise that nobody sees counts more than ghosts.
COMPONENTS = 32


@dataclass(frozen=True)
class Whitening:
    """Features to their principal components, each with variance 1 on the images that it was made from.

    Attributes:
        mean: `[features]`, of those images.
        directions: `[features, components]`.
    """

    mean: np.ndarray
    directions: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, components: int = COMPONENTS) -> "Whitening":
        """The whitening that some real images' features call for.

        Args:
            features: `[images, features]`, of two images or more.
            components: how many at most; directions in which nothing varies are left out.
        """
        mean = features.mean(axis=0, dtype=np.float64)
        variances, directions = np.linalg.eigh(np.atleast_2d(np.cov(features.astype(np.float64), rowvar=False)))
        kept = [i for i in np.argsort(-variances)[:components] if variances[i] > 1e-10 * variances[-1]]
        return cls(mean, directions[:, kept] / np.sqrt(variances[kept]))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Features `[images, features]` as `[images, components]`."""
        return (features - self.mean) @ self.directions


def score_name(score: str, network: str, split: str = "test") -> str:
    """What a score is called that depends on a feature network: `test/kid_random-vgg16-quarter`."""
    return f"{split}/{score}_{network}"


def evaluate(
    real: np.ndarray,
    samples: np.ndarray,
    train: np.ndarray | None = None,
    *,
    network: str,
    split: str = "test",
    components: int | None = COMPONENTS,
) -> dict[str, float]:
    """All scores of some samples, by their names; they are taken in features that the real images whiten.

    Args:
        real: features of real images that the model was not trained on, `[images, features]`; more than `NEIGHBOURS`,
            and several times `components` for KID to have no bias.
        samples: features of generated images; as many, if scores of several models are to be compared.
        train: features of the images that it was trained on; without them nothing is said of memorisation.
        network: the name of the feature network, for the scores' names.
        split: what `real` is, for the scores' names.
        components: of the whitening; None for features as they are, as published scores in Inception's are.

    Raises:
        ValueError: there are too few images, or the features differ in number.
    """
    check_sets("samples", real, samples, NEIGHBOURS + 1)
    if components is not None:
        whiten = Whitening.of(real, components)
        real, samples, train = whiten(real), whiten(samples), None if train is None else whiten(train)
    distance = kid(real, samples)
    scores = {
        "frechet_distance": frechet_distance(real, samples),
        "kid": distance.value,
        "kid_standard_error": distance.standard_error,
        **neighbourhoods(real, samples),
    }
    if train is not None:
        scores |= memorisation(nearest(samples, train).distances, nearest(real, train).distances)
    named = {score_name(score, network, split): value for score, value in scores.items()}
    return {**named, f"{split}/real_images": float(len(real)), f"{split}/samples": float(len(samples))}


def covered(real: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Whether the samples reach each real image, `[images]` booleans, in features that the real images whiten.

    Args:
        real: features of real images, `[images, features]`.
        samples: features of generated images.
    """
    whiten = Whitening.of(real)
    return neighbors.covered(whiten(real), whiten(samples))
