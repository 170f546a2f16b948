"""The LSTM encoder-decoder (Sutskever et al. 2014) that answers an arithmetic query.

Three choices let it learn from few examples; each can be turned off, and together with `padding` they lead from the
stock network to this one. The encoder reads digits of equal place one after the other, the decoder writes ones first
(as one adds on paper), and characters go in and come out through one small embedding (Press and Wolf 2017), so that
what is learnt of a digit in a query holds for the same digit in an answer.

Where a query consists of images, convolutions read each of them, and the encoder sees the characters that they decide
for. Where an answer does, others draw the characters that the decoder decides for, and draw from noise too if hands
are to differ. While training, each part is given the true characters of the one before it (teacher forcing, Williams
and Zipser 1989): so reckoning is learnt from clean queries however badly they are read, and drawing from clean answers.
"""

import keras
from keras import layers, ops

from library.framework.training.optimizers import adamw, steps_per_execution
from library.sums.config import Seq2SeqConfig
from library.sums.data import queries
from library.sums.data.handwriting import SIZE
from library.sums.data.notation import QUERY_LENGTH
from library.sums.models import glyph_networks

# Of a query `ab+cd`, aligned: the operator, both ones (b, d), both tens (a, c).
PAIRS = (2, 1, 4, 0, 3)
# The layers of the characters that a query is read as, and that an answer is meant to be.
READ, MEANT = "read", "meant"
Tensors = list[keras.KerasTensor]


def build(config: Seq2SeqConfig) -> keras.Model:
    """A compiled model from `[batch, 5]` character ids to logits `[batch, answer length, characters]`.

    Both are in the order of writing. XLA and unrolling are on: for LSTMs this short they are worth a factor of two
    each. What reads or draws images is built by `reading` and `drawing`, without XLA, as convolutions outweigh LSTMs.
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
    """The network of any modality, without a loss or an optimizer.

    Inputs are queries, `[batch, 5]` ids or `[batch, 5, 28, 28]` images, 0 to 255; where it draws varied handwriting
    also noise `[batch, answer length, noise size]`. Outputs are logits `[batch, answer length, characters]`, or images
    `[batch, answer length, 28, 28]`, 0 to 1. A second output are logits of which characters the images of a query or
    of an answer are (of an answer, only where `character_loss` is not 0).
    """
    characters = len(queries.notation(config).characters)
    shared = (
        layers.ReversibleEmbedding(characters, config.embedding_size, name="characters")
        if config.embedding_size
        else None
    )
    query, steps, *read = _look(config, characters, shared) if config.reads_images else _spell(characters, shared)
    ordered = ops.take(steps, PAIRS, axis=1) if config.reading_order == "pairs" else steps
    written = decode(encode(ordered, config), config)
    logits = _write(written, config, characters, shared)
    if config.answer_order == "ones-first":
        written, logits = ops.flip(written, axis=1), ops.flip(logits, axis=1)
    if not config.draws_images:
        return keras.Model(query, [logits, *read] if read else logits, name="seq2seq")
    meant = _decided(logits, MEANT) if config.character_loss else layers.Identity(name=MEANT)(written)
    images, *noise = _draw(meant, config)
    return keras.Model([query, *noise], [images, logits] if config.character_loss else [images], name="seq2seq")


def encode(steps: keras.KerasTensor, config: Seq2SeqConfig) -> keras.KerasTensor:
    """The latent code, `[batch, units]` (twice that if bidirectional), of a sequence `[batch, time, features]`."""
    for layer in range(config.encoder_depth):
        lstm = layers.LSTM(config.units, return_sequences=layer < config.encoder_depth - 1, unroll=True)
        steps = (layers.Bidirectional(lstm) if config.bidirectional else lstm)(steps)
    return layers.Dropout(config.dropout)(steps) if config.dropout else steps


def decode(code: keras.KerasTensor, config: Seq2SeqConfig) -> keras.KerasTensor:
    """A sequence `[batch, answer length, units]` unfolded from the latent code."""
    steps = layers.RepeatVector(queries.notation(config).answer_length)(code)
    for _ in range(config.decoder_depth):
        steps = layers.LSTM(config.units, return_sequences=True, unroll=True)(steps)
    return steps


def encoder(network: keras.Model) -> keras.Model:
    """The part of a network that makes the latent code of queries, `[batch, units]`."""
    [repeated] = [layer.input for layer in network.layers if isinstance(layer, layers.RepeatVector)]
    return keras.Model(network.inputs[0], repeated)


def exact_match(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """1.0 for each answer whose every character is right, `[batch]`, from ids and logits."""
    right = ops.equal(ops.cast(y_true, "int32"), ops.cast(ops.argmax(y_pred, axis=-1), "int32"))
    return ops.cast(ops.all(right, axis=-1), "float32")


def _spell(characters: int, shared: keras.Layer | None) -> Tensors:
    """A query of ids and the vectors of its characters."""
    query = keras.Input((QUERY_LENGTH,), dtype="int32", name="query")
    return [query, shared(query) if shared else ops.one_hot(query, characters)]


def _look(config: Seq2SeqConfig, characters: int, shared: keras.Layer | None) -> Tensors:
    """A query of images, the vectors of its characters, and the logits of which these are."""
    query = keras.Input((QUERY_LENGTH, SIZE, SIZE), dtype="uint8", name="query")
    images = ops.cast(ops.reshape(query, (-1, SIZE, SIZE)), "float32")
    size = config.embedding_size or characters
    vectors = ops.reshape(glyph_networks.reader(config.filters, size)(images), (-1, QUERY_LENGTH, size))
    logits = vectors
    if shared:
        shared.build((None,))
        logits = shared(vectors, reverse=True)
    if not config.character_loss:
        return [query, vectors, logits]
    read = _decided(logits, READ)
    if shared is None:
        return [query, read, logits]
    every = ops.cast(ops.cumsum(ops.ones_like(read[:, 0]), axis=-1) - 1, "int32")  # [batch, characters]: 0, 1, 2, ...
    return [query, ops.matmul(read, shared(every)), logits]


def _decided(logits: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """1 for the likeliest character and 0 for all others, as the output of a layer of this name."""
    return layers.Identity(name=name)(ops.one_hot(ops.argmax(logits, axis=-1), logits.shape[-1]))


def _write(
    written: keras.KerasTensor, config: Seq2SeqConfig, characters: int, shared: keras.Layer | None
) -> keras.KerasTensor:
    """Logits of what the decoder writes."""
    if shared is None:
        return layers.Dense(characters, name="logits")(written)
    return shared(layers.Dense(config.embedding_size, name="to_embedding")(written), reverse=True)


def _draw(meant: keras.KerasTensor, config: Seq2SeqConfig) -> Tensors:
    """Images of what is meant, and the noise that they depend on, if handwriting is to vary."""
    length = meant.shape[1]
    noise = [keras.Input((length, config.noise_size), name="noise")] if config.handwriting == "varied" else []
    code = ops.concatenate([meant, *noise], axis=-1)
    images = glyph_networks.pen(config.filters, code.shape[-1])(ops.reshape(code, (-1, code.shape[-1])))
    return [ops.reshape(images, (-1, length, SIZE, SIZE)), *noise]
