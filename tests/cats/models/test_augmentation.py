"""Changes of images: each is what it says, all are drawn anew, and gradients go through them."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from library.cats.models.augmentation import augment, cutout, jitter_color, translate

MANY, HEIGHT, WIDTH = 400, 20, 28
IMAGES = np.random.default_rng(0).random((MANY, HEIGHT, WIDTH, 3), dtype=np.float32)
ONE = np.repeat(IMAGES[:1], MANY, axis=0)
seeds = st.integers(0, 2**31 - 1)
every_change = pytest.mark.parametrize("change", [jitter_color, translate, cutout, augment])
Change = Callable[[np.ndarray, keras.random.SeedGenerator], keras.KerasTensor]


def changed(change: Change, images: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.asarray(change(ops.convert_to_tensor(images), keras.random.SeedGenerator(seed)))


def luminance(images: np.ndarray) -> np.ndarray:
    """The mean of the three colours."""
    return images.mean(axis=-1, keepdims=True)


def moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """An image at another place, with grey around it."""
    height, width = image.shape[:2]
    framed = np.pad(image, ((height, height), (width, width), (0, 0)), constant_values=0.5)
    return framed[height - down : 2 * height - down, width - right : 2 * width - right]


@every_change
def test_changes_repeat_with_the_seed_and_differ_from_one_image_and_one_time_to_the_next(change: Change) -> None:
    first, again, other = (changed(change, ONE, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert first.shape == ONE.shape
    assert len(np.unique(first.reshape(MANY, -1), axis=0)) > 20
    assert (first != other).any()
    seed = keras.random.SeedGenerator(0)
    once, twice = (np.asarray(change(ops.convert_to_tensor(ONE), seed)) for _ in range(2))
    assert (once != twice).any()


@every_change
def test_gradients_go_through_to_the_images(change: Change) -> None:
    images = tf.Variable(IMAGES)
    with tf.GradientTape() as tape:
        # Of one step of the discriminator, of which the generator is told.
        loss = tf.reduce_sum(change(images, keras.random.SeedGenerator(0)))
    slopes = tape.gradient(loss, images).numpy()
    reached = (slopes != 0).any(axis=-1).mean()
    assert reached > 0.5
    assert np.isfinite(slopes).all()
    # What is covered, or pushed out of sight, does not count; by its image's mean, contrast hangs on every pixel.
    assert (reached < 1) == (change in (translate, cutout))


def test_shifts_are_by_whole_pixels_equally_likely_and_bring_in_grey() -> None:
    most_down, most_right = round(HEIGHT / 8), round(WIDTH / 8)
    found = []
    for image, result in zip(IMAGES[:30], changed(translate, IMAGES[:30]), strict=True):
        fitting = [
            (down, right)
            for down in range(-6, 7)
            for right in range(-6, 7)
            if np.allclose(result, moved(image, down, right), atol=1e-6)
        ]
        assert len(fitting) == 1
        found += fitting
    down, right = np.abs(found).max(axis=0)
    assert (down, right) == (most_down, most_right)
    assert len(set(found)) > 15
    marked = np.zeros((5000, 16, 16, 3), dtype=np.float32)
    marked[:, 8, 8] = 1
    places = np.argwhere(changed(translate, marked)[..., 0] == 1)[:, 1:] - 8
    assert len(places) == 5000
    for axis in places.T:
        values, counts = np.unique(axis, return_counts=True)
        assert values.tolist() == [-2, -1, 0, 1, 2]
        assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000)
    assert abs(np.corrcoef(places.T)[0, 1]) < 0.07


def test_a_square_of_half_the_side_becomes_grey_and_nothing_else_changes() -> None:
    black = np.zeros((MANY, 20, 20, 3), dtype=np.float32)
    covered = changed(cutout, black)
    assert set(np.unique(covered)) == {0.0, 0.5}
    sizes = []
    for image in covered[..., 0] == 0.5:
        rows, columns = image.any(axis=1), image.any(axis=0)
        np.testing.assert_array_equal(image, np.outer(rows, columns))
        for side in (rows, columns):
            places = np.flatnonzero(side)
            assert np.ptp(places) + 1 == len(places), "without a gap"
            if places[0] > 0 and places[-1] < 19:
                assert len(places) in (10, 11)
            sizes.append(len(places))
    assert (min(sizes), max(sizes)) in {(5, 10), (5, 11)}  # partly outside: half of it at least is seen
    kept = np.broadcast_to(covered[:40, ..., :1] == 0, IMAGES[:40, :, :20].shape)
    coloured = changed(cutout, np.repeat(IMAGES[:1, :, :20], MANY, axis=0))[:40]
    np.testing.assert_allclose(coloured, np.where(kept, IMAGES[:1, :, :20], 0.5), atol=1e-6)


def test_brightness_saturation_and_contrast_stay_within_their_ranges_and_reach_their_ends() -> None:
    results = changed(jitter_color, ONE)
    brightness = results.mean(axis=(1, 2, 3)) - ONE.mean(axis=(1, 2, 3))
    contrast = luminance(results).std(axis=(1, 2, 3)) / luminance(ONE).std(axis=(1, 2, 3))
    colour = (results - luminance(results)).std(axis=(1, 2, 3)) / (ONE - luminance(ONE)).std(axis=(1, 2, 3))
    saturation = colour / contrast
    for factor, low, high in ((brightness, -0.25, 0.25), (contrast, 0.5, 1.5), (saturation, 0, 2)):
        assert low - 1e-5 <= factor.min() < low + (high - low) / 50
        assert high - (high - low) / 50 < factor.max() <= high + 1e-5
        assert factor.mean() == pytest.approx((low + high) / 2, abs=5 * (high - low) / np.sqrt(12 * MANY))
    np.testing.assert_allclose(np.corrcoef([brightness, contrast, saturation]), np.eye(3), atol=0.2)


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_recolouring_is_worked_out_by_three_numbers_an_image(seed: int) -> None:
    image = IMAGES[:1]
    result = changed(jitter_color, image, seed)
    mean = image.mean()
    brightness = result.mean() - mean
    contrast = luminance(result).std() / luminance(image).std()
    colour = np.vdot(image - luminance(image), result - luminance(result)) / ((image - luminance(image)) ** 2).sum()
    expected = mean + brightness + contrast * (luminance(image) - mean) + colour * (image - luminance(image))
    np.testing.assert_allclose(result, expected, atol=1e-4)


@settings(max_examples=10, deadline=None)
@given(seeds, st.floats(0, 1))
def test_a_grey_image_stays_grey_however_it_is_shifted_and_covered(seed: int, grey: float) -> None:
    even = np.full((4, HEIGHT, WIDTH, 3), grey, dtype=np.float32)
    results = changed(augment, even, seed)
    np.testing.assert_allclose(results, np.broadcast_to(results[..., :1], results.shape), atol=1e-5)
    for before, result in zip(even, results, strict=True):
        seen = result[~np.isclose(result, 0.5, atol=1e-5)]
        if len(seen):  # one brightness where it was not covered or pushed away
            np.testing.assert_allclose(seen, seen[0], atol=1e-5)
            assert abs(seen[0] - before[0, 0, 0]) <= 0.25 + 1e-5


def test_real_and_drawn_images_are_changed_alike() -> None:
    """The same images in two batches, one after the other, as a discriminator has them."""
    seed = keras.random.SeedGenerator(0)
    real, drawn = (np.asarray(augment(ops.convert_to_tensor(IMAGES), seed)) for _ in range(2))
    assert (real != drawn).any(axis=(1, 2, 3)).all()
    for statistic in (np.mean, np.std):
        ours, theirs = (statistic(images, axis=(1, 2, 3)) for images in (real, drawn))
        error = np.sqrt((ours.var() + theirs.var()) / MANY)
        assert abs(ours.mean() - theirs.mean()) < 4 * error
        assert ours.std() == pytest.approx(theirs.std(), rel=0.2)
