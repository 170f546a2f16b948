"""The tab of sums on the demo's page: a query that is typed, drawn with the mouse or photographed, and its answer.

What was cut out and what each character was read as is shown, so that a wrong answer can be understood.
"""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import gradio as gr
import numpy as np
import scipy.special

from library.framework.demo.models import Models
from library.framework.demo.page import sentences, version_choice
from library.framework.environment import command
from library.framework.errors import UserError
from library.sums.data import image_files, photograph
from library.sums.data.handwriting import SIZE
from library.sums.data.notation import QUERY_LENGTH, Notation
from library.sums.data.queries import OPERATIONS
from library.sums.data.strokes import read_strokes

TITLE = "Sums"
TYPED, READ, DRAWN = "seq2seq-text-to-text", "seq2seq-image-to-text", "seq2seq-text-to-image"
HANDS = 6
MAX_IMAGES = 60
"""Characters that are read at once; a multiple of those of a query."""
CANVAS = """<canvas id="sum" role="img" aria-label="Draw a sum with the mouse or a finger"
  style="width: 100%; height: 220px; background: white; border-radius: 8px; touch-action: none; cursor: crosshair">
</canvas>"""
DRAW = """
const canvas = element.querySelector("canvas"), context = canvas.getContext("2d")
const place = event => [event.offsetX, event.offsetY]
canvas.strokes = []
canvas.draw = () => {
  canvas.width = canvas.clientWidth; canvas.height = canvas.clientHeight
  Object.assign(context, {lineWidth: 7, lineCap: "round", lineJoin: "round"})
  for (const stroke of canvas.strokes) {
    context.beginPath()
    for (const point of [stroke[0], ...stroke]) context.lineTo(...point)
    context.stroke()
  }
}
canvas.onpointerdown = event => {
  canvas.setPointerCapture(event.pointerId); canvas.strokes.push([place(event)]); canvas.draw()
}
canvas.onpointermove = event => {
  if (canvas.hasPointerCapture(event.pointerId)) {canvas.strokes.at(-1).push(place(event)); canvas.draw()}
}
new ResizeObserver(canvas.draw).observe(canvas)
"""
"""A canvas that keeps its strokes, which Gradio's own does not; that has tools to select first, too."""
SEND = "(_, ...others) => [JSON.stringify(document.getElementById('sum').strokes), ...others]"
UNDO = "() => {const canvas = document.getElementById('sum'); canvas.strokes.pop(); canvas.draw()}"
CLEAR = "() => {const canvas = document.getElementById('sum'); canvas.strokes = []; canvas.draw()}"


