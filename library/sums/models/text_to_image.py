"""Learning to draw answers: as the average of all hands, or as one hand after another would.

The average minimises the mean squared error and is blurred. To draw as people do, a pen that is given noise minimises
the energy score (Gneiting and Raftery 2007, eq. 22), whose expectation is least for the true distribution: two
drawings of one character are to be near a real image of it, and as far from each other as real ones are. Pixels are
a poor measure of near, so it is taken in the features of a reader, layer by layer. That reader is a teacher only:
another one, which no drawing is trained to please, scores the drawings.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from library.framework.training.optimizers import adamw, steps_per_execution
from library.sums.config import Seq2SeqConfig
from library.sums.data.handwriting import SIZE
from library.sums.models import seq2seq

# Against distances in features near 1: enough for drawings that can be read, not so much that all look alike.
READABLE = 0.3
# Characters of a batch that the pen learns from; it has fewer to learn than the decoder, and each costs more.
DRAWN = 64


class Drawing(keras.Model):
    """Trains a network of `seq2seq.network` to draw answers; an exact match is what a judge reads in a drawing.

    Targets are dicts of `images` `[batch, answer length, 28, 28]`, 0 to 255, and `ids` `[batch, answer length]`.
    """

    def __init__(self, network: keras.Model, config: Seq2SeqConfig, judge: keras.Model, teacher: keras.Model | None):
        """A network that draws.

        Args:
            network: from queries, and noise if it has a second input, to images and maybe logits.
            config: weighs the logits' cross-entropy, and seeds the noise.
            judge: from images `[n, 28, 28]`, 0 to 255, to logits of the characters.
            teacher: the same, trained apart from it; None to draw the average.
        """
        super().__init__(name="drawing")
        self.network, self.judge = network, judge
        self.teacher = None if teacher is None else _layers(teacher)
        for part in (self.judge, self.teacher):
            if part is not None:
                part.trainable = False
        meant = network.get_layer(seq2seq.MEANT).output
        self._writer = keras.Model(network.inputs[0], [meant, *network.outputs[1:]])
        self._pen = network.get_layer("pen")
        self._weight = config.character_loss
        self._noise_size = network.inputs[1].shape[-1] if teacher is not None else 0
        self._noise = keras.random.SeedGenerator(config.seed)
        self._temperature = config.temperature
        self._matches = keras.metrics.Mean(name="exact_match")

    @property
    def answering(self) -> keras.Model:
        """The network from queries, and noise, to one drawing of each answer alone."""
        return keras.Model(self.network.inputs, self.network.outputs[0], name="seq2seq")

    def call(self, query: keras.KerasTensor, training: bool | None = None) -> Sequence[keras.KerasTensor]:
        """What is to be drawn, `[batch, answer length, ...]`, and maybe logits of which characters these are."""
        # Keras gives a list of one as the one.
        meant: Sequence[keras.KerasTensor] = keras.tree.flatten(self._writer(query, training=training))
        return meant

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> keras.KerasTensor:
        """The loss of some drawn characters, and weighted that of which they are to be; judges examples as well.

        While training, what is drawn are the true characters, where these are known to be what is meant.
        """
        code, *logits = y_pred
        self._judge(code, y["ids"], examples=8 if training else None)
        if training and logits:
            code = ops.one_hot(y["ids"], code.shape[-1])
        codes = ops.reshape(code, (-1, code.shape[-1]))[:DRAWN]
        images = ops.cast(ops.reshape(y["images"], (-1, SIZE, SIZE))[:DRAWN], "float32") / 255
        ids = ops.reshape(y["ids"], (-1,))[:DRAWN]
        loss = self._varied(self.teacher, codes, images, ids) if self.teacher else self._average(codes, images)
        for spelled in logits:
            named = keras.losses.sparse_categorical_crossentropy(y["ids"], spelled, from_logits=True)
            loss += self._weight * ops.mean(named)
        return loss

    def _average(self, codes: keras.KerasTensor, images: keras.KerasTensor) -> keras.KerasTensor:
        return ops.mean(ops.square(self._draw(codes) - images))

    def _varied(
        self, teacher: keras.Model, codes: keras.KerasTensor, images: keras.KerasTensor, ids: keras.KerasTensor
    ) -> keras.KerasTensor:
        drawn = [self._draw(codes), self._draw(codes)]
        *features, logits = teacher(255 * ops.concatenate([*drawn, images]))
        read = logits[: 2 * ops.shape(ids)[0]]
        unread = keras.losses.sparse_categorical_crossentropy(ops.tile(ids, 2), read, from_logits=True)
        return energy_score(features) + READABLE * ops.mean(unread)

    def _judge(self, code: keras.KerasTensor, ids: keras.KerasTensor, examples: int | None) -> None:
        some, true = code[:examples], ops.cast(ids[:examples], "int32")
        drawn = self._draw(ops.reshape(some, (-1, some.shape[-1])), self._temperature)
        read = ops.reshape(ops.argmax(self.judge(255 * drawn), axis=-1), ops.shape(true))
        self._matches.update_state(ops.all(ops.equal(ops.cast(read, "int32"), true), axis=-1))

    def _draw(self, codes: keras.KerasTensor, temperature: float = 1.0) -> keras.KerasTensor:
        """Images `[n, 28, 28]`, 0 to 1, of codes `[n, ...]`."""
        if not self._noise_size:
            return self._pen(codes)
        shape = (ops.shape(codes)[0], self._noise_size)
        noise = keras.random.normal(shape, stddev=temperature, seed=self._noise)
        return self._pen(ops.concatenate([codes, noise], axis=-1))


def build(config: Seq2SeqConfig, judge: keras.Model, teacher: keras.Model | None) -> Drawing:
    """A compiled model that learns to draw; `teacher` is for varied handwriting only."""
    network = seq2seq.network(config)
    model = Drawing(network, config, judge, teacher)
    optimizer = adamw(config, spared=network.get_layer("pen").weights)
    model.compile(optimizer=optimizer, jit_compile=False, steps_per_execution=steps_per_execution(config))
    return model


def draw(network: keras.Model, queries: np.ndarray, random: np.random.Generator, temperature: float) -> np.ndarray:
    """One drawing of each answer: `[queries, answer length, 28, 28]` uint8.

    Args:
        network: the answering one of a trained `Drawing`.
        queries: `[queries, 5]` character ids.
        random: draws the noise, if there is any.
        temperature: the noise's standard deviation.
    """
    shapes = [(len(queries), *noise.shape[1:]) for noise in network.inputs[1:]]
    noise = [random.normal(scale=temperature, size=shape).astype("float32") for shape in shapes]
    drawn = network.predict([queries, *noise] if noise else queries, batch_size=500, verbose=0)
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
    outputs = [*seen, reader.get_layer("features").output, reader.outputs[0]]
    return keras.Model(reader.inputs[0], outputs, name="teacher")
