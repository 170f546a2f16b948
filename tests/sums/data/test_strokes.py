"""Strokes of a drawn sum become its characters: what is one character, what stands where, and what is refused."""

from itertools import pairwise

import numpy as np
import pytest

from library.sums.data.notation import Notation
from library.sums.data.strokes import MAX_STROKES, read_strokes

ONE, MINUS = [(10, 0), (10, 90)], [(0, 50), (50, 50)]
FOUR = [[(30, 0), (0, 50), (60, 50)], [(40, 0), (40, 90)]]
SEVEN = [[(0, 0), (60, 0), (20, 90)], [(5, 45), (55, 45)]]
PLUS = [[(0, 50), (50, 50)], [(25, 25), (25, 75)]]


def at(x: float, *strokes: list[tuple[float, float]]) -> list[np.ndarray]:
    """Strokes moved to the right, in points as near as a mouse's."""
    parts = [[np.linspace(*ends, 9) for ends in pairwise(np.array(one, float))] for one in strokes]
    return [np.concatenate(one) + np.array((x, 30)) for one in parts]


def read(images: np.ndarray) -> np.ndarray:
    """Takes what is higher than wide for a digit, and what is not for an operator."""
    is_digit = images.any(axis=2).sum(axis=1) > images.any(axis=1).sum(axis=1) + 2
    found = np.full((len(images), 13), -9.0)
    found[:, 0], found[:, 11] = np.where(is_digit, 0, -9), np.where(is_digit, -9, 0)
    return found


@pytest.mark.parametrize("scale", [0.5, 3])
@pytest.mark.parametrize(
    ("strokes", "places"),
    [
        (at(0, *SEVEN) + at(100, MINUS) + at(190, ONE), [1, 2, 4]),
        (at(0, ONE) + at(60, *FOUR) + at(160, MINUS) + at(240, *SEVEN), [0, 1, 2, 4]),
        (at(0, *FOUR) + at(58, *FOUR) + at(150, *PLUS) + at(230, *SEVEN) + at(285, ONE), [0, 1, 2, 3, 4]),  # touching
        (at(240, ONE) + at(110, *PLUS) + at(0, *FOUR) + at(70, [(0, 0), (3, 2)]), [1, 2, 4]),  # in any order
    ],
)
def test_strokes_of_one_character_are_together(strokes: list[np.ndarray], places: list[int], scale: float) -> None:
    images = read_strokes([scale * one for one in strokes], Notation(), read)
    assert images.shape == (5, 28, 28)
    assert np.flatnonzero(images.any(axis=(1, 2))).tolist() == places


def test_a_character_is_as_the_models_learn_it_and_padding_is_the_notations() -> None:
    images = read_strokes(at(0, *SEVEN) + at(100, MINUS) + at(190, ONE), Notation("+-", "right"), read)
    assert [image.max() for image in images] == [255, 255, 255, 0, 0]
    for image, size in zip(images, (20, 16, 20), strict=False):
        rows, columns = np.nonzero(image > 64)
        assert abs(max(np.ptp(rows), np.ptp(columns)) + 1 - size) <= 1
        assert abs(np.average(rows) - 13.5) < 1
        assert abs(np.average(columns) - 13.5) < 1


@pytest.mark.parametrize(
    ("strokes", "message"),
    [
        ([], "the canvas is empty: draw one sum"),
        ([np.array([[5.0, 5.0]])], "the canvas is empty"),
        (at(0, ONE) + at(50, ONE), f"the canvas has 2 strokes, of 3 to {MAX_STROKES} that are allowed"),
        (at(0, ONE) + at(60, ONE) + at(120, ONE), "the drawing cannot be read: draw one sum, two numbers of 0 to 99"),
    ],
)
def test_what_is_no_sum_is_a_sentence(strokes: list[np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        read_strokes(strokes, Notation(), read)
