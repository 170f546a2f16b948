"""75x75 images of cats in three splits: synthetic ones, or a set that `make cats` curated from raw images.

The splits are fixed before any image is used, and a digest names the exact contents of all three.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from library.cats.config import CatsConfig
from library.framework.environment import command
from library.framework.errors import UserError
from library.framework.training.splits import digest

SIZE = 75
SPLITS = ("train", "validation", "test")
MIN_IMAGES = 60
IMAGES, REPORT = "images.npy", "curation.json"
FOLDER = "set"
"""Of a curation's run in a store for many machines: the set's files."""


@dataclass(frozen=True)
class Cats:
    """Three disjoint sets of images.

    Attributes:
        train: `[n, 75, 75, 3]` uint8 RGB; may be mapped from a file, so it must not be written to.
        validation: the same, for model selection.
        test: the same, for the final score.
        digest: sixteen hexadecimal digits that change with any pixel and with the split.
        factors: ground truth of synthetic images, `[n]` per factor name, in the order train, validation, test; None
            for curated sets.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    digest: str
    factors: Mapping[str, np.ndarray] | None = None


def load(config: CatsConfig) -> Cats:
    """Loads the images of a config; the last two results are cached. UserError if its folder holds no curated set."""
    return _load(config.cats, config.images)


@lru_cache(maxsize=2)
def _load(cats: str, images: int) -> Cats:
    if cats != "drawn":
        splits, factors = curated(Path(cats), images), None
    else:
        from library.cats.data import synthetic  # here: a curated set needs none of it

        pixels, factors = synthetic.load(images)
        splits = np.split(pixels, [images - 2 * (images // 10), images - images // 10])
    train, validation, test = splits
    return Cats(train, validation, test, digest(splits), factors)


def curated(folder: Path, limit: int) -> list[np.ndarray]:
    """The first images of each split, which is stored in random order, as views of one file; else UserError."""
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        sizes = [int(report["splits"][split]) for split in SPLITS]
        images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _invalid_set(folder, f"{type(error).__name__}: {' '.join(str(error).split())[:100]}") from None
    if (images.shape, images.dtype) != ((sum(sizes), SIZE, SIZE, 3), np.uint8) or min(sizes) < 1:
        raise _invalid_set(folder, f"{IMAGES} holds {images.dtype} {list(images.shape)}, {REPORT} says {sizes}")
    starts = np.cumsum([0, *sizes[:-1]])
    return [images[start : start + n] for start, n in zip(starts, limited_sizes(sizes, limit), strict=True)]


def _invalid_set(folder: Path, reason: str) -> UserError:
    return UserError(
        f"cats: got {str(folder)!r}, which is no set of cats ({reason}); allowed is drawn, or a folder that "
        f"{command('cats')} wrote"
    )


def limited_sizes(sizes: Sequence[int], limit: int) -> list[int]:
    """Scales the sizes of the three splits down to `limit` images in all, in the same proportions."""
    total = sum(sizes)
    if total <= limit:
        return list(sizes)
    held_out = [max(1, size * limit // total) for size in sizes[1:]]
    return [limit - sum(held_out), *held_out]


def read_report(folder: Path) -> dict[str, Any]:
    """The contents of a set's `curation.json`; empty if the file is missing or damaged."""
    try:
        return dict(json.loads((folder / REPORT).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
