"""The tab of cats on the demo's page: samples, directions of the latent space, and a cat of one's own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np

from library.cats.data.dataset import SIZE
from library.cats.data.photos import read_photo
from library.cats.figures import tiled
from library.cats.metrics.neighbors import nearest
from library.framework.demo.models import Models, trained_by
from library.framework.demo.page import sentences
from library.framework.environment import command
from library.framework.errors import UserError

TITLE = "Cats"
PRINCIPAL, NUM_LATENTS = 4, 400
FACTORS = {"fluff": "fur", "ear_size": "ears", "yaw": "yaw"}
MAX_REFERENCES = 5000
STEPS = 8


class CatModel:
    """A version with what the page shows of it: directions of its latent space, and its training images."""

    def __init__(self, model: Any, version: Any) -> None:
        self.predict, served = model.predict, model.unwrap_python_model()
        self.strategies, self.best, self.has_encoder = served.strategies, served.best, served.encoder is not None
        latents = self.sample(self.best, NUM_LATENTS, seed=0, temperature=1)
        self.mean = latents.mean(axis=0)
        self.train = np.zeros((0, SIZE, SIZE, 3), np.uint8)
        self.directions = principal_directions(latents, self.predict)
        try:
            data = trained_by(version).data
        except UserError:  # the images are not on this machine: no nearest ones, and no factors
            return
        self.train = np.asarray(data.train[:MAX_REFERENCES])
        self._small = thumbnails(self.train)
        if data.factors is not None and self.has_encoder:
            codes = model.predict(self.train[:1000], params={"task": "encode"})
            known = {label: np.asarray(data.factors[name][: len(codes)], float) for name, label in FACTORS.items()}
            self.directions = {**factor_directions(codes, known), **self.directions}

    def sample(self, strategy: str, count: int, seed: int, temperature: float) -> np.ndarray:
        """Latent vectors by a strategy, `[count, latent_size]`; the temperature scales the standard deviations."""
        sampler = self.strategies[strategy]
        drawn = replace(sampler, factors=temperature * sampler.factors).sample(count, np.random.default_rng(seed))
        return np.asarray(drawn, np.float32)

    def nearest(self, images: np.ndarray) -> np.ndarray | None:
        """The training image nearest to each, by small pictures of both; None without training images."""
        return self.train[nearest(thumbnails(images), self._small).indices] if len(self.train) else None

    def encode(self, path: str | None) -> np.ndarray:
        """The latent vector `[latent_size]` of an image file; ValueError where it is none, or there is no encoder."""
        if path is None:
            raise ValueError("cat: nothing was given; upload an image")
        if not self.has_encoder:
            raise ValueError("this model has no encoder, so that it takes no images; choose a CAE or a VAE")
        try:
            image = read_photo(path)
        except ValueError as error:
            raise ValueError(str(error).replace(f"query: {path!r}", "the file")) from None
        return np.asarray(self.predict(image[np.newaxis], params={"task": "encode"})[0])


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Images `[n, 75, 75, 3]` as means of 5x5 pixels, `[n, 675]` float32."""
    return np.asarray(images, np.float32).reshape(-1, 15, 5, 15, 5, 3).mean(axis=(2, 4)).reshape(len(images), -1)


def principal_directions(latents: np.ndarray, decode: Any) -> dict[str, np.ndarray]:
    """Latent directions along which images vary most, each for one standard deviation.

    Principal components of decoded images, to which latents are regressed (GANSpace, Harkonen et al. 2020, section 2).
    """
    images = thumbnails(decode(latents))
    left, _, _ = np.linalg.svd(images - images.mean(axis=0), full_matrices=False)
    scores = left[:, :PRINCIPAL] * np.sqrt(len(latents))
    steps = scores.T @ (latents - latents.mean(axis=0)) / len(latents)
    return {f"component {i + 1}": step.astype(np.float32) for i, step in enumerate(steps)}


