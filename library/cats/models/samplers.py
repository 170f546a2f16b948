"""Ways to draw latent vectors for a decoder: each is a mixture of Gaussians, so that one rule draws from them all.

A decoder knows the vectors that its training images had; how like those the drawn ones are decides how samples look.
This file also goes into every registered model, as it is: it needs numpy alone.
"""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

COMPONENTS = 10  # of a mixture, as Ghosh et al. 2020 have


@dataclass(frozen=True)
class Strategy:
    """A mixture of Gaussians over latent vectors.

    Attributes:
        weights: `[components]`, how often each is drawn from; they sum to 1.
        means: `[components, latent_size]`.
        factors: `[components, latent_size, latent_size]`, whose products with their transposes are the covariances.
        bound: standard normal numbers beyond it are drawn again, before the factor is applied.
    """

    weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray
    bound: float = np.inf

    def sample(self, count: int, random: np.random.Generator) -> np.ndarray:
        """So many latent vectors, `[count, latent_size]` float32; the same of equal generators."""
        chosen = random.choice(len(self.weights), count, p=self.weights)
        noise = random.standard_normal((count, self.means.shape[1]))
        while (beyond := np.abs(noise) > self.bound).any():
            noise[beyond] = random.standard_normal(int(beyond.sum()))
        latents = np.empty(noise.shape, dtype=np.float32)
        for component in np.unique(chosen):
            rows = chosen == component
            # As precise as what is kept: the same is drawn before and after.
            latents[rows] = self.means[component] + noise[rows] @ self.factors[component].T.astype(np.float32)
        return latents


def normal(latent_size: int, temperature: float = 1.0, bound: float = np.inf) -> Strategy:
    """The standard normal prior, its standard deviation times a temperature, its numbers within a bound."""
    return Strategy(np.ones(1), np.zeros((1, latent_size)), temperature * np.eye(latent_size)[np.newaxis], float(bound))


def fitted(latents: np.ndarray, components: int, seed: int) -> Strategy:
    """Ex-post density estimation: a Gaussian or a mixture fitted to training images' vectors once training is over.

    Ghosh et al. 2020 (From Variational to Deterministic Autoencoders, section 4), who fit ten components of full
    covariance. What is added to the variances keeps a component with few images from collapsing onto them.

    Args:
        latents: `[images, latent_size]`; at least two images for each component.
        components: 1 fits a single Gaussian.
        seed: draws where the components begin.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture  # here: who only draws has no need of it
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    mixture = GaussianMixture(components, reg_covar=1e-3 * float(latents.var()), random_state=seed, max_iter=50)
    # k-means, by which it begins, adds up what its threads found in the order in which they end: with one it repeats.
    with warnings.catch_warnings(), threadpool_limits(1, user_api="openmp"):
        warnings.simplefilter("ignore", ConvergenceWarning)  # a fit whose last digits still move draws as well
        mixture.fit(latents.astype(np.float64))
    return Strategy(mixture.weights_, mixture.means_, np.linalg.cholesky(mixture.covariances_))


def fitted_afterwards(latents: np.ndarray, seed: int) -> dict[str, Strategy]:
    """What an autoencoder's codes call for, by name: a Gaussian, and the mixture of Ghosh et al.

    Args:
        latents: `[images, latent_size]`.
        seed: draws where the components begin.
    """
    return {"gaussian": fitted(latents, 1, seed), "mixture": fitted(latents, COMPONENTS, seed)}


def save(strategies: Mapping[str, Strategy], path: Path) -> None:
    """Writes strategies as plain arrays, without pickle."""
    arrays = {
        f"{name}/{part}": values.astype(np.float32) if part == "factors" else values
        for name, strategy in strategies.items()
        for part, values in asdict(strategy).items()
        for values in [np.asarray(values)]
    }
    np.savez_compressed(path, allow_pickle=False, **arrays)


def load(path: str | Path) -> dict[str, Strategy]:
    """The strategies that `save` wrote, in its order."""
    with np.load(path, allow_pickle=False) as arrays:
        names = dict.fromkeys(key.rpartition("/")[0] for key in arrays)
        return {name: _read(arrays, name) for name in names}


def _read(arrays: Mapping[str, np.ndarray], name: str) -> Strategy:
    weights, means, factors, bound = (arrays[f"{name}/{part}"] for part in ("weights", "means", "factors", "bound"))
    return Strategy(weights, means, factors, float(bound))
