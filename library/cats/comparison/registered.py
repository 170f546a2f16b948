"""The three registered models of a stage, the images that all of them were trained on, and their samples.

They are used as any caller uses them, through MLflow's pyfunc, so that the comparison is of what is served.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from library.cats.config import CatsConfig
from library.cats.data import dataset
from library.cats.experiment import MAX_NEAREST_SAMPLES, MAX_REFERENCE_IMAGES
from library.cats.images import load_images
from library.cats.metrics import sample_quality
from library.cats.metrics.neighbors import Nearest, nearest
from library.cats.models.feature_extractors import FeatureExtractor
from library.framework.errors import NotRegistered, UserError
from library.framework.registry.artifacts import find_version, load_version
from library.framework.tracking.queries import RunRecord, read_run

NAMES = {"CAE": "cats-cae", "VAE": "cats-vae", "GAN": "cats-gan"}
SEED = 0  # of the noise of all samples, as in the test of a trained model
SCORES = (
    "kid", "kid_standard_error", "frechet_distance", "precision", "recall", "density", "coverage", "memorisation_ratio",
)  # fmt: skip


@dataclass(frozen=True)
class Model:
    """A registered model, named as in `VAE`, and what its run recorded.

    The digest is that of its training images, `served` what `mlflow.pyfunc.load_model` returns.
    """

    name: str
    version: str
    run: RunRecord
    digest: str
    served: Any

    @property
    def python_model(self) -> Any:
        """The model as its own file defines it, with its networks and samplers."""
        return self.served.unwrap_python_model()

    @property
    def has_encoder(self) -> bool:
        """Whether it can encode and reconstruct."""
        return self.python_model.encoder is not None

    def generate(self, count: int, sampler: str) -> np.ndarray:
        """New images `[count, 75, 75, 3]` uint8."""
        return self._predict([count], task="generate", strategy=sampler, seed=SEED)

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Reconstructions of images `[n, 75, 75, 3]` uint8."""
        return self._predict(images, task="reconstruct")

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Latent vectors, `[n, latent_size]`, of images."""
        return self._predict(images, task="encode")

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """An image of each latent vector."""
        return self._predict(latents.astype(np.float32), task="decode")

    def _predict(self, values: Any, **params: Any) -> np.ndarray:
        return np.asarray(self.served.predict(values, params=params))


def load(stage: str) -> list[Model]:
    """All three.

    Raises:
        NotRegistered: one has no version in that stage; the message lists those that exist, and how to train one.
        UserError: they were not trained on the same images, or files differ from those that were registered.
    """
    versions = {}
    for name, registered in NAMES.items():
        try:
            versions[name] = find_version(registered, stage)
        except NotRegistered as error:
            raise NotRegistered(f"{error}; make train-{name.lower()} CATS=... trains one") from None
    digests = {name: version.tags.get("data.digest", "") for name, version in versions.items()}
    if len(set(digests.values())) > 1:
        each = ", ".join(f"{NAMES[name]} version {one.version} on {digests[name]}" for name, one in versions.items())
        raise UserError(
            f"models: got some that were trained on different images ({each}); allowed are equal CATS= and IMAGES="
        )
    return [
        Model(name, str(version.version), read_run(str(version.run_id)), digests[name], load_version(version))
        for name, version in versions.items()
    ]


def data_of(models: list[Model]) -> dataset.Cats:
    """The images that the models were trained on; UserError if they no longer exist, or have changed."""
    params = models[0].run.params
    data = load_images(CatsConfig(cats=params["cats"], images=int(params["images"])))
    if data.digest != models[0].digest:
        raise UserError(f"cats: {params['cats']!r} holds {data.digest}; the models were trained on {models[0].digest}")
    return data


@dataclass(frozen=True)
class ModelSamples:
    """The first `MAX_NEAREST_SAMPLES` samples of a model by a sampler, and the nearest training image of each.

    The scores are those of all samples, named as in `SCORES`.
    """

    model: Model
    sampler: str
    images: np.ndarray
    nearest: Nearest
    scores: Mapping[str, float]

    @property
    def is_best(self) -> bool:
        """Whether the sampler is the model's default, chosen on validation images."""
        return bool(self.sampler == self.model.python_model.best)


def sample(models: list[Model], data: dataset.Cats, count: int, network: str) -> Iterator[ModelSamples]:
    """Draws `count` samples by each sampler, always from the same noise, and scores them on all test images."""
    extract = FeatureExtractor(network)
    train, test = extract(data.train[:MAX_REFERENCE_IMAGES]), extract(data.test)
    for model in models:
        for sampler in model.python_model.strategies:
            images = model.generate(count, sampler)
            features = extract(images)
            named = sample_quality.evaluate(test, features, train, network=network)
            scores = {score: named[sample_quality.score_name(score, network)] for score in SCORES}
            found = nearest(features[:MAX_NEAREST_SAMPLES], train)
            yield ModelSamples(model, sampler, images[:MAX_NEAREST_SAMPLES].copy(), found, scores)
