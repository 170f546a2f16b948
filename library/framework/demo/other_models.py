"""The tab of a registered model that no family owns: made from the model's signature and its example.

An experiment of one's own is on the page once it is registered, with nothing to write.
"""

import json
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from .models import Models, read_schema

IMAGE_DIMENSIONS = {3: "L", 4: "RGB"}
"""Pillow's mode of the images in an array `[n, height, width]` or `[n, height, width, 3]`."""


def build(models: Models, name: str, version: Any) -> None:
    """A text for each text that the model takes, an upload for an image, otherwise JSON as `make serve` takes it."""
    from .page import sentences

    try:
        takes, example = read_schema(name, version.value)
    except Exception as error:  # files that are gone or are no model's must not stop the page
        gr.Markdown(f"⚠️ {' '.join(str(error).split())}")
        return
    is_image = takes.kind == "array" and takes.dtype == np.uint8 and len(takes.shape) in IMAGE_DIMENSIONS
    if is_image:
        given: Any = gr.Image(type="pil", label="Image", sources=["upload", "clipboard"], height=240)
    elif takes.kind == "texts":
        given = gr.Textbox(json.loads(example)["inputs"][0], label="Input")
    else:
        given = gr.Textbox(example, label="Request, as JSON", lines=6, max_lines=12)
    send = gr.Button("Predict", variant="primary")
    message = gr.Markdown()
    output = gr.Textbox(label="Output", lines=2, max_lines=12, elem_classes="answer")

    def predict(choice: str, value: Any) -> str:
        takes, _ = read_schema(name, choice)
        model, params = models.load(name, choice), None
        if is_image:
            inputs: Any = _as_array(value, takes.shape)
        elif takes.kind == "texts":
            inputs = [value]
        else:
            inputs, params = takes.parse("application/json", value.encode())
        try:
            return _as_text(model.predict(inputs, params=params))
        except Exception as error:  # of a model of someone's own: whatever its type, it is about the input
            raise ValueError(f"{type(error).__name__}: {error}") from error

    for event in (send.click, *([given.submit] if isinstance(given, gr.Textbox) else [])):
        event(sentences(predict, 1), [version, given], [output, message], api_visibility="private")


def _as_array(image: Image.Image | None, shape: tuple[int, ...]) -> np.ndarray:
    if image is None:
        raise ValueError("image: nothing was given; upload one")
    small = image.convert(IMAGE_DIMENSIONS[len(shape)])
    if min(shape[1:3]) > 0:
        small = small.resize((shape[2], shape[1]))
    return np.asarray(small, dtype=np.uint8)[np.newaxis]


def _as_text(outputs: Any) -> str:
    """The output for one example: a text as it is, numbers with the digits that matter."""
    first = outputs[0] if isinstance(outputs, list | np.ndarray) and len(outputs) == 1 else outputs
    return np.array2string(first, precision=4, threshold=200) if isinstance(first, np.ndarray) else str(first)
