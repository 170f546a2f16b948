"""What drawn answers are worth in the eyes of a reader that no drawing is trained to please."""

from typing import TYPE_CHECKING

import numpy as np

from library.framework.statistics import frechet_distance, wilson_interval
from library.sums.data.handwriting import Glyphs

if TYPE_CHECKING:
    import keras


def look(judge: "keras.Model", images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a judge makes of images `[..., 28, 28]`: features `[..., features]` and character ids `[...]`.

    Args:
        judge: a network of `models.glyphs.reader`, its outputs in the order of the ids.
        images: 0 to 255.
    """
    import keras

    eye = keras.Model(judge.input, [judge.get_layer("features").output, judge.output])
    features, logits = eye.predict(images.reshape(-1, *images.shape[-2:]), batch_size=1000, verbose=0)
    shape = images.shape[:-2]
    return features.reshape(*shape, -1), np.argmax(logits, axis=-1).reshape(shape)


def likeness(judge: "keras.Model", drawn: np.ndarray, real: np.ndarray, ids: np.ndarray) -> dict[str, float]:
    """The Frechet distance between drawn and real characters in the judge's features; blanks do not count.

    Args:
        judge: as in `look`.
        drawn: images `[answers, characters, 28, 28]`.
        real: images of the same characters as people write them.
        ids: which characters these are, `[answers, characters]`; the highest id is the blank's.
    """
    inked = ids < judge.output.shape[-1] - 1
    (ours, _), (theirs, _) = (look(judge, images[inked]) for images in (drawn, real))
    return {"test/frechet_distance": frechet_distance(ours, theirs), "test/frechet_images": float(inked.sum())}


def variety(judge: "keras.Model", drawn: np.ndarray, real: np.ndarray, ids: np.ndarray) -> dict[str, float]:
    """How much repeated drawings of one answer differ in the judge's features, and how much people's do.

    Args:
        judge: as in `look`.
        drawn: images `[answers, drawings, characters, 28, 28]`.
        real: images of the same characters.
        ids: which characters these are, `[answers, characters]`.
    """
    inked = ids < judge.output.shape[-1] - 1
    ours, theirs = (look(judge, images.swapaxes(1, 2)[inked])[0] for images in (drawn, real))
    return {"test/spread": spread(ours), "test/spread_of_people": spread(theirs)}


def errors_of(judge: "keras.Model", handwriting: Glyphs) -> dict[str, float]:
    """How many real digits the judge misreads: what drawings must be forgiven for, with its 95 % interval."""
    digits = handwriting.ids < 10
    truth = handwriting.ids[digits]
    wrong = int((look(judge, handwriting.images[digits])[1] != truth).sum())
    low, high = wilson_interval(wrong, len(truth))
    return {"test/judge_error": wrong / len(truth), "test/judge_error_low": low, "test/judge_error_high": high}


def spread(features: np.ndarray) -> float:
    """How much repeated drawings of one thing differ: their root mean squared distance from their own mean.

    Args:
        features: `[things, drawings, features]`.
    """
    centred = features - features.mean(axis=1, keepdims=True)
    drawings = features.shape[1]
    return float(np.sqrt(np.square(centred).sum(axis=-1).mean() * drawings / (drawings - 1)))
