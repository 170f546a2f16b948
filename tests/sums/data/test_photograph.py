"""Photographed sums are cut into the characters that were written, in order; other photographs are refused."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from library.sums.data import handwriting, image_files
from library.sums.data.photograph import MIN_SIDE, is_photograph, normalise, read_sum
from tests.photographs import compose

CHARACTERS = "0123456789+- "
GLYPHS = handwriting.load("scikit-learn", CHARACTERS).test
SUMS = ["45+23", " 7-88", "12+ 5", " 1- 1", "90+67", "38-41", "26+ 9", "73-50"]


def written(text: str, seed: int = 0) -> np.ndarray:
    """Images `[5, 28, 28]` of a sum in someone's handwriting."""
    return GLYPHS.draw(np.array([CHARACTERS.index(one) for one in text]), np.random.default_rng(seed))


def saved(path: Path, photo: np.ndarray) -> str:
    cv2.imwrite(str(path), photo)
    return str(path)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of two characters, a little blurred; 1 of two blanks."""
    if not (one.any() and other.any()):
        return float(one.any() == other.any())
    blurred = [cv2.GaussianBlur(image.astype(float), (0, 0), 1.5).ravel() for image in (one, other)]
    return float(np.corrcoef(*blurred)[0, 1])


@pytest.mark.parametrize("light_ink", [False, True])
@pytest.mark.parametrize("text", SUMS)
def test_each_character_is_cut_out_in_its_place(text: str, light_ink: bool, tmp_path: Path) -> None:
    images = written(text)
    query = saved(tmp_path / "photo.jpg", compose(images, SUMS.index(text), light_ink=light_ink))
    assert is_photograph(query)
    read = read_sum(query, "+-")
    assert (read.shape, read.dtype) == ((5, 28, 28), np.uint8)
    expected = [normalise(image > 127) if image.any() else image for image in images]
    alike = np.array([[likeness(one, other) for other in expected] for one in read])
    assert (np.diag(alike) > 0.9).all()
    assert np.mean(np.diag(alike)) > 0.97
    digits = [i for i in range(5) if text[i] not in "+- "]
    for i in digits:
        assert all(alike[i, i] > alike[i, j] for j in digits if text[j] != text[i])


def test_a_query_padded_on_the_right_ends_in_blanks(tmp_path: Path) -> None:
    query = saved(tmp_path / "photo.png", compose(written(" 7- 8"), 1))
    left, right = (read_sum(query, "+-", padding) for padding in ("left", "right"))
    assert [image.any() for image in left] == [False, True, True, False, True]
    assert [image.any() for image in right] == [True, True, True, False, False]
    np.testing.assert_array_equal(left[[1, 2, 4]], right[:3])


@pytest.mark.parametrize("width", [4, 30, 60])
def test_a_character_is_centred_by_its_mass_and_no_pen_is_too_fine(width: int) -> None:
    ink = np.zeros((300, 200), bool)
    ink[:, :width] = ink[-width:] = True
    image = normalise(ink)
    rows = np.nonzero(image > 127)[0]
    assert 19 <= np.ptp(rows) + 1 <= 21
    mass = np.indices((28, 28)).reshape(2, -1) @ image.ravel() / image.sum()
    np.testing.assert_allclose(mass, 13.5, atol=0.3)
    assert (image[10] > 127).sum() >= 2
    assert image.max() > 200


BAD = {
    "shows no writing": compose(np.zeros((0, 28, 28), np.uint8), 0),
    "shows 2 characters": compose(written("4   5"), 1),
    "shows 7 characters": compose(np.concatenate([written("45+23"), written("4   5")]), 2),
    "shows 1 character;": compose(written("    5"), 3),
    "shows no + or - between digits of one size;": compose(written("45723"), 4),
}


@pytest.mark.parametrize("told", BAD)
def test_other_photographs_are_refused_in_one_line(told: str, tmp_path: Path) -> None:
    query = saved(tmp_path / "photo.jpg", BAD[told])
    allowed = "allowed is a photograph of one sum, two numbers of 0 to 99 with + or - between"
    with pytest.raises(ValueError, match=rf"^query: '{query}' {re.escape(told)}.*{re.escape(allowed)}.*$"):
        read_sum(query, "+-")


def test_strips_small_images_and_other_files_are_no_photographs(tmp_path: Path) -> None:
    strip = image_files.write(written("45+23"), tmp_path / "strip.png")
    (tmp_path / "text.png").write_text("45+23")
    small = saved(tmp_path / "small.png", np.zeros((MIN_SIDE - 1, 500), np.uint8))
    for query in (
        strip,
        small,
        str(tmp_path / "text.png"),
        str(tmp_path),
        str(tmp_path / "missing"),
        f"{strip},{strip}",
    ):
        assert not is_photograph(query)
    with pytest.raises(
        ValueError, match=f"140 pixels wide and 28 high, or a photograph of {MIN_SIDE} pixels or more on"
    ):
        image_files.read(small, 5)
