"""Sets of cats as trainings see them: complete or limited, synthetic or curated; and what is no set."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.cats.config import CatsConfig
from library.cats.data import dataset, synthetic
from library.framework.errors import UserError
from library.framework.training.splits import digest
from tests import raw_images

SIZES = (80, 10, 10)
IMAGES = raw_images.photos(100, size=75)


def write(folder: Path, images: np.ndarray = IMAGES, sizes: tuple[int, ...] = SIZES) -> Path:
    folder.mkdir()
    np.save(folder / "images.npy", images)
    (folder / "curation.json").write_text(json.dumps({"splits": dict(zip(dataset.SPLITS, sizes, strict=True))}))
    return folder


def load(folder: Path, images: int = 30_000) -> dataset.Cats:
    return dataset.load(CatsConfig(cats=str(folder), images=images))


def test_a_set_is_mapped_from_its_file_loaded_once_and_limited_to_the_first_images_of_each_split(
    tmp_path: Path,
) -> None:
    folder = write(tmp_path / "set")
    loaded = load(folder)
    assert load(folder) is loaded
    assert loaded.factors is None
    for part, images in zip((loaded.train, loaded.validation, loaded.test), np.split(IMAGES, [80, 90]), strict=True):
        assert isinstance(part, np.memmap)
        assert not part.flags.writeable
        np.testing.assert_array_equal(part, images)
    limited = load(folder, 70)
    for part, rows in ((limited.train, slice(56)), (limited.validation, slice(80, 87)), (limited.test, slice(90, 97))):
        np.testing.assert_array_equal(part, IMAGES[rows])


def test_the_digest_changes_with_every_pixel_and_with_the_split(tmp_path: Path) -> None:
    changed = IMAGES.copy()
    changed[-1, -1, -1, -1] ^= 1
    digests = {
        load(write(tmp_path / "a")).digest,
        load(write(tmp_path / "b", changed)).digest,
        load(write(tmp_path / "c", sizes=(81, 9, 10))).digest,
        load(tmp_path / "a", 99).digest,
    }
    assert len(digests) == 4
    assert load(write(tmp_path / "d")).digest == load(tmp_path / "a").digest == digest(np.split(IMAGES, [80, 90]))


@settings(deadline=None)
@given(st.lists(st.integers(1, 10_000), min_size=3, max_size=3), st.integers(60, 40_000))
def test_a_limited_set_keeps_its_proportions(sizes: list[int], limit: int) -> None:
    limited, total = dataset.limited_sizes(sizes, limit), sum(sizes)
    assert sum(limited) == min(total, limit)
    if total > limit:
        expected = [size * limit / total for size in sizes]
        assert all(abs(size - one) <= 2 for size, one in zip(limited, expected, strict=True))
    assert limited[1] >= 1
    assert limited[2] >= 1


def test_synthetic_cats_are_split_in_order_and_come_with_their_factors() -> None:
    images, factors = synthetic.load(100)
    loaded = dataset.load(CatsConfig(images=100))
    assert loaded.factors is not None
    assert list(loaded.factors) == list(factors)
    np.testing.assert_equal(dict(loaded.factors), dict(factors))
    for part, expected in zip((loaded.train, loaded.validation, loaded.test), np.split(images, [80, 90]), strict=True):
        np.testing.assert_array_equal(part, expected)


BAD: dict[str, Callable[[Path], Any]] = {
    "not there": lambda _: None,
    "a file": Path.touch,
    "an empty folder": Path.mkdir,
    "a folder of images": lambda path: raw_images.folder(path, raw_images.files(3)),
    "another size": lambda path: write(path, IMAGES[:, :64, :64]),
    "another type": lambda path: write(path, IMAGES / 255),
    "images lost": lambda path: write(path, IMAGES[:-1]),
    "an empty part": lambda path: write(path, sizes=(90, 10, 0)),
    "a truncated array": lambda path: (write(path) / "images.npy").write_bytes(b"\x93NUMPY"),
    "a report of something else": lambda path: (write(path) / "curation.json").write_text('{"splits": 3}'),
    "a report that is a list": lambda path: (write(path) / "curation.json").write_text("[]"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_set_is_one_line_with_the_command_that_makes_one(kind: str, tmp_path: Path) -> None:
    BAD[kind](tmp_path / "set")
    with pytest.raises(UserError, match=r"^cats: got '.*', which is no set of cats \(.*make cats wrote.*$"):
        load(tmp_path / "set")
