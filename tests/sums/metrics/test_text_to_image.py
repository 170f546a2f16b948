"""Image quality: the Frechet distance and the spread, by values worked out by hand and by laws, and their metrics."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from library.framework.statistics import frechet_distance, wilson_interval
from library.sums.data.handwriting import Glyphs
from library.sums.metrics import text_to_image
from library.sums.metrics.text_to_image import spread
from library.sums.models import glyph_networks

BLANK = 12
IMAGES = np.random.default_rng(1).integers(0, 256, (6, 4, 3, 28, 28), dtype=np.uint8)
pytestmark = pytest.mark.usefixtures("eager")
seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 12)


def reader() -> keras.Model:
    """An untrained glyph reader."""
    keras.utils.set_random_seed(1)
    return glyph_networks.glyph_reader(1, 13)


def vectors(low: float) -> st.SearchStrategy[np.ndarray]:
    return sizes.flatmap(lambda size: arrays.arrays(float, (3, size), elements=st.floats(low, 100)))


def normal(seed: int, images: int, features: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(images, features))


def axes(deviations: np.ndarray) -> np.ndarray:
    """Points on both sides of 0 along each axis, whose mean is 0 and whose covariance is diagonal, both exactly."""
    half = np.diag(deviations) * np.sqrt((2 * len(deviations) - 1) / 2)
    return np.concatenate([half, -half])


@settings(deadline=None)
@given(seeds, st.integers(2, 40), st.integers(2, 40), sizes)
def test_it_is_the_same_from_both_sides_and_in_any_order_of_images(seed: int, a: int, b: int, features: int) -> None:
    one, other = 2 * normal(seed, a, features), normal(seed + 1, b, features)
    distance = frechet_distance(one, other)
    assert distance > -1e-5
    assert frechet_distance(other, other) == pytest.approx(0, abs=1e-5)
    assert frechet_distance(other, one) == pytest.approx(distance, abs=1e-5)
    shuffled = np.random.default_rng(seed).permutation(one)
    assert frechet_distance(shuffled, other) == pytest.approx(distance, abs=1e-5)


@settings(deadline=None)
@given(seeds, vectors(-100))
def test_a_shift_adds_its_squared_length(seed: int, shifts: np.ndarray) -> None:
    shift, some = shifts[0], normal(seed, 20, shifts.shape[1])
    assert frechet_distance(some, some + shift) == pytest.approx(np.square(shift).sum(), rel=1e-6, abs=1e-5)


@settings(deadline=None)
@given(vectors(0))
def test_gaussians_along_the_axes_are_as_far_apart_as_their_means_and_their_deviations(drawn: np.ndarray) -> None:
    mean, a, b = drawn
    distance = np.square(mean).sum() + np.square(a - b).sum()
    assert frechet_distance(axes(a), axes(b) + mean) == pytest.approx(distance, rel=1e-6, abs=1e-5)


def test_covariances_that_do_not_commute() -> None:
    # Of [[4, 0], [0, 1]] and [[2, 1], [1, 2]]: the product's trace is 10, its determinant 12, so that the trace of its
    # square root is the root of 10 + 2 sqrt(12).
    turned = axes(np.ones(2)) @ np.linalg.cholesky([[2, 1], [1, 2]]).T
    distance = 5 + 4 - 2 * np.sqrt(10 + 2 * np.sqrt(12))
    assert frechet_distance(axes(np.array([2.0, 1.0])), turned) == pytest.approx(distance)


def test_few_images_and_narrow_types_are_enough_and_sets_that_cannot_be_compared_are_refused() -> None:
    for images in (2, 30):  # fewer than features
        some = normal(0, images, 128).astype(np.float32)
        assert frechet_distance(some, some) == pytest.approx(0, abs=1e-3)
        assert frechet_distance(some, some + 1) == pytest.approx(128, abs=1e-3)
    features = np.random.default_rng(0).integers(0, 200, (300, 3)).astype(float)
    for dtype in (np.float16, np.float32, np.uint8):
        narrow = features.astype(dtype)
        assert frechet_distance(narrow, narrow[:99]) == pytest.approx(frechet_distance(features, features[:99]))
    for a, b in (((1, 4), (5, 4)), ((5, 4), (0, 4)), ((5, 4), (5, 3))):
        with pytest.raises(
            ValueError, match=r"^frechet distance: got .*; allowed are two images or more, same feature"
        ):
            frechet_distance(np.zeros(a), np.zeros(b))


def test_a_spread_worked_out_by_hand() -> None:
    # One thing's drawings are 3, 4, 5 from their mean (variance 50 / 2), the other's are all the same (variance 0).
    features = np.array([[[3.0, 0.0], [0.0, 4.0], [-3.0, -4.0]], [[7.0, 7.0]] * 3])
    assert spread(features) == pytest.approx(np.sqrt(25 / 2))


@settings(deadline=None)
@given(seeds, st.floats(0.1, 9), st.floats(-99, 99))
def test_a_spread_grows_with_scale_heeds_no_shift_and_is_0_for_equal_drawings(
    seed: int, scale: float, shift: float
) -> None:
    features = normal(seed, 24, 5).reshape(4, 6, 5)
    assert spread(scale * features + shift) == pytest.approx(scale * spread(features))
    assert spread(np.repeat(scale * features[:, :1] + shift, 6, axis=1)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("drawings", [2, 16])
def test_a_spread_does_not_depend_on_how_many_drawings_there_are(drawings: int) -> None:
    features = 3 * np.random.default_rng(0).normal(size=(20_000, drawings, 4))
    assert spread(features) == pytest.approx(3 * np.sqrt(4), rel=0.01)


@pytest.mark.parametrize("images", [IMAGES, IMAGES[0, 0]])
def test_predictions_keep_the_shape_of_the_images(images: np.ndarray) -> None:
    evaluator = reader()
    shape, logits = images.shape[:-2], evaluator(images.reshape(-1, 28, 28)).numpy()
    features, ids = text_to_image.predict(evaluator, images)
    assert features.shape == (*shape, glyph_networks.FEATURES)
    np.testing.assert_array_equal(ids, logits.argmax(axis=-1).reshape(shape))


def test_distance_and_spread_count_no_blanks_and_the_spread_is_that_of_repeated_images_of_one_character() -> None:
    evaluator, real, ids = reader(), IMAGES[:, 0], np.arange(18).reshape(6, 3) % 13
    drawn = np.where((ids == BLANK)[..., np.newaxis, np.newaxis], 255, real)
    metrics = text_to_image.frechet_metrics(evaluator, drawn, real, ids)
    assert metrics["test/frechet_distance"] == pytest.approx(0, abs=1e-5)
    assert metrics["test/frechet_images"] == (ids != BLANK).sum() == 17
    drawn[ids == 3] = 255
    assert text_to_image.frechet_metrics(evaluator, drawn, real, ids)["test/frechet_distance"] > 1e-3
    same = np.repeat(IMAGES[:, :1], 4, axis=1)
    metrics = text_to_image.spread_metrics(evaluator, same, IMAGES, ids)
    assert metrics["test/spread"] == pytest.approx(0, abs=1e-4)
    assert metrics["test/spread_of_people"] > 0.1
    blank = np.where((ids == BLANK)[:, np.newaxis, :, np.newaxis, np.newaxis], 0, IMAGES)
    assert text_to_image.spread_metrics(evaluator, blank, same, ids)["test/spread"] == metrics["test/spread_of_people"]


def test_the_evaluators_errors_are_those_on_real_digits() -> None:
    ids = np.array([3] * 15 + [4] * 5 + [10, 11, 12], dtype=np.int32)
    evaluator = reader()  # which is made to read 3 in any image
    kernel, bias = evaluator.layers[-1].get_weights()
    evaluator.layers[-1].set_weights([0 * kernel, bias + np.eye(13)[3]])
    errors = text_to_image.evaluator_errors(evaluator, Glyphs(IMAGES.reshape(-1, 28, 28)[: len(ids)], ids))
    low, high = wilson_interval(5, 20)
    assert errors == {"test/judge_error": 0.25, "test/judge_error_low": low, "test/judge_error_high": high}
