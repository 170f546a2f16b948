"""The tab of sums on the demo's page: a query that is typed, drawn with the mouse or photographed, and its answer.

What was cut out and what each character was read as is shown, so that a wrong answer can be understood.
"""

import base64
import binascii
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np

from library.framework.demo.models import Models
from library.framework.demo.page import sentences, version_choice
from library.framework.environment import command
from library.sums.data.notation import Notation
from library.sums.data.photograph import read_sum
from library.sums.data.queries import OPERATIONS
from library.sums.models.seq2seq import QUERY_CHARACTERS

TITLE = "Sums"
TYPED, READ, DRAWN = "seq2seq-text-to-text", "seq2seq-image-to-text", "seq2seq-text-to-image"
HANDS = 6
NUMBERS = 2
PAPER_MARGIN = 60
"""Pixels of paper around a drawing: ink that reaches a photograph's edge counts as the edge of the paper."""
CANVAS = """<canvas id="sum" role="img" aria-label="Draw a sum with the mouse or a finger"
  style="width: 100%; height: 220px; background: white; border-radius: 8px; touch-action: none; cursor: crosshair">
</canvas>"""
DRAW = """
const canvas = element.querySelector("canvas"), context = canvas.getContext("2d")
const place = event => [event.offsetX, event.offsetY]
canvas.onpointerdown = event => {
  if (canvas.width != canvas.clientWidth) {canvas.width = canvas.clientWidth; canvas.height = canvas.clientHeight}
  Object.assign(context, {lineWidth: 7, lineCap: "round", lineJoin: "round"})
  canvas.setPointerCapture(event.pointerId)
  context.beginPath(); context.moveTo(...place(event)); context.lineTo(...place(event)); context.stroke()
}
canvas.onpointermove = event => {if (event.buttons) {context.lineTo(...place(event)); context.stroke()}}
"""
"""A canvas for strokes: Gradio's own has tools to select first, and room for little else on a narrow screen."""
SEND = "(_, ...others) => [document.getElementById('sum').toDataURL(), ...others]"
CLEAR = "() => {const canvas = document.getElementById('sum'); canvas.width = canvas.clientWidth}"
PNG = "data:image/png;base64,"


class Reader:
    """An image-to-text model that also says what it reads each character as."""

    def __init__(self, model: Any, _: Any) -> None:
        import keras

        self._model = model
        served = model.unwrap_python_model()
        # Registered models carry their own code, in which these two have no public name.
        self.notation, network = served._notation, served._network
        likeliest = [layer for layer in network.layers if layer.name == QUERY_CHARACTERS]
        self._read = None
        if likeliest:
            hidden = [one for one in network.layers if one.output.shape[1:] == likeliest[0].output.shape[1:]]
            logits = hidden[0].output  # the first of that shape: what the likeliest are taken from
            self._read = keras.Model(network.inputs, [logits])
            self._read.predict_on_batch(np.zeros((1, 5, 28, 28), np.uint8))
        model.predict(np.zeros((1, 5, 28, 28), np.uint8))

    def answer(self, images: np.ndarray) -> tuple[str, list[tuple[str, float]]]:
        """The answer to a query `[5, 28, 28]` uint8; of each image the likeliest character and its probability."""
        [answer] = self._model.predict(images[np.newaxis])
        if self._read is None:
            return answer, []
        [[logits]] = [np.asarray(self._read.predict_on_batch(images[np.newaxis]), np.float64)]
        odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
        odds /= odds.sum(axis=-1, keepdims=True)
        return answer, [(self.notation.characters[row.argmax()], float(row.max())) for row in odds]


def owns(name: str) -> bool:
    """Whether a model is one of the three that the tab asks: those of sums and differences, not of products."""
    return name in (TYPED, READ, DRAWN)


def verdict(query: str, answer: str, notation: Notation) -> str:
    """Whether an answer is right, as a sentence; ValueError where the text is no query."""
    left, sign, right = notation.parse(query)
    true = OPERATIONS[sign](left, right)
    return f"## {left} {sign} {right} = {answer}\n" + ("✓ right" if answer == str(true) else f"✗ wrong: it is {true}")


