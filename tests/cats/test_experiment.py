"""Experiments with cats: what they train on and report, which strategy is the best, and what outcomes are called."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import library.models.features
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import cae, gan
from library.cats import experiment as generation
from library.cats import figures
from library.cats.config import AutoencoderConfig, CatsConfig
from library.cats.data import dataset
from library.cats.metrics import sample_quality
from library.cats.models import autoencoders, generative, samplers
from library.cats.models.feature_extractors import RANDOM
from library.cats.models.generative import draw
from library.cats.models.samplers import Strategy, normal
from library.framework.experiment import Result
from library.framework.run import Run
from library.framework.training import batches

TINY = {
    "filters": "4-8-8", "latent_size": 4, "images": 100, "epochs": 3, "steps_per_epoch": 1, "batch_size": 8,
    "validation_samples": 40, "test_samples": 30,
}  # fmt: skip
CONFIG = cae.Config(**TINY)
DATA = dataset.load(CONFIG)
SCORES = {"frechet_distance", "kid", "kid_standard_error", "precision", "recall", "density", "coverage"}
SEEN_SCORES = SCORES | {"memorisation_ratio", "memorisation_share"}
seeds = st.integers(0, 2**32 - 1)


class Kept(Run):
    """Keeps in memory whatever is reported."""

    def __init__(self) -> None:
        self.metrics: dict[int, Mapping[str, float]] = {}
        self.images: dict[tuple[str, int], np.ndarray] = {}
        self.data: list[tuple[str, str, list[int]]] = []
        self.tables: dict[str, Mapping[str, Sequence[Any]]] = {}
        self.figures: list[str] = []
        self.tags: dict[str, Any] = {}

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        self.metrics[step] = metrics

    def log_dataset(self, name: str, digest: str, splits: Mapping[str, np.ndarray]) -> None:
        self.data.append((name, digest, [len(part) for part in splits.values()]))

    def log_figure(self, name: str, figure: Any) -> None:
        self.figures.append(name)
        plt.close(figure)

    def log_image(self, name: str, image: np.ndarray, step: int = 0) -> None:
        self.images[name, step] = image

    def log_table(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        self.tables[name] = columns

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        self.tags |= tags


class Drawer:
    """What draws real cats from vectors that begin with a positive number, and noise from others."""

    def __init__(self) -> None:
        self.decoder = self

    def predict(self, latents: np.ndarray, **_: Any) -> np.ndarray:
        drawn = np.random.default_rng(0).random((len(latents), 75, 75, 3), dtype=np.float32)
        real = latents[:, 0] > 0
        drawn[real] = DATA.train[: real.sum()] / np.float32(255)
        return drawn


def two_ways(config: AutoencoderConfig, _: Any) -> dict[str, Strategy]:
    """That of noise, and that of cats."""
    around = normal(config.latent_size)
    return {
        name: Strategy(around.weights, around.means + m, around.factors) for name, m in {"bad": -9, "good": 9}.items()
    }


def features(images: np.ndarray, network: str = RANDOM) -> np.ndarray:
    """Means of squares of pixels: in place of a network's, which take long."""
    assert network == RANDOM
    return images.reshape(-1, 5, 15, 5, 15, 3).mean(axis=(2, 4), dtype=np.float32).reshape(-1, 75)


@pytest.fixture(scope="module", autouse=True)
def cheap_features() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (library.models.features, generative):
            patch.setattr(module, "features", features)
        yield


@pytest.fixture(scope="module")
def training(cheap_features: None) -> tuple[Result, Kept, list[int]]:
    run, seen = Kept(), list[int]()
    result = generation.train(
        CONFIG, autoencoders.build, f"val/kid_{RANDOM}", run, [lambda epoch, _: seen.append(epoch)]
    )
    return result, run, seen


@pytest.fixture(scope="module")
def judged(cheap_features: None) -> generation.Judged:
    return generation.judge(CONFIG, Drawer(), two_ways)  # type: ignore[arg-type]


def test_each_epoch_reports_its_loss_and_the_scores_of_samples(training: tuple[Result, Kept, list[int]]) -> None:
    _, run, seen = training
    assert list(run.metrics) == seen == [1, 2, 3]
    for metrics in run.metrics.values():
        assert set(metrics) == {
            "train/loss", "train/mean_squared_error", "val/loss", "val/mean_squared_error",
            *(f"val/{score}_{RANDOM}" for score in SCORES),
        }  # fmt: skip


def test_samples_are_shown_before_training_and_after_each_epoch(training: tuple[Result, Kept, list[int]]) -> None:
    result, run, _ = training
    assert list(run.images) == [("samples", 0), ("samples", 1), ("samples", 2), ("samples", 3)]
    shown = list(run.images.values())
    assert {image.dtype for image in shown} == {np.dtype(np.uint8)}
    assert all((shown[i] != shown[i + 1]).any() for i in range(3))
    drawn = draw(result.model.decoder, result.model.noise[: generation.SHOWN])
    expected = figures.tiled(drawn, columns=6).astype(int)
    assert np.abs(run.images["samples", result.epoch] - expected).max() <= 1


