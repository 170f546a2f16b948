"""The feature network: the values that it gave when it was made, as scores of other days are compared with its own."""

from typing import Any

import keras
import numpy as np
import pytest

from library.cats.models import feature_extractors
from library.cats.models.feature_extractors import INCEPTION, NETWORKS, RANDOM, FeatureExtractor
from library.framework.errors import UserError

# Of the images below: the means of all features, and some from the first block to the last.
MEANS = [0.257094, 0.242919, 0.211613]
SOME = [
    [0.812475, 0.027339, 1.917355, 0.491210, 0.379852, 0.057337, 0.108215, 0.044516],
    [0.540106, 0.035249, 1.779195, 0.400552, 0.375148, 0.028899, 0.104088, 0.048258],
    [0.198670, 0.013146, 1.791412, 0.329057, 0.314456, 0.025564, 0.088108, 0.001901],
]

features = FeatureExtractor()


def waves(count: int, size: int = 75) -> np.ndarray:
    """Slanted waves of colour, some coarse and some fine."""
    y, x, channel, image = np.ogrid[:size, :size, :3, :count]
    slanted = np.sin((x * (image + 1) + 2 * y + 9 * channel) / (3 + image)) + np.cos(y * channel / 4 + image)
    return np.moveaxis(np.rint(127.5 + 60 * slanted), -1, 0).astype(np.uint8)


def test_the_features_are_what_they_always_were_and_neither_vanish_nor_explode() -> None:
    found = features(waves(3))
    assert (found.shape, found.dtype) == ((3, 736), np.float32)
    np.testing.assert_allclose(found.mean(axis=1), MEANS, atol=1e-3)
    np.testing.assert_allclose(found[:, [0, 20, 40, 100, 200, 300, 500, 735]], SOME, atol=1e-3)
    found = features(np.random.default_rng(0).integers(0, 256, (20, 75, 75, 3), dtype=np.uint8))
    ends = np.cumsum([2 * filters for filters, _ in feature_extractors.BLOCKS])
    sizes = [block.mean() for block in np.split(found, ends[:-1], axis=1)]
    assert ends[-1] == 736
    assert all(0.05 < size < 1 for size in sizes)


def test_neither_the_other_images_nor_the_type_of_pixels_nor_their_number_matter() -> None:
    images = waves(feature_extractors.BATCH + 3)
    together = features(images)
    np.testing.assert_allclose(together[[1, -1]], features(images[[1, -1]]), atol=1e-5)
    np.testing.assert_allclose(together[:2], features(images[:2].astype(np.float32)), atol=1e-5)
    for size in (32, 128):
        assert features(waves(2, size)).shape == (2, 736)


def test_drawing_the_network_again_changes_no_random_number_of_others() -> None:
    np.random.seed(3)
    keras.utils.set_random_seed(3)
    expected = np.random.standard_normal(), float(keras.random.normal(()))
    keras.utils.set_random_seed(3)
    again = feature_extractors.random_network()
    assert (np.random.standard_normal(), float(keras.random.normal(()))) == expected
    np.testing.assert_allclose(again.predict(waves(2), verbose=0), features(waves(2)), atol=1e-4)


def test_a_network_that_there_is_not_and_one_without_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=rf"^feature network: got 'vgg'; allowed are {RANDOM}, {INCEPTION}$"):
        FeatureExtractor("vgg")
    assert list(NETWORKS) == [RANDOM, INCEPTION]

    def unreachable(**options: Any) -> None:
        raise OSError("URL fetch failure:\n no route")

    monkeypatch.setattr(keras.applications, "InceptionV3", unreachable)
    message = rf"^{INCEPTION}: its weights cannot be had \(URL fetch failure: no route\); {RANDOM} needs none$"
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
