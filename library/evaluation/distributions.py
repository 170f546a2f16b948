"""How alike two sets of images are, from their features `[images, features]` in some network."""

import numpy as np


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The squared Frechet distance between Gaussians fitted to two sets of features (Heusel et al. 2017, eq. 6).

    It depends on the network that the features are from and, upwards, on how few images there are: compare values
    of one network and one n only.

    Args:
        a: `[images, features]`.
        b: `[images, features]`; the number of images may differ.

    Raises:
        ValueError: a set has fewer than two images, or the features differ in number.
    """
    if min(len(a), len(b)) < 2 or a.shape[1:] != b.shape[1:]:
        raise ValueError(
            f"frechet distance: got {a.shape} and {b.shape}; allowed are two images or more, same features"
        )
    a, b = a.astype(np.float64), b.astype(np.float64)
    covariance_a, covariance_b = (np.atleast_2d(np.cov(features, rowvar=False)) for features in (a, b))
    # The trace of the product's square root: the roots of its eigenvalues, which are real and not negative.
    eigenvalues = np.linalg.eigvals(covariance_a @ covariance_b)
    cross = np.sqrt(np.clip(eigenvalues.real, 0, None)).sum()
    means = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    return float(means + np.trace(covariance_a) + np.trace(covariance_b) - 2 * cross)


def spread(features: np.ndarray) -> float:
    """How much repeated drawings of one thing differ: their root mean squared distance from their own mean.

    Args:
        features: `[things, drawings, features]`.
    """
    centred = features - features.mean(axis=1, keepdims=True)
    drawings = features.shape[1]
    return float(np.sqrt(np.square(centred).sum(axis=-1).mean() * drawings / (drawings - 1)))
