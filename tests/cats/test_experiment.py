"""Experiments with cats: what they train on and report, how samplers are compared, what is registered."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import experiments.gan
from experiments.cae import Cae
from experiments.gan import Gan
from experiments.vae import Vae
from library.cats import figures
from library.cats.config import CatsConfig
from library.cats.data import dataset
from library.cats.experiment import GRID_SIZE, SamplerEvaluation, mirror_half
from library.cats.metrics import sample_quality
from library.cats.metrics.spectra import spectral_distance
from library.cats.models import autoencoders, samplers
from library.cats.models.feature_extractors import DEFAULT, FeatureExtractor
from library.cats.models.generative import decode
from library.cats.models.samplers import LatentSampler, normal
from library.framework.experiment import TrainingResult
from library.framework.run import Run, StopTraining
from library.framework.training import batches
from library.framework.training.callbacks import EpochCallback

TINY = {
    "filters": "4-8-8", "latent_size": 4, "images": 100, "epochs": 3, "steps_per_epoch": 1, "batch_size": 8,
    "validation_samples": 40, "test_samples": 30,
}  # fmt: skip
pytestmark = [
    pytest.mark.usefixtures("eager", "coarse_features"),
    pytest.mark.filterwarnings("ignore:Even though the:UserWarning"),
]
TINY_GAN = {**TINY, "discriminator_filters": "2-2-2", "hidden": 0, "pretraining": 0}
DATA = dataset.load(CatsConfig(images=100))
SCORES = {"frechet_distance", "kid", "kid_standard_error", "precision", "recall", "density", "coverage"}
SEEN_SCORES = SCORES | {"memorisation_ratio", "memorisation_share"}
KID = f"val/kid_{DEFAULT}"
seeds = st.integers(0, 2**32 - 1)
features = FeatureExtractor()


class Kept(Run):
    """Keeps in memory whatever is reported."""

    def __init__(self) -> None:
        self.metrics: dict[int, Any] = {}
        self.images: dict[tuple[str, int], Any] = {}
        self.data: list[Any] = []
        self.tables: dict[str, Any] = {}
        self.figures: list[str] = []
        self.tags: dict[str, Any] = {}
        vars(self).update(log_table=self.tables.__setitem__, set_tags=self.tags.update)

    def log_metrics(self, metrics: Any, step: int = 0) -> None:
        self.metrics[step] = metrics

    def log_dataset(self, name: str, digest: str, splits: Any) -> None:
        self.data.append((name, digest, [len(part) for part in splits.values()]))

    def log_figure(self, name: str, figure: Any) -> None:
        self.figures.append(name)
        plt.close(figure)

    def log_image(self, name: str, image: np.ndarray, step: int = 0) -> None:
        self.images[name, step] = image


def draw(latents: np.ndarray, **_: Any) -> np.ndarray:
    """Decodes latent vectors that begin with a positive number to real cats, and others to noise."""
    images = np.random.default_rng(0).random((len(latents), 75, 75, 3), dtype=np.float32)
    real = latents[:, 0] > 0
    images[real] = DATA.train[: real.sum()] / np.float32(255)
    return images


DRAWER: Any = SimpleNamespace(decoder=SimpleNamespace(predict=draw))


class TwoSamplers(Vae):
    """One sampler of noise, and one of cats."""

    def samplers(self, model: Any) -> dict[str, LatentSampler]:
        prior = normal(self.config.latent_size)
        means = {"bad": -9, "good": 9}
        return {name: LatentSampler(prior.weights, prior.means + m, prior.factors) for name, m in means.items()}


@pytest.fixture(scope="module")
def training(eager: None, coarse_features: None) -> tuple[TrainingResult, Kept, list[int]]:
    """Of a CAE whose best epoch is that of the best samples: its result, its run and its epochs."""
    run, epochs = Kept(), list[int]()
    kind = type("ByKid", (Cae,), {"objectives": Vae.objectives})
    return kind(**TINY).fit(run, [EpochCallback(lambda epoch, _: epochs.append(epoch))]), run, epochs


def test_each_epoch_reports_its_scores_and_samples(training: tuple[Any, Kept, list[int]]) -> None:
    result, run, epochs = training
    assert list(run.metrics) == epochs == [1, 2, 3]
    for metrics in run.metrics.values():
        assert set(metrics) == {
            "train/loss", "train/mean_squared_error", "val/loss", "val/mean_squared_error",
            *(f"val/{score}_{DEFAULT}" for score in SCORES),
        }  # fmt: skip
    assert list(run.images) == [("samples", 0), ("samples", 1), ("samples", 2), ("samples", 3)]
    images = list(run.images.values())
    assert {image.dtype for image in images} == {np.dtype(np.uint8)}
    assert all((images[i] != images[i + 1]).any() for i in range(3))
    expected = figures.tiled(decode(result.model.decoder, result.model.noise[:GRID_SIZE]), columns=6).astype(int)
    assert np.abs(run.images["samples", result.epoch] - expected).max() <= 1


def test_the_data_are_named_by_their_digest_and_scores_of_images_by_place_and_data(
    training: tuple[Any, Kept, Any],
) -> None:
    assert training[1].data == [("cats", DATA.digest, [80, 10, 10])]
    assert Cae(**TINY).dataset_digest == DATA.digest == Cae(**TINY, seed=7).dataset_digest
    assert {kind(images=100).dataset_digest for kind in (Cae, Vae, Gan)} == {DATA.digest}
    assert Cae(images=100).per_image(np.array([True, False])) == {f"0 of {DATA.digest}": 1, f"1 of {DATA.digest}": 0}
    assert Cae(images=60).dataset_digest != DATA.digest


def test_the_best_epoch_has_the_least_of_the_first_objective(training: tuple[TrainingResult, Kept, Any]) -> None:
    result, run, _ = training
    assert result.epoch == min(run.metrics, key=lambda epoch: run.metrics[epoch][KID])
    assert result.metrics == run.metrics[result.epoch]
    again = autoencoders.reconstruct(result.model, DATA.validation)
    error = np.mean((again / 255 - DATA.validation / 255) ** 2)
    assert error == pytest.approx(result.metrics["val/mean_squared_error"], rel=1e-2)
    samples = features(decode(result.model.decoder, result.model.noise))
    found = sample_quality.evaluate(features(DATA.validation), samples, network=DEFAULT, split="val")
    assert found[KID] == pytest.approx(result.metrics[KID], rel=1e-2)


def test_the_same_seed_draws_the_same_weights_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def build(_: Cae) -> Any:
        drawn.append(keras.random.normal((5,)).numpy().tolist())
        raise StopTraining

    monkeypatch.setattr(Cae, "build", build)
    for seed in (1, 1, 2):
        with pytest.raises(StopTraining):
            Cae(**TINY, seed=seed).fit(Run())
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("mirror", [True, False])
def test_training_images_are_mirrored_where_it_is_asked_for(mirror: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arrays: np.ndarray, render: Any, **options: Any) -> None:
        [images] = render((DATA.train[:50],), np.random.default_rng(0))
        assert (images != DATA.train[:50]).any() == mirror
        assert np.array_equal(arrays[0], DATA.train)
        assert options == {"batch_size": 8, "steps": 1, "seed": 0}
        raise StopTraining

    monkeypatch.setattr(batches, "Batches", stop)
    with pytest.raises(StopTraining):
        Cae(**TINY, mirror=mirror).fit(Run())


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_mirroring_turns_about_half_of_the_images_and_changes_nothing_else(seed: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (300, 5, 7, 3), dtype=np.uint8)
    images.flags.writeable = False
    [first], [again] = (mirror_half((images,), np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first.dtype, first.shape) == (images.dtype, images.shape)
    unchanged, mirrored = ((first == one).all(axis=(1, 2, 3)) for one in (images, images[:, :, ::-1]))
    assert (unchanged ^ mirrored).all()
    assert mirrored.mean() == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(300))


def test_the_best_sampler_is_that_whose_samples_look_real() -> None:
    run = Kept()
    found = TwoSamplers(**TINY).evaluate_samplers(DRAWER, run)
    assert list(found.scores) == list(found.samplers) == list(found.samples) == ["bad", "good"]
    assert found.best == "good"
    np.testing.assert_array_equal(found.samples["good"], DATA.train[:30])
    for name, images in found.samples.items():
        assert images.shape == (30, 75, 75, 3)
        expected = {
            **sample_quality.evaluate(features(DATA.validation), features(images), network=DEFAULT, split="val"),
            **sample_quality.evaluate(features(DATA.test), features(images), features(DATA.train), network=DEFAULT),
            "test/spectral_distance_pixels": spectral_distance(DATA.test, images),
        }
        assert found.scores[name] == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert found.covered.shape == (10,)
    assert found.covered.mean() == pytest.approx(found.scores["good"][f"test/coverage_{DEFAULT}"])
    assert found.covered.any()
    scores = found.metrics
    seen = {*(f"{score}_{DEFAULT}" for score in SEEN_SCORES), "spectral_distance_pixels"}
    assert set(scores) == {f"test/{sampler}{name}" for sampler in ("", "bad/", "good/") for name in seen}
    for name in seen:
        assert scores[f"test/{name}"] == scores[f"test/good/{name}"] == found.scores["good"][f"test/{name}"]
        assert scores[f"test/bad/{name}"] == found.scores["bad"][f"test/{name}"]
    assert scores[f"test/good/memorisation_share_{DEFAULT}"] == 1
    assert run.tags == {"strategy": "good"}
    table = run.tables["strategies"]
    assert table["strategy"] == ["bad", "good"]
    assert table["kid"] == [scores[f"test/{name}/kid_{DEFAULT}"] for name in ("bad", "good")]
    assert set(table) == {"strategy", "spectral_distance", *SEEN_SCORES}
    assert set(run.figures) == {"strategies", "samples", "samples-of-the-best", "nearest-neighbours"}
    assert not plt.get_fignums()


def test_the_best_sampler_is_chosen_by_validation_images_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    kids = iter([("val", 2.0), ("test", 0.0), ("val", 1.0), ("test", 9.0)])

    def evaluate(real: np.ndarray, *_: Any, network: str, split: str = "test") -> dict[str, float]:
        expected, value = next(kids)
        assert split == expected
        return {sample_quality.score_name("kid", network, split): value}

    monkeypatch.setattr(sample_quality, "evaluate", evaluate)
    monkeypatch.setattr(SamplerEvaluation, "log", lambda *_: None)
    assert TwoSamplers(**TINY).evaluate_samplers(DRAWER, Run()).best == "good"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Cae, Vae, Gan])
def test_a_score_is_the_mean_over_test_images_and_what_is_tested_is_packaged(kind: Any, tmp_path: Path) -> None:
    experiment, run = kind(**(TINY_GAN if kind is Gan else TINY)), Kept()
    model = experiment.build()
    tested = experiment.test(model, run)
    per_image = np.array(list(tested.per_example_scores.values()))
    assert len(per_image) == len(DATA.test)
    assert tested.metrics[tested.score] == pytest.approx(-per_image.mean() if kind is Cae else per_image.mean())
    assert tested.score == ("test/mean_squared_error" if kind is Cae else f"test/coverage_{DEFAULT}")
    package = experiment.package(model, tmp_path)
    assert package.settings == run.tags == {"strategy": package.params["strategy"]}
    assert list(samplers.load(package.files["strategies"])) == run.tables["strategies"]["strategy"]
    assert package.cli_example == {"model": f"cats-{kind.name}", "out": "cats.png"}


def test_a_package_holds_the_networks_and_all_samplers(training: tuple[Any, Any, Any], tmp_path: Path) -> None:
    experiment, model = TwoSamplers(**TINY), training[0].model
    evaluation = experiment.evaluate_samplers(DRAWER, Run())
    package = experiment.package(model, tmp_path)
    assert package.settings == {"strategy": "good"}
    assert package.params["strategy"] == "good"
    assert set(package.files) == {"strategies", "sampling", "encoder", "decoder"}
    assert package.files["sampling"].read_bytes() == Path(str(samplers.__file__)).read_bytes()
    for part, inputs in (("encoder", DATA.test / np.float32(255)), ("decoder", model.noise)):
        loaded = keras.saving.load_model(package.files[part])
        np.testing.assert_array_equal(loaded(inputs), getattr(model, part)(inputs))
    kept = samplers.load(package.files["strategies"])
    assert list(kept) == ["bad", "good"]
    for name, sampler in evaluation.samplers.items():
        np.testing.assert_array_equal(*(one.sample(9, np.random.default_rng(0)) for one in (kept[name], sampler)))


def test_an_autoencoders_mixture_is_fitted_to_its_codes(training: tuple[TrainingResult, Any, Any]) -> None:
    codes = autoencoders.encode(training[0].model, DATA.train)
    found = Cae(**TINY).samplers(training[0].model)
    assert list(found) == ["prior", "gaussian", "mixture"]
    np.testing.assert_allclose(found["gaussian"].means, [codes.mean(axis=0)], rtol=1e-3, atol=1e-4)
    mixture = found["mixture"]
    assert len(mixture.weights) == samplers.COMPONENTS
    np.testing.assert_allclose(mixture.weights @ mixture.means, codes.mean(axis=0), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_gans_generator_begins_as_the_decoder_of_a_vae_and_reconstructs_nothing(
    epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings: list[tuple[Any, str, Any]] = []

    def train(config: Any, data: Any, build: Any, monitor: str, *_: Any) -> TrainingResult:
        trainings.append((config, monitor, build()))
        return TrainingResult(trainings[-1][2], {}, 1)

    monkeypatch.setattr(experiments.gan, "train", train)
    experiment = Gan(**{**TINY_GAN, "pretraining": epochs, "activation": "relu", "seed": 3})
    model = experiment.build()
    assert len(trainings) == bool(epochs)
    for config, monitor, vae in trainings:
        assert (config.epochs, monitor) == (epochs, "val/mean_squared_error")
        same = ("seed", "cats", "images", "latent_size", "filters", "residuals", "upsampling", "activation", "mirror")
        for field in same:
            assert getattr(config, field) == getattr(experiment.config, field), field
        codes = samplers.fit_mixture(autoencoders.posterior_samples(vae, experiment.data.train, seed=3), 1, seed=3)
        noise = np.random.default_rng(0).standard_normal((5, TINY_GAN["latent_size"]))
        drawn = vae.decoder((codes.means + noise @ codes.factors[0].T).astype(np.float32))
        np.testing.assert_allclose(model.generator(noise.astype(np.float32)), drawn, atol=1e-5)
    with pytest.raises(ValueError, match=r"^query: a GAN .*s none; give make generate MODEL=cats-gan OUT=cats\.png$"):
        experiment.parse_query("cat.png", "again.png")


def test_trials_share_data_and_feature_network_where_their_fields_are_equal() -> None:
    first = Vae(**TINY)
    first.data, first.extractor  # noqa: B018 -- loads and builds them
    others: Any = {"seed": 1}, {"images": 60}, {"features": "inception-v3"}
    same, other_data, other_network = (Vae(**{**TINY, **fields}).reuse(first) for fields in others)
    assert same.data is first.data is other_network.data
    assert same.extractor is first.extractor is other_data.extractor
    assert other_data.data is not first.data
    assert (first.extractor.name, other_network.extractor.name) == (DEFAULT, "inception-v3")
