"""Images of cats, 75x75: drawn ones, or those that `make cats` made of any pile of images.

What trains, validates and tests is settled before any image is used, and a digest names all three.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from library.cats.config import CatsConfig
from library.framework.errors import UserError
from library.framework.training.splits import digest

SIZE = 75
PARTS = ("train", "validation", "test")
FEWEST = 60
IMAGES, REPORT = "images.npy", "curation.json"
_HELD = 10  # one drawn image in so many validates, and as many test


@dataclass(frozen=True)
class Cats:
    """Three disjoint sets of images.

    Attributes:
        train: `[n, 75, 75, 3]` uint8 RGB, which may be mapped from a file: not to be written to.
        validation: the same, to choose by.
        test: the same, to score once.
        digest: sixteen hexadecimal digits that differ as soon as one pixel does.
        factors: what each image was drawn from, by the factor's name: `[n]`, of all images in the order train,
            validation, test; None where that is not known.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    digest: str
    factors: Mapping[str, np.ndarray] | None = None


def load(config: CatsConfig) -> Cats:
    """The images that a config asks for; kept for the next call.

    Raises:
        UserError: there is no curated set where the config says.
    """
    return _load(config.cats, config.images)


@lru_cache(maxsize=2)
def _load(cats: str, images: int) -> Cats:
    parts, factors = _drawn(images) if cats == "drawn" else (_curated(Path(cats), images), None)
    train, validation, test = parts
    return Cats(train, validation, test, digest(parts), factors)


def _drawn(count: int) -> tuple[list[np.ndarray], Mapping[str, np.ndarray]]:
    from library.cats.data import synthetic  # here: a curated set needs none of it

    images, factors = synthetic.load(count)
    held = count // _HELD
    return np.split(images, [count - 2 * held, count - held]), factors


def _curated(folder: Path, most: int) -> list[np.ndarray]:
    """The first images of each part, of which all are in an order drawn by lot, as views of one mapped file."""
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        sizes = [int(report["splits"][part]) for part in PARTS]
        images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _refused(folder, f"{type(error).__name__}: {' '.join(str(error).split())[:100]}") from None
    if (images.shape, images.dtype) != ((sum(sizes), SIZE, SIZE, 3), np.uint8) or min(sizes) < 1:
        raise _refused(folder, f"{IMAGES} holds {images.dtype} {list(images.shape)}, {REPORT} tells of {sizes}")
    ends = np.cumsum(sizes)
    views = zip(ends - sizes, _shares(sizes, most), strict=True)
    return [images[first : first + count] for first, count in views]


def _refused(folder: Path, why: str) -> UserError:
    return UserError(
        f"cats: got {str(folder)!r}, which is no set of cats ({why}); allowed is drawn, or a folder that "
        "make cats CATS=folder|zip|tar|npy|address wrote"
    )


def _shares(sizes: Sequence[int], most: int) -> list[int]:
    """As many of each part as there are, or `most` in all, in the same proportions."""
    total = sum(sizes)
    if total <= most:
        return list(sizes)
    held = [max(1, size * most // total) for size in sizes[1:]]
    return [most - sum(held), *held]


def read_report(folder: Path) -> dict[str, Any]:
    """What `curation.json` tells of a set; empty if it is not there or not whole."""
    try:
        return dict(json.loads((folder / REPORT).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
