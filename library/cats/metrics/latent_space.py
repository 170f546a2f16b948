"""What a latent space is like: its dimensions in use, its ways from one image to another, its maps.

Samples can only be as good as codes of real images lie where the prior says, so that is measured too.
"""

import numpy as np

from library.cats.metrics.mmd import inverse_multiquadric, kernel_distance
from library.framework.statistics import Estimate

# The variance of posterior means above which a dimension is in use (Burda et al. 2016, section 5).
ACTIVE = 0.01


def active_units(means: np.ndarray) -> int:
    """How many latent dimensions heed the image (Burda et al. 2016, section 5).

    Those are the ones whose posterior means have a variance above 0.01.

    Args:
        means: of each image's posterior, `[images, dimensions]`.
    """
    return int((means.var(axis=0) > ACTIVE).sum())


def kl_per_dimension(means: np.ndarray, log_variances: np.ndarray) -> np.ndarray:
    """The divergence of each dimension's posterior from the standard normal prior: `[dimensions]`, in nats.

    The mean over the images (Kingma and Welling 2014, appendix B); dimensions that say nothing are at 0.

    Args:
        means: of each image's posterior, `[images, dimensions]`.
        log_variances: natural logarithms of their variances, of the same shape.
    """
    each = (np.square(means) + np.exp(log_variances) - 1 - log_variances) / 2
    mean: np.ndarray = each.mean(axis=0)
    return mean


def prior_mismatch(codes: np.ndarray, prior: np.ndarray) -> Estimate:
    """How far codes of images, drawn from their posteriors, are from draws from the prior; 0 if equally distributed.

    The kernel distance with the inverse multiquadric kernel that Tolstikhin et al. 2018 (section 4) train with. A
    Frechet distance would not see holes between clusters of codes, from which samples come out as no image does: it
    heeds means and covariances alone.

    Args:
        codes: `[images, dimensions]`.
        prior: `[draws, dimensions]`, of about unit variance.

    Raises:
        ValueError: there are fewer than three of either, or the dimensions differ in number.
    """
    return kernel_distance(codes, prior, inverse_multiquadric)


def linear(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Codes on the straight line between two, `[steps, dimensions]`, both ends included.

    Args:
        start: `[dimensions]`.
        end: `[dimensions]`.
        steps: two or more.
    """
    return np.linspace(start, end, steps)


def spherical(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Codes on the arc between two, `[steps, dimensions]`, both ends included (Shoemake 1985; White 2016, section 2.1).

    The middle of a straight line is nearer to 0 than codes of a Gaussian prior ever are; here the length goes evenly
    from the one's to the other's, and so does the angle. Codes of opposite or equal direction have no arc: they get
    the straight line.

    Args:
        start: `[dimensions]`.
        end: `[dimensions]`.
        steps: two or more.
    """
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if min(lengths) == 0:
        return linear(start, end, steps)
    a, b = start / lengths[0], end / lengths[1]
    # Of two unit vectors, the angle from their sum and difference keeps its digits at both ends, unlike an arc cosine.
    angle = 2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
    if min(angle, np.pi - angle) < 1e-6:
        return linear(start, end, steps)
    t = np.linspace(0, 1, steps)[:, np.newaxis]
    directions = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
    return np.linspace(*lengths, steps)[:, np.newaxis] * directions


def attribute(codes: np.ndarray, present: np.ndarray) -> np.ndarray:
    """The direction in which images gain an attribute: the mean code of those that have it, less that of the others.

    To be added to an image's code, or taken from it (Larsen et al. 2016, section 4): `[dimensions]`.

    Args:
        codes: `[images, dimensions]`.
        present: `[images]` booleans.

    Raises:
        ValueError: all images have it, or none.
    """
    if present.all() or not present.any():
        raise ValueError(f"attribute: {int(present.sum())} of {len(present)} images have it; some must, and some not")
    difference: np.ndarray = codes[present].mean(axis=0) - codes[~present].mean(axis=0)
    return difference


def pca_map(codes: np.ndarray) -> np.ndarray:
    """Codes on the plane of their two greatest variances: `[images, 2]`.

    Args:
        codes: `[images, dimensions]`, two or more of both.
    """
    from sklearn.decomposition import PCA

    return np.asarray(PCA(2, svd_solver="full").fit_transform(codes))


def tsne_map(codes: np.ndarray, seed: int = 0, perplexity: float = 30) -> np.ndarray:
    """Codes on a plane where neighbours stay neighbours, whatever becomes of distances: `[images, 2]`.

    That is t-SNE (van der Maaten and Hinton 2008). It takes seconds for a thousand codes, minutes for tens
    of thousands.

    Args:
        codes: `[images, dimensions]`, more than `perplexity`.
        seed: of the optimisation; it begins with the map of `pca_map`.
        perplexity: about how many neighbours each code is to keep.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # On cores that are also busy with something else, its threads wait for each other, ten times as long as one takes.
    with threadpool_limits(1, user_api="openmp"):
        return np.asarray(TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(codes))
