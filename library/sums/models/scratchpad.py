"""The encoder-decoder that writes its working before the answer, on a scratchpad (Nye et al. 2021).

The decoder of `seq2seq` gets the latent code alone. This one gets at every step also the character that it wrote before
(while training the true one: teacher forcing, Williams and Zipser 1989), and sees the query and all that it has written
through a few heads of attention. As its places are always the same, each head learns one weighting of places for each
step (location-based attention, Luong et al. 2015, section 3.1, without the state). Every step is then a function of a
few characters, of which even few examples show all cases.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from library.framework.training.optimizers import adamw, steps_per_execution
from library.sums.config import Seq2SeqConfig
from library.sums.data import queries, working
from library.sums.data.notation import QUERY_LENGTH
from library.sums.models import seq2seq

HEADS = 3


class Scratchpad(keras.Model):
    """Trains `forced`, and answers with `network`, which has the same weights.

    While training x is a dict of `query`, `[batch, 5]` ids, and `written`, `[batch, steps]` ids as of
    `working.written`; else it is queries. Targets are `written`, or answers `[batch, answer length]`.
    """

    def __init__(self, network: keras.Model, forced: keras.Model) -> None:
        """A model that is yet to be compiled, of two networks as of `networks`."""
        super().__init__(name="scratchpad")
        self.inference_model, self._forced = network, forced

    def call(self, x: Any, training: bool | None = None) -> keras.KerasTensor:
        """Logits of all that is written, from the true characters before each, or of the answers to queries alone."""
        network = self._forced if isinstance(x, dict) else self.inference_model
        return network(x, training=training)


def build(config: Seq2SeqConfig) -> Scratchpad:
    """A compiled model."""
    network, forced = networks(config)
    model = Scratchpad(network, forced)
    model.compile(
        optimizer=adamw(config, exclude_from_weight_decay=network.get_layer("places").weights),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[seq2seq.exact_match],
        jit_compile=True,
        steps_per_execution=steps_per_execution(config),
    )
    return model


def networks(config: Seq2SeqConfig) -> tuple[keras.Model, keras.Model]:
    """Two networks of the same weights.

    The first maps queries, `[batch, 5]` ids, to logits of answers, `[batch, answer length, characters]`, with the
    likeliest character as the one that it wrote. The second maps a dict of `query` and `written` to logits of all that
    is written, `[batch, steps, characters]`, in the order of writing.
    """
    notation = queries.notation(config)
    answer = notation.answer_length
    writer = _Writer(config, working.length(notation) + answer)
    query = keras.Input((QUERY_LENGTH,), dtype="int32", name="query")
    written = keras.Input((writer.steps,), dtype="int32", name="written")
    vectors = writer.characters(query)
    if config.reading_order == "pairs":
        vectors = ops.take(vectors, seq2seq.PAIR_ORDER, axis=1)
    code = seq2seq.encode(vectors, config)
    forced = keras.Model({"query": query, "written": written}, writer.force(code, vectors, written))
    logits = ops.flip(writer.write(code, vectors)[:, -answer:], axis=1)
    return keras.Model(query, logits, name="seq2seq"), forced


class _Writer:
    """The layers of the decoder, applied to all steps at once or to one after the other."""

    def __init__(self, config: Seq2SeqConfig, steps: int) -> None:
        characters = len(queries.notation(config).characters)
        self.steps = steps
        # Attention learns slowly from the small vectors that Keras draws unless told otherwise.
        normal = keras.initializers.RandomNormal
        self.characters = layers.ReversibleEmbedding(
            characters, config.embedding_size, embeddings_initializer=normal(stddev=0.5), name="characters"
        )
        self._places = layers.Embedding(steps, HEADS * (QUERY_LENGTH + steps), normal(stddev=1.0), name="places")
        depths = range(config.decoder_depth)
        self._cells = [layers.LSTMCell(config.units, name=f"decoder_{depth}") for depth in depths]
        self._to_embedding = layers.Dense(config.embedding_size, name="to_embedding")

    def force(
        self, code: keras.KerasTensor, vectors: keras.KerasTensor, written: keras.KerasTensor
    ) -> keras.KerasTensor:
        """Logits `[batch, steps, characters]` where every step is given the true characters before it."""
        memory = ops.concatenate([vectors, self.characters(written)], axis=1)
        unseen = np.triu(np.ones((self.steps, QUERY_LENGTH + self.steps), "float32"), QUERY_LENGTH)[:, np.newaxis]
        weights = ops.softmax(self._scores(written) - 1e9 * unseen)
        attended = ops.reshape(ops.einsum("lhs,bse->blhe", weights, memory), (-1, self.steps, HEADS * memory.shape[-1]))
        before = ops.pad(memory[:, QUERY_LENGTH:-1], ((0, 0), (1, 0), (0, 0)))
        codes = ops.repeat(code[:, np.newaxis], self.steps, axis=1)
        states = ops.concatenate([codes, before, attended], axis=-1)
        for cell in self._cells:
            states = layers.RNN(cell, return_sequences=True, unroll=True)(states)
        return self.characters(self._to_embedding(states), reverse=True)

    def write(self, code: keras.KerasTensor, vectors: keras.KerasTensor) -> keras.KerasTensor:
        """The same where every step is given the likeliest characters before it."""
        scores, memory, last = self._scores(vectors), vectors, ops.zeros_like(vectors[:, 0])
        empty = ops.zeros((1, self._cells[0].units)) + ops.zeros_like(code[:, :1])
        states, logits = [[empty, empty] for _ in self._cells], []
        for step in range(self.steps):
            weights = ops.softmax(scores[step, :, : QUERY_LENGTH + step])
            attended = ops.reshape(ops.einsum("hs,bse->bhe", weights, memory), (-1, HEADS * memory.shape[-1]))
            state = ops.concatenate([code, last, attended], axis=-1)
            for depth, cell in enumerate(self._cells):
                state, states[depth] = cell(state, states[depth])
            logits.append(self.characters(self._to_embedding(state), reverse=True))
            last = self.characters(ops.argmax(logits[-1], axis=-1))
            memory = ops.concatenate([memory, last[:, np.newaxis]], axis=1)
        return ops.stack(logits, axis=1)

    def _scores(self, like: keras.KerasTensor) -> keras.KerasTensor:
        """How each head weighs each place at each step, `[steps, heads, places]`, whatever the argument's values."""
        scores = self._places(ops.cast(0 * ops.sum(like), "int32") + np.arange(self.steps, dtype="int32"))
        return ops.reshape(scores, (self.steps, HEADS, QUERY_LENGTH + self.steps))
