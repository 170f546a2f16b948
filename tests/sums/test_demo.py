"""The tab of sums: what is read of a canvas, and whether an answer is right."""

import base64

import cv2
import numpy as np
import pytest

from library.sums.data.notation import Notation

demo = pytest.importorskip("library.sums.demo", reason="gradio is not installed", exc_type=ImportError)


def canvas(ink: np.ndarray) -> str:
    """The `data:` address of a drawing, `[height, width]` bool."""
    pixels = np.dstack([np.zeros((*ink.shape, 3), np.uint8), 255 * ink.astype(np.uint8)])
    return demo.PNG + base64.b64encode(cv2.imencode(".png", pixels)[1].tobytes()).decode()


def test_a_drawing_is_cut_out_wherever_it_is_and_read_as_characters() -> None:
    ink = np.zeros((400, 900), np.uint8)
    for start, end in (((500, 250), (540, 250)), ((540, 250), (510, 330)), ((580, 290), (620, 290)),
                       ((600, 270), (600, 310)), ((670, 250), (670, 330))):  # fmt: skip
        cv2.line(ink, start, end, 1, 7)
    images = demo.read_image(demo.read_canvas(canvas(ink)), Notation())
    assert [image.max() > 200 for image in images] == [False, True, True, False, True]


@pytest.mark.parametrize("given", ["", "data:,", demo.PNG + "AAAA", canvas(np.zeros((9, 9)))])
def test_an_empty_canvas_and_what_is_no_drawing_are_a_sentence(given: str) -> None:
    with pytest.raises(ValueError, match=r"^the canvas"):
        demo.read_canvas(given)


def test_an_answer_is_right_or_wrong() -> None:
    assert demo.verdict(" 7-88", "-81", Notation()).endswith("✓ right")
    assert demo.verdict("45+23", "67", Notation()).endswith("✗ wrong: it is 68")
