"""Sets of cats as trainings see them: whole or in part, drawn or curated, and what is no set."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from library.cats.config import CatsConfig
from library.cats.data import dataset
from library.framework.errors import UserError
from library.framework.training.splits import digest
from tests import piles

SIZES = (80, 10, 10)
IMAGES = piles.photos(100, size=75)


def write(folder: Path, images: np.ndarray = IMAGES, sizes: tuple[int, ...] = SIZES) -> Path:
    folder.mkdir()
    np.save(folder / "images.npy", images)
    (folder / "curation.json").write_text(json.dumps({"splits": dict(zip(dataset.PARTS, sizes, strict=True))}))
    return folder


def load(folder: Path, images: int = 30_000) -> dataset.Cats:
    return dataset.load(CatsConfig(cats=str(folder), images=images))


def test_a_set_is_mapped_from_its_file_and_loaded_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "set")
    loaded = load(folder)
    assert load(folder) is loaded
    assert loaded.factors is None
    for part, images in zip((loaded.train, loaded.validation, loaded.test), np.split(IMAGES, [80, 90]), strict=True):
        assert isinstance(part, np.memmap)
        assert not part.flags.writeable
        np.testing.assert_array_equal(part, images)


def test_the_digest_tells_of_every_pixel_and_of_the_split(tmp_path: Path) -> None:
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


def test_fewer_images_are_the_first_of_each_part(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "set"), 70)
    assert [len(part) for part in (loaded.train, loaded.validation, loaded.test)] == [56, 7, 7]
    np.testing.assert_array_equal(loaded.test, IMAGES[90:97])
    np.testing.assert_array_equal(loaded.train, IMAGES[:56])


@settings(deadline=None)
@given(st.lists(st.integers(1, 10_000), min_size=3, max_size=3), st.integers(60, 40_000))
def test_a_part_of_a_set_keeps_its_proportions(sizes: list[int], most: int) -> None:
    shares, total = dataset._shares(sizes, most), sum(sizes)
    assert sum(shares) == min(total, most)
    if total > most:
        expected = [size * most / total for size in sizes]
        assert all(abs(share - one) <= 2 for share, one in zip(shares, expected, strict=True))
    assert shares[1] >= 1
    assert shares[2] >= 1


def test_drawn_cats_are_split_in_their_order_with_what_they_were_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    from library.cats.data import synthetic

    factors = {"fur": np.arange(100)}
    monkeypatch.setattr(synthetic, "load", lambda count: (IMAGES[:count], factors))
    monkeypatch.setattr(dataset, "_load", dataset._load.__wrapped__)  # neither finds nor leaves anything in the cache
    loaded = dataset.load(CatsConfig(images=100))
    assert loaded.factors == factors
    for part, images in zip((loaded.train, loaded.validation, loaded.test), np.split(IMAGES, [80, 90]), strict=True):
        np.testing.assert_array_equal(part, images)


BAD: dict[str, Callable[[Path], Any]] = {
    "not there": lambda _: None,
    "a file": Path.touch,
    "an empty folder": Path.mkdir,
    "a folder of images": lambda path: piles.folder(path, piles.files(3)),
    "another size": lambda path: write(path, IMAGES[:, :64, :64]),
    "another type": lambda path: write(path, IMAGES / 255),
    "images lost": lambda path: write(path, IMAGES[:-1]),
    "an empty part": lambda path: write(path, sizes=(90, 10, 0)),
    "a truncated array": lambda path: (write(path) / "images.npy").write_bytes(b"\x93NUMPY"),
    "a report of something else": lambda path: (write(path) / "curation.json").write_text('{"splits": 3}'),
    "a report that is a list": lambda path: (write(path) / "curation.json").write_text("[]"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_set_is_told_in_one_line_with_the_command_that_makes_one(kind: str, tmp_path: Path) -> None:
    BAD[kind](tmp_path / "set")
    with pytest.raises(
        UserError, match=r"^cats: got '.*', which is no set of cats \(.*make cats CATS=folder"
    ) as caught:
        load(tmp_path / "set")
    assert len(str(caught.value).splitlines()) == 1
