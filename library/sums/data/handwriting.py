"""Handwritten characters, 28x28: what a query and an answer look like when they are images.

Digits are real handwriting, from scikit-learn or MNIST; operators are drawn with a pen's strokes; a blank is empty.
The images are split before any is used: what a test query shows, no training ever saw.
"""

import hashlib
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from library.framework.errors import UserError

SIZE = 28
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
STROKES = {"+": (0.0, np.pi / 2), "-": (0.0,), "*": (np.pi / 4, -np.pi / 4)}  # slopes, in radians
_FINE = 8  # strokes are drawn so many times larger and averaged down: smooth edges
_OPERATORS = 1000  # drawn of each, for each part of the split
_GROUND, _INK = 0.2, 0.86  # of scikit-learn's digits: grey that counts as empty, grey that counts as full
_FEWEST = 10
_TOGETHER = 4
_ROTATION, _SCALE, _SHEAR, _SHIFT = 10.0, 0.1, 0.15, 2.0


@dataclass(frozen=True)
class Glyphs:
    """Images of characters, from which queries and answers are drawn.

    Attributes:
        images: `[images, 28, 28]` uint8, 0 the ground and 255 the ink, sorted by character.
        ids: `[images]` int32, the character of each.
    """

    images: np.ndarray
    ids: np.ndarray

    def draw(self, ids: np.ndarray, random: np.random.Generator, *, vary: bool = False) -> np.ndarray:
        """Images `[..., 28, 28]` uint8 of characters `[...]`, each picked at random from all of its kind.

        Args:
            ids: character ids of any shape.
            random: picks the images.
            vary: also turn, scale, slant and shift each a little, as another hand would.
        """
        first = np.searchsorted(self.ids, np.arange(self.ids[-1] + 2))
        count = np.diff(first)
        images = self.images[first[ids] + (random.random(ids.shape) * count[ids]).astype(np.int64)]
        return varied(images, random) if vary else images


