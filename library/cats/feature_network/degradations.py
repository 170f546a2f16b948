"""Degradations of images, from barely visible to strong: what a score of generated images must see.

The feature network is trained to tell how strong each is, and tests check that scores rise with every one.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

Degradation = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
"""From an image `[height, width, 3]` uint8, a strength from 0 to 1 and random numbers to an image of the same shape."""


def blur(image: np.ndarray, strength: float, _: np.random.Generator) -> np.ndarray:
    """A Gaussian blur with a standard deviation of up to 2.5 pixels."""
    return cv2.GaussianBlur(image, (0, 0), 0.2 + 2.3 * strength)


def checkerboard(image: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    """A pattern that repeats every 2, 4 or 8 pixels, as generators leave, with up to 20 % of the range."""
    height, width = image.shape[:2]
    period = random.choice([2, 4, 8])
    tile = random.standard_normal((period, period, 1)) + 0.5 * random.standard_normal((period, period, 3))
    tile -= tile.mean(axis=(0, 1))
    repeated = np.tile(tile / tile.std(), (height // period + 1, width // period + 1, 1))[:height, :width]
    # Stronger at some places than at others, as a generator's are.
    places = cv2.resize(random.random((4, 4)), (width, height), interpolation=cv2.INTER_CUBIC)
    return _to_bytes(image + 51 * strength * places[..., np.newaxis] * repeated)


def noise(image: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    """Gaussian noise with a standard deviation of up to 12 % of the range."""
    return _to_bytes(image + 30 * strength * random.standard_normal(image.shape))


def jpeg(image: np.ndarray, strength: float, _: np.random.Generator) -> np.ndarray:
    """JPEG compression of a quality from 80 down to 5."""
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, round(80 - 75 * strength)])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))


def warp(image: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    """A smooth random displacement with a standard deviation of up to 9 % of the side."""
    height, width = image.shape[:2]
    coarse = (0.09 * width * strength * random.standard_normal((6, 6, 2))).astype(np.float32)
    shift = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    y, x = np.indices((height, width), dtype=np.float32)
    return cv2.remap(image, x + shift[..., 0], y + shift[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def patches(image: np.ndarray, strength: float, random: np.random.Generator) -> np.ndarray:
    """Copies square patches, of up to half the side in all, to other places of the image."""
    degraded, side = image.copy(), max(4, round(image.shape[0] * (0.1 + 0.25 * strength)))
    for _ in range(2):
        (top, left), (y, x) = random.integers(0, np.array(image.shape[:2]) - side + 1, (2, 2))
        degraded[y : y + side, x : x + side] = image[top : top + side, left : left + side]
    return degraded


DEGRADATIONS: Mapping[str, Degradation] = {
    "blur": blur, "checkerboard": checkerboard, "noise": noise, "jpeg": jpeg, "warp": warp, "patches": patches,
}  # fmt: skip


def degrade(images: np.ndarray, name: str, strength: float, seed: int = 0) -> np.ndarray:
    """Degrades images `[n, height, width, 3]` uint8, each with other random numbers; equal seeds give equal ones."""
    random = np.random.default_rng(seed)
    return np.stack([DEGRADATIONS[name](image, strength, random) for image in images])


def mix(images: np.ndarray, strength: float, seed: int = 0) -> np.ndarray:
    """Blends each image with another one of the set, whose share is up to a half."""
    share = strength / 2
    others = np.roll(images, 1 + np.random.default_rng(seed).integers(len(images) - 1), axis=0)
    return _to_bytes((1 - share) * images + share * others)


def _to_bytes(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)
