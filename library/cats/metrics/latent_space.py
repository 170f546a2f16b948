"""Latent spaces: active dimensions, mismatch with the prior, interpolations, attribute directions, maps.

Samples are only as good as the prior matches the codes of real images, so that is measured too.
"""

import numpy as np

from library.cats.metrics.mmd import inverse_multiquadric, kernel_distance
from library.framework.statistics import Estimate

# The variance of posterior means above which a dimension is active (Burda et al. 2016, section 5).
ACTIVE = 0.01


def evaluate(means: np.ndarray, log_variances: np.ndarray) -> dict[str, float]:
    """Active units, divergence and mismatch, named as in `test/active_units`.

    Takes the means of the posteriors of test images and the natural logarithms of their variances, both
    `[images, dimensions]`.
    """
    noise = np.random.default_rng(0).standard_normal((2, *means.shape))
    mismatch = prior_mismatch(means + np.exp(log_variances / 2) * noise[0], noise[1])
    return {
        "test/active_units": float(active_units(means)),
        "test/divergence": float(kl_per_dimension(means, log_variances).sum()),
        "test/prior_mismatch": mismatch.value,
        "test/prior_mismatch_standard_error": mismatch.standard_error,
    }


def active_units(means: np.ndarray) -> int:
    """The number of dimensions whose posterior means, `[images, dimensions]`, vary by more than 0.01 (Burda et al.)."""
    return int((means.var(axis=0) > ACTIVE).sum())


def kl_per_dimension(means: np.ndarray, log_variances: np.ndarray) -> np.ndarray:
    """The KL divergence of each dimension's posterior from the standard normal prior: `[dimensions]`, in nats.

    The mean over the images (Kingma and Welling 2014, appendix B); 0 for dimensions that encode nothing. Takes means
    and log variances as `evaluate` does.
    """
    return np.asarray(((np.square(means) + np.exp(log_variances) - 1 - log_variances) / 2).mean(axis=0))


def prior_mismatch(codes: np.ndarray, prior: np.ndarray) -> Estimate:
    """The distance between posterior samples and prior samples; 0 if equally distributed.

    The kernel distance with the inverse multiquadric kernel that Tolstikhin et al. 2018 (section 4) train with. A
    Frechet distance compares only means and covariances: it misses holes between clusters of codes, and latent vectors
    from there decode to no realistic image. Takes codes and prior samples `[n, dimensions]`, raises as that distance.
    """
    return kernel_distance(codes, prior, inverse_multiquadric)


def linear(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Codes on the straight line between two codes `[dimensions]`, both included: `[steps, dimensions]`."""
    return np.linspace(start, end, steps)


def spherical(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Codes on the arc between two codes `[dimensions]`, both included: `[steps, dimensions]`.

    The middle of a straight line is closer to 0 than codes of a Gaussian prior are; here length and angle change
    linearly (Shoemake 1985; White 2016, section 2.1). Codes of opposite or equal direction get the straight line.
    """
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if min(lengths) == 0:
        return linear(start, end, steps)
    a, b = start / lengths[0], end / lengths[1]
    # The angle of unit vectors from their sum and difference is precise at both ends, unlike an arc cosine.
    angle = 2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
    if min(angle, np.pi - angle) < 1e-6:
        return linear(start, end, steps)
    t = np.linspace(0, 1, steps)[:, np.newaxis]
    directions = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    return np.linspace(*lengths, steps)[:, np.newaxis] * directions


INTERPOLATIONS = {"linear": linear, "spherical": spherical}


def attribute(codes: np.ndarray, present: np.ndarray) -> np.ndarray:
    """The direction of an attribute, `[dimensions]`: the mean code of images that have it, minus that of the others.

    Adding it to a code gives the image the attribute (Larsen et al. 2016, section 4). Takes codes
    `[images, dimensions]` and booleans `[images]`; ValueError if all images have it, or none.
    """
    if present.all() or not present.any():
        raise ValueError(f"attribute: {int(present.sum())} of {len(present)} images have it; some must, and some not")
    return np.asarray(codes[present].mean(axis=0) - codes[~present].mean(axis=0))


def pca_map(codes: np.ndarray) -> np.ndarray:
    """The first two principal components, `[images, 2]`, of codes `[images, dimensions]`, two or more of both."""
    from sklearn.decomposition import PCA

    return np.asarray(PCA(2, svd_solver="full").fit_transform(codes))


def tsne_map(codes: np.ndarray, seed: int = 0, perplexity: float = 30) -> np.ndarray:
    """Codes on a plane that keeps neighbors but not distances, `[images, 2]`: t-SNE (van der Maaten and Hinton 2008).

    Takes codes `[images, dimensions]`, more than the perplexity, which is about how many neighbors of each to keep. It
    takes seconds for a thousand codes, minutes for tens of thousands, and starts from the PCA map.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # On busy cores its threads wait for each other, ten times as long as a single thread takes.
    with threadpool_limits(1, user_api="openmp"):
        return np.asarray(TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(codes))
