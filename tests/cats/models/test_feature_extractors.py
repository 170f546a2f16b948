"""The feature network: the values that it gave when it was made, as scores of other days are compared with its own."""

from typing import Any

import keras
import numpy as np
import pytest

from library.cats.models import feature_extractors
from library.cats.models.feature_extractors import DEFAULT, INCEPTION, NETWORKS, FeatureExtractor
from library.framework.errors import UserError

# Of the images below: the first features.
SOME = [
    [-0.993531, -0.693414, -0.021700, 0.396825, 0.994240, -0.077160, -0.590262, 0.614953],
    [-0.994973, -0.676922, -0.385864, 0.216003, 0.858663, 0.393583, -0.634406, 0.353166],
    [-0.995711, 0.237081, -0.075269, -0.505605, 0.325754, 0.650181, -0.449707, 0.637832],
]

features = FeatureExtractor()


def waves(count: int, size: int = 75) -> np.ndarray:
    """Slanted waves of colour, some coarse and some fine."""
    y, x, channel, image = np.ogrid[:size, :size, :3, :count]
    slanted = np.sin((x * (image + 1) + 2 * y + 9 * channel) / (3 + image)) + np.cos(y * channel / 4 + image)
    return np.moveaxis(np.rint(127.5 + 60 * slanted), -1, 0).astype(np.uint8)


def test_the_features_are_what_they_always_were() -> None:
    found = features(waves(3))
    assert (found.shape, found.dtype) == ((3, 64), np.float32)
    np.testing.assert_allclose(found[:, :8], SOME, atol=1e-3)
    found = features(np.random.default_rng(0).integers(0, 256, (20, 75, 75, 3), dtype=np.uint8))
    assert np.abs(found).max() <= 1


def test_neither_the_other_images_nor_the_type_of_pixels_nor_their_number_matter() -> None:
    images = waves(feature_extractors.BATCH + 3)
    together = features(images)
    np.testing.assert_allclose(together[[1, -1]], features(images[[1, -1]]), atol=1e-5)
    np.testing.assert_allclose(together[:2], features(images[:2].astype(np.float32)), atol=1e-5)
    for size in (32, 128):
        assert features(waves(2, size)).shape == (2, 64)


def test_a_network_that_there_is_not_and_one_without_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=rf"^feature network: got 'vgg'; allowed are {DEFAULT}, {INCEPTION}$"):
        FeatureExtractor("vgg")
    assert list(NETWORKS) == [DEFAULT, INCEPTION]

    def unreachable(**options: Any) -> None:
        raise OSError("URL fetch failure:\n no route")

    monkeypatch.setattr(keras.applications, "InceptionV3", unreachable)
    message = rf"^{INCEPTION}: its weights cannot be had \(URL fetch failure: no route\); {DEFAULT} needs none$"
    with pytest.raises(UserError, match=message):
        FeatureExtractor(INCEPTION)(waves(1))


def test_inception_sees_pixels_from_minus_1_to_1_at_its_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    def bare(**options: Any) -> keras.Model:
        assert options == {"include_top": False, "weights": "imagenet", "pooling": "avg"}
        image = keras.Input((None, None, 3))
        ends = [keras.ops.min(image, axis=(1, 2, 3)), keras.ops.max(image, axis=(1, 2, 3))]
        size = keras.ops.sum(keras.ops.ones_like(image[..., 0]), axis=(1, 2))
        return keras.Model(image, keras.ops.stack([*ends, size], axis=-1))

    monkeypatch.setattr(keras.applications, "InceptionV3", bare)
    halves = np.zeros((1, 75, 75, 3), dtype=np.uint8)
    halves[:, :40] = 255
    (found,) = feature_extractors.inception_network().predict(halves, verbose=0)
    assert found == pytest.approx([-1, 1, 299 * 299])
