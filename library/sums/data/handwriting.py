"""Handwritten characters, 28x28 images: what queries and answers look like where they are images.

Digits are real handwriting, from scikit-learn or MNIST; operators are synthetic strokes; a blank is empty. The images
are split before any is used, so that no training image appears in a test query.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from library.framework.errors import UserError

SIZE = 28
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
STROKES = {"+": (0.0, np.pi / 2), "-": (0.0,), "*": (np.pi / 4, -np.pi / 4)}  # slopes, in radians
_OVERSAMPLING = 8  # strokes are drawn so many times larger and averaged down: smooth edges
_OPERATORS_PER_SPLIT = 1000  # of each kind
_BACKGROUND, _INK = 0.2, 0.86  # greys of scikit-learn's digits that count as empty and as full
_MIN_PER_DIGIT = 10
_CHANNELS = 4
_ROTATION, _SCALE, _SHEAR, _SHIFT = 10.0, 0.1, 0.15, 2.0  # degrees, share, share, pixels
_Labelled = tuple[np.ndarray, np.ndarray]


class Glyphs(NamedTuple):
    """Images `[n, 28, 28]` uint8, 0 the background and 255 the ink, and their characters `[n]` int32, ascending."""

    images: np.ndarray
    ids: np.ndarray

    @property
    def digits(self) -> "Glyphs":
        """The handwritten ones: operators and blanks are synthetic, and easily recognised."""
        return Glyphs(self.images[self.ids < 10], self.ids[self.ids < 10])

    def draw(self, ids: np.ndarray, random: np.random.Generator, *, vary: bool = False) -> np.ndarray:
        """Images `[..., 28, 28]` uint8 of characters `[...]`, each picked at random from its kind; `vary` augments."""
        first = np.searchsorted(self.ids, np.arange(self.ids[-1] + 2))
        count = np.diff(first)
        images = self.images[first[ids] + (random.random(ids.shape) * count[ids]).astype(np.int64)]
        return augment(images, random) if vary else images


class HandwritingSplits(NamedTuple):
    """Three disjoint sets of images."""

    train: Glyphs
    validation: Glyphs
    test: Glyphs

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that differ as soon as one pixel does."""
        sha = hashlib.sha256()
        for glyphs in self:
            sha.update(np.int64(len(glyphs.ids)).tobytes() + glyphs.ids.tobytes() + glyphs.images.tobytes())
        return sha.hexdigest()[:16]

    @property
    def inputs(self) -> Mapping[str, np.ndarray]:
        """The images of each split, as a run's datasets are named."""
        return {"training": self.train.images, "validation": self.validation.images, "testing": self.test.images}


def load(digits: str, characters: str) -> HandwritingSplits:
    """The images of given characters, split into training, validation and test.

    MNIST keeps its own test images. Those of scikit-learn are split in their order, a fifth for the test: they are
    sorted by writer, so that most test writers are no training writers. A tenth of the rest is for validation.

    Args:
        digits: `scikit-learn`, `mnist` (downloaded), or the path of an `.npz` file as Keras keeps MNIST; UserError if
            it cannot be had or is something else.
        characters: digits, operators and a blank, in the order of their ids.
    """
    (images, labels), test = _scikit_learn() if digits == "scikit-learn" else _mnist(digits)
    held_out = len(images) // 10
    splits = ((images[:-held_out], labels[:-held_out]), (images[-held_out:], labels[-held_out:]), test)
    if any(len(np.unique(split)) < 10 for _, split in splits):
        raise UserError(f"digits: {digits!r} is in an order that leaves training or its last tenth without some digit")
    return HandwritingSplits(*(_with_operators(*split, characters[10:], seed) for seed, split in enumerate(splits)))