def test_the_data_are_named_by_their_digest(training: tuple[Result, Kept, list[int]]) -> None:
    assert training[1].data == [("cats", DATA.digest, [80, 10, 10])]
    assert generation.digest(CONFIG) == DATA.digest == generation.digest(CONFIG.model_copy(update={"seed": 7}))
    assert generation.digest(CONFIG.model_copy(update={"images": 60})) != DATA.digest


def test_the_best_epoch_has_the_least_of_what_is_monitored(training: tuple[Result, Kept, list[int]]) -> None:
    result, run, _ = training
    name = f"val/kid_{RANDOM}"
    assert result.epoch == min(run.metrics, key=lambda epoch: run.metrics[epoch][name])
    assert result.metrics == {**run.metrics[result.epoch], "model/latent_size": 4}
    again = autoencoders.reproduce(result.model, DATA.validation)
    error = np.mean((again / 255 - DATA.validation / 255) ** 2)
    assert error == pytest.approx(result.metrics["val/mean_squared_error"], rel=1e-2)
    found = sample_quality.evaluate(
        features(DATA.validation), features(draw(result.model.decoder, result.model.noise)), network=RANDOM, split="val"
    )
    assert found[name] == pytest.approx(result.metrics[name], rel=1e-2)


def test_the_same_seed_draws_the_same_weights_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    class EnoughError(Exception):
        pass

    drawn = []

    def build(config: AutoencoderConfig) -> Any:
        drawn.append(keras.random.normal((5,)).numpy().tolist())
        raise EnoughError

    for seed in (1, 1, 2):
        with pytest.raises(EnoughError):
            generation.train(CONFIG.model_copy(update={"seed": seed}), build, "val/loss", Run(), ())
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("mirror", [True, False])
def test_training_images_are_mirrored_where_it_is_asked_for(mirror: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class EnoughError(Exception):
        pass

    def stop(*arrays: np.ndarray, render: Any, **options: Any) -> None:
        [images] = render((DATA.train[:50],), np.random.default_rng(0))
        turned = (images != DATA.train[:50]).any(axis=(1, 2, 3))
        assert turned.any() == mirror
        assert np.array_equal(arrays[0], DATA.train)
        assert options == {"batch_size": 8, "steps": 1, "seed": 0}
        raise EnoughError

    monkeypatch.setattr(batches, "Batches", stop)
    with pytest.raises(EnoughError):
        generation.train(CONFIG.model_copy(update={"mirror": mirror}), autoencoders.build, "val/loss", Run(), ())


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_mirroring_turns_about_half_of_the_images_and_changes_nothing_else(seed: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (300, 5, 7, 3), dtype=np.uint8)
    kept = images.copy()
    [first], [again] = (generation._mirrored((images,), np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(images, kept)
    assert (first.dtype, first.shape) == (images.dtype, images.shape)
    as_it_was, turned = ((first == one).all(axis=(1, 2, 3)) for one in (images, images[:, :, ::-1]))
    assert (as_it_was ^ turned).all()
    assert turned.mean() == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(300))


def test_the_best_strategy_is_that_whose_samples_look_real(judged: generation.Judged) -> None:
    assert list(judged.scores) == list(judged.strategies) == list(judged.samples) == ["bad", "good"]
    assert judged.best == "good"
    np.testing.assert_array_equal(judged.samples["good"], DATA.train[:30])
    for name, images in judged.samples.items():
        assert images.shape == (30, 75, 75, 3)
        drawn = features(images)
        expected = {
            **sample_quality.evaluate(features(DATA.validation), drawn, network=RANDOM, split="val"),
            **sample_quality.evaluate(features(DATA.test), drawn, features(DATA.train), network=RANDOM),
        }
        assert judged.scores[name] == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert judged.covered.shape == (10,)
    assert judged.covered.mean() == pytest.approx(judged.scores["good"][f"test/coverage_{RANDOM}"])
    assert judged.covered.any()


def test_the_best_strategy_is_chosen_by_validation_images_and_never_by_test_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kids = iter([("val", 2.0), ("test", 0.0), ("val", 1.0), ("test", 9.0)])

    def evaluate(real: np.ndarray, *_: Any, network: str, split: str = "test") -> dict[str, float]:
        expected, value = next(kids)
        assert split == expected
        return {sample_quality.score_name("kid", network, split): value}

    monkeypatch.setattr(sample_quality, "evaluate", evaluate)
    assert generation.judge(CONFIG, Drawer(), two_ways).best == "good"  # type: ignore[arg-type]


def test_a_judgement_is_kept_for_the_next_call() -> None:
    drawer = Drawer()
    first = generation.judge(CONFIG, drawer, two_ways)  # type: ignore[arg-type]
    assert generation.judge(CONFIG, drawer, two_ways) is first  # type: ignore[arg-type]
    assert generation.judge(CONFIG.model_copy(update={"seed": 1}), drawer, two_ways) is not first  # type: ignore[arg-type]


def test_the_test_scores_are_those_of_the_best_strategy_and_of_each(judged: generation.Judged) -> None:
    run = Kept()
    scores = generation.test_samples(CONFIG, judged, run)
    assert set(scores) == {
        f"test/{strategy}{score}_{RANDOM}" for strategy in ("", "bad/", "good/") for score in SEEN_SCORES
    }
    for score in SEEN_SCORES:
        name = f"{score}_{RANDOM}"
        assert scores[f"test/{name}"] == scores[f"test/good/{name}"] == judged.scores["good"][f"test/{name}"]
        assert scores[f"test/bad/{name}"] == judged.scores["bad"][f"test/{name}"]
    assert scores[f"test/good/memorisation_share_{RANDOM}"] == 1
    assert run.tags == {"strategy": "good"}
    table = run.tables["strategies"]
    assert table["strategy"] == ["bad", "good"]
    assert table["kid"] == [scores[f"test/{name}/kid_{RANDOM}"] for name in ("bad", "good")]
    assert set(table) == {"strategy", *SEEN_SCORES}
    assert set(run.figures) == {"strategies", "samples", "samples-of-the-best", "nearest-neighbours"}
    assert not plt.get_fignums()


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=9))
def test_outcomes_are_named_by_place_and_data(values: list[float]) -> None:
    named = generation.outcomes(CONFIG, np.array(values))
    assert named == {f"{place} of {DATA.digest}": value for place, value in enumerate(values)}


