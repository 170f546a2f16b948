"""The text-to-image model: it draws answers as the average of all handwriting, or in varied handwriting.

The average minimises the mean squared error and is blurred. Varied handwriting is drawn from noise and minimises the
energy score (Gneiting and Raftery 2007, eq. 22), whose expectation is least for the true distribution: two images of
one character are to be close to a real one, and as far from each other as real ones are. Pixels are a poor measure of
that, so distances are taken in the features of a glyph reader, the teacher, layer by layer. Another glyph reader, the
evaluator, scores the images; no model is trained against it.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from library.framework.training.optimizers import JIT_CONVOLUTIONS, adamw, steps_per_execution
from library.sums.config import Seq2SeqConfig
from library.sums.data.handwriting import SIZE
from library.sums.models import seq2seq

LEGIBILITY_WEIGHT = 0.3
"""Of the teacher's cross-entropy, against feature distances near 1: a higher one makes all images alike."""
MAX_DRAWN = 64
"""Characters of a batch that the glyph decoder learns from: it needs fewer than the rest, and each costs more."""
MAX_EVALUATED = 8
"""Answers of a training batch that the evaluator reads."""


class TextToImage(keras.Model):
    """Trains a network of `seq2seq.network` whose answers are images; the evaluator's reading is the exact match.

    Targets are dicts of `images` `[batch, answer length, 28, 28]`, 0 to 255, and `ids` `[batch, answer length]`.
    """

    def __init__(
        self, network: keras.Model, config: Seq2SeqConfig, evaluator: keras.Model, teacher: keras.Model | None
    ):
        """A model that is yet to be compiled; evaluator and teacher are glyph readers of the characters of answers."""
        super().__init__(name="text_to_image")
        self.network, self.evaluator, self.teacher = network, evaluator, None
        self.evaluator.trainable = False
        if teacher is not None:
            convolutions = [layer.output for layer in teacher.layers if isinstance(layer, layers.Conv2D)]
            outputs = [*convolutions, teacher.get_layer("features").output, teacher.outputs[0]]
            self.teacher = keras.Model(teacher.inputs[0], outputs, name="teacher")
            self.teacher.trainable = False
        codes = network.get_layer(seq2seq.ANSWER_CHARACTERS).output
        self._text_network = keras.Model(network.inputs[0], [codes, *network.outputs[1:]])
        self._glyph_decoder = network.get_layer("glyph_decoder")
        self._weight = config.character_loss
        self._noise_size = network.inputs[1].shape[-1] if teacher is not None else 0
        self._noise = keras.random.SeedGenerator(config.seed)
        self._temperature = config.temperature
        self._exact_match = keras.metrics.Mean(name="exact_match")

    @property
    def inference_model(self) -> keras.Model:
        """The network from queries, and noise, to one image of each answer's characters only."""
        return keras.Model(self.network.inputs, self.network.outputs[0], name="seq2seq")

    def call(self, query: keras.KerasTensor, training: bool | None = None) -> Sequence[keras.KerasTensor]:
        """Codes to be drawn, `[batch, answer length, ...]`, and maybe logits of their characters."""
        return keras.tree.flatten(self._text_network(query, training=training))  # Keras gives a list of one as the one

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> keras.KerasTensor:
        """The loss of some images plus the weighted cross-entropy of the characters; updates the exact match too.

        While training, the true characters are drawn if there are logits of them (teacher forcing).
        """
        codes, *logits = y_pred
        self._update_exact_match(codes, y["ids"], MAX_EVALUATED if training else None)
        if training and logits:
            codes = ops.one_hot(y["ids"], codes.shape[-1])
        codes = ops.reshape(codes, (-1, codes.shape[-1]))[:MAX_DRAWN]
        images = ops.cast(ops.reshape(y["images"], (-1, SIZE, SIZE))[:MAX_DRAWN], "float32") / 255
        if self.teacher:
            *features, read = self.teacher(255 * ops.concatenate([self._draw(codes), self._draw(codes), images]))
            ids = ops.tile(ops.reshape(y["ids"], (-1,))[:MAX_DRAWN], 2)
            read = read[: ops.shape(ids)[0]]  # without those of real images
            cross_entropy = keras.losses.sparse_categorical_crossentropy(ids, read, from_logits=True)
            loss = energy_score(features) + LEGIBILITY_WEIGHT * ops.mean(cross_entropy)
        else:
            loss = ops.mean(ops.square(self._draw(codes) - images))
        for one in logits:
            cross_entropy = keras.losses.sparse_categorical_crossentropy(y["ids"], one, from_logits=True)
            loss += self._weight * ops.mean(cross_entropy)
        return loss

    def _update_exact_match(self, codes: keras.KerasTensor, ids: keras.KerasTensor, answers: int | None) -> None:
        codes, ids = codes[:answers], ops.cast(ids[:answers], "int32")
        drawn = self._draw(ops.reshape(codes, (-1, codes.shape[-1])), self._temperature)
        read = ops.reshape(ops.argmax(self.evaluator(255 * drawn), axis=-1), ops.shape(ids))
        self._exact_match.update_state(ops.all(ops.equal(ops.cast(read, "int32"), ids), axis=-1))

    def _draw(self, codes: keras.KerasTensor, temperature: float = 1.0) -> keras.KerasTensor:
        """Images `[n, 28, 28]`, 0 to 1, of codes `[n, ...]`."""
        if not self._noise_size:
            return self._glyph_decoder(codes)
        shape = (ops.shape(codes)[0], self._noise_size)
        noise = keras.random.normal(shape, stddev=temperature, seed=self._noise)
        return self._glyph_decoder(ops.concatenate([codes, noise], axis=-1))


def build(config: Seq2SeqConfig, evaluator: keras.Model, teacher: keras.Model | None = None) -> TextToImage:
    """A compiled model; only varied handwriting has a teacher."""
    network = seq2seq.network(config)
    model = TextToImage(network, config, evaluator, teacher)
    optimizer = adamw(config, exclude_from_weight_decay=network.get_layer("glyph_decoder").weights)
    model.compile(optimizer=optimizer, jit_compile=JIT_CONVOLUTIONS, steps_per_execution=steps_per_execution(config))
    return model


def draw(network: keras.Model, queries: np.ndarray, random: np.random.Generator, temperature: float) -> np.ndarray:
    """Images `[queries, answer length, 28, 28]` uint8 of the answers to queries `[queries, 5]` by an inference model.

    Noise, where handwriting varies, is drawn with the temperature as its standard deviation.
    """
    shapes = [(len(queries), *noise.shape[1:]) for noise in network.inputs[1:]]
    noise = [random.normal(scale=temperature, size=shape).astype("float32") for shape in shapes]
    drawn = network.predict([queries, *noise] if noise else queries, batch_size=500, verbose=0)
    return np.rint(255 * drawn).astype(np.uint8)


def energy_score(features: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
    """The energy score of two drawn images for each real one, summed over layers of features, averaged over images.

    Args:
        features: of each layer, those of all first images, then of all second ones, then of the real ones:
            `[3 images, ..., channels]`; a distance is that of the channels at one place, averaged over places.
    """
    total = 0.0
    for layer in features:
        first, second, real = ops.split(layer, 3)
        total += (_distance(first, real) + _distance(second, real) - _distance(first, second)) / 2
    return total


def _distance(a: keras.KerasTensor, b: keras.KerasTensor) -> keras.KerasTensor:
    # A mean, not a sum, so that wide layers do not outweigh narrow ones; above 0, where a root has a gradient.
    return ops.mean(ops.sqrt(ops.mean(ops.square(a - b), axis=-1) + 1e-6))