@dataclass(frozen=True)
class Pools:
    """Three disjoint sets of images; `digest` names their exact contents."""

    train: Glyphs
    validation: Glyphs
    test: Glyphs

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that differ as soon as one pixel does."""
        sha = hashlib.sha256()
        for part in fields(self):
            glyphs: Glyphs = getattr(self, part.name)
            sha.update(np.int64(len(glyphs.ids)).tobytes() + glyphs.ids.tobytes() + glyphs.images.tobytes())
        return sha.hexdigest()[:16]


@lru_cache(maxsize=2)
def load(digits: str, characters: str) -> Pools:
    """The images of given characters, split into training, validation and test; kept for the next call.

    MNIST keeps its own test images. Those of scikit-learn are split in their order, a fifth for the test: they follow
    each other by writer, so that most test writers are no training writers. A tenth of the rest is for validation.

    Args:
        digits: `scikit-learn`, `mnist` (downloaded by Keras), or the path of an `.npz` file as Keras keeps MNIST.
        characters: digits, operators and a blank, in the order of their ids.

    Raises:
        UserError: a file of digits cannot be read, or is not what Keras keeps MNIST as.
    """
    (images, labels), test = _scikit_learn() if digits == "scikit-learn" else _mnist(digits)
    held = len(images) // 10
    parts = ((images[:-held], labels[:-held]), (images[-held:], labels[-held:]), test)
    if any(len(np.unique(part)) < 10 for _, part in parts):
        raise UserError(f"digits: {digits!r} is in an order that leaves training or its last tenth without some digit")
    return Pools(*(_with_operators(*part, characters[10:], seed) for seed, part in enumerate(parts)))


def varied(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Each of `[..., 28, 28]` images turned up to 10 degrees, scaled up to 10 %, slanted and shifted up to 2 pixels.

    Four at a time move alike: as many channels as OpenCV moves at once, at the cost of less than two. They are a
    quarter of all images apart, so that the characters of one query move each in its own way.
    """
    flat = images.reshape(-1, SIZE, SIZE)
    groups = -(-len(flat) // _TOGETHER)
    padded = np.zeros((_TOGETHER * groups, SIZE, SIZE), dtype=np.uint8)
    padded[: len(flat)] = flat
    together = np.ascontiguousarray(padded.reshape(_TOGETHER, groups, SIZE, SIZE).transpose(1, 2, 3, 0))
    out = np.empty_like(together)
    for image, matrix, target in zip(together, _movements(groups, random), out, strict=True):
        cv2.warpAffine(image, matrix, (SIZE, SIZE), dst=target)
    moved = out.transpose(3, 0, 1, 2).reshape(-1, SIZE, SIZE)
    return moved[: len(flat)].reshape(images.shape)


def _movements(count: int, random: np.random.Generator) -> np.ndarray:
    """Affine maps `[count, 2, 3]` about an image's centre."""
    turn, scale, slant, down, right = random.uniform(-1, 1, (5, count))
    angle = np.deg2rad(_ROTATION) * turn
    size = 1 + _SCALE * scale
    maps = np.empty((count, 2, 3), dtype=np.float32)
    maps[:, 0, 0], maps[:, 0, 1] = size * np.cos(angle), size * (_SHEAR * slant - np.sin(angle))
    maps[:, 1, 0], maps[:, 1, 1] = size * np.sin(angle), size * np.cos(angle)
    centre = np.full(2, (SIZE - 1) / 2, dtype=np.float32)
    maps[:, :, 2] = centre - maps[:, :, :2] @ centre + _SHIFT * np.stack([right, down], axis=1)
    return maps


def stroke(lines: np.ndarray, thickness: float) -> np.ndarray:
    """A `[28, 28]` uint8 image of straight strokes.

    Args:
        lines: `[strokes, 2, 2]` both ends of each, as (x, y) in pixels.
        thickness: of the pen, in pixels.
    """
    fine = np.zeros((SIZE * _FINE, SIZE * _FINE), dtype=np.uint8)
    for start, end in np.rint(lines * _FINE).astype(int):
        cv2.line(fine, tuple(map(int, start)), tuple(map(int, end)), 255, round(thickness * _FINE), cv2.LINE_AA)
    return np.asarray(cv2.resize(fine, (SIZE, SIZE), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def operator(character: str, random: np.random.Generator) -> np.ndarray:
    """A `+`, `-` or `*` (a cross) as a hand writes it: place, length, slope and pen differ each time."""
    centre = SIZE / 2 + random.uniform(-2, 2, 2)
    lines = []
    for slope in STROKES[character]:
        angle = slope + random.normal(0, 0.12)
        half = random.uniform(5.5, 9.5) * np.array([np.cos(angle), np.sin(angle)])
        middle = centre + random.uniform(-1, 1, 2)
        lines.append([middle - half, middle + half])
    return stroke(np.array(lines), random.uniform(1.6, 3.4))


def _with_operators(images: np.ndarray, labels: np.ndarray, others: str, seed: int) -> Glyphs:
    """Digits, then drawn operators and the blank, in the order of their ids."""
    order = np.argsort(labels, kind="stable")
    kinds, ids = [images[order]], [labels[order]]
    for i, character in enumerate(others):
        random = np.random.default_rng((seed, ord(character)))
        kinds.append(
            np.array([operator(character, random) for _ in range(_OPERATORS)])
            if character in STROKES
            else np.zeros((1, SIZE, SIZE), dtype=np.uint8)
        )
        ids.append(np.full(len(kinds[-1]), 10 + i))
    return Glyphs(np.concatenate(kinds), np.concatenate(ids).astype(np.int32))


def _scikit_learn() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    from sklearn.datasets import load_digits  # here: half a second that no text needs

    digits = load_digits()
    images = np.array([_enlarged(image) for image in digits.images / 16])  # float64: rounds alike on every machine
    cut = len(images) - len(images) // 5
    return (images[:cut], digits.target[:cut]), (images[cut:], digits.target[cut:])


def _enlarged(small: np.ndarray) -> np.ndarray:
    """An 8x8 digit, 0 to 1, as about 22x22 pixels amid 28x28: interpolated by cubics, then its edges made steep again.

    The ground around it is interpolated too, so that a stroke which ends at the 8x8 square's edge ends roundly.
    """
    large = cv2.resize(np.pad(small, 1), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    ink = np.clip((large - _GROUND) / (_INK - _GROUND), 0, 1)
    return np.rint(255 * ink * ink * (3 - 2 * ink)).astype(np.uint8)


def _mnist(source: str) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    arrays = _download() if source == "mnist" else _read(Path(source))
    for images, labels in (arrays[:2], arrays[2:]):
        drawn = images.shape[1:] == (SIZE, SIZE) and images.dtype == np.uint8
        if not drawn or labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
            raise UserError(
                f"digits: {source!r} holds {images.dtype} {list(images.shape)} with labels {labels.dtype} "
                f"{list(labels.shape)}; allowed is uint8 [n, {SIZE}, {SIZE}] with labels of integers [n]"
            )
        if set(np.unique(labels)) != set(range(10)) or np.bincount(labels).min() < _FEWEST:
            raise UserError(f"digits: {source!r} lacks digits; allowed is at least {_FEWEST} images of each of 0 to 9")
    return arrays[:2], arrays[2:]


def _read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:  # which leaves a bad zip open
            x_train, y_train, x_test, y_test = (np.asarray(archive[name]) for name in ARRAYS)
            return x_train, y_train, x_test, y_test
    except Exception as error:  # numpy, zipfile and zlib have theirs for each way a file can be damaged
        raise UserError(
            f"digits: got {str(path)!r}, which cannot be read ({' '.join(str(error).split())[:100]}); "
            f"allowed is scikit-learn, mnist, or an .npz file with the arrays {', '.join(ARRAYS)}"
        ) from None


def _download() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from keras.datasets import mnist

    try:
        (x_train, y_train), (x_test, y_test) = mnist.load_data()
    except Exception as error:
        raise UserError(
            f"digits: MNIST cannot be downloaded ({' '.join(str(error).split())[:100]}); "
            "give DIGITS=file.npz if you have it, or leave DIGITS out for scikit-learn's digits"
        ) from None
    return x_train, y_train, x_test, y_test
