"""How true reconstructions are: against values worked out by hand, and a window that is moved by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.cats.metrics import reconstruction
from library.cats.metrics.reconstruction import mean_squared_errors, psnr, ssim


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def slow_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Of two grey images, window by window."""
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    a, b = a / 255, b / 255
    found = []
    for y in range(a.shape[0] - 10):
        for x in range(a.shape[1] - 10):
            p, q = a[y : y + 11, x : x + 11], b[y : y + 11, x : x + 11]
            mean_p, mean_q = (window * p).sum(), (window * q).sum()
            spread_p, spread_q = (window * (p - mean_p) ** 2).sum(), (window * (q - mean_q) ** 2).sum()
            together = (window * (p - mean_p) * (q - mean_q)).sum()
            lightness = (2 * mean_p * mean_q + 1e-4) / (mean_p**2 + mean_q**2 + 1e-4)
            found.append(lightness * (2 * together + 9e-4) / (spread_p + spread_q + 9e-4))
    return float(np.mean(found))


def test_errors_worked_out_by_hand() -> None:
    black = np.zeros((3, 2, 2, 3), dtype=np.uint8)
    off = black.copy()
    off[1], off[2, 0, 0, 0] = 255, 51
    assert mean_squared_errors(black, off) == pytest.approx([0, 1, 0.2**2 / 12])
    images = noise(0, 2, 75, 75, 3)
    assert mean_squared_errors(images, images).tolist() == [0, 0]
    assert psnr(images, images).tolist() == [np.inf, np.inf]
    assert ssim(images, images) == pytest.approx(1, abs=1e-6)
    images = noise(0, 1, 40, 40, 3)
    assert -1 < ssim(images, 255 - images)[0] < -0.9


@pytest.mark.parametrize("shift", [1, 10, 100])
def test_a_shift_has_the_decibels_of_its_size_and_a_flat_image_the_similarity_of_its_lightness(shift: int) -> None:
    images = noise(0, 4, 12, 12, 3) // 2
    assert psnr(images, images + np.uint8(shift)) == pytest.approx(20 * np.log10(255 / shift), rel=1e-5)
    flat = np.full((1, 20, 20, 3), 100, dtype=np.uint8)
    a, b = 100 / 255, (100 + shift) / 255
    expected = (2 * a * b + 1e-4) / (a**2 + b**2 + 1e-4)
    assert ssim(flat, flat + np.uint8(shift)) == pytest.approx(expected, abs=1e-3)


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 2**32 - 1), st.integers(11, 16), st.integers(11, 16))
def test_the_similarity_is_that_of_windows_moved_one_by_one(seed: int, height: int, width: int) -> None:
    a, b = noise(seed, 1, height, width, 2), noise(seed + 1, 1, height, width, 2)
    b = b // 2 + a // 2
    expected = np.mean([slow_ssim(a[0, :, :, i], b[0, :, :, i]) for i in (0, 1)])
    assert ssim(a, b) == pytest.approx(expected, abs=1e-5)
    assert ssim(b, a) == pytest.approx(ssim(a, b), abs=1e-5)


def test_each_image_is_measured_by_itself_and_the_scores_are_means_with_errors() -> None:
    originals, others = noise(0, 405, 12, 12, 3), noise(1, 405, 12, 12, 3)
    for measure in (mean_squared_errors, psnr, ssim):
        together = measure(originals, others)
        assert together.shape == (405,)
        assert together[[3, 404]] == pytest.approx(measure(originals[[3, 404]], others[[3, 404]]), rel=1e-4)
    a, b = noise(0, 3, 15, 15, 3), noise(1, 3, 15, 15, 3)
    each = {"mean_squared_error": mean_squared_errors(a, b), "psnr": psnr(a, b), "ssim": ssim(a, b)}
    means = {f"val/{name}": values.mean() for name, values in each.items()}
    errors = {f"val/{name}_standard_error": values.std() / np.sqrt(3) for name, values in each.items()}
    assert reconstruction.evaluate(a, b, "val") == pytest.approx({**means, **errors})


@pytest.mark.parametrize(("a", "b"), [((2, 20, 20, 3), (3, 20, 20, 3)), ((2, 20, 20), (2, 20, 20))])
def test_what_cannot_be_compared_is_refused(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^images: got .*; allowed are equal shapes .* of 1 pixels or more$"):
        psnr(np.zeros(a), np.zeros(b))
    with pytest.raises(ValueError, match=r"^images: got \(2, 10, 20, 3\) .* of 11 pixels or more$"):
        ssim(np.zeros((2, 10, 20, 3)), np.zeros((2, 10, 20, 3)))
