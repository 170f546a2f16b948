"""Who is near whom among real and generated images: whether samples look real, reach all that is real, or are copies.

Distances are worked out for some rows at a time, as products of matrices: a table of all would not fit into memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

NEIGHBOURS = 5
# Rows that are in memory at a time.
BLOCK = 1000


@dataclass(frozen=True)
class Nearest:
    """Of each query the nearest reference: how far it is, `[queries]`, and which it is, `[queries]`."""

    distances: np.ndarray
    indices: np.ndarray


def neighbourhoods(real: np.ndarray, samples: np.ndarray, neighbours: int = NEIGHBOURS) -> dict[str, float]:
    """Precision, recall, density and coverage: who lies in the balls around whom.

    The ball around an image reaches to its k-th nearest neighbour in its own set. `precision` is the share of samples
    in any real image's ball, `recall` that of real images in any sample's (Kynkaanniemi et al. 2019, eqs. 1 and 2);
    `density` counts the real images' balls that a sample is in, over k, and may exceed 1; `coverage` is the share of
    real images whose ball holds a sample (Naeem et al. 2020, section 3; k = 5 is theirs).

    Args:
        real: `[images, features]`, more than `neighbours`.
        samples: `[images, features]`, more than `neighbours`; as many as real ones, for balls shrink as
            images grow in number.
        neighbours: k.

    Raises:
        ValueError: there are too few images, or the features differ in number.
    """
    check_sets("neighbourhoods", real, samples, neighbours + 1)
    real, samples = _centred(real, samples)
    real_radii, sample_radii = _radii(real, neighbours), _radii(samples, neighbours)
    balls = np.zeros(len(samples))
    recalled = np.zeros(len(real), dtype=bool)
    for rows, distances in _squared_distances(samples, real):
        within = distances <= real_radii
        balls[rows] = within.sum(axis=1)
        recalled |= (distances <= sample_radii[rows, np.newaxis]).any(axis=0)
    return {
        "precision": float((balls > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(balls.mean() / neighbours),
        "coverage": float(covered(real, samples, neighbours).mean()),
    }


def covered(real: np.ndarray, samples: np.ndarray, neighbours: int = NEIGHBOURS) -> np.ndarray:
    """Whether each real image's ball holds a sample, `[real images]`: coverage is the share of those (Naeem, eq. 4).

    Args:
        real: `[images, features]`, more than `neighbours`.
        samples: `[images, features]`.
        neighbours: k.
    """
    return nearest(real, samples).distances <= np.sqrt(_radii(real - real.mean(axis=0), neighbours))


def nearest(queries: np.ndarray, references: np.ndarray) -> Nearest:
    """The nearest reference of each query, by Euclidean distance.

    Args:
        queries: `[queries, features]`, features or pixels; at least one.
        references: `[references, features]`, at least one.

    Raises:
        ValueError: there is nothing to compare, or the features differ in number.
    """
    check_sets("nearest", queries, references, 1)
    references, queries = _centred(references, queries)
    distances, indices = np.zeros(len(queries)), np.zeros(len(queries), dtype=np.int64)
    for rows, squared in _squared_distances(queries, references):
        indices[rows] = squared.argmin(axis=1)
        distances[rows] = np.sqrt(squared.min(axis=1))
    return Nearest(distances, indices)


def memorisation(samples: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Whether samples are nearer to the training images than test images are, which were never seen.

    `memorisation_ratio` is the ratio of the median distances, 1 or more if nothing is learnt by heart;
    `memorisation_share` is the share of samples nearer than the nearest 1 % of test images, then 0.01 or less. These
    two distances are what Meehan et al. 2020 (A Non-Parametric Test to Detect Data-Copying) compare.

    Args:
        samples: each sample's distance to the nearest training image, at least one.
        test: each test image's, at least one.
    """
    return {
        "memorisation_ratio": float(np.median(samples) / np.median(test)),
        "memorisation_share": float((samples < np.quantile(test, 0.01)).mean()),
    }


def check_sets(what: str, a: np.ndarray, b: np.ndarray, least: int) -> None:
    """That both are `[vectors, features]`, with so many vectors and the same features.

    Raises:
        ValueError: they are not.
    """
    if a.ndim != 2 or min(len(a), len(b)) < least or a.shape[1:] != b.shape[1:]:
        raise ValueError(f"{what}: got {a.shape} and {b.shape}; allowed are {least} rows or more, same features")


def blocks(n: int) -> Iterator[slice]:
    """Slices of up to `BLOCK`, one after another, until n."""
    return (slice(start, start + BLOCK) for start in range(0, n, BLOCK))


def _centred(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both less the one's mean: nothing becomes farther, and distances lose fewer digits."""
    mean = one.mean(axis=0)
    return (one - mean).astype(np.float32), (other - mean).astype(np.float32)


def _radii(features: np.ndarray, neighbours: int) -> np.ndarray:
    """The squared distance of each image to its k-th nearest neighbour."""
    radii = np.zeros(len(features), dtype=np.float32)
    for rows, distances in _squared_distances(features, features):
        distances[np.arange(len(distances)), np.arange(len(features))[rows]] = np.inf
        radii[rows] = np.partition(distances, neighbours - 1, axis=1)[:, neighbours - 1]
    return radii


def _squared_distances(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Some rows of a at a time, and their squared distances to all of b, `[rows, b]`."""
    lengths = np.square(b).sum(axis=1)
    for rows in blocks(len(a)):
        distances = np.square(a[rows]).sum(axis=1, keepdims=True) + lengths - 2 * a[rows] @ b.T
        yield rows, np.maximum(distances, 0)
