"""Reconstruction errors per image: mean squared error, PSNR and SSIM.

Errors of pixels favor blurred images; the structural similarity also compares the contrast of every neighborhood.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

# Of the structural similarity (Wang et al. 2004, section III.C).
WINDOW, DEVIATION = 11, 1.5
K1, K2 = 0.01, 0.03
BLOCK = 200  # images in memory at a time


def evaluate(originals: np.ndarray, reconstructions: np.ndarray, split: str = "test") -> dict[str, float]:
    """The means over the images of all three, named as in `test/ssim`, and as in `test/ssim_standard_error`.

    Takes one original or more, `[images, height, width, channels]`, 0 to 255, and reconstructions of the same shape and
    range; ValueError if the shapes differ, or height or width are below 11 pixels. The split is that of the originals.
    """
    measures = {"mean_squared_error": mean_squared_errors, "psnr": psnr, "ssim": ssim}
    values = {f"{split}/{name}": each(originals, reconstructions) for name, each in measures.items()}
    errors = {f"{name}_standard_error": float(each.std() / np.sqrt(len(each))) for name, each in values.items()}
    return {**{name: float(each.mean()) for name, each in values.items()}, **errors}


def mean_squared_errors(originals: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """The mean squared error of each image's pixels, scaled to 0 to 1: `[images]`; takes and raises as `evaluate`."""
    return _image_means(lambda a, b: np.square((a - b) / 255), originals, reconstructions, 1)


def psnr(originals: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """The peak signal-to-noise ratio of each image, `-10 log10` of its mean squared error: `[images]`, in dB.

    Infinite for an exact reconstruction; takes and raises as `evaluate`.
    """
    with np.errstate(divide="ignore"):
        return -10 * np.log10(mean_squared_errors(originals, reconstructions))


def ssim(originals: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """The structural similarity of each image (Wang et al. 2004, eq. 13), 1 if equal: `[images]`, -1 to 1.

    Means, variances and covariance are those in a Gaussian window of 11x11 pixels (deviation 1.5); the similarity is
    averaged over all places of the window within the image, and over the channels. Takes and raises as `evaluate`.
    """

    def similarities(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray(similarity_map(np.moveaxis(a, -1, 1) / 255, np.moveaxis(b, -1, 1) / 255))

    return _image_means(similarities, originals, reconstructions, WINDOW)


def similarity_map(a: Any, b: Any, stride: int = 1) -> Any:
    """The structural similarity in each window, or in every second row and column of windows with a stride of 2.

    Takes arrays of numpy or of Keras's backend, `[images, channels, height, width]` float32, 0 to 1; returns
    `[images, channels, ceil((height - 10) / stride), ceil((width - 10) / stride)]`.
    """
    down, across = _windows(a.shape[-2])[::stride], _windows(a.shape[-1])[::stride].T
    # Variances are small differences, of which little is left where a GPU rounds products to TF32, unless pixels are
    # centered.
    a, b = a - 0.5, b - 0.5
    mean_a, mean_b, square_a, square_b, product = (down @ x @ across for x in (a, b, a * a, b * b, a * b))
    covariance = product - mean_a * mean_b
    variances = square_a + square_b - mean_a * mean_a - mean_b * mean_b
    mean_a, mean_b = mean_a + 0.5, mean_b + 0.5
    c1, c2 = K1**2, K2**2
    means = (2 * mean_a * mean_b + c1) / (mean_a * mean_a + mean_b * mean_b + c1)
    return means * (2 * covariance + c2) / (variances + c2)


def _windows(size: int) -> np.ndarray:
    """The Gaussian window at each of its places on a line of pixels, `[size - 10, size]`; each sums to 1."""
    weights = np.exp(-np.square(np.arange(WINDOW) - WINDOW // 2) / (2 * DEVIATION**2))
    places = [np.pad(weights / weights.sum(), (place, size - WINDOW - place)) for place in range(size - WINDOW + 1)]
    return np.array(places, dtype=np.float32)


def _image_means(
    compare: Callable[[np.ndarray, np.ndarray], np.ndarray], originals: np.ndarray, reconstructions: np.ndarray,
    least: int,
) -> np.ndarray:  # fmt: skip
    """The mean of what `compare` makes of each pair of images of `least` pixels or more, `[images]`, in blocks."""
    shape = originals.shape
    if shape != reconstructions.shape or len(shape) != 4 or min(shape[1:3]) < least:
        raise ValueError(
            f"images: got {shape} and {reconstructions.shape}; allowed are equal shapes [images, height, width, "
            f"channels] of {least} pixels or more"
        )
    means = np.zeros(len(originals))
    for start in range(0, len(originals), BLOCK):
        rows = slice(start, start + BLOCK)
        a, b = (images[rows].astype(np.float32) for images in (originals, reconstructions))
        means[rows] = compare(a, b).mean(axis=(1, 2, 3), dtype=np.float64)
    return means
