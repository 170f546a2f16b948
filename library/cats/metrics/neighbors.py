"""Nearest neighbors among real and generated images: precision, recall, density, coverage, memorization.

Distances are computed in blocks of rows, as matrix products: the whole matrix would not fit into memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

NEIGHBORS = 5
BLOCK = 1000  # rows in memory at a time


@dataclass(frozen=True)
class Nearest:
    """The nearest reference of each query: its distance, `[queries]`, and its index, `[queries]`."""

    distances: np.ndarray
    indices: np.ndarray


def neighborhood_scores(real: np.ndarray, samples: np.ndarray, neighbors: int = NEIGHBORS) -> dict[str, float]:
    """Precision, recall, density and coverage.

    The ball around an image reaches to its k-th nearest neighbor in its own set. `precision` is the share of samples in
    any real image's ball, `recall` the share of real images in any sample's (Kynkaanniemi et al. 2019, eqs. 1 and 2);
    `density` is the number of real images' balls that contain a sample, over k, and may exceed 1; `coverage` is the
    share of real images whose ball contains a sample (Naeem et al. 2020, section 3; k = 5 is theirs).

    Takes `[images, features]`, more than k of both, and as many samples as real ones, as balls shrink with the number.
    ValueError if there are too few, or the features differ in number.
    """
    check_sets("neighborhoods", real, samples, neighbors + 1)
    real, samples = _centered(real, samples)
    real_radii, sample_radii = _squared_radii(real, neighbors), _squared_radii(samples, neighbors)
    balls = np.zeros(len(samples))
    recalled = np.zeros(len(real), dtype=bool)
    for rows, distances in _squared_distances(samples, real):
        balls[rows] = (distances <= real_radii).sum(axis=1)
        recalled |= (distances <= sample_radii[rows, np.newaxis]).any(axis=0)
    return {
        "precision": float((balls > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(balls.mean() / neighbors),
        "coverage": float(covered(real, samples, neighbors).mean()),
    }


def covered(real: np.ndarray, samples: np.ndarray, neighbors: int = NEIGHBORS) -> np.ndarray:
    """Whether each real image's ball contains a sample, `[real images]`; the mean is the coverage (Naeem, eq. 4)."""
    return nearest(real, samples).distances <= np.sqrt(_squared_radii(real - real.mean(axis=0), neighbors))


def nearest(queries: np.ndarray, references: np.ndarray) -> Nearest:
    """The nearest reference of each query, by Euclidean distance.

    Takes features or pixels, `[queries, features]` and `[references, features]`; ValueError if there are none of
    either, or the features differ in number.
    """
    check_sets("nearest", queries, references, 1)
    references, queries = _centered(references, queries)
    distances, indices = np.zeros(len(queries)), np.zeros(len(queries), dtype=np.int64)
    for rows, squared in _squared_distances(queries, references):
        indices[rows] = squared.argmin(axis=1)
        distances[rows] = np.sqrt(squared.min(axis=1))
    return Nearest(distances, indices)


def memorization(samples: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Whether samples are closer to the training images than unseen test images are.

    Takes the distances of both to their nearest training images, as Meehan et al. 2020 (A Non-Parametric Test to Detect
    Data-Copying) do. `memorisation_ratio` is the ratio of the medians, 1 or more without memorization;
    `memorisation_share` is the share of samples closer than the closest 1 % of test images, then 0.01 or less.
    """
    return {
        "memorisation_ratio": float(np.median(samples) / np.median(test)),
        "memorisation_share": float((samples < np.quantile(test, 0.01)).mean()),
    }


def check_sets(what: str, a: np.ndarray, b: np.ndarray, least: int) -> None:
    """Raises ValueError unless both are `[vectors, features]`, with at least so many vectors and equal features."""
    if a.ndim != 2 or min(len(a), len(b)) < least or a.shape[1:] != b.shape[1:]:
        raise ValueError(f"{what}: got {a.shape} and {b.shape}; allowed are {least} rows or more, same features")


def blocks(n: int) -> Iterator[slice]:
    """Consecutive slices of up to `BLOCK` that cover n rows."""
    return (slice(start, start + BLOCK) for start in range(0, n, BLOCK))


def _centered(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Subtracts the mean of the first from both: distances stay, and lose fewer digits."""
    mean = one.mean(axis=0)
    return (one - mean).astype(np.float32), (other - mean).astype(np.float32)


def _squared_radii(features: np.ndarray, neighbors: int) -> np.ndarray:
    """The squared distance of each image to its k-th nearest neighbor."""
    radii = np.zeros(len(features), dtype=np.float32)
    for rows, distances in _squared_distances(features, features):
        distances[np.arange(len(distances)), np.arange(len(features))[rows]] = np.inf
        radii[rows] = np.partition(distances, neighbors - 1, axis=1)[:, neighbors - 1]
    return radii


def _squared_distances(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of rows of a, and their squared distances to all of b, `[rows, b]`."""
    lengths = np.square(b).sum(axis=1)
    for rows in blocks(len(a)):
        distances = np.square(a[rows]).sum(axis=1, keepdims=True) + lengths - 2 * a[rows] @ b.T
        yield rows, np.maximum(distances, 0)
