"""The feature network: scores in its features rise with every way in which images can fail; its weights are guarded."""

from pathlib import Path

import keras
import numpy as np
import pytest

from library.cats.data.synthetic import draw, sample_factors
from library.cats.feature_network import network, training
from library.cats.feature_network.degradations import DEGRADATIONS, degrade, mix
from library.cats.metrics.mmd import kid
from library.cats.metrics.sample_quality import Whitening
from library.cats.models.feature_extractors import FeatureExtractor
from library.framework.errors import UserError

STRENGTHS = (0.3, 0.6, 1.0)


@pytest.fixture(scope="module")
def cats() -> tuple[np.ndarray, np.ndarray]:
    """Real images and others of the same kind, 300 each: drawn cats that the network has not seen."""
    real, samples = np.split(draw(sample_factors(600, 1)), 2)
    return real, samples


def distances(real: np.ndarray, sets: list[np.ndarray]) -> list[float]:
    extract = FeatureExtractor()
    whiten = Whitening.of(extract(real))
    return [kid(whiten(extract(real)), whiten(extract(images))).value for images in sets]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*DEGRADATIONS, "mixing"])
def test_kid_rises_with_a_degradation(name: str, cats: tuple[np.ndarray, np.ndarray]) -> None:
    real, samples = cats
    degraded = [mix(samples, one) if name == "mixing" else degrade(samples, name, one) for one in STRENGTHS]
    found = distances(real, [samples, *degraded])
    assert found == sorted(found)
    assert found[-1] > 2 * found[0]


def test_kid_rises_as_distinct_images_become_fewer(cats: tuple[np.ndarray, np.ndarray]) -> None:
    real, samples = cats
    found = distances(real, [np.resize(samples[:count], samples.shape) for count in (300, 100, 30, 10)])
    assert found == sorted(found)
    assert found[-1] > 2 * found[0]


@pytest.mark.slow
def test_a_training_reports_errors_that_fall_and_repeats() -> None:
    images = training.TrainingImages(cats=40, crops=20, steps=3)
    pixels, targets = images[0]
    assert (pixels.shape, pixels.dtype, len(targets)) == ((48, 75, 75, 3), np.uint8, 48)
    first, again = (training.train(images).get_weights() for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_are_saved_alike_and_other_ones_are_refused(tmp_path: Path) -> None:
    model = network.trained()
    assert network.save(model, tmp_path / "again.npz") == network.SHA256
    keras.utils.set_random_seed(0)
    network.save(network.untrained(), tmp_path / "other.npz")
    with pytest.raises(
        UserError, match=r"^drawn-cats-v1: got other weights in '.*other.npz' than were shipped; install"
    ):
        network.trained(tmp_path / "other.npz")
