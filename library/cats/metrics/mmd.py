"""The squared maximum mean discrepancy of two sets of vectors (KID is one), with its standard error.

Unlike the Frechet distance it is unbiased at any sample size, so that scores of a few hundred samples during training
are comparable with those of thousands at its end.
"""

from collections.abc import Callable

import numpy as np

from library.cats.metrics.neighbors import blocks, check_sets
from library.framework.statistics import Estimate

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]


def kid(real: np.ndarray, samples: np.ndarray) -> Estimate:
    """The kernel inception distance, in any features: `kernel_distance` with `polynomial`.

    Binkowski et al. 2018 (section 4) average it over random subsets, to save time. All pairs at once have the same
    expectation at any number of images; subsets overlap, so that their spread is no standard error.
    """
    return kernel_distance(real, samples, polynomial)


def kernel_distance(a: np.ndarray, b: np.ndarray, kernel: Kernel) -> Estimate:
    """The unbiased squared maximum mean discrepancy (Gretton et al. 2012, eq. 3).

    Its standard error is the two-sample jackknife's (Arvesen 1969), which leaves out each of a, then each of b: the
    standard deviation over new draws of both sets, a little overestimated where they are equally distributed.

    Takes two sets `[vectors, features]` and a symmetric kernel, from `[rows, features]` of one and all of the other to
    `[rows, vectors]`; ValueError if a set has fewer than three vectors, or the features differ in number.
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
    base = a @ b.T / a.shape[1] + 1
    return base * base * base  # ten times as fast as a power


def inverse_multiquadric(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The kernel `c / (c + |x - y|^2)`, c = 2 features, for vectors of about unit variance (Tolstikhin et al. 2018, 4).

    Its heavy tails see distant vectors, which a Gaussian kernel ignores.
    """
    c = 2 * a.shape[1]
    squared = np.square(a).sum(axis=1, keepdims=True) + np.square(b).sum(axis=1) - 2 * a @ b.T
    return c / (c + np.maximum(squared, 0))


def _sums(a: np.ndarray, b: np.ndarray, kernel: Kernel, *, own: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """The kernel's sums over b for each of a, and over a for each of b; without the diagonal if not `own`."""
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
    """The mean over ordered pairs of one set without each of its members in turn, from the members' sums."""
    n = len(sums)
    return (sums.sum() - 2 * sums) / ((n - 1) * (n - 2))
