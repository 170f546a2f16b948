"""Learning to answer handwritten queries: from the answers, and from what the characters of a query are."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from library.framework.training.optimizers import adamw, steps_per_execution
from library.sums.config import Seq2SeqConfig
from library.sums.models import seq2seq


class Reading(keras.Model):
    """Trains a network of `seq2seq.network` that reads images.

    Targets are dicts of `answer` `[batch, answer length]` and `query` `[batch, 5]`, character ids both.
    """

    def __init__(self, network: keras.Model, weight: float) -> None:
        """A network that reads.

        Args:
            network: from images of queries to the logits of answers and those of the queries' characters.
            weight: of the cross-entropy of the queries' characters, against 1 of the answers'.
        """
        super().__init__(name="reading")
        self.network, self._weight = network, weight
        # From characters to the answer.
        self._reckoner = keras.Model(network.get_layer(seq2seq.READ).output, network.outputs[0]) if weight else None
        self._matches = keras.metrics.Mean(name="exact_match")
        self._read = keras.metrics.Mean(name="read_characters")

    @property
    def answering(self) -> keras.Model:
        """The network from images of queries to the logits of answers alone."""
        return keras.Model(self.network.input, self.network.outputs[0], name="seq2seq")

    def call(
        self, query: keras.KerasTensor, training: bool | None = None
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Logits `[batch, answer length, characters]` of answers and `[batch, 5, characters]` of queries."""
        answer, read = self.network(query, training=training)
        return answer, read

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> keras.KerasTensor:
        """The cross-entropy of the answers, and weighted that of the queries' characters.

        While training, that of the answers to rightly read queries.
        """
        answer, read = y_pred
        if training and self._reckoner:
            answer = self._reckoner(ops.one_hot(y["query"], read.shape[-1]), training=True)
        answered, named = (
            ops.mean(keras.losses.sparse_categorical_crossentropy(y[kind], logits, from_logits=True))
            for kind, logits in (("answer", answer), ("query", read))
        )
        return answered + self._weight * named

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Mapping[str, Any]:
        """The loss, the share of right answers and that of characters read rightly."""
        answer, read = y_pred
        self._matches.update_state(seq2seq.exact_match(y["answer"], answer))
        self._read.update_state(ops.equal(y["query"], ops.cast(ops.argmax(read, axis=-1), y["query"].dtype)))
        metrics: Mapping[str, Any] = self.get_metrics_result()
        return metrics


def build(config: Seq2SeqConfig) -> Reading:
    """A compiled model that learns to read."""
    network = seq2seq.network(config)
    model = Reading(network, config.character_loss)
    # A decay that makes the few queries generalise is too much for reading, of which there are examples enough.
    optimizer = adamw(config, spared=network.get_layer("reader").weights)
    model.compile(optimizer=optimizer, jit_compile=False, steps_per_execution=steps_per_execution(config))
    return model
