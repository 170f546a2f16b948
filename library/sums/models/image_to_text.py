"""The image-to-text model: it learns from the answers, and from which characters the images of a query show."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from library.framework.training.optimizers import JIT_CONVOLUTIONS, adamw, steps_per_execution
from library.sums.config import Seq2SeqConfig
from library.sums.models import seq2seq


class ImageToText(keras.Model):
    """Trains a network of `seq2seq.network` whose queries are images.

    Targets are dicts of `answer` `[batch, answer length]` and `query` `[batch, 5]`, both character ids.
    """

    def __init__(self, network: keras.Model, weight: float) -> None:
        """A model that is yet to be compiled; `weight` is that of the queries' cross-entropy, against 1 of answers."""
        super().__init__(name="image_to_text")
        self.network, self._weight = network, weight
        self._arithmetic = None  # from the characters of a query to the answer
        if weight:
            self._arithmetic = keras.Model(network.get_layer(seq2seq.QUERY_CHARACTERS).output, network.outputs[0])
        self._exact_match = keras.metrics.Mean(name="exact_match")
        self._read_characters = keras.metrics.Mean(name="read_characters")

    @property
    def inference_model(self) -> keras.Model:
        """The network from images of queries to the logits of answers only."""
        return keras.Model(self.network.input, self.network.outputs[0], name="seq2seq")

    def call(
        self, query: keras.KerasTensor, training: bool | None = None
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Logits `[batch, answer length, characters]` of answers and `[batch, 5, characters]` of queries."""
        answer, read = self.network(query, training=training)
        return answer, read

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> keras.KerasTensor:
        """The cross-entropy of answers plus the weighted one of the queries' characters.

        While training, answers are given the true characters of the queries (teacher forcing).
        """
        answer, read = y_pred
        if training and self._arithmetic:
            answer = self._arithmetic(ops.one_hot(y["query"], read.shape[-1]), training=True)
        answer_loss, query_loss = (
            ops.mean(keras.losses.sparse_categorical_crossentropy(y[kind], logits, from_logits=True))
            for kind, logits in (("answer", answer), ("query", read))
        )
        return answer_loss + self._weight * query_loss

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Mapping[str, Any]:
        """The loss, the share of right answers and the share of characters that are recognised."""
        answer, read = y_pred
        self._exact_match.update_state(seq2seq.exact_match(y["answer"], answer))
        self._read_characters.update_state(ops.equal(y["query"], ops.cast(ops.argmax(read, axis=-1), y["query"].dtype)))
        return self.get_metrics_result()


def build(config: Seq2SeqConfig) -> ImageToText:
    """A compiled model."""
    network = seq2seq.network(config)
    model = ImageToText(network, config.character_loss)
    # A weight decay that makes the few queries generalise is too much for images, of which there are enough.
    optimizer = adamw(config, exclude_from_weight_decay=network.get_layer("glyph_reader").weights)
    model.compile(optimizer=optimizer, jit_compile=JIT_CONVOLUTIONS, steps_per_execution=steps_per_execution(config))
    return model
