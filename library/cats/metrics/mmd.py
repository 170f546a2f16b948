"""The kernel distance of two sets of vectors, with its standard error: 0 only where their distributions are equal.

Unlike the Frechet distance it has no bias, however few the vectors are, so that scores from a few hundred samples in
the midst of training mean what those of thousands do at its end.
"""

from collections.abc import Callable

import numpy as np

from library.cats.metrics.neighbors import blocks, check_sets
from library.framework.statistics import Estimate

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]


def kid(real: np.ndarray, samples: np.ndarray) -> Estimate:
    """The kernel inception distance, in whatever features: `kernel_distance` with `polynomial`.

    Binkowski et al. 2018 (section 4) average it over random subsets, to save time. Here all pairs are used at once,
    which has the same expectation at any number of images; subsets overlap, so their spread is no standard error.

    Args:
        real: `[images, features]`.
        samples: `[images, features]`; the number of images may differ.

    Raises:
        ValueError: a set has fewer than three images, or the features differ in number.
    """
    return kernel_distance(real, samples, polynomial)


def kernel_distance(a: np.ndarray, b: np.ndarray, kernel: Kernel) -> Estimate:
    """The unbiased squared maximum mean discrepancy (Gretton et al. 2012, eq. 3).

    Its standard error is the jackknife's for two samples (Arvesen 1969): leave out each of a, then each of b. That is
    by how much the value would vary if both sets were drawn anew; where they are equally distributed, a little more.

    Args:
        a: `[vectors, features]`.
        b: `[vectors, features]`; the number of vectors may differ.
        kernel: from some of a, `[rows, features]`, and all of b to `[rows, vectors]`; symmetric.

    Raises:
        ValueError: a set has fewer than three vectors, or the features differ in number.
    """
    check_sets("kernel distance", a, b, 3)
    n, m = len(a), len(b)
    (within_a, _), (within_b, _) = _sums(a, a, kernel, own=False), _sums(b, b, kernel, own=False)
    across_a, across_b = _sums(a, b, kernel)
    across = across_a.sum()
    without_each_a = _mean_without(within_a) - 2 * (across - across_a) / ((n - 1) * m)
    without_each_b = _mean_without(within_b) - 2 * (across - across_b) / (n * (m - 1))
    variance = (n - 1) * without_each_a.var() + (m - 1) * without_each_b.var()
    value = within_a.sum() / (n * (n - 1)) + within_b.sum() / (m * (m - 1)) - 2 * across / (n * m)
    return Estimate(float(value), float(np.sqrt(variance)))


def polynomial(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The cubic kernel `(x.y / features + 1)^3` (Binkowski et al. 2018, section 4)."""
    # Not as a power, which takes ten times as long.
    base = a @ b.T / a.shape[1] + 1
    return base * base * base


def inverse_multiquadric(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The kernel `c / (c + |x - y|^2)`, c = 2 features, for vectors of about unit variance (Tolstikhin et al. 2018, 4).

    Its tails are heavy, so that vectors far out count, where a Gaussian kernel does not see them.
    """
    c = 2 * a.shape[1]
    squared = np.square(a).sum(axis=1, keepdims=True) + np.square(b).sum(axis=1) - 2 * a @ b.T
    return c / (c + np.maximum(squared, 0))


def _sums(a: np.ndarray, b: np.ndarray, kernel: Kernel, *, own: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """The kernel's sums over b for each of a, and over a for each of b; each without itself if not `own`."""
    a, b = a.astype(np.float32), b.astype(np.float32)
    over_b, over_a = np.zeros(len(a)), np.zeros(len(b))
    for rows in blocks(len(a)):
        values = kernel(a[rows], b)
        if not own:
            values[np.arange(len(values)), np.arange(len(a))[rows]] = 0
        over_b[rows] = values.sum(axis=1, dtype=np.float64)
        over_a += values.sum(axis=0, dtype=np.float64)
    return over_b, over_a


def _mean_without(sums: np.ndarray) -> np.ndarray:
    """The mean over ordered pairs of one set, without each of its members in turn, from the members' sums."""
    n = len(sums)
    return (sums.sum() - 2 * sums) / ((n - 1) * (n - 2))
