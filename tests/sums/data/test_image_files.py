"""PNG files of characters: written ones are read again, and others are refused in one line."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from library.cats.data import photos
from library.framework import images
from library.sums.data import image_files

QUERY = np.random.default_rng(0).integers(0, 200, (5, 28, 28), dtype=np.uint8)


def encoded(image: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", image)[1])


def save(path: Path, image: np.ndarray) -> str:
    path.write_bytes(encoded(image))
    return str(path)


def wrong(*shape: int, dtype: Any = np.uint8) -> Callable[[Path], str]:
    """Saves a black image."""
    return partial(save, image=np.zeros(shape, dtype))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_written_images_are_read_again_from_one_strip_or_a_file_for_each(count: int, tmp_path: Path) -> None:
    path, images = tmp_path / "query.png", QUERY[:count] // 2
    assert image_files.write(images, path) == str(path)
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.hstack(images))
    singles = [save(tmp_path / f"{i}.png", image) for i, image in enumerate(images)]
    np.testing.assert_array_equal(image_files.read(str(path), count), images, strict=True)
    np.testing.assert_array_equal(image_files.read(",".join(singles[::-1]), count), images[::-1], strict=True)


def test_colour_is_turned_to_grey(tmp_path: Path) -> None:
    path = save(tmp_path / "query.png", cv2.cvtColor(np.hstack(QUERY), cv2.COLOR_GRAY2BGR))
    np.testing.assert_array_equal(image_files.read(path, 5), QUERY)
    green = np.zeros((28, 140, 3), np.uint8)
    green[..., 1] = 200
    # Luma of BT.601: green counts 0.587.
    assert set(image_files.read(save(tmp_path / "green.png", green), 5).flat) == {round(0.587 * 200)}


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda _: None, "cannot be read (No such file or directory)"),
    "a folder": (Path.mkdir, "cannot be read (Is a directory)"),
    "empty": (Path.touch, "is empty"),
    "a text": (lambda path: path.write_text("45+23\n" * 99), "is no image"),
    "the head of a PNG": (lambda path: path.write_bytes(encoded(QUERY.reshape(28, 140))[:20]), "is no image"),
    "half a PNG": (lambda path: path.write_bytes(encoded(QUERY.reshape(28, 140))[:2000]), "is no image"),
    "a damaged PNG": (lambda path: path.write_bytes(encoded(QUERY.reshape(28, 140))[:-99] + bytes(99)), "is no image"),
    "too wide": (wrong(28, 141), "has 8 bits and is 141 wide and 28 high"),
    "too narrow": (wrong(28, 139), "has 8 bits and is 139 wide and 28 high"),
    "too high": (wrong(29, 140), "has 8 bits and is 140 wide and 29 high"),
    "too low": (wrong(1, 140), "has 8 bits and is 140 wide and 1 high"),
    "a single character": (wrong(28, 28), "has 8 bits and is 28 wide and 28 high"),
    "16 bits": (wrong(28, 140, dtype=np.uint16), "has 16 bits and is 140 wide and 28 high"),
    "16 bits in colour": (wrong(28, 140, 3, dtype=np.uint16), "has 16 bits"),
    "transparent": (wrong(28, 140, 4), "is partly transparent"),
}


@pytest.mark.parametrize("kind", BAD)
def test_other_files_are_refused_in_one_line_that_names_them(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "query.png"
    make, what = BAD[kind]
    make(path)
    allowed = "allowed is a PNG, 8 bits, 140 pixels wide and 28 high"
    with pytest.raises(ValueError, match=rf"^query: '{path}' {re.escape(what)}.*{allowed}.*$"):
        image_files.read(str(path), 5)


def test_other_numbers_of_files_and_dark_ink_are_refused_and_a_bad_file_is_named(tmp_path: Path) -> None:
    paths = [wrong(28, 29 if i == 1 else 28)(tmp_path / f"{i}.png") for i in range(6)]
    for count in (2, 4, 6):
        with pytest.raises(ValueError, match=f"^query: got {count} files; allowed is one of 5 characters, or 5 of one"):
            image_files.read(",".join(paths[:count]), 5)
    with pytest.raises(ValueError, match=r"1\.png' has 8 bits and is 29 wide and 28 high; .* 28 pixels wide"):
        image_files.read(",".join(paths[:5]), 5)
    path = save(tmp_path / "query.png", np.hstack(255 - QUERY // 4))
    with pytest.raises(ValueError, match=r"query\.png' is dark ink on a light background; allowed is light ink on a"):
        image_files.read(path, 5)


def test_a_target_is_a_png_in_a_folder_whether_or_not_it_exists(tmp_path: Path) -> None:
    for name in 2 * ["answer.png", "ANSWER.PNG", "4 + 5.png"]:
        assert images.check_target(str(tmp_path / name)) == tmp_path / name
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    allowed = r"allowed is a file ending in \.png in a folder that can be written"
    for name in ("answer.jpg", "answer", ".png", "png", "missing/answer.png", "answer.png/answer.png", "folder.png"):
        with pytest.raises(ValueError, match=rf"^out: got '.*'; {allowed}$"):
            images.check_target(f"{tmp_path}/{name}")
    with pytest.raises(ValueError, match=r"^out: nothing was given; it is the PNG to write to, as in OUT=answer.png"):
        images.check_target("")


@pytest.mark.parametrize("shape", [(20, 20), (300, 200), (40, 90)])
def test_a_photo_of_any_size_is_its_middle_square_in_colour(shape: tuple[int, int], tmp_path: Path) -> None:
    photo = np.zeros((*shape, 3), np.uint8)
    photo[..., 0] = 200
    images.save(photo, tmp_path / "cat.png")
    read = photos.read_photo(str(tmp_path / "cat.png"))
    assert (read.shape, read.dtype) == ((75, 75, 3), np.uint8)
    assert (read == [200, 0, 0]).all()


@pytest.mark.parametrize("kind", ["missing", "a folder", "empty", "a text", "the head of a PNG"])
def test_other_photos_are_refused_in_one_line_that_names_them(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    make, what = BAD[kind]
    make(path)
    problem = what if "cannot" in what else "is broken or no image"
    with pytest.raises(ValueError, match=r"^query: ") as caught:
        photos.read_photo(str(path))
    assert str(caught.value) == f"query: {str(path)!r} {problem}; allowed is an image, as PNG"
