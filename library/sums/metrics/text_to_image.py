"""The quality of images of answers, by an evaluator: a glyph reader that no text-to-image model is trained against.

Exact match tells whether they are legible, the Frechet distance whether they look like handwriting, and the spread
whether they vary as much.
"""

import keras
import numpy as np
from matplotlib.figure import Figure

from library.framework.statistics import frechet_distance, wilson_interval
from library.sums import figures
from library.sums.data.dataset import Split
from library.sums.data.handwriting import Glyphs
from library.sums.models.text_to_image import TextToImage, draw

REPEATS = 16
"""Images of one answer, to measure how much they vary."""
MAX_REPEATED = 100
"""Answers with repeated images."""


def evaluate(
    model: TextToImage, split: Split, real: np.ndarray, temperature: float
) -> tuple[np.ndarray, dict[str, float], dict[str, Figure]]:
    """Draws each answer, and some repeatedly.

    Args:
        model: a trained one.
        split: with handwriting.
        real: the answers in that handwriting, `[answers, characters, 28, 28]`.
        temperature: standard deviation of the noise.

    Returns:
        The ids that the evaluator reads, `[answers, characters]`; metrics; figures of repeated images and of real ones.
    """
    assert split.handwriting  # noqa: S101 -- for mypy
    queries, random = split.queries, np.random.default_rng(0)
    drawn = draw(model.inference_model, queries.x, random, temperature)
    count = min(MAX_REPEATED, len(queries))
    repeated = np.arange(count).repeat(REPEATS)
    shape = (count, REPEATS, *drawn.shape[1:])
    ours = draw(model.inference_model, queries.x[repeated], random, temperature).reshape(shape)
    theirs = split.handwriting.draw(queries.y[repeated], random).reshape(shape)
    names = [f"{queries.texts[i]} = {queries.answers[i]}" for i in range(min(10, count))]
    return (
        predict(model.evaluator, drawn)[1],
        frechet_metrics(model.evaluator, drawn, real, queries.y)
        | spread_metrics(model.evaluator, ours, theirs, queries.y[:count])
        | evaluator_errors(model.evaluator, split.handwriting),
        {
            name: figures.image_rows({one: np.concatenate(images[i, :8]) for i, one in enumerate(names)})
            for name, images in (("drawings", ours), ("drawings-by-people", theirs))
        },
    )


def predict(evaluator: keras.Model, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features `[..., features]` and ids `[...]` of images `[..., 28, 28]`, 0 to 255, by a `glyph_reader`."""
    feature_model = keras.Model(evaluator.input, [evaluator.get_layer("features").output, evaluator.output])
    flat = images.reshape(-1, *images.shape[-2:])
    features, logits = feature_model.predict(flat, batch_size=1000, verbose=0)
    shape = images.shape[:-2]
    return features.reshape(*shape, -1), np.argmax(logits, axis=-1).reshape(shape)


def frechet_metrics(evaluator: keras.Model, drawn: np.ndarray, real: np.ndarray, ids: np.ndarray) -> dict[str, float]:
    """The Frechet distance (Heusel et al. 2017) between drawn and real characters in the evaluator's features.

    Args:
        evaluator: as in `predict`.
        drawn: images `[answers, characters, 28, 28]`.
        real: images of the same characters in handwriting.
        ids: of the characters, `[answers, characters]`; the highest id is the blank's, which does not count.
    """
    inked = ids < evaluator.output.shape[-1] - 1
    (ours, _), (theirs, _) = (predict(evaluator, images[inked]) for images in (drawn, real))
    return {"test/frechet_distance": frechet_distance(ours, theirs), "test/frechet_images": float(inked.sum())}


def spread_metrics(evaluator: keras.Model, drawn: np.ndarray, real: np.ndarray, ids: np.ndarray) -> dict[str, float]:
    """The spread, in the evaluator's features, of drawn and of real images `[answers, repeats, characters, 28, 28]`.

    The ids `[answers, characters]` are those of all repeats; blanks do not count.
    """
    inked = ids < evaluator.output.shape[-1] - 1
    ours, theirs = (predict(evaluator, images.swapaxes(1, 2)[inked])[0] for images in (drawn, real))
    return {"test/spread": spread(ours), "test/spread_of_people": spread(theirs)}


def evaluator_errors(evaluator: keras.Model, handwriting: Glyphs) -> dict[str, float]:
    """The evaluator's error rate on real digits, with its 95 % interval: no model can be expected to do better."""
    images, ids = handwriting.digits
    wrong = int((predict(evaluator, images)[1] != ids).sum())
    low, high = wilson_interval(wrong, len(ids))
    return {"test/judge_error": wrong / len(ids), "test/judge_error_low": low, "test/judge_error_high": high}


def spread(features: np.ndarray) -> float:
    """The root mean squared distance of repeats `[things, repeats, features]` from their own mean, without bias."""
    centred = features - features.mean(axis=1, keepdims=True)
    repeats = features.shape[1]
    return float(np.sqrt(np.square(centred).sum(axis=-1).mean() * repeats / (repeats - 1)))