def test_outcomes_on_other_images_have_no_name_in_common() -> None:
    ours, theirs = (
        generation.outcomes(CONFIG.model_copy(update={"images": count}), np.array([True, False])) for count in (100, 60)
    )
    assert list(ours.values()) == [1.0, 0.0]
    assert not ours.keys() & theirs.keys()


def test_a_package_holds_the_networks_and_all_strategies(
    training: tuple[Result, Kept, list[int]], judged: generation.Judged, tmp_path: Path
) -> None:
    model = training[0].model
    package = generation.package("cae", model, judged, tmp_path)
    assert package.settings == {"strategy": "good"}
    assert package.params["strategy"] == "good"
    assert set(package.files) == {"strategies", "sampling", "encoder", "decoder"}
    assert package.files["sampling"].read_bytes() == Path(str(samplers.__file__)).read_bytes()
    for part, inputs in (("encoder", DATA.test / np.float32(255)), ("decoder", model.noise)):
        loaded = keras.saving.load_model(package.files[part])
        np.testing.assert_array_equal(loaded(inputs), getattr(model, part)(inputs))
    kept = samplers.load(package.files["strategies"])
    assert list(kept) == ["bad", "good"]
    for name, way in judged.strategies.items():
        np.testing.assert_array_equal(*(one.sample(9, np.random.default_rng(0)) for one in (kept[name], way)))


def test_an_autoencoders_mixture_is_fitted_to_its_codes(training: tuple[Result, Kept, list[int]]) -> None:
    codes = autoencoders.encode(training[0].model, DATA.train)
    ways = cae.strategies(CONFIG, training[0].model)
    assert list(ways) == ["prior", "gaussian", "mixture"]
    np.testing.assert_allclose(ways["gaussian"].means, [codes.mean(axis=0)], rtol=1e-3, atol=1e-4)
    mixture = ways["mixture"]
    assert len(mixture.weights) == samplers.COMPONENTS
    np.testing.assert_allclose(mixture.weights @ mixture.means, codes.mean(axis=0), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_gans_generator_begins_as_the_decoder_of_a_vae(epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    taught: list[tuple[Any, str, Any]] = []

    def train(config: Any, build: Any, monitor: str, *_: Any) -> Result:
        taught.append((config, monitor, build(config)))
        return Result(taught[-1][2], {}, 1)

    monkeypatch.setattr(generation, "train", train)
    config = gan.Config(**TINY, pretraining=epochs, discriminator_filters="2-2-2", hidden=0, activation="relu", seed=3)
    model = gan._build(config)
    assert len(taught) == bool(epochs)
    for first, monitor, vae in taught:
        assert (first.epochs, monitor) == (epochs, "val/mean_squared_error")
        for field in ("seed", "cats", "images", "latent_size", "filters", "residuals", "activation", "mirror"):
            assert getattr(first, field) == getattr(config, field), field
        for ours, theirs in zip(model.generator.get_weights(), vae.decoder.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_fewer_images_are_the_same_for_every_experiment() -> None:
    assert dataset.load(CatsConfig(images=100)).digest == DATA.digest
