"""The base of the experiments with cats: how they train, how latent samplers are compared, what is registered.

They differ in their networks and in their samplers, which each experiment's own file defines.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from library.cats.config import ImagesConfig
from library.cats.data import dataset, photos
from library.cats.images import load_images
from library.framework import images
from library.framework.experiment import Experiment, ModelArtifacts, PredictRequest, TrainingResult
from library.framework.run import Callbacks, Run

if TYPE_CHECKING:
    from library.cats.metrics.neighbors import Nearest
    from library.cats.models.feature_extractors import FeatureExtractor
    from library.cats.models.generative import Generative
    from library.cats.models.samplers import LatentSampler

GRID_SIZE = 36  # samples in the image of an epoch
MAX_VALIDATION_IMAGES = 1000  # after each epoch
MAX_REFERENCE_IMAGES = 10_000  # training images among which the nearest ones are searched for
MAX_NEAREST_SAMPLES = 500  # samples whose nearest training images are searched for to be shown
MAX_FIT_IMAGES = 10_000  # training images to whose codes a latent density is fitted


@dataclass(frozen=True)
class SamplerEvaluation:
    """The latent samplers of a trained model, by name, compared in the features of a network.

    Attributes:
        samples: images by each, `[test_samples, 75, 75, 3]` uint8, always from the same noise.
        scores: of each, by the score's name, on validation and on test images.
        best: name of the sampler with the least kernel distance to validation images.
        covered: whether the best one's samples cover each test image, `[test images]`; the mean is its coverage.
        nearest: the nearest training image of each of the best one's first `MAX_NEAREST_SAMPLES` samples.
    """

    network: str
    samplers: "Mapping[str, LatentSampler]"
    samples: Mapping[str, np.ndarray]
    scores: Mapping[str, Mapping[str, float]]
    best: str
    covered: np.ndarray
    nearest: "Nearest"

    @cached_property
    def test_scores(self) -> dict[str, dict[str, float]]:
        """The test scores of each sampler, named without split and network: `kid`."""
        name_of = re.compile(rf"test/(.*)_(?:{re.escape(self.network)}|pixels)")
        return {
            name: {match[1]: value for key, value in scores.items() if (match := name_of.fullmatch(key))}
            for name, scores in self.scores.items()
        }

    @property
    def metrics(self) -> dict[str, float]:
        """`test/SCORE_NETWORK` of the best sampler, and `test/SAMPLER/SCORE_NETWORK` of each."""
        rows = {"test/": self.scores[self.best], **{f"test/{name}/": row for name, row in self.scores.items()}}
        return {
            key.replace("test/", prefix): value
            for prefix, row in rows.items()
            for key, value in row.items()
            if key.startswith("test/") and key.endswith((f"_{self.network}", "_pixels"))
        }

    def log(self, train: np.ndarray, run: Run) -> None:
        """Logs the table, the figures and the best sampler's name; the training images are those of `nearest`."""
        from library.cats import figures

        rows, best = self.test_scores, self.samples[self.best]
        columns = {key: [row[key] for row in rows.values()] for key in rows[self.best]}
        run.log_table("strategies", {"strategy": list(rows), **columns})
        run.log_figure("strategies", figures.sample_scores(rows, self.network))
        run.log_figure("samples", figures.labelled_rows({name: some[:12] for name, some in self.samples.items()}))
        run.log_figure("samples-of-the-best", figures.contact_sheet(best[:100], title=self.best))
        pairs = figures.nearest_pairs(best[:MAX_NEAREST_SAMPLES], train, self.nearest)
        run.log_figure("nearest-neighbours", pairs)
        run.set_tags({"strategy": self.best})