def factor_directions(codes: np.ndarray, factors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The mean change of codes `[n, latent_size]` with one standard deviation of each factor `[n]`."""
    centred = codes - codes.mean(axis=0)
    standard = {name: (values - values.mean()) / (values.std() + 1e-9) for name, values in factors.items()}
    return {name: (values @ centred / len(codes)).astype(np.float32) for name, values in standard.items()}


def owns(name: str) -> bool:
    """Whether a model is one of cats."""
    return name.startswith("cats-")


def build(models: Models, names: Sequence[str], shown: Any) -> None:
    """The controls, or a sentence where there is no model; the first model is loaded when the tab is shown."""
    if not names:
        gr.Markdown(f"There is no model of cats yet: `{command('train', 'vae')}` trains one.")
        return
    choices = [(f"{name}, {choice}", f"{name}|{choice}") for name in names for choice in models.choices(name)]
    model = gr.Dropdown(choices, value=choices[0][1], label="Model and version", interactive=True)

    def load(choice: str) -> CatModel:
        name, _, version = choice.partition("|")
        found: CatModel = models.load(name, version, CatModel)
        return found

    for title, part in (("Samples", _build_samples), ("Directions", _build_directions), ("Your cat", _build_own)):
        with gr.Tab(title):
            part(load, model, gr.Markdown(), shown)


def _picture(title: str, height: int) -> Any:
    with gr.Column(min_width=280):
        gr.Markdown(title)
        # Webp, the default, makes one picture of two that differ by little.
        return gr.Image(
            format="png", show_label=False, interactive=False, buttons=[], height=height, elem_classes="pixels"
        )


def _live(events: Sequence[Any], function: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
    """Calls a function at each event; of those that come while it works, the last is answered."""
    gr.on(
        events, sentences(function, len(outputs) - 1), inputs, outputs, api_visibility="private",
        show_progress="minimal", trigger_mode="always_last",
    )  # fmt: skip


def _build_samples(load: Any, model: Any, message: Any, shown: Any) -> None:
    strategy = gr.Radio([], label="Strategy")
    with gr.Row():
        seed = gr.Slider(0, 100, 0, step=1, label="Seed")
        temperature = gr.Slider(0, 2, 1, step=0.05, label="Temperature")
    with gr.Row():
        samples, neighbors = _picture("Samples", 330), _picture("Nearest training images", 330)

    def draw(choice: str, name: str | None, seed: int, temperature: float) -> tuple[Any, ...]:
        found = load(choice)
        known = name in found.strategies
        name = name if known else found.best
        # A value that stays is not set: another one may have been chosen meanwhile.
        select = gr.Radio(choices=list(found.strategies), **({} if known else {"value": name}))
        images = found.predict(found.sample(name, 16, int(seed), temperature))
        close = found.nearest(images)
        return select, tiled(images, 4), None if close is None else tiled(close, 4)

    controls = [model, strategy, seed, temperature]
    events = [shown, model.change, strategy.input, seed.change, temperature.change]
    _live(events, draw, controls, [strategy, samples, neighbors, message])


def _build_directions(load: Any, model: Any, message: Any, shown: Any) -> None:
    image = _picture("A cat, moved along directions of the latent space, in standard deviations", 300)
    seed = gr.Slider(0, 100, 0, step=1, label="Which cat")
    labels = [*FACTORS.values(), *(f"component {i + 1}" for i in range(PRINCIPAL))]
    with gr.Row():
        sliders = [gr.Slider(-3, 3, 0, step=0.1, label=label, min_width=200) for label in labels]

    def offer(choice: str) -> list[Any]:
        found = load(choice)
        return [gr.Slider(visible=label in found.directions) for label in labels]

    def move(choice: str, seed: int, *amounts: float) -> np.ndarray:
        found = load(choice)
        [code] = found.sample(found.best, 1, int(seed), 1)
        zero = np.zeros_like(code)
        moved = code + sum(
            value * found.directions.get(name, zero) for name, value in zip(labels, amounts, strict=True)
        )
        return tiled(found.predict(moved[np.newaxis].astype(np.float32)), 1)

    _live([shown, model.change], offer, [model], [*sliders, message])
    events = [shown, model.change, seed.change, *(slider.change for slider in sliders)]
    _live(events, move, [model, seed, *sliders], [image, message])


def _build_own(load: Any, model: Any, message: Any, _: Any) -> None:
    uploads = []
    with gr.Row():
        for title in ("An image of a cat", "Another, or none for a sample"):
            with gr.Column(min_width=280):
                gr.Markdown(title)
                uploads.append(gr.File(show_label=False, file_types=["image"], type="filepath", height=130))
    button = gr.Button("Reconstruct and interpolate", variant="primary")
    image = _picture("From the reconstruction of the first to that of the second", 220)

    def blend(choice: str, first: str | None, second: str | None) -> np.ndarray:
        found = load(choice)
        start = found.encode(first)
        end = found.encode(second) if second else found.sample(found.best, 1, 0, 1)[0]
        shares = np.linspace(0, 1, STEPS, dtype=np.float32)[:, np.newaxis]
        return tiled(found.predict((1 - shares) * start + shares * end), 4)

    _live([button.click], blend, [model, *uploads], [image, message])