class Reader:
    """An image-to-text model that also says what it reads each character as."""

    def __init__(self, model: Any, version: Any) -> None:
        import keras  # here, as in all of the demo: the page is there before TensorFlow

        from library.sums.models.seq2seq import QUERY_CHARACTERS

        self._model, served = model, model.unwrap_python_model()
        if not hasattr(served, "network"):
            raise UserError(f"version {version.version} of {READ} is too old to show what it reads; train another")
        self.notation, network = served.notation, served.network
        likeliest = [layer for layer in network.layers if layer.name == QUERY_CHARACTERS]
        self._read = None
        if likeliest:
            hidden = [one for one in network.layers if one.output.shape[1:] == likeliest[0].output.shape[1:]]
            self._read = keras.Model(network.inputs, hidden[0].output)  # the logits that the likeliest are taken from
        self.answer(np.zeros((QUERY_LENGTH, SIZE, SIZE), np.uint8))  # compiles both

    def log_probabilities(self, images: np.ndarray) -> np.ndarray:
        """Of each character of the notation, for images `[n, 28, 28]`; all equal where the model does not name them."""
        if self._read is None:
            return np.zeros((len(images), len(self.notation.characters)))
        padded = np.zeros((-(-len(images) // MAX_IMAGES) * MAX_IMAGES, SIZE, SIZE), np.uint8)  # one shape is compiled
        padded[: len(images)] = images
        batches = padded.reshape(-1, MAX_IMAGES // QUERY_LENGTH, QUERY_LENGTH, SIZE, SIZE)
        logits = np.concatenate([self._read.predict_on_batch(one) for one in batches], dtype=np.float64)
        logits = logits.reshape(len(padded), -1)[: len(images)]
        return np.asarray(scipy.special.log_softmax(logits, axis=-1))

    def answer(self, images: np.ndarray) -> tuple[str, list[tuple[str, float]]]:
        """The answer to a query `[5, 28, 28]` uint8; of each image the likeliest character and its probability."""
        [answer] = self._model.predict(images[np.newaxis])
        characters = self.notation.characters
        each = self.log_probabilities(images)
        return answer, [(characters[row.argmax()], float(np.exp(row.max()))) for row in each if self._read]


def owns(name: str) -> bool:
    """Whether a model is one of the three that the tab asks: those of sums and differences, not of products."""
    return name in (TYPED, READ, DRAWN)


def verdict(query: str, answer: str) -> str:
    """Whether an answer is right, as a sentence; ValueError where the text is no query."""
    left, sign, right = Notation().parse(query)
    true = OPERATIONS[sign](left, right)
    return f"## {left} {sign} {right} = {answer}\n" + ("✓ right" if answer == str(true) else f"✗ wrong: it is {true}")


def parse_strokes(given: str) -> list[np.ndarray]:
    """The strokes of a canvas, given as JSON, each as points `[n, 2]`; ValueError where there is none."""
    try:
        strokes = [np.array(one, np.float64).reshape(-1, 2) for one in json.loads(given)]
    except (TypeError, ValueError):
        raise ValueError("the canvas: got no drawing; allowed are strokes, lists of points x, y") from None
    if not strokes:
        raise ValueError("the canvas is empty: draw a sum on it, such as 45+23")
    return strokes


def read_picture(path: str, notation: Notation) -> np.ndarray:
    """The characters of a photograph, or of an image of five characters as `predict` takes it, `[5, 28, 28]`."""
    try:
        if photograph.is_photograph(path):
            return photograph.read_sum(path, notation.operators, notation.padding)
        return image_files.read(path, QUERY_LENGTH)
    except ValueError as error:
        raise ValueError(str(error).replace(f"query: {path!r}", "the picture")) from None


def build(models: Models, names: Sequence[str], _: Any) -> None:
    """The controls, or a sentence for each model that is missing."""
    commands: dict[str, dict[str, str]] = {
        TYPED: {},
        READ: {"modality": "image-to-text", "digits": "mnist"},  # of scikit-learn's all sevens are crossed, for example
        DRAWN: {"modality": "text-to-image"},
    }
    for name, values in commands.items():
        if name not in names:
            modality = name.removeprefix("seq2seq-")
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
    hands = _hands_image(versions)

    def reply(text: str, typed: str, drawn: str = "") -> tuple[str, Any]:
        [found] = models.load(TYPED, typed).predict([text])
        return verdict(text, found), _hands(models, text, drawn)

    inputs = [query, *(versions[name] for name in (TYPED, DRAWN) if name in versions)]
    query.submit(sentences(reply, 2), inputs, [answer, hands, message], api_visibility="private")


def _hands_image(versions: dict[str, Any]) -> Any:
    """Hidden until there is an answer, and where there is no model that draws one."""
    return gr.Image(
        label="In several hands", visible=DRAWN in versions, interactive=False, buttons=[], height=200,
        elem_classes="when-full",
    )  # fmt: skip


def _hands(models: Models, text: str, choice: str) -> np.ndarray | None:
    """The answer drawn in several handwriting styles, in two rows, dark on light; None without a model."""
    if not choice:
        return None
    images = models.load(DRAWN, choice).predict([text] * HANDS)
    words = [np.concatenate(list(word), axis=1) for word in images]
    rows = [np.concatenate(words[i : i + 3], axis=1) for i in range(0, HANDS, 3)]
    rows.insert(0, np.zeros_like(rows[0][: SIZE // 2]))  # below the label
    return 255 - np.repeat(np.repeat(np.concatenate(rows), 3, axis=0), 3, axis=1)


def figures(images: np.ndarray, characters: Sequence[tuple[str, float]]) -> str:
    """HTML of each image `[28, 28]` that is no blank, with what it was read as and the probability of that."""
    labels = [f"<b>{character}</b> {share:.0%}" for character, share in characters] or [""] * len(images)
    parts = [
        f'<figure style="margin: 0; text-align: center"><img style="width: min(84px, 15vw)" alt="" src="data:image/png;'
        f'base64,{base64.b64encode(cv2.imencode(".png", 255 - image)[1].tobytes()).decode()}">'
        f"<figcaption>{label}</figcaption></figure>"
        for image, label in zip(images, labels, strict=True)
        if image.any()
    ]
    return f'<div class="pixels" style="display: flex; gap: 8px">{"".join(parts)}</div>'


def _build_read(models: Models, versions: dict[str, Any]) -> None:
    gr.Markdown("**Draw a sum with the mouse,** anywhere on the canvas:")
    gr.HTML(CANVAS, js_on_load=DRAW)
    canvas = gr.Textbox(visible=False)
    with gr.Row():
        read = gr.Button("Read", variant="primary", min_width=80)
        for label, script in (("Undo", UNDO), ("Clear", CLEAR)):
            gr.Button(label, min_width=80).click(None, js=script, api_visibility="private")
    message, answer, cut = gr.Markdown(), gr.Markdown(), gr.HTML()
    hands = _hands_image(versions)
    gr.Markdown("**Or drop a photograph** of one on paper:")
    photo = gr.File(label="Photograph", show_label=False, file_types=["image"], type="filepath", height=130)

    def reply(images_of: Callable[[Reader], np.ndarray], choice: str, drawn: str = "") -> tuple[Any, ...]:
        reader = models.load(READ, choice, Reader)
        images = images_of(reader)
        found, characters = reader.answer(images)
        text = "".join(one for one, _ in characters)
        try:
            return verdict(text, found), figures(images, characters), _hands(models, text.replace(" ", ""), drawn)
        except ValueError:  # what was read is no query, so that nothing is right or wrong
            return f"## {found}\n{'no sum was read' if text else ''}", figures(images, characters), None

    def from_canvas(given: str, *choices: str) -> tuple[Any, ...]:
        strokes = parse_strokes(given)
        return reply(lambda reader: read_strokes(strokes, reader.notation, reader.log_probabilities), *choices)

    def from_photo(path: str | None, *choices: str) -> tuple[Any, ...]:
        if path is None:
            return "", "", None
        return reply(lambda reader: read_picture(path, reader.notation), *choices)

    chosen = [versions[name] for name in (READ, DRAWN) if name in versions]
    outputs = [answer, cut, hands, message]
    read.click(sentences(from_canvas, 3), [canvas, *chosen], outputs, js=SEND, api_visibility="private")
    photo.change(sentences(from_photo, 3), [photo, *chosen], outputs, api_visibility="private")