class CatsExperiment(Experiment):
    """An experiment whose model decodes latent vectors to images of cats; its best epoch has the least first objective.

    To be defined: `Config`, `objectives`, `build`, `samplers` and `test`.
    """

    data_fields = ("cats", "images")
    config: ImagesConfig
    evaluation: SamplerEvaluation | None = None  # of the model that was last tested

    def load(self) -> dataset.Cats:
        return load_images(self.config)

    @cached_property
    def extractor(self) -> "FeatureExtractor":
        """The network in whose features samples are scored."""
        from library.cats.models.feature_extractors import FeatureExtractor

        return FeatureExtractor(self.config.features)

    def reuse(self, other: Experiment) -> Self:
        """This experiment, with the data and the feature network of another object where their fields are equal."""
        super().reuse(other)
        if "extractor" in vars(other) and other.config.features == self.config.features:
            vars(self)["extractor"] = vars(other)["extractor"]
        return self

    def build(self) -> "Generative":
        """The compiled model, with weights drawn from Keras's global seed."""
        raise NotImplementedError

    def samplers(self, model: Any) -> "dict[str, LatentSampler]":
        """The samplers of a trained model's latent vectors, by name."""
        raise NotImplementedError

    def fit(self, run: Run, callbacks: Callbacks = ()) -> TrainingResult:
        data, monitor = self.data, next(iter(self.resolved_objectives))
        splits = {"training": data.train, "validation": data.validation, "testing": data.test}
        run.log_dataset("cats", data.digest, splits)
        return train(self.config, data, self.build, monitor, run, callbacks)

    @property
    def config_metrics(self) -> Mapping[str, float]:
        return {"model/latent_size": float(self.config.latent_size)}

    def evaluate_samplers(self, model: "Generative", run: Run) -> SamplerEvaluation:
        """Compares the samplers on validation and test images, reports to the run, and keeps the evaluation."""
        from library.cats.metrics import sample_quality
        from library.cats.metrics.neighbors import nearest
        from library.cats.metrics.spectra import spectral_distance
        from library.cats.models.generative import decode

        data, network, samplers = self.data, self.config.features, self.samplers(model)
        samples = {
            name: decode(model.decoder, sampler.sample(self.config.test_samples, np.random.default_rng(0)))
            for name, sampler in samplers.items()
        }
        train, validation, test = map(self.extractor, (data.train[:MAX_REFERENCE_IMAGES], data.validation, data.test))
        features = {name: self.extractor(some) for name, some in samples.items()}
        scores = {
            name: {
                **sample_quality.evaluate(validation, some, network=network, split="val"),
                **sample_quality.evaluate(test, some, train, network=network),
                "test/spectral_distance_pixels": spectral_distance(data.test, samples[name]),
            }
            for name, some in features.items()
        }
        best = min(scores, key=lambda name: scores[name][sample_quality.score_name("kid", network, "val")])
        covered = sample_quality.covered(test, features[best])
        pairs = nearest(features[best][:MAX_NEAREST_SAMPLES], train)
        self.evaluation = SamplerEvaluation(network, samplers, samples, scores, best, covered, pairs)
        self.evaluation.log(data.train, run)
        return self.evaluation

    def per_image(self, scores: np.ndarray) -> dict[str, float]:
        """Scores `[test images]` by the image's place and the data's digest: only equal images are compared."""
        return {f"{place} of {self.dataset_digest}": float(score) for place, score in enumerate(scores)}

    def package(self, model: "Generative", folder: Path) -> ModelArtifacts:
        """The networks without their optimizer, and all samplers; the best one is the default."""
        from library.cats.models import samplers

        evaluation = self.evaluation or self.evaluate_samplers(model, Run())
        files = {"strategies": folder / "strategies.npz", "sampling": Path(str(samplers.__file__))}
        samplers.save(evaluation.samplers, files["strategies"])
        for part in ("encoder", "decoder"):
            if network := getattr(model, part, None):
                files[part] = folder / f"{part}.keras"
                network.save(files[part])
        return ModelArtifacts(
            code=Path(__file__).with_name("served_model.py"),
            files=files,
            settings={"strategy": evaluation.best},
            example=[1],
            example_output=np.zeros((1, dataset.SIZE, dataset.SIZE, 3), dtype=np.uint8),
            untyped_input=True,
            command="generate",
            cli_example={"model": self.model_name, "out": "cats.png"},
            params={"strategy": evaluation.best, "seed": 0, "task": "auto"},
        )

    def parse_query(self, query: str, out: str = "", seed: int = 0) -> PredictRequest:
        """The path of an image of a cat, and where to write its reconstruction."""
        image, target = photos.read_photo(query), images.check_target(out)

        def show(outputs: np.ndarray) -> str:
            images.save(outputs[0], target)
            return str(target)

        return PredictRequest(image[np.newaxis], show)


def train(
    config: ImagesConfig, data: dataset.Cats, build: "Callable[[], Generative]", monitor: str, run: Run,
    callbacks: Callbacks = (),
) -> TrainingResult:  # fmt: skip
    """Builds a model and trains it on images; the best epoch has the least value of the monitored metric.

    The run gets the same samples before training and after each epoch: MLflow's slider of images starts at step 0.
    """
    import keras

    from library.cats.figures import tiled
    from library.cats.models.generative import decode
    from library.framework.training.batches import Batches, identity
    from library.framework.training.callbacks import EpochCallback
    from library.framework.training.trainer import Trainer

    keras.utils.set_random_seed(config.seed)  # before build, which draws the weights
    model = build()
    render = mirror_half if config.mirror else identity
    size, steps = config.batch_size, config.steps_per_epoch
    batches = Batches(data.train, batch_size=size, steps=steps, seed=config.seed, render=render)

    def log_samples(epoch: int, _: Mapping[str, float]) -> None:
        run.log_image("samples", tiled(decode(model.decoder, model.noise[:GRID_SIZE]), columns=6), step=epoch)

    log_samples(0, {})
    validation = (np.ascontiguousarray(data.validation[:MAX_VALIDATION_IMAGES]),)
    return Trainer.of(config, monitor).fit(model, batches, validation, run, [EpochCallback(log_samples), *callbacks])


def mirror_half(arrays: tuple[np.ndarray, ...], random: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Mirrors each image of a batch with a probability of one half."""
    [batch] = arrays
    mirrored = random.random(len(batch)) < 0.5
    return (np.where(mirrored[:, np.newaxis, np.newaxis, np.newaxis], batch[:, :, ::-1], batch),)
