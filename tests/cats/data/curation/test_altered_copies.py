"""Cropped, framed, turned and marked copies are found; other images of the same make are not."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from library.cats.data.curation.altered_copies import COPY, deduplicate_altered, greys
from library.cats.data.curation.duplicates import Duplicates, deduplicate, details, thumbnails
from tests import raw_images

COUNT = 60


def photos(count: int, side: int = 96) -> np.ndarray:
    """Images with details of every size, as photographs have: the spectrum of amplitudes falls as 1/f."""
    random = np.random.default_rng(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    frequency[0, 0] = np.inf
    noise = np.fft.fft2(random.normal(size=(count, 3, side, side))) / frequency
    images = np.fft.ifft2(noise).real
    images /= images.std(axis=(1, 2, 3), keepdims=True)
    return np.clip(128 + 50 * images, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def turned(image: np.ndarray, degrees: float) -> np.ndarray:
    middle = (image.shape[1] - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), degrees, 1)
    return cv2.warpAffine(image, matrix, image.shape[:2], flags=cv2.INTER_CUBIC)


def marked(image: np.ndarray) -> np.ndarray:
    return cv2.putText(image.copy(), "CATS", (10, 80), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (255, 255, 255), 3, cv2.LINE_AA)


def framed(image: np.ndarray, grey: int) -> np.ndarray:
    return cv2.copyMakeBorder(image, 10, 10, 10, 10, cv2.BORDER_CONSTANT, value=(grey, grey, grey))


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "cropped": lambda image: image[5:-5, 5:-5],
    "cropped off the centre": lambda image: image[:-10, 10:],
    "mirrored and cropped": lambda image: image[5:-5, -5:5:-1],
    "black border": lambda image: framed(image, 0),
    "white border": lambda image: framed(image, 255),
    "bars": lambda image: np.pad(image[10:-10], ((10, 10), (0, 0), (0, 0))),
    "watermark": marked,
    "5 degrees": lambda image: turned(image, 5),
    "-5 degrees": lambda image: turned(image, -5),
    **{f"{90 * turns} degrees": lambda image, turns=turns: np.rot90(image, turns) for turns in (1, 2, 3)},
    "upside down": lambda image: image[::-1],
    "transposed": lambda image: image.transpose(1, 0, 2),
}
PHOTOS = photos(COUNT)


def found_in(images: list[np.ndarray]) -> Duplicates:
    small = np.array(
        [cv2.resize(np.ascontiguousarray(image), (75, 75), interpolation=cv2.INTER_AREA) for image in images]
    )
    return deduplicate_altered(deduplicate(thumbnails(small), details(small)), greys(small))


@pytest.mark.parametrize("kind", COPIES)
def test_an_altered_copy_is_found_whichever_of_the_two_comes_first(kind: str) -> None:
    copies = [COPIES[kind](image) for image in PHOTOS[:20]]
    after, before = found_in([*PHOTOS, *copies]), found_in([*copies, *PHOTOS])
    assert (after.original[:COUNT] == -1).all()
    assert (after.original[COUNT:] == np.arange(20)).sum() >= 19  # 95 %
    assert (before.original[20:40] == np.arange(20)).sum() >= 19
    assert (before.original[np.r_[:20, 40 : COUNT + 20]] == -1).all()
    assert (after.similarity[after.original >= 0] >= COPY).all()


def test_a_copy_of_a_copy_counts_as_one_of_the_original() -> None:
    chain = [PHOTOS[0], turned(PHOTOS[0], 5), turned(PHOTOS[0], 5)[5:-5, 5:-5]]
    assert found_in([*chain, *PHOTOS[1:]]).original.tolist() == [-1, 0, 0, *[-1] * (COUNT - 1)]


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_few_and_flat_images_are_no_copies(count: int) -> None:
    assert found_in(list(PHOTOS[:count])).original.tolist() == [-1] * count
    assert found_in([np.full((75, 75, 3), 7 * i, np.uint8) for i in range(count)]).original.tolist() == [-1] * count


@pytest.mark.parametrize("sigma", [0, 2])
def test_distinct_silhouettes_are_no_copies_once_they_are_aligned(sigma: float) -> None:
    images = [cv2.GaussianBlur(one, (0, 0), sigma) if sigma else one for one in raw_images.silhouettes(200)]
    assert (found_in(images).original >= 0).sum() <= 4  # 2 %
    assert (found_in([255 - one for one in images]).original >= 0).sum() <= 4
