"""The LSTM encoder-decoder (Sutskever et al. 2014) that answers an arithmetic query.

Three choices let it learn from few examples; each can be turned off, and without them and with `padding="right"` it is
the published network. The encoder reads digits of equal place one after the other; the decoder writes ones first, as
one adds on paper; one small embedding is shared by input and output (Press and Wolf 2017), so that what is learnt of a
digit in a query holds for the same digit in an answer.

Where a query consists of images, convolutions recognise each, and the encoder gets the likeliest characters. Where an
answer does, transposed convolutions draw the decoder's likeliest characters, with noise if handwriting is to vary.
While training, each part gets the true characters of the part before it (teacher forcing, Williams and Zipser 1989),
so that arithmetic is learnt from clean queries while they are still misread, and drawing from clean answers.
"""

import keras
from keras import layers, ops

from library.framework.training.optimizers import adamw, steps_per_execution
from library.sums.config import Seq2SeqConfig
from library.sums.data import queries
from library.sums.data.handwriting import SIZE
from library.sums.data.notation import QUERY_LENGTH
from library.sums.models import glyph_networks

PAIR_ORDER = (2, 1, 4, 0, 3)
"""Of an aligned query `ab+cd`: the operator, both ones (b, d), both tens (a, c)."""
QUERY_CHARACTERS, ANSWER_CHARACTERS = "query_characters", "answer_characters"
"""The layers whose outputs are the likeliest characters, one-hot."""


def build(config: Seq2SeqConfig) -> keras.Model:
    """A compiled model from `[batch, 5]` character ids to logits `[batch, answer length, characters]`.

    XLA and unrolling are on: for LSTMs this short they are worth a factor of two each. Models with images are built by
    `image_to_text` and `text_to_image`, without XLA, as most of their time goes into convolutions.
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

    Inputs are queries, `[batch, 5]` ids or `[batch, 5, 28, 28]` images, 0 to 255, and for varied handwriting noise
    `[batch, answer length, noise size]`. The first output is logits `[batch, answer length, characters]`, or images
    `[batch, answer length, 28, 28]`, 0 to 1. The second is logits of the characters in the images of queries, or in
    those of answers where `character_loss` is not 0; text-to-text has none.
    """
    characters = len(queries.notation(config).characters)
    size, query_logits, embedding = config.embedding_size, [], None
    if size:
        embedding = layers.ReversibleEmbedding(characters, size, name="characters")
    if config.reads_images:
        query, vectors, *query_logits = _recognise(config, characters, embedding)
    else:
        query = keras.Input((QUERY_LENGTH,), dtype="int32", name="query")
        vectors = embedding(query) if embedding else ops.one_hot(query, characters)
    if config.reading_order == "pairs":
        vectors = ops.take(vectors, PAIR_ORDER, axis=1)
    states = decode(encode(vectors, config), config)
    if embedding:
        logits = embedding(layers.Dense(size, name="to_embedding")(states), reverse=True)
    else:
        logits = layers.Dense(characters, name="logits")(states)
    if config.answer_order == "ones-first":
        states, logits = ops.flip(states, axis=1), ops.flip(logits, axis=1)
    if not config.draws_images:
        return keras.Model(query, [logits, *query_logits] if query_logits else logits, name="seq2seq")
    if not config.character_loss:
        images, *noise = _draw(layers.Identity(name=ANSWER_CHARACTERS)(states), config)
        return keras.Model([query, *noise], [images], name="seq2seq")
    images, *noise = _draw(_likeliest(logits, ANSWER_CHARACTERS), config)
    return keras.Model([query, *noise], [images, logits], name="seq2seq")


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
    """The part of a network that computes the latent code of queries, `[batch, units]`."""
    [repeated] = [layer.input for layer in network.layers if isinstance(layer, layers.RepeatVector)]
    return keras.Model(network.inputs[0], repeated)


def inference_model(model: keras.Model) -> keras.Model:
    """The part of a model of any modality that answers, without what it needs to learn."""
    return getattr(model, "inference_model", model)


def exact_match(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """1.0 for each answer whose every character is right, `[batch]`, from ids and logits."""
    right = ops.equal(ops.cast(y_true, "int32"), ops.cast(ops.argmax(y_pred, axis=-1), "int32"))
    return ops.cast(ops.all(right, axis=-1), "float32")


def _recognise(config: Seq2SeqConfig, characters: int, embedding: keras.Layer | None) -> list[keras.KerasTensor]:
    """A query of images, the vectors of its characters, and the logits of these."""
    query = keras.Input((QUERY_LENGTH, SIZE, SIZE), dtype="uint8", name="query")
    images = ops.cast(ops.reshape(query, (-1, SIZE, SIZE)), "float32")
    size = config.embedding_size or characters
    vectors = ops.reshape(glyph_networks.glyph_reader(config.filters, size)(images), (-1, QUERY_LENGTH, size))
    logits = vectors
    if embedding:
        embedding.build((None,))
        logits = embedding(vectors, reverse=True)
    if not config.character_loss:
        return [query, vectors, logits]
    vectors = _likeliest(logits, QUERY_CHARACTERS)
    if embedding:
        ids = ops.cast(ops.cumsum(ops.ones_like(vectors[:, 0]), axis=-1) - 1, "int32")  # [batch, characters]: 0, 1, ...
        vectors = ops.matmul(vectors, embedding(ids))
    return [query, vectors, logits]


def _likeliest(logits: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """The likeliest characters, one-hot, as the output of a layer of this name."""
    return layers.Identity(name=name)(ops.one_hot(ops.argmax(logits, axis=-1), logits.shape[-1]))


def _draw(codes: keras.KerasTensor, config: Seq2SeqConfig) -> list[keras.KerasTensor]:
    """Images of codes `[batch, answer length, ...]`, and their noise if handwriting is to vary."""
    length = codes.shape[1]
    noise = [keras.Input((length, config.noise_size), name="noise")] if config.handwriting == "varied" else []
    inputs = ops.concatenate([codes, *noise], axis=-1)
    size = inputs.shape[-1]
    images = glyph_networks.glyph_decoder(config.filters, size)(ops.reshape(inputs, (-1, size)))
    return [ops.reshape(images, (-1, length, SIZE, SIZE)), *noise]
