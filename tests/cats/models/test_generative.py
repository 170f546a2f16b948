"""What models that draw have in common: noise of their own, scores of samples at every evaluation, and bytes."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.cats.config import AutoencoderConfig, CatsConfig, ImagesConfig
from library.cats.data import dataset
from library.cats.metrics import sample_quality
from library.cats.models import autoencoders, generative
from library.cats.models.feature_extractors import DEFAULT, FeatureExtractor
from library.cats.models.generative import Generative, decode, to_bytes

pytestmark = [
    pytest.mark.usefixtures("eager", "coarse_features"),
    pytest.mark.filterwarnings("ignore:Even though the:UserWarning"),
]
DATA = dataset.load(CatsConfig(images=100))
features = FeatureExtractor()
NAMES = {"frechet_distance", "kid", "kid_standard_error", "precision", "recall", "density", "coverage"}


def test_samples_come_of_the_same_noise_after_every_epoch() -> None:
    first, again, other = (Generative(ImagesConfig(seed=seed), "model").noise for seed in (0, 0, 1))
    assert first.shape == (ImagesConfig().validation_samples, ImagesConfig().latent_size)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()
    assert abs(first.mean()) < 5 / np.sqrt(first.size)
    assert first.std() == pytest.approx(1, abs=0.02)


def test_samples_are_bytes_in_the_order_of_the_vectors_and_scored_where_an_evaluation_is_asked_for_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keras.utils.set_random_seed(0)
    tiny = {"filters": "2-2-2", "latent_size": 3, "residuals": 0, "validation_samples": 12, "ssim_weight": 0}
    built = autoencoders.build(AutoencoderConfig(**tiny))
    monkeypatch.setattr(generative, "BATCH", 5)
    images = decode(built.decoder, built.noise)
    assert images.dtype == np.uint8
    np.testing.assert_allclose(images, 255 * built.decoder(built.noise).numpy(), atol=0.51)
    drawn = features(images)
    for images in (DATA.validation, DATA.test, DATA.test):
        scores = built.evaluate(images, verbose=0, return_dict=True)
        expected = sample_quality.evaluate(features(images), drawn, network=DEFAULT, split="val")
        assert set(scores) == {"loss", "mean_squared_error", *(f"{name}_{DEFAULT}" for name in NAMES)}
        for name in NAMES:
            assert scores[f"{name}_{DEFAULT}"] == pytest.approx(expected[f"val/{name}_{DEFAULT}"], rel=1e-4), name
    scores = built.evaluate(DATA.validation, verbose=0)
    assert scores == pytest.approx([scores[0]] * 2, rel=1e-4)  # they are one without SSIM


@given(st.lists(st.floats(-10, 10), min_size=1))
def test_pixels_become_the_nearest_byte(pixels: list[float]) -> None:
    bytes_ = to_bytes(np.array(pixels))
    assert bytes_.dtype == np.uint8
    assert (np.abs(bytes_ - 255 * np.clip(pixels, 0, 1)) <= 0.5).all()
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_bytes(levels.astype(np.float32) / 255), levels)
