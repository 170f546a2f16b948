"""The LSTM encoder-decoder (Sutskever et al. 2014) that answers an arithmetic query.

Three choices let it learn from few examples; each can be turned off, and together with `padding` they lead from the
stock network to this one. The encoder reads digits of equal place one after the other, the decoder writes ones first
(as one adds on paper), and characters go in and come out through one small embedding (Press and Wolf 2017), so that
what is learnt of a digit in a query holds for the same digit in an answer.
"""

import keras
from keras import layers, ops

from library.configs import Seq2SeqConfig
from library.data.notation import ANSWER_LENGTH, CHARACTERS, QUERY_LENGTH
from library.models.optimizer import adamw, steps_per_execution

# Of a query `ab+cd`, aligned: the operator, both ones (b, d), both tens (a, c).
PAIRS = (2, 1, 4, 0, 3)


def build(config: Seq2SeqConfig) -> keras.Model:
    """A compiled model from `[batch, 5]` character ids to `[batch, 3, 13]` logits, both in the order of writing.

    XLA and unrolling are on: for LSTMs this short they are worth a factor of two each.
    """
    model = network(config)
    model.compile(
        optimizer=adamw(config),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[exact_match],
        jit_compile=True,
        steps_per_execution=steps_per_execution(config),
    )
    return model


def network(config: Seq2SeqConfig) -> keras.Model:
    """The same without a loss or an optimizer."""
    vocabulary = len(CHARACTERS)
    shared = (
        layers.ReversibleEmbedding(vocabulary, config.embedding_size, name="characters")
        if config.embedding_size
        else None
    )

    query = keras.Input((QUERY_LENGTH,), dtype="int32", name="query")
    ids = ops.take(query, PAIRS, axis=1) if config.reading_order == "pairs" else query
    code = encode(shared(ids) if shared else ops.one_hot(ids, vocabulary), config)
    written = decode(code, config)
    if shared:
        logits = shared(layers.Dense(config.embedding_size, name="to_embedding")(written), reverse=True)
    else:
        logits = layers.Dense(vocabulary, name="logits")(written)
    answer = ops.flip(logits, axis=1) if config.answer_order == "ones-first" else logits
    return keras.Model(query, answer, name="seq2seq")


def encode(steps: keras.KerasTensor, config: Seq2SeqConfig) -> keras.KerasTensor:
    """The latent code, `[batch, units]` (twice that if bidirectional), of a sequence `[batch, time, features]`."""
    for layer in range(config.encoder_depth):
        lstm = layers.LSTM(config.units, return_sequences=layer < config.encoder_depth - 1, unroll=True)
        steps = (layers.Bidirectional(lstm) if config.bidirectional else lstm)(steps)
    return layers.Dropout(config.dropout)(steps) if config.dropout else steps


def decode(code: keras.KerasTensor, config: Seq2SeqConfig) -> keras.KerasTensor:
    """A sequence `[batch, 3, units]` unfolded from the latent code."""
    steps = layers.RepeatVector(ANSWER_LENGTH)(code)
    for _ in range(config.decoder_depth):
        steps = layers.LSTM(config.units, return_sequences=True, unroll=True)(steps)
    return steps


def exact_match(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """1.0 for each answer whose every character is right, `[batch]`, from ids and logits."""
    right = ops.equal(ops.cast(y_true, "int32"), ops.cast(ops.argmax(y_pred, axis=-1), "int32"))
    return ops.cast(ops.all(right, axis=-1), "float32")
