"""The three registered models of a stage, as their callers see them, and the images that all were trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from library.cats.config import CatsConfig
from library.cats.data import dataset
from library.framework import registry
from library.framework.errors import NotRegistered, UserError
from library.framework.tracking import queries

NAMES = {"CAE": "cats-cae", "VAE": "cats-vae", "GAN": "cats-gan"}
SEED = 0  # of the noise of all samples, as when a model is tested


@dataclass(frozen=True)
class Model:
    """A registered model and what its run says of it.

    Attributes:
        name: for people, as in `VAE`.
        version: its number in the registry.
        run: id of the run that it is from, with its `params` and `metrics`.
        digest: names the images that it was trained on.
        served: what `mlflow.pyfunc.load_model` gives.
    """

    name: str
    version: str
    run: str
    digest: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    served: Any

    @property
    def strategies(self) -> list[str]:
        """How it can draw."""
        return list(self._inner.strategies)

    @property
    def best(self) -> str:
        """The strategy that it draws by unless told, chosen on validation images."""
        return str(self._inner.best)

    @property
    def reads(self) -> bool:
        """Whether it has an encoder."""
        return self._inner.encoder is not None

    @property
    def latent_size(self) -> int:
        """Numbers that an image is drawn from."""
        return int(self._inner.latent_size)

    def generate(self, count: int, strategy: str) -> np.ndarray:
        """New images `[count, 75, 75, 3]` uint8."""
        return self._ask([count], task="generate", strategy=strategy, seed=SEED)

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Images as it reproduces them."""
        return self._ask(images, task="reconstruct")

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Their latent vectors, `[n, latent_size]`."""
        return self._ask(images, task="encode")

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """An image of each latent vector."""
        return self._ask(latents.astype(np.float32), task="decode")

    def _ask(self, given: Any, **params: Any) -> np.ndarray:
        return np.asarray(self.served.predict(given, params=params))

    @property
    def _inner(self) -> Any:
        return self.served.unwrap_python_model()


def load(stage: str) -> list[Model]:
    """All three.

    Raises:
        NotRegistered: one has no version in that stage; says what there is, and how to train it.
        UserError: they were not trained on the same images, or files are not those that were registered.
    """
    found = {name: _find(name, stage) for name in NAMES}
    digests = {name: version.tags.get("data.digest", "") for name, version in found.items()}
    if len(set(digests.values())) > 1:
        each = ", ".join(f"{NAMES[name]} version {found[name].version} on {digests[name]}" for name in found)
        raise UserError(
            f"models: got some that were trained on different images ({each}); allowed are equal CATS= and IMAGES="
        )
    return [
        Model(
            name=name,
            version=str(version.version),
            run=version.run_id,
            digest=digests[name],
            params=queries.params_of(version.run_id),
            metrics=queries.metrics_of(version.run_id),
            served=registry.load(NAMES[name], stage),
        )
        for name, version in found.items()
    ]


def _find(name: str, stage: str) -> Any:
    try:
        return registry.find(NAMES[name], stage)
    except NotRegistered as error:
        raise NotRegistered(f"{error}; make train-{name.lower()} CATS=... trains one") from None


def data_of(models: list[Model]) -> dataset.Cats:
    """The images that the models were trained on.

    Raises:
        UserError: they are not where they were, or not the same any more.
    """
    params = models[0].params
    data = dataset.load(CatsConfig(cats=params["cats"], images=int(params["images"])))
    if data.digest != models[0].digest:
        raise UserError(f"cats: {params['cats']!r} holds {data.digest}; the models were trained on {models[0].digest}")
    return data
