"""Latent samplers: distributions of a decoder's latent vectors, each a mixture of Gaussians with one sampling rule.

Samples look real if their latent vectors are distributed like those of training images. This file is also copied into
every registered model: it needs only numpy.
"""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

COMPONENTS = 10  # of a mixture, as in Ghosh et al. 2020


@dataclass(frozen=True)
class LatentSampler:
    """A mixture of Gaussians over latent vectors: `weights`, `[components]`, sum to 1; `means`, `[components, size]`.

    Each of `factors`, `[components, size, size]`, times its transpose is a covariance. Standard normal numbers beyond
    the bound are drawn again, before the factor is applied.
    """

    weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray
    bound: float = np.inf

    def sample(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Draws latent vectors, `[count, latent_size]` float32; equal generators give equal ones."""
        components = random.choice(len(self.weights), count, p=self.weights)
        noise = random.standard_normal((count, self.means.shape[1]))
        while (beyond := np.abs(noise) > self.bound).any():
            noise[beyond] = random.standard_normal(int(beyond.sum()))
        latents = np.empty(noise.shape, dtype=np.float32)
        for component in np.unique(components):
            rows = components == component
            # In the precision of `save`, so that samples are equal before and after.
            latents[rows] = self.means[component] + noise[rows] @ self.factors[component].T.astype(np.float32)
        return latents


def normal(latent_size: int, temperature: float = 1.0, bound: float = np.inf) -> LatentSampler:
    """The standard normal prior, truncated at the bound, its standard deviation times a temperature."""
    factor = temperature * np.eye(latent_size)[np.newaxis]
    return LatentSampler(np.ones(1), np.zeros((1, latent_size)), factor, float(bound))


def fit_mixture(latents: np.ndarray, components: int, seed: int) -> LatentSampler:
    """Fits Gaussians of full covariance to latent vectors `[images, latent_size]`, by expectation maximization.

    Takes two images per component or more, and a seed of the initialization; 1e-3 of the variance regularizes the
    covariances.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture  # here: sampling needs only numpy
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    mixture = GaussianMixture(components, reg_covar=1e-3 * float(latents.var()), random_state=seed, max_iter=50)
    # The initial k-means sums its threads' results in the order in which they finish; one thread is reproducible.
    with warnings.catch_warnings(), threadpool_limits(1, user_api="openmp"):
        warnings.simplefilter("ignore", ConvergenceWarning)  # a fit whose last digits still change samples as well
        mixture.fit(latents.astype(np.float64))
    return LatentSampler(mixture.weights_, mixture.means_, np.linalg.cholesky(mixture.covariances_))


def fit_latent_density(latents: np.ndarray, seed: int) -> dict[str, LatentSampler]:
    """Ex-post density estimation: a Gaussian, and a mixture of ten, fitted to the codes of training images.

    Ghosh et al. 2020 (From Variational to Deterministic Autoencoders, section 4).
    """
    return {"gaussian": fit_mixture(latents, 1, seed), "mixture": fit_mixture(latents, COMPONENTS, seed)}


def save(samplers: Mapping[str, LatentSampler], path: Path) -> None:
    """Writes samplers as plain arrays, without pickle."""
    arrays = {
        f"{name}/{part}": np.asarray(values, np.float32 if part == "factors" else None)
        for name, sampler in samplers.items()
        for part, values in asdict(sampler).items()
    }
    np.savez_compressed(path, allow_pickle=False, **arrays)


def load(path: str | Path) -> dict[str, LatentSampler]:
    """Reads the samplers that `save` wrote, in its order."""
    samplers = {}
    with np.load(path, allow_pickle=False) as arrays:
        for name in dict.fromkeys(key.rpartition("/")[0] for key in arrays):
            weights, means, factors, bound = (arrays[f"{name}/{x}"] for x in ("weights", "means", "factors", "bound"))
            samplers[name] = LatentSampler(weights, means, factors, float(bound))
    return samplers