def augment(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Rotates each of `[..., 28, 28]` images up to 10 degrees, scales it up to 10 %, shears and shifts it (2 pixels).

    Four images move alike, as the channels of one: OpenCV moves four at the cost of less than two. They are a quarter
    of all images apart, so that the characters of one query move differently.
    """
    flat = images.reshape(-1, SIZE, SIZE)
    groups = -(-len(flat) // _CHANNELS)
    padded = np.zeros((_CHANNELS * groups, SIZE, SIZE), dtype=np.uint8)
    padded[: len(flat)] = flat
    channels = np.ascontiguousarray(padded.reshape(_CHANNELS, groups, SIZE, SIZE).transpose(1, 2, 3, 0))
    out = np.empty_like(channels)
    for image, matrix, target in zip(channels, _random_affine_maps(groups, random), out, strict=True):
        cv2.warpAffine(image, matrix, (SIZE, SIZE), dst=target)
    return out.transpose(3, 0, 1, 2).reshape(-1, SIZE, SIZE)[: len(flat)].reshape(images.shape)


def _random_affine_maps(count: int, random: np.random.Generator) -> np.ndarray:
    """Affine maps `[count, 2, 3]` about an image's centre."""
    rotation, scale, shear, down, right = random.uniform(-1, 1, (5, count))
    angle, size = np.deg2rad(_ROTATION) * rotation, 1 + _SCALE * scale
    maps = np.empty((count, 2, 3), dtype=np.float32)
    maps[:, 0, 0], maps[:, 0, 1] = size * np.cos(angle), size * (_SHEAR * shear - np.sin(angle))
    maps[:, 1, 0], maps[:, 1, 1] = size * np.sin(angle), size * np.cos(angle)
    centre = np.full(2, (SIZE - 1) / 2, dtype=np.float32)
    maps[:, :, 2] = centre - maps[:, :, :2] @ centre + _SHIFT * np.stack([right, down], axis=1)
    return maps


def draw_strokes(lines: np.ndarray, thickness: float) -> np.ndarray:
    """A `[28, 28]` uint8 image of lines `[strokes, 2, 2]`, both ends of each as (x, y); all lengths are in pixels."""
    large = np.zeros((SIZE * _OVERSAMPLING, SIZE * _OVERSAMPLING), dtype=np.uint8)
    width = round(thickness * _OVERSAMPLING)
    for start, end in np.rint(lines * _OVERSAMPLING).astype(int):
        cv2.line(large, tuple(map(int, start)), tuple(map(int, end)), 255, width, cv2.LINE_AA)
    return np.asarray(cv2.resize(large, (SIZE, SIZE), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def draw_operator(character: str, random: np.random.Generator) -> np.ndarray:
    """A `+`, `-` or `*` (a cross) as if written by hand: place, length, slope and thickness are random."""
    centre = SIZE / 2 + random.uniform(-2, 2, 2)
    lines = []
    for slope in STROKES[character]:
        angle = slope + random.normal(0, 0.12)
        half = random.uniform(5.5, 9.5) * np.array([np.cos(angle), np.sin(angle)])
        middle = centre + random.uniform(-1, 1, 2)
        lines.append([middle - half, middle + half])
    return draw_strokes(np.array(lines), random.uniform(1.6, 3.4))


def _with_operators(images: np.ndarray, labels: np.ndarray, others: str, seed: int) -> Glyphs:
    """Digits, then synthetic operators and the blank, in the order of their ids."""
    order = np.argsort(labels, kind="stable")
    kinds, ids = [images[order]], [labels[order]]
    for i, character in enumerate(others, start=10):
        random = np.random.default_rng((seed, ord(character)))
        count = _OPERATORS_PER_SPLIT if character in STROKES else 0
        drawn = [draw_operator(character, random) for _ in range(count)] or [np.zeros((SIZE, SIZE))]
        kinds.append(np.array(drawn, dtype=np.uint8))
        ids.append(np.full(len(drawn), i))
    return Glyphs(np.concatenate(kinds), np.concatenate(ids).astype(np.int32))


def _scikit_learn() -> tuple[_Labelled, _Labelled]:
    """Digits of 8x8 pixels as about 22x22 amid 28x28: cubic interpolation, then steep edges again.

    The background around a digit is interpolated too, so that strokes that end at the 8x8 square's edge end roundly.
    """
    from sklearn.datasets import load_digits  # here: half a second that no text needs

    digits = load_digits()
    images = []
    for small in digits.images / 16:  # float64: rounds alike on every machine
        large = cv2.resize(np.pad(small, 1), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        ink = np.clip((large - _BACKGROUND) / (_INK - _BACKGROUND), 0, 1)
        images.append(np.rint(255 * ink * ink * (3 - 2 * ink)).astype(np.uint8))
    cut = len(images) - len(images) // 5
    return (np.array(images[:cut]), digits.target[:cut]), (np.array(images[cut:]), digits.target[cut:])


def _mnist(source: str) -> tuple[_Labelled, _Labelled]:
    splits = _download() if source == "mnist" else _read(source)
    for images, labels in splits:
        is_drawn = images.shape[1:] == (SIZE, SIZE) and images.dtype == np.uint8
        if not is_drawn or labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
            raise UserError(
                f"digits: {source!r} holds {images.dtype} {list(images.shape)} with labels {labels.dtype} "
                f"{list(labels.shape)}; allowed is uint8 [n, {SIZE}, {SIZE}] with labels of integers [n]"
            )
        if set(np.unique(labels)) != set(range(10)) or np.bincount(labels).min() < _MIN_PER_DIGIT:
            allowed = f"at least {_MIN_PER_DIGIT} images of each of 0 to 9"
            raise UserError(f"digits: {source!r} lacks digits; allowed is {allowed}")
        if np.median(images[:, [0, -1]]) > 127:  # of the first and last rows, where nobody writes
            raise UserError(
                f"digits: {source!r} holds dark ink on white; allowed is white ink on black, as 255 - images"
            )
    return splits


def _read(path: str) -> tuple[_Labelled, _Labelled]:
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:  # which leaves a bad zip open
            x_train, y_train, x_test, y_test = (np.asarray(archive[name]) for name in ARRAYS)
            return (x_train, y_train), (x_test, y_test)
    except Exception as error:  # numpy, zipfile and zlib have theirs for each way a file can be damaged
        raise UserError(
            f"digits: got {path!r}, which cannot be read ({' '.join(str(error).split())[:100]}); "
            f"allowed is scikit-learn, mnist, or an .npz file with the arrays {', '.join(ARRAYS)}"
        ) from None


def _download() -> tuple[_Labelled, _Labelled]:
    from keras.datasets import mnist

    try:
        return mnist.load_data()
    except Exception as error:
        raise UserError(
            f"digits: MNIST cannot be downloaded ({' '.join(str(error).split())[:100]}); "
            "give DIGITS=file.npz if you have it, or leave DIGITS out for scikit-learn's digits"
        ) from None
