"""The tab of sums: what a canvas sends, how sure a reading is, and whether an answer is right."""

from typing import Any

import numpy as np
import pytest

from tests.http_client import Served

demo = pytest.importorskip("library.sums.demo", reason="gradio is not installed", exc_type=ImportError)
pytestmark = pytest.mark.slow


def test_a_canvas_sends_strokes() -> None:
    strokes = demo.parse_strokes("[[[1, 2], [3, 4.5]], [[5, 6]]]")
    assert [one.tolist() for one in strokes] == [[[1, 2], [3, 4.5]], [[5, 6]]]


@pytest.mark.parametrize("given", ["", "{}", "null", "[]", "[[[1, 2, 3]]]", '[["a", 1]]'])
def test_an_empty_canvas_and_what_is_no_drawing_are_a_sentence(given: str) -> None:
    with pytest.raises(ValueError, match=r"^the canvas"):
        demo.parse_strokes(given)


def test_an_answer_is_right_or_wrong() -> None:
    assert demo.verdict(" 7-88", "-81").endswith("✓ right")
    assert demo.verdict("45+23", "67").endswith("✗ wrong: it is 68")


def test_a_reader_says_what_it_reads_each_image_as(served_sums: dict[str, Served]) -> None:
    reader = demo.Reader(served_sums["seq2seq-image-to-text"].model, None)
    images: Any = np.random.default_rng(0).integers(0, 256, (demo.MAX_IMAGES + 1, 28, 28)).astype(np.uint8)
    found = reader.log_probabilities(images)
    assert found.shape == (len(images), 13)
    assert np.allclose(np.exp(found).sum(axis=1), 1)
    assert np.allclose(found[-5:], reader.log_probabilities(images[-5:]), atol=1e-5)  # wherever in a query
    answer, characters = reader.answer(images[:5])
    assert answer == served_sums["seq2seq-image-to-text"].model.predict(images[np.newaxis, :5])[0]
    assert [share for _, share in characters] == pytest.approx(np.exp(found[:5].max(axis=1)), rel=1e-4)
    shown = demo.figures(np.array([images[0], 0 * images[0]]), characters[:2])
    assert shown.count("<figure") == 1
    assert f"<b>{characters[0][0]}</b> {characters[0][1]:.0%}" in shown
