"""Learning to draw answers: as the average of all hands, or as one hand after another would.

The average minimises the mean squared error and is blurred. To draw as people do, a network that is given noise
minimises the energy score (Gneiting and Raftery 2007, eq. 22), whose expectation is least for the true distribution:
two drawings of one character are to be near a real image of it, and as far from each other as real ones are. Pixels
are a poor measure of near, so it is taken in the features of a reader, layer by layer. That reader is a teacher only:
another one, which no drawing was ever trained to please, scores the drawings.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from library.configs import Seq2SeqConfig
from library.data.glyphs import SIZE
from library.models import seq2seq
from library.models.optimizer import adamw, steps_per_execution

# Against distances in features near 1: enough for drawings that can be read, not so much that all look alike.
READABLE = 0.3


class Drawing(keras.Model):
    """Trains a network of `seq2seq.network` to draw answers; an exact match is what a judge reads in a drawing.

    Targets are dicts of `images` `[batch, answer length, 28, 28]`, 0 to 255, and `ids` `[batch, answer length]`.
    """

    def __init__(self, network: keras.Model, judge: keras.Model, teacher: keras.Model | None, seed: int) -> None:
        """A network that draws.

        Args:
            network: from queries, and noise if it has a second input, to images.
            judge: from images `[n, 28, 28]`, 0 to 255, to logits of the characters.
            teacher: the same, trained apart from it; None to draw the average.
            seed: draws the noise.
        """
        super().__init__(name="drawing")
        self.network, self.judge = network, judge
        self.teacher = None if teacher is None else _layers(teacher)
        for part in (self.judge, self.teacher):
            if part is not None:
                part.trainable = False
        self.drawings = 1 if teacher is None else 2
        self._noise = keras.random.SeedGenerator(seed)
        self._matches = keras.metrics.Mean(name="exact_match")

    @property
    def answering(self) -> keras.Model:
        """The network from queries, and noise, to one drawing of each answer."""
        return self.network

    def call(self, query: keras.KerasTensor) -> keras.KerasTensor:
        """Drawings `[batch, drawings, answer length, 28, 28]`, 0 to 1."""
        return ops.stack([self._draw(query) for _ in range(self.drawings)], axis=1)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> keras.KerasTensor:
        """The mean squared error, or the energy score with the teacher's cross-entropy."""
        real = ops.cast(y["images"], "float32") / 255
        if self.teacher is None:
            return ops.mean(ops.square(y_pred[:, 0] - real))
        ids = ops.reshape(y["ids"], (-1,))
        first, second, real = (ops.reshape(i, (-1, SIZE, SIZE)) for i in (y_pred[:, 0], y_pred[:, 1], real))
        *features, logits = self.teacher(255 * ops.concatenate([first, second, real]))
        unread = keras.losses.sparse_categorical_crossentropy(
            ops.tile(ids, 2), logits[: 2 * ops.shape(ids)[0]], from_logits=True
        )
        return energy_score(features) + READABLE * ops.mean(unread)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, keras.KerasTensor]:
        """The loss, and how many of the first drawings the judge reads as the right answer."""
        images = 255 * ops.reshape(y_pred[:, 0], (-1, SIZE, SIZE))
        read = ops.reshape(ops.argmax(self.judge(images), axis=-1), ops.shape(y["ids"]))
        self._matches.update_state(ops.all(ops.equal(ops.cast(read, "int32"), ops.cast(y["ids"], "int32")), axis=-1))
        return dict(self.get_metrics_result())

    def _draw(self, query: keras.KerasTensor) -> keras.KerasTensor:
        if len(self.network.inputs) == 1:
            return self.network(query)
        shape = (ops.shape(query)[0], *self.network.inputs[1].shape[1:])
        return self.network([query, keras.random.normal(shape, seed=self._noise)])


def build(config: Seq2SeqConfig, judge: keras.Model, teacher: keras.Model | None) -> Drawing:
    """A compiled model that learns to draw; `teacher` is for varied handwriting only."""
    network = seq2seq.network(config)
    model = Drawing(network, judge, teacher, config.seed)
    optimizer = adamw(config, spared=network.get_layer("pen").weights)
    model.compile(optimizer=optimizer, jit_compile=False, steps_per_execution=steps_per_execution(config))
    return model


def draw(network: keras.Model, queries: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One drawing of each answer: `[queries, answer length, 28, 28]` uint8.

    Args:
        network: of a trained `Drawing`.
        queries: `[queries, 5]` character ids.
        random: draws the noise, if there is any.
    """
    inputs = [
        queries,
        *(random.normal(size=(len(queries), *i.shape[1:])).astype("float32") for i in network.inputs[1:]),
    ]
    drawn = network.predict(inputs if len(inputs) > 1 else queries, batch_size=500, verbose=0)
    return np.rint(255 * drawn).astype(np.uint8)


def energy_score(features: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
    """The energy score of two drawings of each image, summed over layers of features, averaged over images.

    Args:
        features: of each layer, those of all first drawings, then of all second ones, then of the real images:
            `[3 images, ..., channels]`; a distance is that of the channels at one place, averaged over places.
    """
    total = 0.0
    for layer in features:
        first, second, real = ops.split(layer, 3)
        total += (_distance(first, real) + _distance(second, real) - _distance(first, second)) / 2
    return total


def _distance(a: keras.KerasTensor, b: keras.KerasTensor) -> keras.KerasTensor:
    # Of a mean, not a sum, so that wide layers do not outweigh narrow ones; not of 0, where a root has no slope.
    return ops.mean(ops.sqrt(ops.mean(ops.square(a - b), axis=-1) + 1e-6))


def _layers(reader: keras.Model) -> keras.Model:
    """From images to all that a reader makes of them: each convolution, its features, and last its logits."""
    seen = [layer.output for layer in reader.layers if isinstance(layer, layers.Conv2D)]
    return keras.Model(reader.input, [*seen, reader.get_layer("features").output, reader.output], name="teacher")