def read_canvas(address: str) -> np.ndarray:
    """A canvas, as the `data:` address of its PNG, as ink on paper `[height, width]` uint8, cut out with a margin.

    ValueError where it is empty, or no PNG with transparency.
    """
    try:
        raw = np.frombuffer(base64.b64decode(address.removeprefix(PNG), validate=True), np.uint8)
        ink = np.asarray(cv2.imdecode(raw, cv2.IMREAD_UNCHANGED))[..., 3]
    except (binascii.Error, cv2.error, TypeError, IndexError):
        raise ValueError("the canvas: got no drawing; allowed is a PNG with transparency") from None
    rows, columns = np.nonzero(ink > 64)
    if not len(rows):
        raise ValueError("the canvas is empty: draw a sum on it, such as 45+23")
    cut = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    margin = max(PAPER_MARGIN, max(cut.shape) // 4)
    return np.asarray(255 - np.pad(cut, margin))


def read_image(grey: np.ndarray, notation: Notation) -> np.ndarray:
    """The characters of a drawing, `[5, 28, 28]` uint8; ValueError says what is wrong with it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drawing.png"
        cv2.imwrite(str(path), grey)
        return _read_photograph(str(path), notation)


def _read_photograph(path: str, notation: Notation) -> np.ndarray:
    try:
        return read_sum(path, notation.operators, notation.padding)
    except ValueError as error:
        raise ValueError(str(error).replace(f"query: {path!r}", "the picture")) from None


def build(models: Models, names: Sequence[str]) -> None:
    """The controls, or a sentence for each model that is missing."""
    missing = {one: one.removeprefix("seq2seq-") for one in (TYPED, READ, DRAWN) if one not in names}
    for modality in missing.values():
        values = {} if modality == "text-to-text" else {"modality": modality}
        gr.Markdown(f"There is no {modality} model yet: `{command('train', 'seq2seq', values)}` trains one.")
    versions = {}
    if names:
        with gr.Accordion("Versions", open=False):
            versions = {name: version_choice(models, name) for name in names}
    if TYPED in versions:
        _build_typed(models, versions)
    if READ in versions:
        _build_read(models, versions)


def _build_typed(models: Models, versions: dict[str, Any]) -> None:
    query = gr.Textbox("45+23", label="Type a sum, of two numbers of 0 to 99", max_length=20, submit_btn="Answer")
    message, answer = gr.Markdown(), gr.Markdown()
    hands = gr.Image(label="In several hands", visible=DRAWN in versions, interactive=False, buttons=[], height=200)

    def reply(text: str, typed: str, drawn: str = "") -> tuple[str, Any]:
        model = models.load(TYPED, typed)
        [found] = model.predict([text])
        return verdict(text, found, model.unwrap_python_model()._notation), _hands(models, text, drawn)

    inputs = [query, versions[TYPED], *([versions[DRAWN]] if DRAWN in versions else [])]
    query.submit(sentences(reply, NUMBERS), inputs, [answer, hands, message], api_visibility="private")


def _hands(models: Models, text: str, choice: str) -> np.ndarray | None:
    """The answer drawn in several handwriting styles, in rows of two, dark on light; None without a model."""
    if not choice:
        return None
    images = models.load(DRAWN, choice).predict([text] * HANDS)
    words = [np.concatenate(list(word), axis=1) for word in images]
    rows = [np.concatenate(words[i : i + 3], axis=1) for i in range(0, HANDS, 3)]
    return 255 - np.repeat(np.repeat(np.concatenate(rows), 3, axis=0), 3, axis=1)


def _build_read(models: Models, versions: dict[str, Any]) -> None:
    gr.Markdown("**Or draw one with the mouse,** anywhere on the canvas:")
    gr.HTML(CANVAS, js_on_load=DRAW)
    canvas = gr.Textbox(visible=False)
    with gr.Row():
        read = gr.Button("Read the drawing", variant="primary", min_width=150)
        gr.Button("Clear", min_width=150).click(None, js=CLEAR, api_visibility="private")
    photo = gr.File(label="Or drop a photograph", file_types=["image"], type="filepath", height=120)
    message, answer = gr.Markdown(), gr.Markdown()
    cut = gr.Image(show_label=False, interactive=False, buttons=[], height=110, elem_classes="pixels")
    hands = gr.Image(label="In several hands", visible=DRAWN in versions, interactive=False, buttons=[], height=200)

    def reply(images_of: Callable[[Reader], np.ndarray], choice: str, drawn: str = "") -> tuple[Any, ...]:
        reader = models.load(READ, choice, Reader)
        images = images_of(reader)
        found, characters = reader.answer(images)
        each = ", ".join(f"`{one}` {share:.0%}" for one, share in characters if one != " ")
        strip = 255 - np.repeat(np.repeat(np.concatenate(list(images), axis=1), 4, axis=0), 4, axis=1)
        text = "".join(one for one, _ in characters)
        try:
            right = f"{verdict(text, found, reader.notation)}; read as {each}"
            return right, strip, _hands(models, text.replace(" ", ""), drawn)
        except ValueError:  # what was read is no query, so that nothing is right or wrong
            return f"## {found}\nread as {each or 'unknown characters'}, which is no sum", strip, None

    def from_canvas(address: str, *choices: str) -> tuple[Any, ...]:
        return reply(lambda reader: read_image(read_canvas(address), reader.notation), *choices)

    def from_photo(path: str | None, *choices: str) -> tuple[Any, ...]:
        if path is None:
            return "", None, None
        return reply(lambda reader: _read_photograph(path, reader.notation), *choices)

    chosen = [versions[READ], *([versions[DRAWN]] if DRAWN in versions else [])]
    outputs = [answer, cut, hands, message]
    read.click(sentences(from_canvas, 3), [canvas, *chosen], outputs, js=SEND, api_visibility="private")
    photo.change(sentences(from_photo, 3), [photo, *chosen], outputs, api_visibility="private")
